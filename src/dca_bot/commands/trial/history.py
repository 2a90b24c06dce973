"""Fetches Alpaca's minute bars of a pair into data/, for `dca backtest` and `dca sweep`.

    dca history BTC/USD --from 2025-01-01

No keys are needed.  What is here is not fetched again, and a run that was interrupted goes on
where it stopped.  Minutes that Alpaca has no bar of are counted, and stay gaps.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from dca_bot.backtest.prices.history import asker, fetch
from dca_bot.backtest.prices.months import MINUTE, read_bars
from dca_bot.backtest.prices.recording import SECOND, Recording, moment
from dca_bot.backtest.words import iso
from dca_bot.commands import output
from dca_bot.commands.trial.inputs import add_data_option, pair_of, stretch
from dca_bot.program.clock import utc_now
from dca_bot.program.errors import SettingsError
from dca_bot.program.settings import read_data_url


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("pair", metavar="SYMBOL", help="a pair as BTC/USD")
    parser.add_argument("--from", dest="since", metavar="DAY", required=True, help="as 2025-01-01")
    parser.add_argument("--to", dest="until", metavar="DAY", help="the last day (else until now)")
    add_data_option(parser)


def run(arguments: Namespace) -> int:
    pair = pair_of(arguments.pair)
    since, until = stretch(arguments.since, arguments.until)
    now = int(utc_now().timestamp()) * SECOND // MINUTE * MINUTE
    until = min(until or now, now)
    if since is None or since >= until:
        raise SettingsError(f"--from {arguments.since} is in the future: there are no prices yet")
    _fetch(arguments.data, pair, since, until)
    bars = read_bars(arguments.data, pair, since, until)
    content = _content(bars, since, until) | {"directory": str(arguments.data)}
    if arguments.json:
        output.print_json(content)
        return 0
    _show(bars, content)
    return 0


def _fetch(data: Path, pair: str, since: int, until: int) -> None:
    columns = (
        TextColumn(pair),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.description}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=until - since)

        def progress(at: int) -> None:
            bar.update(task, completed=at - since, description=moment(at)[:10])

        fetch(asker(read_data_url()), data, pair, since, until, progress)


def _content(bars: Recording, since: int, until: int) -> dict[str, object]:
    gaps = bars.gaps(longer_than=2 * MINUTE)
    longest = max(gaps, key=lambda gap: gap[1] - gap[0], default=None)
    return {
        "symbol": bars.symbol,
        "bars": len(bars),
        "from": iso(int(bars.times[0])),
        "to": iso(int(bars.times[-1])),
        "missing": (until - since) // MINUTE - len(bars),
        "gaps": len(gaps),
        "longest_gap": None if longest is None else [iso(longest[0]), iso(longest[1])],
    }


def _show(bars: Recording, content: dict[str, object]) -> None:
    console = output.console()
    first, last = moment(int(bars.times[0])), moment(int(bars.times[-1]))
    console.print(f"{len(bars):,} minute bars of {bars.symbol}, {first} to {last} UTC")
    console.print(f"{content['missing']:,} minutes without one, in {content['gaps']:,} gaps")
    if content["longest_gap"]:
        console.print("the longest from {} to {}".format(*content["longest_gap"]))  # type: ignore[misc]
    console.print(f"Next: dca backtest {bars.symbol} --from {first[:10]} --html report.html")
