"""Lists the lots that were sold in a year, first in first out, with dates, cost, proceeds and fees.

The year is one of yours.  A lot's cost is all that was paid for it; proceeds are what the SELL
brought less its fee, which is an estimate until Alpaca's records tell it (`dca tie-out`).
"""

from __future__ import annotations

import csv
from argparse import ArgumentParser, Namespace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from dca_bot.commands import output
from dca_bot.commands.arguments import count
from dca_bot.commands.output import amount, local
from dca_bot.core.model import ZERO, OrderKind
from dca_bot.program.clock import local_midnight, utc_now
from dca_bot.program.errors import DcaError
from dca_bot.program.settings import read_store_settings
from dca_bot.report import queries
from dca_bot.report.gains import Deal, Gain, gains
from dca_bot.report.reader import Reader, known, moment, money
from dca_bot.store.statements import Row

SHOWN = 40
COLUMNS = ("symbol", "quantity", "acquired", "sold", "cost", "proceeds", "fees", "gain")


def add_arguments(parser: ArgumentParser) -> None:
    this_year = utc_now().astimezone().year
    parser.add_argument("--year", type=count, default=this_year, help=f"default: {this_year}")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write all of them to a file")


def run(arguments: Namespace) -> int:
    settings = read_store_settings()
    begins = local_midnight(date(arguments.year, 1, 1))
    ends = local_midnight(date(arguments.year + 1, 1, 1))
    with Reader(settings.database) as reader:
        rows = reader.rows(queries.FILLED_ORDERS, ends, begins)
    sold = [each for each in gains(map(_deal, rows)) if begins <= each.sold_at < ends]
    if arguments.csv:
        _write(arguments.csv, sold)
    if arguments.json:
        total = {"year": arguments.year, "gain": _total(sold), "fees_estimated": True}
        output.print_json({**total, "lots": [_as_json(each) for each in sold]})
    else:
        _print(arguments.year, sold)
    return 0


def _deal(row: Row) -> Deal:
    return Deal(
        symbol=str(row[0] or ""),
        at=moment(row[1]),
        kind=OrderKind(str(row[2])),
        quantity=money(row[3]),
        price=money(row[4]),
        received=money(row[5]),
        fee=known(row[6]),
    )


def _total(sold: list[Gain]) -> Decimal:
    return sum((each.gain for each in sold if each.gain is not None), ZERO)


def _as_json(each: Gain) -> dict[str, Any]:
    return {
        "symbol": each.symbol,
        "quantity": each.quantity,
        "acquired_at": each.acquired_at,
        "sold_at": each.sold_at,
        "cost": each.cost,
        "proceeds": each.proceeds,
        "fees": each.fees,
        "gain": each.gain,
    }


def _print(year: int, sold: list[Gain]) -> None:
    console = output.console()
    if not sold:
        console.print(f"Nothing was sold in {year}.")
        return
    shown = output.table("asset", "quantity", "acquired", "sold", "cost", "proceeds", "gain")
    for each in sold[-SHOWN:]:
        shown.add_row(
            each.symbol,
            f"{each.quantity:f}",
            local(each.acquired_at)[2:] if each.acquired_at else "-",
            local(each.sold_at)[2:],
            amount(each.cost),
            amount(each.proceeds),
            output.signed(each.gain),
        )
    console.print(shown)
    if len(sold) > SHOWN:
        console.print(f"the last {SHOWN} of {len(sold)}; --csv FILE writes all of them")
    console.print(f"{year}: {len(sold)} lots, gain {amount(_total(sold))} ({output.zone()})")


def _write(path: Path, sold: list[Gain]) -> None:
    try:
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            for each in sold:
                acquired = local(each.acquired_at, seconds=True) if each.acquired_at else ""
                numbers = (each.cost, each.proceeds, each.fees, each.gain)
                writer.writerow(
                    [
                        each.symbol,
                        f"{each.quantity:f}",
                        acquired,
                        local(each.sold_at, seconds=True),
                        *("" if number is None else f"{number:.10f}" for number in numbers),
                    ]
                )
    except OSError as error:
        raise DcaError(f"{path} can't be written ({error}): name another file") from error
