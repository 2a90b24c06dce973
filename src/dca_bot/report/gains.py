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

from dca_bot.core.fees import sell_fee
from dca_bot.core.model import OrderKind, Side
from dca_bot.core.money import FEE_RATE_ESTIMATE

# What is left of rounding is no lot, and worth no line.
CRUMB = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Deal:
    """A filled order, as far as lots go; `received` is a BUY's quantity after its fee."""

    symbol: str
    at: datetime
    kind: OrderKind
    quantity: Decimal
    price: Decimal
    received: Decimal
    fee: Decimal | None  # of a SELL; None: not known


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


def gains(deals: Iterable[Deal]) -> Iterator[Gain]:
    """Given every deal in the order of time, what each SELL has sold, lot by lot."""
    lots: defaultdict[str, deque[Lot]] = defaultdict(deque)
    for deal in deals:
        if deal.kind.side is Side.SELL:
            yield from _sold(deal, lots[deal.symbol])
        elif deal.received > 0:
            cost = deal.quantity * deal.price
            lots[deal.symbol].append(Lot(deal.at, deal.received, cost))


def _sold(deal: Deal, lots: deque[Lot]) -> Iterator[Gain]:
    worth = deal.quantity * deal.price
    fee = sell_fee(worth, FEE_RATE_ESTIMATE) if deal.fee is None else deal.fee
    left = deal.quantity
    while left > 0:
        if not lots and left < deal.quantity and left * deal.price < CRUMB:
            return
        lot = lots.popleft() if lots else None
        quantity = min(left, lot.quantity) if lot else left
        share = quantity / deal.quantity
        part = lot.part(quantity) if lot else None
        yield Gain(
            symbol=deal.symbol,
            quantity=quantity,
            acquired_at=part.at if part else None,
            sold_at=deal.at,
            cost=part.cost if part else None,
            proceeds=(worth - fee) * share,
            fees=fee * share,
        )
        if lot and lot.quantity > quantity:
            lots.appendleft(lot.part(lot.quantity - quantity))
        left -= quantity
