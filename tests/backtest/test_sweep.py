"""The kernel does what the exact engine does, and a sweep says how many sets were tried."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from importlib.util import find_spec
from itertools import product
from typing import Any

import pytest

from dca_bot.backtest.exchange import Terms
from dca_bot.backtest.parameters import sample_asset
from dca_bot.backtest.sweep import fast
from dca_bot.backtest.sweep.exact import exact_score
from dca_bot.backtest.sweep.grid import Grid, read_grid
from dca_bot.backtest.sweep.outcome import Sweep, Tried
from dca_bot.backtest.sweep.parts import Parts, Scores, Work
from dca_bot.backtest.sweep.run import run_sweep
from dca_bot.backtest.sweep.score import Rank, Score
from dca_bot.backtest.sweep.workers import do, here, on_cluster
from dca_bot.program.errors import DcaError, SettingsError
from tests.backtest.markets import SYMBOL, a_walk_of_quotes, columns_of, known_cases, some_points
from tests.builders import an_asset

needs_numba = pytest.mark.skipif(not find_spec("numba"), reason="numba is not installed")
FEES = ("0", "0.25", "0.1234")
GRID = {"safety_order_deviation": "0.2,0.5", "take_profit_percent": "0.2:0.6:0.2"}


def some_parts(*, is_exact: bool = False) -> Parts:
    prices = a_walk_of_quotes(7, 4_000)
    return Parts(prices.between(0, 2_500), prices.between(2_500, 4_000), is_exact)


def swept(grid: Grid, **changes: Any) -> Sweep:
    usual: dict[str, Any] = {"workers": here, "progress": lambda done, total: None}
    return run_sweep(grid, changes.pop("parts", some_parts()), Terms(), **usual | changes)


def a_grid(texts: dict[str, str] | None = None, **columns: Any) -> Grid:
    return read_grid(an_asset(symbol=SYMBOL, **columns), GRID if texts is None else texts)


def a_score(equity: int) -> Score:
    zero = Decimal(0)
    return Score(1, 1, Decimal(equity), zero, zero, zero, zero, zero, zero, Decimal(120), 0)


# -- the kernel


@needs_numba
@pytest.mark.parametrize(("parameters", "file", "expected"), list(known_cases()))
def test_the_kernel_gives_the_known_answers(
    parameters: dict[str, Any], file: str, expected: dict[str, Any]
) -> None:
    from dca_bot.backtest.prices.price_files import read_prices
    from dca_bot.backtest.prices.recording import points
    from tests.backtest.markets import DATA

    prices = points(read_prices(DATA / file, SYMBOL))
    asset = an_asset(**columns_of(parameters))
    assert fast.knows(prices, asset, Terms())
    [score] = fast.run(prices, fast.market_of(prices), [asset], Terms())
    assert (score.cycles, score.buys) == (expected["cycles"], expected["buys"])
    assert abs(score.equity - Decimal(expected["equity"])) < Decimal("0.000001")
    assert score.agrees_with(exact_score(prices, asset, Terms()))


@needs_numba
@pytest.mark.parametrize(
    ("seed", "fee"),
    [
        *enumerate(FEES),
        *(
            pytest.param(seed, fee, marks=pytest.mark.proof)
            for seed, fee in product(range(3), FEES)
            if fee != FEES[seed]
        ),
    ],
)
def test_the_kernel_does_what_the_exact_engine_does_on_random_markets(seed: int, fee: str) -> None:
    # with ten digits a step of the prices is a step of the books' averages
    digits = (2, 10, 6)[seed]
    prices, terms = replace(a_walk_of_quotes(seed, 4_000), digits=digits), Terms(Decimal(fee))
    market = fast.market_of(prices)
    grid = a_grid(
        {
            "safety_order_deviation": "0.1,1.5,12.3456",
            "take_profit_percent": "0.05,1,7",
            "max_safety_orders": "0,1,9",
            "cooldown_period": "0,300",
            "base_order_amount": "10.01,77777.77",
        },
        restart_deviation_pct=seed,
    )
    for asset, score in zip(grid.assets, fast.run(prices, market, grid.assets, terms), strict=True):
        assert score.agrees_with(exact_score(prices, asset, terms)), asset


@pytest.mark.parametrize(
    "columns",
    [
        {"trailing_pct": Decimal(1)},
        {"stop_loss_pct": Decimal(10)},
        {"take_profit_after_fees": True},
        {"safety_order_volume_scale": Decimal("1.1")},
        {"max_spread_pct": Decimal(1)},
        {"take_profit_pct": Decimal("1.00001")},
        {"base_order_amount": Decimal(10)},
    ],
)
def test_the_kernel_refuses_what_it_does_not_know(columns: dict[str, Any]) -> None:
    prices = some_points([100, 101])
    plain = sample_asset("COIN/USD")
    assert fast.knows(prices, plain, Terms())
    assert not fast.knows(prices, replace(plain, **columns), Terms())
    assert not fast.knows(prices, plain, Terms(latency=1))


# -- the grid


def test_a_grid_has_every_combination() -> None:
    grid = a_grid()
    assert [tuple(map(str, grid.parameters(place).values())) for place in grid.places] == [
        ("0.2", "0.2"),
        ("0.2", "0.4"),
        ("0.2", "0.6"),
        ("0.5", "0.2"),
        ("0.5", "0.4"),
        ("0.5", "0.6"),
    ]
    assert sorted(grid.neighbours((0, 1))) == [(0, 0), (0, 2), (1, 1)]


def test_without_any_range_usual_ones_are_tried_and_single_values_are_kept() -> None:
    grid = a_grid({"max_safety_orders": "2"})
    assert list(grid.values) == ["safety_order_deviation", "take_profit_percent"]
    assert grid.asset.max_safety_orders == 2


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ({"take_profit_percent": "1:2"}, "--take-profit-percent '1:2': must look like"),
        ({"take_profit_percent": "2:1:0.1"}, "must go up"),
        ({"take_profit_percent": "0:1:0"}, "must go up"),
        ({"max_safety_orders": "3,x"}, "--max-safety-orders 'x': must be a whole number"),
        ({"take_profit_percent": "0:1:0.0000001"}, "too many"),
    ],
)
def test_a_range_that_is_none_is_named(texts: dict[str, str], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        a_grid(texts)


def test_a_set_that_the_bot_would_not_trade_is_refused() -> None:
    with pytest.raises(SettingsError, match="take_profit_percent is 0, must be above 0"):
        _ = a_grid({"take_profit_percent": "0:1:0.5"}).assets


# -- the sweep


def test_every_set_is_tried_on_both_parts_and_ranked_on_the_first() -> None:
    sweep = swept(a_grid())
    parts = some_parts()
    assert len(sweep.tried) == 6
    best = sweep.best_first()
    assert [each.train.equity for each in best] == sorted(
        (each.train.equity for each in sweep.tried), reverse=True
    )
    for each in best:
        asset = sweep.grid.assets[sweep.grid.places.index(each.place)]
        assert each.train.agrees_with(exact_score(parts.train, asset, Terms()))
        assert each.test.agrees_with(exact_score(parts.test, asset, Terms()))


def test_what_the_kernel_does_not_know_is_run_exactly_in_processes() -> None:
    grid = a_grid({"trailing_percent": "none,0.3", "take_profit_percent": "0.3"})
    sweep = swept(grid)
    scores = [exact_score(some_parts().train, asset, Terms()) for asset in grid.assets]
    assert [each.train.cycles for each in sweep.tried] == [score.cycles for score in scores]
    assert scores[0].fingerprint != scores[1].fingerprint


def test_an_interruption_keeps_what_is_done() -> None:
    def interrupted(chunks: Sequence[Work], parts: Parts) -> Iterator[tuple[Work, Scores]]:
        for work in chunks[:2]:
            yield work, do(work, parts)
        raise KeyboardInterrupt

    sweep = swept(a_grid(), workers=interrupted)
    assert not sweep.is_whole
    assert [each.place for each in sweep.tried] == [(0, 0), (0, 1)]


@needs_numba
def test_a_kernel_that_differs_is_found_out_by_the_sample() -> None:
    def wrong(chunks: Sequence[Work], parts: Parts) -> Iterator[tuple[Work, Scores]]:
        for work in chunks:
            scores = do(work, parts)
            yield work, [(replace(train, fingerprint=1), test) for train, test in scores]

    with pytest.raises(DcaError, match="differ at"):
        swept(a_grid(), workers=wrong)


def test_a_lonely_peak_is_told_from_a_hill() -> None:
    grid = a_grid({"take_profit_percent": "1,2,3"})
    hill = [Tried((place,), a_score(10 - place), a_score(0)) for place in range(3)]
    assert not Sweep(grid, Rank.NET, hill).is_lonely(hill[0])
    peak = [Tried((0,), a_score(1), a_score(0)), Tried((1,), a_score(10), a_score(0)), hill[2]]
    peak[2] = Tried((2,), a_score(2), a_score(0))
    assert Sweep(grid, Rank.NET, peak).is_lonely(peak[1])


def test_ranks_weigh_the_equity_against_capital_and_drawdown() -> None:
    score = replace(a_score(12), deepest_drawdown=Decimal(6))
    assert [score.rank(by) for by in Rank] == [Decimal(12), Decimal(10), Decimal(2)]


# -- a cluster


def test_a_cluster_of_two_workers_gives_the_same() -> None:
    distributed = pytest.importorskip("distributed", reason="distributed (Dask) is not installed")
    grid = a_grid()
    # in this process, though all that is sent goes through sockets
    workers = {"n_workers": 2, "threads_per_worker": 1, "processes": False, "protocol": "tcp"}
    with distributed.LocalCluster(**workers, dashboard_address=None) as cluster:
        there = swept(grid, workers=on_cluster(cluster.scheduler_address))
    assert there.tried == swept(grid).tried


def test_a_scheduler_that_does_not_answer_is_named() -> None:
    pytest.importorskip("distributed", reason="distributed (Dask) is not installed")
    with pytest.raises(DcaError, match="no Dask scheduler answers at tcp://127.0.0.1:1"):
        swept(a_grid(), workers=on_cluster("tcp://127.0.0.1:1"))
