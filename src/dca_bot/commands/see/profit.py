"""Shows what was earned after all fees, over complete cycles; a day is one of yours.

Fees of SELLs are estimated from the rate that the account was seen to pay, until Alpaca's own
records tell them, hours later; how many cycles have estimated ones is said.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

from rich.text import Text

from dca_bot.commands import output
from dca_bot.commands.arguments import add_span, span
from dca_bot.commands.output import amount, percent, signed
from dca_bot.program.clock import utc_now
from dca_bot.program.settings import read_store_settings
from dca_bot.report.numbers import how_many
from dca_bot.report.profit import (
    Capital,
    Earned,
    by_asset,
    by_time,
    capital,
    doubts,
    results_to_correct,
    together,
)
from dca_bot.report.reader import Reader

UNITS = ("day", "week", "month", "asset")


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--by", choices=UNITS, default="asset", help="how to group; default: asset")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write the table to a file too")
    add_span(parser)


def run(arguments: Namespace) -> int:
    settings, now = read_store_settings(), utc_now()
    since, until = span(arguments)
    with Reader(settings.database) as reader:
        assets = by_asset(reader, since, until)
        groups = assets
        if arguments.by != "asset":
            groups = by_time(reader, since, until, arguments.by)
        total = together("all", assets)
        used = capital(reader, since, min(until, now), total.net)
        not_known, estimated = doubts(reader, since, until)
        to_correct = results_to_correct(reader)
    if arguments.csv:
        headings = (arguments.by, "cycles", "net", "fees", "best", "worst", "bought_for")
        output.write_csv(arguments.csv, headings, map(_csv_row, groups))
    if arguments.json:
        output.print_json(
            {
                **_as_json(total),
                "cycles_unknown": not_known,
                "by_asset": {each.group: _as_json(each) for each in assets},
                "by": arguments.by,
                "groups": [{"group": each.group, **_as_json(each)} for each in groups],
                "capital_average": used.average,
                "return_pct": used.return_pct,
                "buy_and_hold_pct": used.buy_and_hold_pct,
                "fees_estimated": estimated > 0,
                "cycles_estimated": estimated,
                "to_correct": to_correct,
            }
        )
    else:
        _print(arguments.by, [*groups, total], used, not_known, estimated)
        output.say_to_correct(to_correct)
    return 0


def _as_json(earned: Earned) -> dict[str, Any]:
    return {
        "net": earned.net,
        "fees": earned.fees,
        "cycles": earned.cycles,
        "best": earned.best,
        "worst": earned.worst,
        "invested": earned.cost,
    }


def _print(unit: str, rows: list[Earned], used: Capital, not_known: int, estimated: int) -> None:
    console = output.console()
    shown = output.table(unit, "cycles", "net", "fees", "best", "worst", "bought for")
    for row in rows:
        shown.add_row(
            row.group,
            str(row.cycles),
            signed(row.net),
            amount(row.fees),
            signed(row.best),
            signed(row.worst),
            amount(row.cost),
        )
    console.print(shown)
    if used.average:
        console.print(
            f"capital in use on average {amount(used.average)}: {percent(used.return_pct)} on it; "
            f"buy and hold over the same time {percent(used.buy_and_hold_pct)}"
        )
    if not_known:
        console.print(
            f"not counted, since its net is unknown: {how_many(not_known, 'complete cycle')}"
        )
    fees = (
        f"SELL fees are estimated in {how_many(estimated, 'cycle')}"
        if estimated
        else "all fees are Alpaca's"
    )
    console.print(Text(f"days are those of {output.zone()}; {fees}", "dim"))


def _csv_row(each: Earned) -> list[object]:
    numbers = (each.net, each.fees, each.best, each.worst, each.cost)
    return [each.group, each.cycles, *(f"{number:f}" for number in numbers)]
