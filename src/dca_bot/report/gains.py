"""Lots sold, first in first out, as tax forms ask for.

Rule: the cost of a lot is what was paid for it, its fee in coin included; proceeds are net of the
SELL's fee.  Coins that the books have no BUY of have no known cost.  A long year has a hundred
thousand orders, so they are plain tuples here.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import NamedTuple

from dca_bot.core.fees import sell_fee
from dca_bot.core.money import FEE_RATE_ESTIMATE

# What is left of rounding is no lot, and worth no line.
CRUMB = Decimal("0.01")


class Deal(NamedTuple):
    """A filled order, as far as lots go; `at` in seconds, the worth before any fee in money."""

    symbol: str
    at: float
    quantity: Decimal  # a BUY's after its fee in coin
    worth: Decimal
    is_sell: bool = False
    fee: Decimal | None = None  # of a SELL; None: not known
    fee_is_known: bool = False  # by Alpaca's records, not estimated


class Gain(NamedTuple):
    """One lot, or a part of it, sold.  Cost and gain are None where the coins came otherwise."""

    symbol: str
    quantity: Decimal
    acquired: float | None
    sold: float
    cost: Decimal | None
    proceeds: Decimal  # after the fee
    fees: Decimal  # of the SELL
    fee_is_known: bool

    @property
    def gain(self) -> Decimal | None:
        return None if self.cost is None else self.proceeds - self.cost

    @property
    def acquired_at(self) -> datetime | None:
        return None if self.acquired is None else datetime.fromtimestamp(self.acquired, UTC)

    @property
    def sold_at(self) -> datetime:
        return datetime.fromtimestamp(self.sold, UTC)


def deals_of(symbol: str, orders: str) -> Iterator[Deal]:
    """The orders of a row of DEALS_BY_CYCLE: a SELL has a fee, and whether that is known."""
    for order in orders.split(","):
        at, worth, quantity, *fee = order.split(" ")
        if not fee:
            yield Deal(symbol, float(at), Decimal(quantity), Decimal(worth))
            continue
        charged = None if fee[0] == "-" else Decimal(fee[0])
        is_known = fee[1] == "1"
        yield Deal(symbol, float(at), Decimal(quantity), Decimal(worth), True, charged, is_known)


def gains(deals: Iterable[Deal]) -> Iterator[Gain]:
    """Given every deal in the order of time, what each SELL has sold, lot by lot."""
    lots: defaultdict[str, deque[Deal]] = defaultdict(deque)
    for deal in deals:
        if deal.is_sell:
            yield from _sold(deal, lots[deal.symbol])
        elif deal.quantity > 0:
            lots[deal.symbol].append(deal)


def _sold(deal: Deal, lots: deque[Deal]) -> Iterator[Gain]:
    symbol, at, sold, worth, _, fee, is_known = deal
    fee = sell_fee(worth, FEE_RATE_ESTIMATE) if fee is None else fee
    net, left = worth - fee, sold
    while left > 0:
        if not lots:
            if left == sold or left * worth / sold >= CRUMB:
                share = left / sold
                yield Gain(symbol, left, None, at, None, net * share, fee * share, is_known)
            return
        lot = lots.popleft()
        _, acquired, quantity, cost, *_ = lot
        if quantity > left:
            part = cost * left / quantity
            lots.appendleft(lot._replace(quantity=quantity - left, worth=cost - part))
            quantity, cost = left, part
        share = quantity / sold
        yield Gain(symbol, quantity, acquired, at, cost, net * share, fee * share, is_known)
        left -= quantity
