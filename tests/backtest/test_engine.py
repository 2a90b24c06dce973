"""Where a bar's path acts, what a late order meets, and what shared cash can't pay."""

from decimal import Decimal
from typing import Any

from dca_bot.backtest.cases import Market, Question, run_cases
from dca_bot.backtest.engine import Replay, play
from dca_bot.backtest.exchange import SharedCash, Terms
from dca_bot.backtest.prices.recording import Path, path
from dca_bot.backtest.prices.series import PriceSeries
from dca_bot.core.model import Asset, CycleStatus, OrderKind
from tests.backtest.markets import SECOND, START, SYMBOL, a_walk, some_bars, some_points
from tests.builders import an_asset

FREE = Terms(fee_percent=Decimal(0))
BASE, SAFETY, PROFIT = OrderKind.BASE, OrderKind.SAFETY, OrderKind.TAKE_PROFIT


def plain(**columns: Any) -> Asset:
    """Safety orders 10 % apart, a take profit at 10 %, and a long cooldown."""
    usual: dict[str, Any] = {
        "symbol": SYMBOL,
        "base_order_amount": 100,
        "safety_order_amount": 100,
        "safety_order_deviation_pct": 10,
        "take_profit_pct": 10,
        "cooldown_seconds": 10_000,
        "restart_deviation_pct": 50,
    }
    return an_asset(**usual | columns)


def played(prices: PriceSeries, asset: Asset, terms: Terms = FREE) -> Replay:
    replay = Replay(prices, asset, terms)
    play([replay])
    return replay


def orders(replay: Replay) -> list[tuple[OrderKind, Decimal]]:
    return [(fill.kind, fill.price) for fill in replay.fills]


def test_a_falling_bar_buys_each_rung_at_its_own_price() -> None:
    bars = some_bars([(1000, 1000, 1000, 1000), (1000, 1000, 800, 800)])
    replay = played(path(bars, Path(low_first=False)), plain())
    assert orders(replay) == [(BASE, Decimal(1000)), (SAFETY, Decimal(900)), (SAFETY, Decimal(810))]


def test_a_bar_that_opens_below_a_rung_buys_at_its_open() -> None:
    bars = some_bars([(1000, 1000, 1000, 1000), (850, 850, 840, 840)])
    replay = played(path(bars, Path(low_first=True)), plain())
    assert orders(replay) == [(BASE, Decimal(1000)), (SAFETY, Decimal(850))]


def test_the_order_of_a_bars_extremes_is_what_is_kind_or_not() -> None:
    bars = some_bars([(1000, 1000, 1000, 1000), (1000, 1090, 900, 1000)])
    kind = played(path(bars, Path(low_first=True)), plain())
    unkind = played(path(bars, Path(low_first=False)), plain())
    # 100 at 1000 and 100 at 900: the average is 947.37, the target 1042.11
    assert [kind for kind, _ in orders(kind)] == [BASE, SAFETY, PROFIT]
    assert orders(unkind) == [(BASE, Decimal(1000)), (SAFETY, Decimal(900))]


def test_a_path_takes_its_profit_at_the_target_not_at_the_high() -> None:
    bars = some_bars([(1000, 1000, 1000, 1000), (1000, 1300, 1000, 1200)])
    replay = played(path(bars, Path(low_first=True)), plain())
    assert orders(replay)[-1] == (PROFIT, Decimal(1100))


def test_a_cooldown_ends_with_the_open_of_a_bar() -> None:
    bars = some_bars([(1000, 1200, 1000, 1200), *[(1200, 1200, 1200, 1200)] * 3])
    replay = played(path(bars, Path(low_first=True)), plain(cooldown_seconds=70))
    base = replay.fills[-1]
    assert (base.kind, base.at - replay.fills[0].at) == (BASE, 120 * SECOND)


def test_a_trailing_profit_follows_a_path_to_its_peak_and_sells_on_the_way_down() -> None:
    bars = some_bars([(1000, 1000, 1000, 1000), (1000, 1200, 1000, 1120)])
    replay = played(path(bars, Path(low_first=True)), plain(trailing_pct=5))
    assert orders(replay)[-1] == (PROFIT, Decimal(1140))  # 5 % below 1200


def test_a_fall_past_the_trailing_price_and_the_target_sells_on_its_way() -> None:
    bars = some_bars([(1000, 1000, 1000, 1000), (1000, 1200, 900, 900)])
    replay = played(path(bars, Path(low_first=False)), plain(trailing_pct=5))
    assert orders(replay)[1] == (PROFIT, Decimal(1140))


