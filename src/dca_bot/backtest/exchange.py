"""The exchange of a backtest: it fills at once and in full, or as late as the latency says.

A BUY fills at the ask, a SELL at the bid.  What arrives late meets the prices of that moment: a
BUY never pays more than its limit and may have to wait for it, a SELL takes what there is.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from dca_bot.backtest.prices.series import PriceSeries
from dca_bot.core.model import OrderKind

STALE_NANOSECONDS = 300 * 10**9  # as STALE_ORDER_SECONDS: then order_manager.py cancels a BUY


@dataclass(frozen=True, slots=True)
class Terms:
    """What the exchange takes: `fee_percent` of each side, `latency` in nanoseconds."""

    fee_percent: Decimal = Decimal("0.25")
    latency: int = 0


@dataclass
class SharedCash:
    """The cash that all pairs share; None: as much as they ask for."""

    cash: Decimal | None = None
    refills: int = 0

    def pay(self, amount: Decimal) -> bool:
        """Take `amount` out; False, and nothing is taken, where there is not so much."""
        if self.cash is None:
            return True
        if amount > self.cash:
            return False
        self.cash -= amount
        return True

    def refill(self, amount: Decimal) -> None:
        """Put money back: a sale, or what a BUY did not need."""
        if self.cash is not None and amount:
            self.cash += amount
            self.refills += 1


@dataclass(frozen=True, slots=True)
class Execution:
    """An order filled in full; `index` is the point whose price was in force."""

    index: int
    at: int  # nanoseconds
    price: int  # steps


@dataclass(frozen=True, slots=True)
class Fill:
    """One order and what it did; `cycle` counts from 1."""

    index: int  # the point whose price was in force
    at: int  # nanoseconds
    kind: OrderKind
    cycle: int
    rung: int
    price: Decimal
    quantity: Decimal  # bought, before the fee, or sold
    fee: Decimal  # in the quote currency
    cash: Decimal  # what it moved: negative for a BUY
    coins: Decimal  # what is held after it
    average: Decimal  # what they cost; of a SELL what the sold ones had cost


@dataclass(frozen=True, slots=True)
class Lapse:
    """A BUY that ended without a fill; `index` is the next point to be looked at."""

    index: int


def buy(
    prices: PriceSeries, latency: int, index: int, *, limit: int, sell_at_or_above: int
) -> Execution | Lapse:
    """What becomes of a BUY that is sent at point `index`, with a limit in steps.

    While it waits for its price, a take profit that comes first has it cancelled (behaviour 5).
    """
    sent = int(prices.times[index])
    if not latency or prices.points_per_bar > 1:
        return Execution(index, sent, limit)  # between the points of a path it finds its limit
    there = _in_force(prices, sent + latency)
    if prices.asks[there] <= limit:
        return Execution(there, sent + latency, int(prices.asks[there]))
    stale = prices.first_at(sent + STALE_NANOSECONDS)
    found = prices.first_hit(there + 1, stale, limit, sell_at_or_above)
    if found < stale and prices.asks[found] <= limit:
        return Execution(found, int(prices.times[found]), limit)
    return Lapse(found)


def sell(prices: PriceSeries, latency: int, index: int, *, bid: int) -> Execution:
    """What a market SELL gets that is sent at point `index`, where the bid is `bid`."""
    sent = int(prices.times[index])
    if not latency:
        return Execution(index, sent, bid)
    if prices.points_per_bar > 1:
        return Execution(index, sent, _after_delay(prices, latency, index, bid))
    there = _in_force(prices, sent + latency)
    return Execution(there, sent + latency, int(prices.bids[there]))


def _in_force(prices: PriceSeries, at: int) -> int:
    return int(np.searchsorted(prices.times, at, "right")) - 1


def _after_delay(prices: PriceSeries, latency: int, index: int, bid: int) -> int:
    """On a path: for the delay the price falls as fast as the bar's whole range would take."""
    first = index - index % prices.points_per_bar
    bar = prices.bids[first : first + prices.points_per_bar]
    lowest, highest = int(bar.min()), int(bar.max())
    length = int(prices.times[first + 1] - prices.times[first]) * prices.points_per_bar
    return max(lowest, bid - -(-(highest - lowest) * latency // max(1, length)))
