"""What REST shows of the exchange, with the faults that make it late or odd."""

import random
from decimal import Decimal
from typing import Any

from alpaca_simulator.clock import SECOND
from alpaca_simulator.decimals import NINE_PLACES, wire
from alpaca_simulator.exchange.account import position_wire
from alpaca_simulator.exchange.assets import Asset
from alpaca_simulator.exchange.books import Books
from alpaca_simulator.exchange.orders import Order
from alpaca_simulator.exchange.rejections import position_not_found
from alpaca_simulator.faults import UNKNOWN_WORD, FaultBook
from alpaca_simulator.prices.tape import Tape


class Views:
    """Reads the exchange; changes nothing."""

    def __init__(self, exchange: Books, tape: Tape, faults: FaultBook, seed: int) -> None:
        self._exchange = exchange
        self._tape = tape
        self._faults = faults
        self._dice = random.Random(f"views:{seed}")  # noqa: S311

    def order(self, order: Order) -> dict[str, Any]:
        """Shows an order."""
        shown = order.to_wire()
        if fault := self._faults.take("unknown_status", symbol=order.symbol):
            shown["status"] = fault.params.get("word", UNKNOWN_WORD)
        return shown

    def is_too_young(self, order: Order) -> bool:
        """Whether a fault hides this order for now."""
        fault = self._faults.take("order_lag", symbol=order.symbol)
        age = self._exchange.clock.now() - order.terms.created_at
        return fault is not None and age < fault.seconds(2) * SECOND

    def is_missing(self, asset: Asset) -> bool:
        """Whether a fault makes the exchange deny that it knows an asset."""
        return self._faults.take("missing_asset", symbol=asset.symbol) is not None

    def asset(self, asset: Asset) -> dict[str, Any]:
        """Shows an asset."""
        shown = asset.to_wire()
        if self._faults.take("no_easy_to_borrow", symbol=asset.symbol):
            del shown["easy_to_borrow"]
        if self._faults.take("drifting_minimum", symbol=asset.symbol):
            drift = Decimal(str(round(self._dice.uniform(0.9, 1.1), 4)))
            shown["min_order_size"] = wire((asset.min_order_size * drift).quantize(NINE_PLACES))
        return shown

    def account(self) -> dict[str, Any]:
        """Shows the account; coins count at the middle of their quotes."""
        exchange = self._exchange
        return exchange.account.account_wire(
            exchange.account_id,
            exchange.configuration,
            market_value=exchange.market_value(),
            multiplier=exchange.rules.multiplier,
            now=self._exchange.clock.now(),
        )

    def positions(self) -> list[dict[str, Any]]:
        """Lists the positions."""
        at = self._as_of("positions_lag")
        if self._faults.take("empty_positions"):
            return []
        return [self._position(asset, at) for asset in self._exchange.held_assets(at)]

    def position(self, asset: Asset) -> dict[str, Any]:
        """Shows one position; raises Rejection when nothing is held."""
        at = self._as_of("position_lag", asset.symbol)
        if self._exchange.account.holding(asset.base, at).qty <= 0:
            raise position_not_found()
        return self._position(asset, at)

    def _as_of(self, name: str, symbol: str = "") -> int | None:
        fault = self._faults.take(name, symbol=symbol)
        return (
            None if fault is None else self._exchange.clock.now() - round(fault.seconds(2) * SECOND)
        )

    def _position(self, asset: Asset, at: int | None) -> dict[str, Any]:
        account = self._exchange.account
        holding = account.holding(asset.base, at)
        free = min(account.ledger.free(asset.base), holding.qty)
        lastday = self._closed_at(asset) or self._exchange.coin_price(asset)
        shown = position_wire(
            asset, holding, free=free, price=self._exchange.coin_price(asset), lastday=lastday
        )
        if fault := self._faults.take("unreadable_position", symbol=asset.symbol):
            shown[str(fault.params.get("field", "avg_entry_price"))] = fault.params.get("value")
        return shown

    def _closed_at(self, asset: Asset) -> Decimal | None:
        """The price in USD of an asset's coin at the end of yesterday."""
        pair = self._tape.pair(asset.symbol)
        before = None if pair is None else pair.yesterday(self._exchange.clock.now())
        if before is None:
            return None
        return Decimal(str(before.close)) * self._exchange.usd_price(asset.quote)