def test_a_stop_loss_on_a_path_sells_at_its_price() -> None:
    bars = some_bars([(1000, 1000, 1000, 1000), (1000, 1000, 700, 700)])
    asset = plain(max_safety_orders=0, stop_loss_pct=20)
    replay = played(path(bars, Path(low_first=True)), asset)
    assert orders(replay)[-1] == (OrderKind.STOP_LOSS, Decimal(800))
    assert "a stop loss has paused it" in replay.problem


def test_a_late_sell_on_a_path_gets_less() -> None:
    bars = some_bars([(1000, 1000, 1000, 1000), (1000, 1300, 1000, 1300)])
    late = Terms(Decimal(0), latency=6 * SECOND)  # a tenth of the bar, whose range is 300
    replay = played(path(bars, Path(low_first=True)), plain(), late)
    assert orders(replay)[-1] == (PROFIT, Decimal(1070))


def test_a_late_buy_takes_the_price_of_that_moment_but_no_higher_one() -> None:
    late = Terms(Decimal(0), latency=SECOND)
    cheaper = played(some_points([1000, 990, 990]), plain(), late)
    assert orders(cheaper) == [(BASE, Decimal(990))]
    waits = played(some_points([1000, 1010, 1010, 995, 995]), plain(), late)
    assert [(f.price, (f.at - START) // SECOND) for f in waits.fills] == [(Decimal(1000), 3)]


def test_a_late_buy_that_finds_no_price_is_cancelled_and_tried_again() -> None:
    late = Terms(Decimal(0), latency=SECOND)
    prices = some_points([1000] + [1010] * 400)
    replay = played(prices, plain(), late)
    assert [(f.price, (f.at - START) // SECOND) for f in replay.fills] == [(Decimal(1010), 301)]


def test_a_late_sell_takes_what_there_is() -> None:
    late = Terms(Decimal(0), latency=SECOND)
    replay = played(some_points([1000, 1000, 1100, 1050, 1050]), plain(), late)
    assert orders(replay)[-1] == (PROFIT, Decimal(1050))


def test_a_purse_refuses_what_it_cannot_pay_and_pays_again_after_a_sale() -> None:
    shared_cash = SharedCash(Decimal(150))
    rich = Replay(some_points([1000, 1000, 1000, 1100, 1100, 1100]), plain(), FREE, shared_cash)
    poor = Replay(some_points([500, 500, 500, 500, 400, 400]), plain(), FREE, shared_cash)
    play([rich, poor])
    assert orders(rich) == [(BASE, Decimal(1000)), (PROFIT, Decimal(1100))]
    # refused at once, and bought when the other had sold: at the point after that
    assert poor.refused == 1
    assert [(f.price, (f.at - START) // SECOND) for f in poor.fills] == [(Decimal(400), 4)]
    assert shared_cash.cash == Decimal(60)


def test_a_stop_loss_counts_while_the_purse_cannot_pay_a_safety_order() -> None:
    asset = plain(stop_loss_pct=20, stop_loss_seconds=3)
    replay = Replay(some_points([1000, *[700] * 6]), asset, FREE, SharedCash(Decimal(150)))
    play([replay])
    assert orders(replay) == [(BASE, Decimal(1000)), (OrderKind.STOP_LOSS, Decimal(700))]
    assert (replay.fills[-1].at - START) // SECOND == 4
    assert replay.refused == 1


def test_a_cooldown_goes_on_while_the_purse_cannot_pay_its_restart() -> None:
    shared_cash = SharedCash(Decimal(100))
    replay = Replay(some_points([1000, 1100, 500, 1000]), plain(), FREE, shared_cash)
    replay.act(0)
    replay.act(1)
    shared_cash.cash = Decimal(50)  # the other pairs have the rest
    replay.act(2)
    assert replay.cycle.status is CycleStatus.COOLDOWN
    assert (replay.refused, replay.seek()) == (1, len(replay.prices))


def test_an_order_below_the_minimum_is_reported() -> None:
    replay = played(some_points([3, 3]), an_asset(symbol="COIN/USD", base_order_amount=10))
    assert replay.fills == []
    assert "below Alpaca's minimum" in replay.problem


def test_bars_are_run_twice_and_the_worse_run_stands_first() -> None:
    walk = a_walk(3, 4_000, percent=0.5)
    rows = [
        (part[0] // 100, max(part) // 100, min(part) // 100, part[-1] // 100)
        for part in (walk[at : at + 4] for at in range(0, len(walk), 4))
    ]
    asset = an_asset(symbol=SYMBOL)
    question = Question([some_bars(rows)], [asset], Market())
    worse, better = run_cases(question)
    assert (worse.name, better.name) == ("pessimistic", "optimistic")
    assert worse.result.equity < better.result.equity
    [exact] = run_cases(Question([some_bars(rows)], [asset], Market(closes=True)))
    assert exact.name == "result"
