"""Says what settings would have earned on recorded prices, by the rules that trade live.

    dca history BTC/USD --from 2025-01-01
    dca backtest BTC/USD --from 2025-01-01 --take-profit-percent 1.5 \\
        --html report.html

Quotes, trades and the closes of bars (--closes) are played through exactly.  What a bar does not
tell - its path, the spread, the delay - is run pessimistically and optimistically, and both are
shown.  Several pairs share the cash of --cash.  Nothing is ordered, and no account is needed.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dca_bot.backtest.cases import Case, Question, run_cases
from dca_bot.backtest.parameters import read_value, require_usable, values_of, with_values
from dca_bot.backtest.prices.recording import Recording, moment
from dca_bot.backtest.words import as_json, figures, iso, sentence
from dca_bot.commands import output
from dca_bot.commands.trial.inputs import (
    add_column_options,
    add_market_options,
    add_price_options,
    asset_of,
    cash_of,
    given_columns,
    market_of,
    pair_of,
    recordings_of,
)
from dca_bot.core.model import Asset
from dca_bot.program.errors import SettingsError

if TYPE_CHECKING:
    from rich.table import Table


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("pairs", metavar="SYMBOL", nargs="+", help="a pair as BTC/USD, or several")
    parser.add_argument("--cash", metavar="MONEY", help="what all pairs share (else no limit)")
    parser.add_argument("--html", metavar="FILE", type=Path, help="write a report with pictures")
    parser.add_argument(
        "--events", action="store_true", help="with --json: every buy and sell as well"
    )
    add_price_options(parser)
    add_market_options(parser)
    add_column_options(parser, many=False)


def run(arguments: Namespace) -> int:
    pairs = [pair_of(text) for text in arguments.pairs]
    if len(set(pairs)) < len(pairs):
        raise SettingsError("a pair is named twice: name each once")
    market, cash = market_of(arguments), cash_of(arguments)
    values = {name: read_value(name, text) for name, text in given_columns(arguments).items()}
    assets = [with_values(asset_of(arguments, pair), values) for pair in pairs]
    for asset in assets:
        require_usable(asset)
    recordings = recordings_of(arguments, pairs)
    keeps = arguments.html is not None  # the report draws them
    cases = run_cases(Question(recordings, assets, market, cash, keeps))
    if arguments.html:
        from dca_bot.backtest.html_report import write_report

        write_report(arguments.html, cases)
    if arguments.json:
        output.print_json(_content(recordings, assets, cases, events=arguments.events))
        return 0
    _show(recordings, cases, arguments.html)
    return 0


def _content(
    recordings: list[Recording], assets: list[Asset], cases: list[Case], *, events: bool
) -> dict[str, Any]:
    result = cases[0].result
    return {
        "symbols": [asset.symbol for asset in assets],
        "exact": len(cases) == 1,
        "sentence": sentence([case.result for case in cases]),
        "from": iso(result.since),
        "to": iso(result.until),
        "prices": sum(map(len, recordings)),
        "capital": str(result.capital),
        "parameters": {asset.symbol: _texts(asset) for asset in assets},
        **{case.name: as_json(case.result, events=events) for case in cases},
    }


def _texts(asset: Asset) -> dict[str, Any]:
    """Values as JSON has them: a Decimal as a string."""
    return {
        column: str(value) if isinstance(value, Decimal) else value
        for column, value in values_of(asset).items()
    }


def _show(recordings: list[Recording], cases: list[Case], html: Path | None) -> None:
    console = output.console()
    console.print(sentence([case.result for case in cases]))
    console.print()
    console.print(_table(cases))
    forms = ", ".join(f"{len(each):,} {each.form} of {each.symbol}" for each in recordings)
    first, last = moment(cases[0].result.since), moment(cases[0].result.until)
    console.print(f"\n{forms}, {first} to {last} UTC", style="dim")
    if len(cases) > 1:
        console.print(
            "A bar hides its path, the spread and the delay: the truth is likely to lie between "
            "both columns.",
            style="dim",
        )
    for problem in {each.result.problem for each in cases} - {""}:
        console.print(problem, style="yellow")
    if html:
        console.print(f"The report is in {html}")


def _table(cases: list[Case]) -> Table:
    table = output.table("", *(case.name for case in cases))
    columns = [figures(case.result) for case in cases]
    for number, (name, _) in enumerate(columns[0]):
        table.add_row(name, *(column[number][1] for column in columns))
    months = sorted({month for case in cases for month in case.result.by_month()})
    if len(months) > 1:
        table.add_row("net by month")
    for month in months if len(months) > 1 else ():
        nets = (case.result.by_month().get(month, Decimal(0)) for case in cases)
        table.add_row(f"  {month}", *(output.signed(net) for net in nets))
    return table
