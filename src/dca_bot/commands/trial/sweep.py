"""Tries many sets of values on recorded prices, and shows how the best fare on unseen ones.

    dca sweep BTC/USD --from 2025-01-01 --safety-order-deviation 0.5:4:0.25 \\
        --take-profit-percent 0.4:3:0.2 --max-safety-orders 3,5,8 \\
        --test-from 2025-07-01

Sets are ranked on the time before --test-from (else on the first two thirds), and shown with what
they came to afterwards, each part begun with nothing.  A bar counts by its close.  Ctrl-C ends it
with what is done.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

from dca_bot.backtest.exchange import Terms
from dca_bot.backtest.parameters import Value, option
from dca_bot.backtest.prices.recording import points
from dca_bot.backtest.prices.series import PriceSeries
from dca_bot.backtest.sweep.grid import read_grid
from dca_bot.backtest.sweep.outcome import Sweep, Tried
from dca_bot.backtest.sweep.parts import Parts
from dca_bot.backtest.sweep.run import run_sweep
from dca_bot.backtest.sweep.score import Rank
from dca_bot.backtest.sweep.workers import here, on_cluster
from dca_bot.backtest.words import iso, score_json
from dca_bot.commands import output
from dca_bot.commands.trial.inputs import (
    add_column_options,
    add_market_options,
    add_price_options,
    asset_of,
    day,
    given_columns,
    market_of,
    pair_of,
    recordings_of,
)
from dca_bot.program.errors import SettingsError

SHOWN = 10


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("pair", metavar="SYMBOL", help="a pair as BTC/USD")
    parser.add_argument(
        "--rank",
        choices=[each.value for each in Rank],
        default=Rank.NET.value,
        help="(%(default)s)",
    )
    parser.add_argument("--test-from", metavar="DAY", help="where the unseen part begins")
    parser.add_argument("--html", metavar="FILE", type=Path, help="write a report with a heat map")
    parser.add_argument("--scheduler", metavar="URL", help="a Dask cluster, as tcp://host:8786")
    parser.add_argument("--exact", action="store_true", help="by the exact engine alone")
    add_price_options(parser)
    add_market_options(parser)
    add_column_options(parser, many=True)


def run(arguments: Namespace) -> int:
    pair, market = pair_of(arguments.pair), market_of(arguments)
    grid = read_grid(asset_of(arguments, pair), given_columns(arguments))
    _ = grid.assets  # each must be usable, before anything is read
    [recording] = recordings_of(arguments, [pair])
    parts = _parts(points(recording, market.spread_bps or Decimal(0)), arguments)
    workers = on_cluster(arguments.scheduler) if arguments.scheduler else here
    terms = Terms(market.fee_percent, (market.latency_ms or 0) * 1_000_000)
    bar = Progress(
        *("sets", BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()),
        console=Console(stderr=True),
        disable=arguments.json and not sys.stderr.isatty(),
    )
    with bar:
        task = bar.add_task("", total=None)
        sweep = run_sweep(
            grid,
            parts,
            terms,
            rank=Rank(arguments.rank),
            workers=workers,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    if arguments.html:
        from dca_bot.backtest.html_sweep import write_sweep

        title = f"Sweep of {pair}, {len(sweep.tried):,} sets"
        write_sweep(
            arguments.html, sweep, title=title, sentence=_headline(sweep, parts, sweep.best_first())
        )
    if arguments.json:
        output.print_json(_content(pair, sweep, parts))
    else:
        _show(sweep, parts, arguments)
    return 0 if sweep.is_whole else 1


def _parts(prices: PriceSeries, arguments: Namespace) -> Parts:
    if arguments.test_from is None:
        place = len(prices) * 2 // 3
    else:
        place = prices.first_at(day("--test-from", arguments.test_from))
    if not 2 <= place <= len(prices) - 2:
        raise SettingsError(
            f"--test-from {arguments.test_from}: leaves no prices on one side: choose a day well "
            "inside the time that the prices cover"
        )
    train, test = prices.between(0, place), prices.between(place, len(prices))
    return Parts(train, test, arguments.exact)


def _content(pair: str, sweep: Sweep, parts: Parts) -> dict[str, Any]:
    return {
        "symbol": pair,
        "tried": len(sweep.tried),
        "whole": sweep.is_whole,
        "rank": sweep.rank.value,
        "from": iso(int(parts.train.times[0])),
        "test_from": iso(int(parts.test.times[0])),
        "to": iso(int(parts.test.times[-1])),
        "checked_by_the_exact_engine": sweep.sampled,
        "results": [
            {
                "parameters": {name: _plain(v) for name, v in sweep.parameters(each).items()},
                "train": score_json(each.train),
                "test": score_json(each.test),
                "lonely": sweep.is_lonely(each),
            }
            for each in sweep.best_first()
        ],
    }


def _text(value: Value) -> str:
    """As a value is written on the command line."""
    return "NULL" if value is None else str(value).lower()


def _plain(value: Value) -> Any:
    return str(value) if isinstance(value, Decimal) else value


def _show(sweep: Sweep, parts: Parts, arguments: Namespace) -> None:
    console = output.console()
    best = sweep.best_first()
    if not best:
        console.print("Stopped before any set was done: run it again.")
        return
    swept = list(sweep.grid.values)
    short = [_short(column) for column in swept]
    headings = (*short, "earned", "fall", "unseen", "fall", "nearby")
    table = output.table(*headings, left=0)
    for each in best[:SHOWN]:
        around = [near.train.equity for near in sweep.around(each)]
        lonely = " *" if sweep.is_lonely(each) else ""
        table.add_row(
            *(_text(sweep.parameters(each)[column]) for column in swept),
            output.signed(each.train.equity),
            output.amount(each.train.deepest_drawdown),
            output.signed(each.test.equity),
            output.amount(each.test.deepest_drawdown),
            (f"{median(around):+,.2f}" if around else "-") + lonely,
        )
    console.print(_headline(sweep, parts, best))
    console.print()
    console.print(table)
    if any(sweep.is_lonely(each) for each in best[:SHOWN]):
        console.print(
            "* its neighbours earn less than half as much: likely to be luck", style="dim"
        )
    console.print(
        "fall: the deepest drawdown; nearby: what a neighbour in the grid earned, the median",
        style="dim",
    )
    console.print(_caution(sweep, best), style="dim")
    chosen = " ".join(f"{name}={_text(value)}" for name, value in sweep.parameters(best[0]).items())
    console.print(f"\nTo look at the first:  {_command(sweep, best[0], arguments)}", soft_wrap=True)
    console.print(
        f"To trade it:           dca set {sweep.grid.asset.symbol} {chosen}", soft_wrap=True
    )
    if arguments.html:
        console.print(f"The report is in {arguments.html}")


def _headline(sweep: Sweep, parts: Parts, best: list[Tried]) -> str:
    first, split, last = (
        iso(int(at))[:10]
        for at in (parts.train.times[0], parts.test.times[0], parts.test.times[-1])
    )
    stopped = "" if sweep.is_whole else " (stopped early)"
    winners = sum(each.test.equity > 0 for each in best[:SHOWN])
    return (
        f"{len(sweep.tried):,} sets tried{stopped} on {first} to {split}, ranked by {sweep.rank}. "
        f"Of the first {min(SHOWN, len(best))}, {winners} earned something on {split} to {last}, "
        "which they had not seen."
    )


def _caution(sweep: Sweep, best: list[Tried]) -> str:
    ordered = sorted(each.test.equity for each in sweep.tried)
    better = sum(each < best[0].test.equity for each in ordered)
    share = 100 * better / max(1, len(ordered) - 1)
    checked = f" {sweep.sampled} were checked by the exact engine." if sweep.sampled else ""
    return (
        f"The best of {len(sweep.tried):,} is partly luck: on unseen prices the first beats "
        f"{share:.0f} % of the others.{checked}"
    )


def _command(sweep: Sweep, each: Tried, arguments: Namespace) -> str:
    options = " ".join(f"{option(k)} {_text(v)}" for k, v in sweep.parameters(each).items())
    given = {"prices": (arguments.prices or [None])[0], "from": arguments.since}
    prices = "".join(f" --{name} {value}" for name, value in given.items() if value)
    return f"dca backtest {sweep.grid.asset.symbol}{prices} {options}"


def _short(column: str) -> str:
    """A column's name that leaves room for the numbers."""
    return {
        "safety_order_deviation": "deviation",
        "take_profit_percent": "profit",
        "max_safety_orders": "safeties",
        "base_order_amount": "base",
        "safety_order_amount": "safety",
        "safety_order_volume_scale": "volume",
        "safety_order_step_scale": "step",
        "buy_order_price_deviation_percent": "restart",
        "cooldown_period": "cooldown",
    }.get(column, column.removesuffix("_percent").removesuffix("_scale"))
