"""The search finds the same point as looking at every one."""

import random
from decimal import Decimal

import numpy as np
import pytest

from dca_bot.backtest.prices.series import BLOCK, NEVER_BUY, Limits, PriceSeries, narrowed
from tests.backtest.markets import SYMBOL, a_walk, a_walk_of_quotes, some_points

MANY = 5 * BLOCK + 17


def brute(prices: PriceSeries, start: int, end: int, limits: Limits) -> int:
    for index in range(start, end):
        bid, ask = int(prices.bids[index]), int(prices.asks[index])
        buys = limits.buy_above <= ask <= limits.buy
        if limits.max_spread_percent is not None:
            buys = buys and (ask - bid) * 100 <= limits.max_spread_percent * ask
        low, high = limits.between or (1, 0)
        if buys or bid >= limits.sell or bid <= limits.stop or low <= bid <= high:
            return index
    return end


@pytest.mark.parametrize("seed", range(5))
def test_two_limits_are_found_at_once(seed: int) -> None:
    prices = a_walk_of_quotes(seed, MANY)
    dice = random.Random(seed)
    for _ in range(100):
        start = dice.randrange(MANY)
        end = dice.randint(start, MANY)
        bid = int(prices.bids[start])
        limits = Limits(
            dice.choice([NEVER_BUY, bid - dice.randint(0, 9_000)]), bid + dice.randint(0, 9_000)
        )
        expected = brute(prices, start, end, limits)
        assert prices.first_within(start, end, limits) == expected


@pytest.mark.parametrize("seed", range(5))
def test_further_limits_are_found_as_well(seed: int) -> None:
    prices = a_walk_of_quotes(seed, MANY)
    dice = random.Random(seed)
    for _ in range(100):
        start = dice.randrange(MANY)
        bid = int(prices.bids[start])
        low = bid + dice.randint(-9_000, 9_000)
        limits = Limits(
            buy=bid - dice.randint(0, 5_000),
            sell=bid + dice.randint(500, 9_000),
            buy_above=dice.choice([0, bid - 3_000]),
            max_spread_percent=dice.choice([None, 0.005]),
            between=dice.choice([None, (low, low + dice.randint(0, 300))]),
            stop=dice.choice([NEVER_BUY, bid - 6_000]),
        )
        assert prices.first_within(start, MANY, limits) == brute(prices, start, MANY, limits)


@pytest.mark.parametrize("block", range(60))
def test_a_single_dip_is_found_in_whatever_block_it_lies(block: int) -> None:
    steps = np.full(60 * BLOCK + 3, 1_000, np.int64)
    place = block * BLOCK + 7 * block % BLOCK
    steps[place] = 900
    prices = PriceSeries(SYMBOL, np.arange(len(steps)), steps, steps, 2)
    assert prices.first_hit(0, len(prices), 900, prices.limit) == place
    assert prices.first_hit(0, place, 900, prices.limit) == place
    assert prices.first_hit(place + 1, len(prices), 900, prices.limit) == len(prices)


def test_a_price_is_compared_exactly_in_steps() -> None:
    prices = some_points(["0.00143", "0.0014443"], digits=7)
    # 0.00143 * 1.01 in floats is above 0.0014443
    assert prices.steps_above(Decimal("0.00143") * Decimal("1.01")) == 14443
    assert prices.steps_below(Decimal("0.00144439")) == 14443
    assert prices.steps_below(None) == NEVER_BUY
    assert prices.steps_below(Decimal("Infinity")) == prices.limit


def test_numbers_that_fit_take_half_the_memory() -> None:
    walk = np.array(a_walk(1, 10), np.int64)
    assert narrowed(walk).dtype == np.int32
    assert narrowed(walk * 10**9).dtype == np.int64


def test_a_part_has_the_same_points() -> None:
    prices = a_walk_of_quotes(1, MANY)
    part = prices.between(100, 200)
    assert (part.symbol, len(part)) == (SYMBOL, 100)
    assert part.bids[0] == prices.bids[100]
