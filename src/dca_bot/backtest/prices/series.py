"""One pair's prices in memory, and the search for the next point that crosses a trigger.

Prices are whole numbers of the pair's smallest step (10^-digits), so a comparison is exact and
still runs at the speed of the memory; a float can miss a trigger by one step.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Whole = NDArray[np.signedinteger[Any]]

BLOCK = 512  # points; the search looks at a block's lowest ask and highest bid before its points
NARROW_LIMIT = 2**31 - 1
WIDE_LIMIT = 2**63 - 1
NEVER_BUY = -1  # no ask is that low


@dataclass(frozen=True, slots=True)
class Limits:
    """What triggers an action, in steps: the plain strategy's two prices, and further ones."""

    buy: int = NEVER_BUY  # an ask at or below it
    sell: int = WIDE_LIMIT  # a bid at or above it
    buy_above: int = 0  # but no ask below it
    max_spread_percent: float | None = None  # and ask and bid no further apart, of the ask
    between: tuple[int, int] | None = None  # a bid from the first to the second
    stop: int = NEVER_BUY  # a bid at or below it

    @property
    def are_two(self) -> bool:
        """Whether only the first two count."""
        return Limits(self.buy, self.sell) == self


@dataclass(frozen=True, eq=False)
class PriceSeries:
    """A pair's prices, oldest first: `times` in nanoseconds since the epoch, UTC.

    `bids` and `asks` are in steps of 10^-digits.  With `points_per_bar` above 1 the points are
    the path through bars: between two points of a bar the price passes through all prices, and
    between two bars it jumps.
    """

    symbol: str
    times: NDArray[np.int64]
    bids: Whole
    asks: Whole
    digits: int
    points_per_bar: int = 1

    def __len__(self) -> int:
        return len(self.times)

    @property
    def limit(self) -> int:
        """The largest number of steps that these arrays can hold: above every ask and bid."""
        return NARROW_LIMIT if self.asks.dtype == np.int32 else WIDE_LIMIT

    def price(self, steps: int) -> Decimal:
        """A number of steps as a price."""
        return Decimal(int(steps)).scaleb(-self.digits)

    def steps_below(self, price: Decimal | None) -> int:
        """The most steps that are not above `price`; None: no price is low enough."""
        if price is None:
            return NEVER_BUY
        if not price.is_finite():
            return self.limit
        steps = int(price.scaleb(self.digits).to_integral_value(ROUND_FLOOR))
        return max(NEVER_BUY, min(steps, self.limit))

    def steps_above(self, price: Decimal | None) -> int:
        """The fewest steps that are not below `price`; None: no price is high enough."""
        if price is None:
            return self.limit
        steps = int(price.scaleb(self.digits).to_integral_value(ROUND_CEILING))
        return max(0, min(steps, self.limit))

    def first_at(self, time: int) -> int:
        """The first point that is not earlier than `time`, in nanoseconds."""
        return int(np.searchsorted(self.times, time))

    def first_within(self, start: int, end: int, limits: Limits) -> int:
        """The first point from `start` on that crosses any of the limits; `end` for none.

        Without the help of blocks, in strides that double, unless there are but two limits.
        """
        if limits.are_two:
            return self.first_hit(start, end, limits.buy, limits.sell)
        stride = BLOCK
        while start < end:
            stop = min(start + stride, end)
            hits = self._crossings(start, stop, limits)
            place = int(hits.argmax())
            if hits[place]:
                return start + place
            start, stride = stop, stride * 2
        return end

    def _crossings(self, start: int, stop: int, limits: Limits) -> NDArray[np.bool_]:
        asks, bids = self.asks[start:stop], self.bids[start:stop]
        hits: NDArray[np.bool_] = asks <= limits.buy
        if limits.buy_above:
            hits &= asks >= limits.buy_above
        if limits.max_spread_percent is not None:
            # a float only chooses where to look: what decides is exact
            hits &= (asks - bids) * 99.999999 <= limits.max_spread_percent * asks
        hits |= (bids >= limits.sell) | (bids <= limits.stop)
        if limits.between is not None:
            low, high = limits.between
            reached = bids
            if self.points_per_bar > 1 and start > 0:
                # on its way down a path passes what no point shows
                reached = np.maximum(bids, self.bids[start - 1 : stop - 1])
            hits |= (bids <= high) & (reached >= low)
        return hits

    def first_hit(self, start: int, end: int, buy_at_or_below: int, sell_at_or_above: int) -> int:
        """The first point from `start` on that crosses either; `end` where none before it does.

        1. The rest of the block that `start` lies in, point by point.
        2. Whole blocks by their lowest ask and highest bid, in strides that double.
        3. The points of the block that was found.
        """
        stop = min((start // BLOCK + 1) * BLOCK, end)
        found = self._scan(start, stop, buy_at_or_below, sell_at_or_above)
        if found < stop or stop >= end:
            return min(found, end)
        lowest, highest = self.lowest_asks, self.highest_bids
        block, stride, blocks = stop // BLOCK, 16, -(-end // BLOCK)
        while block < blocks:
            upto = min(block + stride, blocks)
            hits = lowest[block:upto] <= buy_at_or_below
            hits |= highest[block:upto] >= sell_at_or_above
            place = int(hits.argmax())
            if hits[place]:
                begin = (block + place) * BLOCK
                return self._scan(begin, min(begin + BLOCK, end), buy_at_or_below, sell_at_or_above)
            block, stride = upto, stride * 2
        return end

    def _scan(self, start: int, stop: int, buy: int, sell: int) -> int:
        if start >= stop:
            return stop
        hits = self.asks[start:stop] <= buy
        hits |= self.bids[start:stop] >= sell
        place = int(hits.argmax())
        return start + place if hits[place] else stop

    @cached_property
    def lowest_asks(self) -> Whole:
        """Of each block."""
        return _by_block(self.asks, np.minimum)

    @cached_property
    def highest_bids(self) -> Whole:
        """Of each block."""
        return _by_block(self.bids, np.maximum)

    @cached_property
    def lowest_bids(self) -> Whole:
        """Of each block."""
        return self.lowest_asks if self.bids is self.asks else _by_block(self.bids, np.minimum)

    @cached_property
    def lowest_ask(self) -> Decimal:
        """Of all."""
        return self.price(int(self.lowest_asks.min()))

    @cached_property
    def highest_bid(self) -> Decimal:
        """Of all."""
        return self.price(int(self.highest_bids.max()))

    def between(self, start: int, end: int) -> PriceSeries:
        """The points from `start` up to `end`, without a copy."""
        bids = self.bids[start:end]
        asks = bids if self.asks is self.bids else self.asks[start:end]
        return PriceSeries(
            self.symbol, self.times[start:end], bids, asks, self.digits, self.points_per_bar
        )


def _by_block(values: Whole, ufunc: np.ufunc) -> Whole:
    whole = len(values) // BLOCK * BLOCK
    result: Whole = ufunc.reduce(values[:whole].reshape(-1, BLOCK), axis=1)
    if whole < len(values):
        result = np.append(result, ufunc.reduce(values[whole:]))
    return result


def narrowed(values: Whole) -> Whole:
    """The same numbers in half the memory, where they fit."""
    if len(values) and int(values.max()) < NARROW_LIMIT:
        return values.astype(np.int32, copy=False)
    return values
