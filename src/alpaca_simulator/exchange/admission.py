"""Whether a well-formed order may enter: uniqueness, minimums, balances, wash trades."""

from dataclasses import dataclass
from decimal import Decimal

from alpaca_simulator.clock import new_york_close
from alpaca_simulator.decimals import NINE_PLACES, ZERO, round_down, round_up
from alpaca_simulator.exchange.drafts import Draft
from alpaca_simulator.exchange.ledger import Ledger
from alpaca_simulator.exchange.matching import Rules
from alpaca_simulator.exchange.order_store import OrderStore
from alpaca_simulator.exchange.orders import Order, OrderType, Side, Terms
from alpaca_simulator.exchange.rejections import (
    INSUFFICIENT,
    Rejection,
    below_minimum,
    insufficient_balance,
    invalid,
    unprocessable,
    wash_trade,
)
from alpaca_simulator.prices.quotes import Quote


@dataclass(frozen=True, slots=True)
class Admission:
    """What an order is judged by."""

    rules: Rules
    orders: OrderStore
    ledger: Ledger

    def admit(
        self, draft: Draft, quote: Quote | None, *, order_id: str, fallback_id: str, now: int
    ) -> Terms:
        """Given a draft, returns the terms of an order; raises Rejection when it may not enter."""
        if draft.client_order_id is not None and self.orders.is_taken(draft.client_order_id):
            raise invalid("client_order_id must be unique")  # for ever (docs/alpaca.md 2.1)
        price = _reference_price(draft, quote)
        working_qty, hold_price = self._size(draft, price)
        self._check_value(draft, draft.notional or working_qty * price)
        self._check_balance(draft, working_qty, hold_price)
        self._check_wash(draft)
        return Terms(
            id=order_id,
            client_order_id=draft.client_order_id or fallback_id,
            asset=draft.asset,
            side=draft.side,
            type=draft.type,
            time_in_force=draft.time_in_force,
            qty=draft.qty,
            notional=draft.notional,
            limit_price=draft.limit_price,
            stop_price=draft.stop_price,
            working_qty=working_qty,
            hold_price=hold_price,
            created_at=now,
            expires_at=new_york_close(now, days=self.rules.expiry_days),
        )

    def _size(self, draft: Draft, price: Decimal) -> tuple[Decimal, Decimal]:
        """How much to trade, and what each unit of a buy reserves (docs/alpaca.md 1.6)."""
        at_market = draft.limit_price is None
        if draft.notional is None:
            cushion = self.rules.market_buy_cushion if at_market else Decimal(1)
            return draft.qty or ZERO, round_up(price * cushion, NINE_PLACES)
        cushion = self.rules.notional_cushion if at_market else Decimal(1)
        unit = price * cushion if draft.side is Side.BUY else price
        qty = round_down(draft.notional / unit, draft.asset.min_trade_increment)
        if qty <= 0:
            raise invalid("qty must be > 0")
        return qty, unit

    def _check_value(self, draft: Draft, value: Decimal) -> None:
        if value > self.rules.maximum_notional:
            limit = f"{self.rules.maximum_notional:f}"
            raise Rejection(
                403, INSUFFICIENT, f"cost basis must be <= maximal amount of order {limit}"
            )
        # Only buys, and only against USD (docs/alpaca.md 1.2).
        binding = draft.side is Side.BUY and draft.asset.quote == "USD"
        if binding and value < self.rules.minimum_usd_buy:
            raise below_minimum(self.rules.minimum_usd_buy)

    def _check_balance(self, draft: Draft, qty: Decimal, hold_price: Decimal) -> None:
        if draft.side is Side.BUY:
            currency, needed = draft.asset.quote, qty * hold_price
        else:
            currency, needed = draft.asset.base, qty
        free = self.ledger.free(currency)
        if needed > free:
            asked = draft.notional if draft.notional and draft.side is Side.BUY else needed
            raise insufficient_balance(currency, asked, free, self.ledger.owned(currency))

    def _check_wash(self, draft: Draft) -> None:
        for order in self.orders.open_of(draft.asset.symbol):
            if order.terms.side is not draft.side and _would_wash(draft, order):
                raise wash_trade(order.id, limit=order.terms.type is not OrderType.MARKET)


def _reference_price(draft: Draft, quote: Quote | None) -> Decimal:
    if draft.limit_price is not None:
        return draft.limit_price
    price = None if quote is None else quote.ask if draft.side is Side.BUY else quote.bid
    if price is None or price <= 0:
        raise unprocessable(f"no quote available for {draft.asset.symbol}")
    return price


def _would_wash(draft: Draft, order: Order) -> bool:
    """The matrix of docs/alpaca.md 1.7."""
    ours, theirs = draft.limit_price, order.terms.limit_price
    if ours is None or theirs is None:
        return True
    return ours >= theirs if draft.side is Side.BUY else theirs >= ours
