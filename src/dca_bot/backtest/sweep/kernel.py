"""The sweep's fast engine (numba): the plainest strategy over points, in whole numbers.

Everything that decides is computed in 64-bit whole numbers and is exact: products that are too
long wrap around, and so does their difference from the multiple that a float has estimated, which
leaves the true remainder.  Floats hold money that is only reported.  What the kernel does not know
(`Plan.of` gives None) is run by the exact engine, and a sample of each sweep by both.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
# times, bids, asks, and of all blocks the lowest asks, highest bids and lowest bids
Market = tuple[Ints, Ints, Ints, Ints, Ints, Ints]

FINE, MIDDLE, COARSE = 4, 8, 12  # blocks of 16, 256 and 4096 points, as powers of two
PARTS = 10**6  # a percentage of four places is a whole number of these
NEVER = 2**62
FNV_START, FNV = -3_750_763_034_362_895_579, 1_099_511_628_211

# columns of `settings`, a row for each set
BASE_LOW, SAFETY_LOW, SAFETY_ORDERS, SAFETY_PARTS, PROFIT_PARTS, COOLDOWN, RESTART_PARTS = range(7)
# columns of `counts` and `money`
CYCLES, BUYS, QUANTITY, FINGERPRINT = range(4)
NET, FEES, MOST_INVESTED, DRAWDOWN, OPEN_NET, AREA = range(6)


@njit(nogil=True, cache=True, inline="always")
def _floor_div(product: int, estimate: float, divisor: int) -> int:
    """floor(true product / divisor), where `product` may have wrapped around."""
    quotient = int(estimate)
    rest = product - quotient * divisor
    while rest < 0:
        quotient -= 1
        rest += divisor
    while rest >= divisor:
        quotient += 1
        rest -= divisor
    return quotient


@njit(nogil=True, cache=True, inline="always")
def _scaled_down(value: int, factor: int, divisor: int) -> int:
    """floor(value * factor / divisor)"""
    return _floor_div(value * factor, float(value) * factor / divisor, divisor)


@njit(nogil=True, cache=True, inline="always")
def _scaled_up(value: int, factor: int, divisor: int) -> int:
    """ceil(value * factor / divisor)"""
    below = _scaled_down(value, factor, divisor)
    return below + 1 if value * factor - below * divisor != 0 else below


@njit(nogil=True, cache=True, inline="always")
def _average(held: int, average: int, more: int, price: int) -> int:
    """The weighted average, rounded half to even as the books round it."""
    total = held + more
    product = held * average + more * price
    estimate = (float(held) * average + float(more) * price) / total
    quotient = _floor_div(product, estimate, total)
    rest = product - quotient * total
    if rest > total - rest or (rest == total - rest and quotient & 1):
        quotient += 1
    return quotient


@njit(nogil=True, cache=True)
def block_extremes(values: Ints, highest: bool) -> Ints:
    """The extremes of all blocks: the fine ones, then the middle, then the coarse ones."""
    points = len(values)
    sizes = (points >> FINE, points >> MIDDLE, points >> COARSE)
    result = np.empty(sizes[0] + sizes[1] + sizes[2], np.int64)
    for block in range(sizes[0]):
        extreme = values[block << FINE]
        for value in values[(block << FINE) + 1 : (block + 1) << FINE]:
            if (value > extreme) == highest:
                extreme = value
        result[block] = extreme
    below, first = 0, sizes[0]
    for level in (1, 2):
        for block in range(sizes[level]):
            start = below + (block << 4)
            extreme = result[start]
            for value in result[start + 1 : start + 16]:
                if (value > extreme) == highest:
                    extreme = value
            result[first + block] = extreme
        below, first = first, first + sizes[level]
    return result


@njit(nogil=True, cache=True)
def _seek(
    start: int,
    end: int,
    buy: int,
    sell: int,
    market: Market,
    peak: float,
    fall: float,
) -> tuple[int, float, float]:
    """The first point that crosses a trigger, and the bid's peak and deepest fall on the way.

    A block is passed over when it crosses neither trigger and its range can't hold a deeper fall.
    """
    _, bids, asks, low_asks, high_bids, low_bids = market
    points = len(asks)
    fine, middle = points >> FINE, points >> MIDDLE
    at = start
    while at < end:
        if at & 15 == 0:
            shift, first = FINE, 0
            if at & 255 == 0:
                shift, first = MIDDLE, fine
                if at & 4095 == 0:
                    shift, first = COARSE, fine + middle
            passed = False
            while shift >= FINE:
                upto = at + (1 << shift)
                if upto <= end:
                    block = first + (at >> shift)
                    if low_asks[block] > buy and high_bids[block] < sell:
                        low, high = low_bids[block], high_bids[block]
                        if high - low <= fall:
                            fall = max(fall, peak - low)
                            peak = max(peak, float(high))
                            at = upto
                            passed = True
                            break
                shift -= 4
                first = fine if shift == MIDDLE else 0
            if passed:
                continue
        bid = bids[at]
        fall = max(fall, peak - bid)
        peak = max(peak, float(bid))
        if asks[at] <= buy or bid >= sell:
            return at, peak, fall
        at += 1
    return end, peak, fall


@njit(nogil=True, cache=True)
def _first_at(times: Ints, start: int, wanted: int) -> int:
    """The first point from `start` on that is not earlier than `wanted`."""
    step, low = 1, start
    points = len(times)
    while low + step < points and times[low + step] < wanted:
        low += step
        step *= 2
    high = min(low + step, points)
    while low < high:
        middle = (low + high) // 2
        if times[middle] < wanted:
            low = middle + 1
        else:
            high = middle
    return low


@njit(nogil=True, cache=True, inline="always")
def _pass_time(sums: Floats, invested: float, since: int, now: int) -> int:
    sums[AREA] += invested * (now - since)
    return now


@njit(nogil=True, cache=True, inline="always")
def _count(count: Ints, column: int, action: int) -> None:
    count[column] += 1
    count[FINGERPRINT] = (count[FINGERPRINT] ^ action) * FNV


@njit(nogil=True, cache=True)
def run_sets(
    settings: Ints,
    amounts: Floats,
    scales: tuple[int, int, float, int],
    market: Market,
    counts: Ints,
    money: Floats,
) -> None:
    """Play all sets; fill their rows of `counts` and `money`.

    `scales`: the books' price steps in a step of these prices, what divides an average to a
    price of these steps times PARTS, the worth of a step of quantity at a price of one step, and
    the fee in parts.
    """
    for number in range(len(settings)):
        _run(
            settings[number],
            amounts[number],
            scales,
            market,
            counts[number],
            money[number],
        )


@njit(nogil=True, cache=True)
def _run(
    own: Ints,
    amounts: Floats,
    scales: tuple[int, int, float, int],
    market: Market,
    count: Ints,
    sums: Floats,
) -> None:
    times, bids, asks = market[0], market[1], market[2]
    book_steps, target_divisor, worth, fee_parts = scales
    cash = peak_equity = invested = 0.0
    held = average = rungs = at = 0
    begun_at = times[0]
    count[FINGERPRINT] = FNV_START
    while at < len(times):
        # a BUY at `at`: the base order, or the next safety order
        ask = asks[at]
        column = SAFETY_LOW if held else BASE_LOW
        quantity = _floor_div(own[column], amounts[column] / ask, ask)
        fee = _scaled_up(quantity, fee_parts, PARTS)
        average = _average(held, average, quantity - fee, ask * book_steps)
        rungs = rungs + 1 if held else 0
        cost = quantity * (ask * worth)
        begun_at = _pass_time(sums, invested, begun_at, times[at])
        cash -= cost
        invested += cost
        sums[FEES] += fee * (ask * worth)
        sums[MOST_INVESTED] = max(sums[MOST_INVESTED], invested)
        held += quantity - fee
        _count(count, BUYS, at * 2)
        # the prices of its next action, and how the equity fares until then
        below = _scaled_down(ask, PARTS - own[SAFETY_PARTS], PARTS)
        buy = below if rungs < own[SAFETY_ORDERS] else -1
        sell = _scaled_up(average, PARTS + own[PROFIT_PARTS], target_divisor)
        coins = held * worth
        peak = max((peak_equity - cash) / coins, float(bids[at]))
        fall = max(sums[DRAWDOWN] / coins, peak - bids[at])
        at, peak, fall = _seek(at + 1, len(times), buy, sell, market, peak, fall)
        sums[DRAWDOWN] = max(sums[DRAWDOWN], fall * coins)
        peak_equity = max(peak_equity, cash + peak * coins)
        if at == len(times) or asks[at] <= buy:
            continue
        # the take profit, and the end of its cooldown
        taken = held * (bids[at] * worth)
        fee_taken = taken * fee_parts / PARTS
        begun_at = _pass_time(sums, invested, begun_at, times[at])
        cash += taken - fee_taken
        sums[FEES] += fee_taken
        sums[NET] += taken - fee_taken - invested
        invested, held = 0.0, 0
        _count(count, CYCLES, at * 2 + 1)
        sums[DRAWDOWN] = max(sums[DRAWDOWN], peak_equity - cash)
        peak_equity = max(peak_equity, cash)
        restart = _scaled_down(bids[at], PARTS - own[RESTART_PARTS], PARTS)
        ends = _first_at(times, at + 1, times[at] // 1000 * 1000 + own[COOLDOWN])
        at, _, _ = _seek(at + 1, ends, restart, NEVER, market, 0.0, float(NEVER))
    _pass_time(sums, invested, begun_at, times[-1])
    sums[AREA] /= max(times[-1] - times[0], 1)
    count[QUANTITY] = held
    sums[OPEN_NET] = held * (bids[-1] * worth) - invested
