"""The deepest fall of the equity from an earlier peak, open positions counted at the bid.

Between two fills the equity is a straight line of the bid, so only the bid's falls need to be
known; blocks whose whole range could not beat the deepest fall so far are passed over.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import numpy as np

from dca_bot.backtest.exchange import Fill
from dca_bot.backtest.prices.series import BLOCK, PriceSeries, Whole
from dca_bot.core.model import ZERO

SHORT = 8 * BLOCK  # points that are looked at one by one without asking their blocks first


def deepest_drawdown(prices: PriceSeries, fills: Sequence[Fill]) -> Decimal:
    """In the quote currency, 0 or more, over every point of `prices`."""
    cash = peak = deepest = ZERO
    ends = [fill.index for fill in fills[1:]] + [len(prices) - 1]
    for fill, end in zip(fills, ends, strict=True):
        cash += fill.cash
        if not fill.coins:
            deepest = max(deepest, peak - cash)
            peak = max(peak, cash)
            continue
        lowest, highest = _range(prices, fill.index, end + 1)
        bottom = cash + fill.coins * prices.price(lowest)
        top = cash + fill.coins * prices.price(highest)
        deepest = max(deepest, peak - bottom)
        if top - bottom > deepest:
            fall = _deepest_fall(prices, fill.index, end + 1)
            deepest = max(deepest, fill.coins * prices.price(fall))
        peak = max(peak, top)
    return deepest


def _range(prices: PriceSeries, start: int, stop: int) -> tuple[int, int]:
    """The lowest and the highest bid of the points from `start` on, before `stop`."""
    if stop - start <= SHORT:
        bids = prices.bids[start:stop]
        return int(bids.min()), int(bids.max())
    lows, highs, _ = _pieces(prices, start, stop)
    return int(lows.min()), int(highs.max())


def _deepest_fall(prices: PriceSeries, start: int, stop: int) -> int:
    """The deepest fall of the bid from a peak before it, in steps."""
    if stop - start <= SHORT:
        return _fall_within(prices.bids[start:stop])
    lows, highs, bounds = _pieces(prices, start, stop)
    peaks = np.maximum.accumulate(highs)[:-1]
    deepest = max(0, int((peaks - lows[1:]).max()))
    for piece in np.flatnonzero(highs - lows > deepest):
        within = prices.bids[bounds[piece] : bounds[piece + 1]]
        deepest = max(deepest, _fall_within(within))
    return deepest


def _fall_within(bids: Whole) -> int:
    return int((np.maximum.accumulate(bids) - bids).max())


def _pieces(prices: PriceSeries, start: int, stop: int) -> tuple[Whole, Whole, list[int]]:
    """Whole blocks between what is left at both ends: lows, highs, and where each begins."""
    first, last = -(-start // BLOCK), stop // BLOCK
    head, tail = prices.bids[start : first * BLOCK], prices.bids[last * BLOCK : stop]
    lows = [prices.lowest_bids[first:last]]
    highs = [prices.highest_bids[first:last]]
    bounds = list(range(first * BLOCK, last * BLOCK + 1, BLOCK))
    if len(head):
        lows.insert(0, head.min(keepdims=True))
        highs.insert(0, head.max(keepdims=True))
        bounds.insert(0, start)
    if len(tail):
        lows.append(tail.min(keepdims=True))
        highs.append(tail.max(keepdims=True))
        bounds.append(stop)
    return np.concatenate(lows), np.concatenate(highs), bounds
