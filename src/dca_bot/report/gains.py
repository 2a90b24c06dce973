"""Lots sold, first in first out, as tax forms ask for.

Rule: the cost of a lot is what was paid for it, its fee in coin included; proceeds are net of the
SELL's fee.  Coins that the books have no BUY of have no known cost.  A long year has a hundred
thousand orders, so they are plain tuples here, and a sale is split into its lots only when those
are shown.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import NamedTuple

from dca_bot.core.fees import sell_fee
from dca_bot.core.model import ZERO
from dca_bot.core.money import FEE_RATE_ESTIMATE

# What is left of rounding is no lot, and worth no line.
CRUMB = Decimal("0.01")


class Lot(NamedTuple):
    """A BUY, or what sales have left of it; `at` in seconds, the quantity after its fee in coin."""

    at: float
    quantity: Decimal
    cost: Decimal


class Gain(NamedTuple):
    """One lot, or a part of it, sold.  Cost and gain are None where the coins came otherwise."""

    symbol: str
    quantity: Decimal
    acquired: float | None
    sold: float
    cost: Decimal | None
    proceeds: Decimal  # after the fee
    fees: Decimal  # of the SELL

    @property
    def gain(self) -> Decimal | None:
        return None if self.cost is None else self.proceeds - self.cost

    @property
    def acquired_at(self) -> datetime | None:
        return None if self.acquired is None else datetime.fromtimestamp(self.acquired, UTC)

    @property
    def sold_at(self) -> datetime:
        return datetime.fromtimestamp(self.sold, UTC)


class Sale(NamedTuple):
    """A SELL with the lots that it has sold; `of_unknown_cost` is what the books have no BUY of."""

    symbol: str
    at: float
    quantity: Decimal
    worth: Decimal  # before its fee
    fee: Decimal
    fee_is_known: bool  # by Alpaca's records, not estimated
    lots: list[Lot]
    of_unknown_cost: Decimal

    @property
    def gain(self) -> Decimal:
        """Of the coins whose cost is known."""
        net = self.worth - self.fee
        if self.of_unknown_cost:
            net = net * (self.quantity - self.of_unknown_cost) / self.quantity
        return net - sum([lot.cost for lot in self.lots], ZERO)

    @property
    def lot_count(self) -> int:
        return len(self.lots) + self._has_lot_of_unknown_cost

    @property
    def _has_lot_of_unknown_cost(self) -> bool:
        unknown = self.of_unknown_cost
        return unknown > 0 and (not self.lots or unknown * self.worth / self.quantity >= CRUMB)

    def gains(self) -> Iterator[Gain]:
        """Lot by lot, each with its share of the proceeds and of the fee."""
        yield from (self._gain(lot.quantity, lot.at, lot.cost) for lot in self.lots)
        if self._has_lot_of_unknown_cost:
            yield self._gain(self.of_unknown_cost, None, None)

    def _gain(self, quantity: Decimal, acquired: float | None, cost: Decimal | None) -> Gain:
        share = quantity / self.quantity
        net, fee = (self.worth - self.fee) * share, self.fee * share
        return Gain(self.symbol, quantity, acquired, self.at, cost, net, fee)


def sales(months: Iterable[tuple[str, str]]) -> Iterator[Sale]:
    """Given rows of DEALS_BY_MONTH, each SELL with the lots that it has sold.

    An order is its time, worth and quantity; a SELL has its fee too, and whether that is known.
    """
    held: defaultdict[str, deque[Lot]] = defaultdict(deque)
    for symbol, orders in months:
        lots = held[symbol]
        for order in orders.split(","):
            at, worth, quantity, *fee = order.split(" ")
            if fee:
                sold = Decimal(quantity), Decimal(worth)
                yield _sale(symbol, float(at), *sold, charged=fee[0], known=fee[1], lots=lots)
            else:
                lots.append(Lot(float(at), Decimal(quantity), Decimal(worth)))


def newest_gains(sold: Sequence[Sale], most: int) -> list[Gain]:
    """The last lots of some sales, at most so many."""
    # a sale has a lot at least
    return [gain for sale in sold[-most:] for gain in sale.gains()][-most:]


def _sale(
    symbol: str,
    at: float,
    quantity: Decimal,
    worth: Decimal,
    *,
    charged: str,
    known: str,
    lots: deque[Lot],
) -> Sale:
    fee = sell_fee(worth, FEE_RATE_ESTIMATE) if charged == "-" else Decimal(charged)
    taken, left = [], quantity
    while left > 0 and lots:
        lot = lots.popleft()
        if lot.quantity > left:
            part = lot.cost * left / lot.quantity
            lots.appendleft(Lot(lot.at, lot.quantity - left, lot.cost - part))
            lot = Lot(lot.at, left, part)
        taken.append(lot)
        left -= lot.quantity
    return Sale(symbol, at, quantity, worth, fee, known == "1", taken, left)
