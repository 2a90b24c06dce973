"""Lots sold, first in first out, as tax forms ask for.

Rule: the cost of a lot is what was paid for it, its fee in coin included; proceeds are net of the
SELL's fee.  Coins that the books have no BUY of have no known cost.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from dca_bot.core.earnings import seen_fee_rate, sell_fee
from dca_bot.core.model import ZERO, Order, Side
from dca_bot.report.tie_out import BookedOrder


@dataclass(frozen=True, slots=True)
class Lot:
    """Coins bought together, as far as they are not sold yet."""

    at: datetime
    quantity: Decimal
    cost: Decimal

    def part(self, quantity: Decimal) -> Lot:
        return replace(self, quantity=quantity, cost=self.cost * quantity / self.quantity)


@dataclass(frozen=True, slots=True)
class Gain:
    """One lot, or a part of it, sold.  Cost and gain are None where the coins came otherwise."""

    symbol: str
    quantity: Decimal
    acquired_at: datetime | None
    sold_at: datetime
    cost: Decimal | None
    proceeds: Decimal  # after the fee
    fees: Decimal  # of the SELL

    @property
    def gain(self) -> Decimal | None:
        return None if self.cost is None else self.proceeds - self.cost


def gains(orders: Iterable[BookedOrder]) -> Iterator[Gain]:
    """Given every filled order in the order of time, what each SELL has sold, lot by lot."""
    known = [each for each in orders if each.order.filled_quantity > 0]
    rate = seen_fee_rate(each.order for each in known)
    lots: defaultdict[str, deque[Lot]] = defaultdict(deque)
    for each in known:
        order, price = each.order, each.order.filled_average_price or ZERO
        if order.side is Side.BUY:
            cost = order.filled_quantity * price
            if order.received_quantity > 0:
                lots[each.symbol].append(Lot(order.created_at, order.received_quantity, cost))
            continue
        yield from _sold(each.symbol, order, lots[each.symbol], rate)


def _sold(symbol: str, order: Order, lots: deque[Lot], rate: Decimal) -> Iterator[Gain]:
    worth = order.filled_quantity * (order.filled_average_price or ZERO)
    fee = sell_fee(worth, rate) if order.fee is None else order.fee
    left = order.filled_quantity
    while left > 0:
        lot = lots.popleft() if lots else None
        quantity = min(left, lot.quantity) if lot else left
        share = quantity / order.filled_quantity
        part = lot.part(quantity) if lot else None
        yield Gain(
            symbol=symbol,
            quantity=quantity,
            acquired_at=part.at if part else None,
            sold_at=order.created_at,
            cost=part.cost if part else None,
            proceeds=(worth - fee) * share,
            fees=fee * share,
        )
        if lot and lot.quantity > quantity:
            lots.appendleft(lot.part(lot.quantity - quantity))
        left -= quantity
