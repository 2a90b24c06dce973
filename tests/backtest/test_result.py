"""What a result says is what the fills and prices say."""

from decimal import Decimal

import pytest

from dca_bot.backtest.cases import Market, Question, run_cases
from dca_bot.backtest.drawdown import deepest_drawdown
from dca_bot.backtest.engine import Replay, play
from dca_bot.backtest.exchange import Terms
from dca_bot.backtest.prices.recording import Form, Recording
from dca_bot.backtest.prices.series import PriceSeries
from dca_bot.backtest.result import Result, result_of
from dca_bot.backtest.words import sentence
from dca_bot.core.model import ZERO, Side
from tests.backtest.markets import SYMBOL, a_walk_of_quotes, some_points
from tests.builders import an_asset

CAPITAL = Decimal(120)
FREE = Terms(fee_percent=Decimal(0))


def played(prices: PriceSeries, terms: Terms | None = None, **columns: object) -> Replay:
    replay = Replay(prices, an_asset(symbol=SYMBOL, **columns), terms or Terms())
    play([replay])
    return replay


def result(prices: PriceSeries, terms: Terms | None = None, **columns: object) -> Result:
    return result_of([played(prices, terms, **columns)], CAPITAL)


def brute_drawdown(replay: Replay) -> Decimal:
    """The equity at every point, before and after what happens there."""
    prices, fills = replay.prices, list(replay.fills)
    cash = coins = peak = deepest = ZERO
    for index in range(len(prices)):
        bid = prices.price(int(prices.bids[index]))
        for _ in range(2):
            equity = cash + coins * bid
            peak, deepest = max(peak, equity), max(deepest, peak - equity)
            while fills and fills[0].index == index:
                fill = fills.pop(0)
                cash, coins = cash + fill.cash, fill.coins
    return deepest


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("scale", ["0.2", "1.5", "40"])
def test_the_deepest_drawdown_is_that_of_looking_at_every_point(seed: int, scale: str) -> None:
    # with steps of 40 % a single cycle spans thousands of points, and so many blocks
    replay = played(
        a_walk_of_quotes(seed, 9_000), safety_order_deviation_pct=scale, take_profit_pct=scale
    )
    assert deepest_drawdown(replay.prices, replay.fills) == brute_drawdown(replay)


def test_the_parts_of_the_equity_are_what_came_in_and_went_out() -> None:
    replay = played(a_walk_of_quotes(5, 9_000))
    found = result_of([replay], CAPITAL)
    cash = sum((fill.cash for fill in replay.fills), ZERO)
    bid = replay.prices.price(int(replay.prices.bids[-1]))
    assert found.equity == found.net + found.open_net == cash + replay.coins * bid
    assert found.buys == len([f for f in replay.fills if f.kind.side is Side.BUY])
    assert sum(found.by_month().values()) == found.net
    assert sum(found.rungs().values()) == found.buys
    assert found.rungs()[0] == len(found.rounds)


def test_one_cycle_is_worked_through() -> None:
    # 20 each at 100, 98 and 90: 0.626304 coins for 60, and all sold at 100
    columns = {"safety_order_deviation_pct": 2, "cooldown_seconds": 10_000}
    prices = some_points([100, 98, 98, 90, 100, 100], seconds=86_400)
    found = result(prices, FREE, **columns)
    [only] = [each for each in found.rounds if each.ended is not None]
    assert (only.buys, only.safety_orders) == (3, 2)
    assert found.most_invested == pytest.approx(Decimal(60), abs=Decimal("1e-6"))
    assert only.net == pytest.approx(Decimal("2.63"), abs=Decimal("0.01"))
    # before the third buy 0.404082 coins for 40 were worth 36.37
    assert found.deepest_drawdown == pytest.approx(Decimal("3.63"), abs=Decimal("0.01"))


def test_holding_and_weekly_parts_are_worked_through() -> None:
    prices = some_points([100, 50, 100, 200], seconds=7 * 86_400)
    found = result(prices, FREE)
    assert found.hold_net == CAPITAL
    # 30 each at 100, 50, 100 and 200, worth 60 + 120 + 60 + 30
    assert found.weekly_net == Decimal(150)


def test_the_first_sentence_is_honest_about_money_that_is_stuck() -> None:
    prices = some_points([100, *[60] * 30], seconds=86_400)
    recording = Recording(SYMBOL, Form.TRADES, prices.times, {"price": prices.bids}, 2)
    cases = run_cases(Question([recording], [an_asset(symbol=SYMBOL)], Market(Decimal(0))))
    assert sentence([case.result for case in cases]) == (
        "-6.7 % of 120.00 USD in 30 days, while 33 % of the money is still stuck from "
        "14 November to 14 December 2023."
    )
