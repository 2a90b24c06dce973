"""What REST shows of the exchange, with the faults that make it late or odd."""

import random
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from alpaca_simulator.clock import SECOND, new_york, parse_rfc3339
from alpaca_simulator.decimals import NINE_PLACES, ZERO, wire
from alpaca_simulator.exchange.account import position_wire
from alpaca_simulator.exchange.assets import Asset
from alpaca_simulator.exchange.orders import Order
from alpaca_simulator.exchange.rejections import invalid, position_not_found
from alpaca_simulator.streams.trade import UNKNOWN_EVENT
from alpaca_simulator.world import World

ACTIVITY_PAGE = 100
TRADE_KINDS = frozenset({"FILL"})


class Views:
    """Reads the world; changes nothing."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._dice = random.Random(f"views:{world.options.seed}")  # noqa: S311

    def order(self, order: Order) -> dict[str, Any]:
        """Shows an order."""
        shown = order.to_wire()
        if fault := self._world.faults.take("unknown_status", symbol=order.symbol):
            shown["status"] = fault.params.get("word", UNKNOWN_EVENT)
        return shown

    def is_too_young(self, order: Order) -> bool:
        """Whether a fault hides this order for now."""
        fault = self._world.faults.take("order_lag", symbol=order.symbol)
        age = self._world.clock.now() - order.terms.created_at
        return fault is not None and age < fault.seconds(2) * SECOND

    def is_missing(self, asset: Asset) -> bool:
        """Whether a fault makes the exchange deny that it knows an asset."""
        return self._world.faults.take("missing_asset", symbol=asset.symbol) is not None

    def asset(self, asset: Asset) -> dict[str, Any]:
        """Shows an asset."""
        shown = asset.to_wire()
        if self._world.faults.take("no_easy_to_borrow", symbol=asset.symbol):
            del shown["easy_to_borrow"]
        if self._world.faults.take("drifting_minimum", symbol=asset.symbol):
            drift = Decimal(str(round(self._dice.uniform(0.9, 1.1), 4)))
            shown["min_order_size"] = wire((asset.min_order_size * drift).quantize(NINE_PLACES))
        return shown

    def account(self) -> dict[str, Any]:
        """Shows the account; coins count at the middle of their quotes."""
        exchange = self._world.exchange
        value = ZERO
        for asset in self.held_assets():
            value += exchange.account.holding(asset.base).qty * self._price(asset)
        return exchange.account.account_wire(
            exchange.account_id,
            market_value=value,
            multiplier=exchange.rules.multiplier,
            now=self._world.clock.now(),
        )

    def held_assets(self, at: int | None = None) -> list[Asset]:
        """The assets that stand for what is, or was, held."""
        found = (
            self._world.assets.of_coin(coin) for coin in self._world.exchange.account.coins(at)
        )
        return [asset for asset in found if asset is not None]

    def positions(self) -> list[dict[str, Any]]:
        """Lists the positions."""
        at = self._as_of("positions_lag")
        if self._world.faults.take("empty_positions"):
            return []
        return [self._position(asset, at) for asset in self.held_assets(at)]

    def position(self, asset: Asset) -> dict[str, Any]:
        """Shows one position; raises Rejection when nothing is held."""
        at = self._as_of("position_lag", asset.symbol)
        if self._world.exchange.account.holding(asset.base, at).qty <= 0:
            raise position_not_found()
        return self._position(asset, at)

    def _as_of(self, name: str, symbol: str = "") -> int | None:
        fault = self._world.faults.take(name, symbol=symbol)
        return None if fault is None else self._world.clock.now() - round(fault.seconds(2) * SECOND)

    def _position(self, asset: Asset, at: int | None) -> dict[str, Any]:
        account = self._world.exchange.account
        holding = account.holding(asset.base, at)
        free = min(account.ledger.free(asset.base), holding.qty)
        lastday = self._closed_at(asset) or self._price(asset)
        shown = position_wire(asset, holding, free=free, price=self._price(asset), lastday=lastday)
        if fault := self._world.faults.take("unreadable_position", symbol=asset.symbol):
            shown[str(fault.params.get("field", "avg_entry_price"))] = fault.params.get("value")
        return shown

    def _closed_at(self, asset: Asset) -> Decimal | None:
        """The price in USD of an asset's coin at the end of yesterday."""
        pair = self._world.tape.pair(asset.symbol)
        before = None if pair is None else pair.yesterday(self._world.clock.now())
        if before is None:
            return None
        return Decimal(str(before.close)) * self._world.exchange.usd_price(asset.quote)

    def _price(self, asset: Asset) -> Decimal:
        """The price in USD of an asset's coin."""
        quote = self._world.exchange.quotes.get(asset.symbol)
        if quote is None:
            return ZERO
        return quote.mid * self._world.exchange.usd_price(asset.quote)

    def clock(self) -> dict[str, Any]:
        """Shows the stock market's clock; crypto never closes."""
        now = self._world.clock.now()
        local = new_york(now)
        morning = local.replace(hour=9, minute=30, second=0, microsecond=0)
        evening = local.replace(hour=16, minute=0, second=0, microsecond=0)
        working = local.weekday() < 5
        next_open = _next_weekday(morning if local < morning else morning + timedelta(days=1))
        next_close = _next_weekday(evening if local < evening else evening + timedelta(days=1))
        return {
            "timestamp": f"{local:%Y-%m-%dT%H:%M:%S}.{now % SECOND:09d}{local.isoformat()[-6:]}",
            "is_open": working and morning <= local < evening,
            "next_open": next_open.isoformat(),
            "next_close": next_close.isoformat(),
        }

    def activities(self, kind: str | None, query: Mapping[str, str]) -> list[dict[str, Any]]:
        """Lists activities, newest first unless asked otherwise (docs/alpaca.md 2.6)."""
        fault = self._world.faults.take("late_activities")
        delay = 0 if fault is None else round(fault.seconds(60) * SECOND)
        rows = self._world.activities.rows(delay=delay)
        chosen = [(at, row) for at, row in rows if _wanted(kind, query, at, row)]
        if query.get("direction", "desc") != "asc":
            chosen.reverse()
        return _page([row for _, row in chosen], query)


def _page(rows: list[dict[str, Any]], query: Mapping[str, str]) -> list[dict[str, Any]]:
    size = query.get("page_size", str(ACTIVITY_PAGE))
    if not size.isdecimal() or not 0 < int(size) <= ACTIVITY_PAGE:
        raise invalid(f"page_size must be between 1 and {ACTIVITY_PAGE}")
    token = query.get("page_token")
    ids = [row["id"] for row in rows]
    start = ids.index(token) + 1 if token in ids else 0
    return rows[start : start + int(size)]


def _wanted(kind: str | None, query: Mapping[str, str], at: int, row: dict[str, Any]) -> bool:
    kinds = {kind} if kind else {one for one in query.get("activity_types", "").split(",") if one}
    category = query.get("category")
    is_trade = row["activity_type"] in TRADE_KINDS
    after, until = (
        parse_rfc3339(query.get(name, "").replace(" ", "+")) for name in ("after", "until")
    )
    return (
        (not kinds or row["activity_type"] in kinds)
        and (category is None or (category == "trade_activity") == is_trade)
        and (query.get("order_id") in (None, row.get("order_id")))
        and (after is None or at > after)
        and (until is None or at < until)
        and (query.get("date") in (None, _date(row)))
    )


def _date(row: dict[str, Any]) -> str:
    return str(row.get("date") or row["transaction_time"])[:10]


def _next_weekday(moment: datetime) -> datetime:
    while moment.weekday() >= 5:
        moment += timedelta(days=1)
    return moment
