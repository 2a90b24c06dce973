"""Lists the lots that were sold in a year, first in first out, with dates, cost, proceeds and fees.

The year is one of yours.  A lot's cost is all that was paid for it; proceeds are what the SELL
brought less its fee, which is an estimate until Alpaca's records tell it.
"""

from __future__ import annotations

import gc
from argparse import ArgumentParser, Namespace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from dca_bot.commands import output
from dca_bot.commands.arguments import count, year
from dca_bot.commands.output import amount, local
from dca_bot.core.model import ZERO
from dca_bot.program.clock import local_midnight, utc_now
from dca_bot.program.settings import read_store_settings
from dca_bot.report import queries
from dca_bot.report.gains import Gain, Sale, newest_gains, sales
from dca_bot.report.numbers import how_many, plain_quantity
from dca_bot.report.reader import Reader, order_oddity
from dca_bot.store.orders import ORDERS

SHOWN = 40
IN_JSON = 1_000
COLUMNS = ("symbol", "quantity", "acquired", "sold", "cost", "proceeds", "fees", "gain")


def add_arguments(parser: ArgumentParser) -> None:
    this_year = utc_now().astimezone().year
    parser.add_argument("--year", type=year, default=this_year, help=f"default: {this_year}")
    parser.add_argument(
        "--last", type=count, metavar="N", help=f"how many; default: {SHOWN}, in JSON {IN_JSON}"
    )
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write all of them to a file")


def run(arguments: Namespace) -> int:
    gc.disable()  # a hundred thousand tuples, and no circle among them: looking costs a third
    settings = read_store_settings()
    begins = local_midnight(date(arguments.year, 1, 1))
    ends = local_midnight(date(arguments.year + 1, 1, 1))
    with Reader(settings.database) as reader:
        rows = reader.rows(queries.DEALS_BY_MONTH, ends, begins)
        for row in reader.rows(queries.UNSOUND_ORDERS, ends):
            reader.take(ORDERS, row, order_oddity)
        to_correct = reader.to_correct
    months = ((str(row[0] or ""), str(row[1])) for row in rows)
    first, last = begins.timestamp(), ends.timestamp()
    sold = [each for each in sales(months) if first <= each.at < last]
    sold.sort(key=lambda each: each.at)
    if arguments.csv:
        lots = (_csv_row(gain) for each in sold for gain in each.gains())
        output.write_csv(arguments.csv, COLUMNS, lots)
    if arguments.json:
        output.print_json(
            {
                "year": arguments.year,
                "gain": _rounded(_total(sold)),
                "fees_estimated": not all(each.fee_is_known for each in sold),
                "lots_in_all": _lot_count(sold),
                "lots": [_as_json(each) for each in newest_gains(sold, arguments.last or IN_JSON)],
                "to_correct": to_correct,
            }
        )
    else:
        _print(arguments.year, sold, arguments.last or SHOWN)
        output.say_to_correct(to_correct)
    return 0


def _total(sold: list[Sale]) -> Decimal:
    return sum((each.gain for each in sold), ZERO)


def _lot_count(sold: list[Sale]) -> int:
    return sum(each.lot_count for each in sold)


def _rounded(amount: Decimal | None) -> Decimal | None:
    return None if amount is None else round(amount, 10)


def _as_json(each: Gain) -> dict[str, Any]:
    return {
        "symbol": each.symbol,
        "quantity": plain_quantity(each.quantity),
        "acquired_at": each.acquired_at,
        "sold_at": each.sold_at,
        "cost": _rounded(each.cost),
        "proceeds": _rounded(each.proceeds),
        "fees": _rounded(each.fees),
        "gain": _rounded(each.gain),
    }


def _print(of_year: int, sold: list[Sale], most: int) -> None:
    console = output.console()
    if not sold:
        console.print(f"Nothing was sold in {of_year}.")
        return
    shown = output.table("asset", "quantity", "acquired", "sold", "cost", "proceeds", "gain")
    for each in newest_gains(sold, most):
        shown.add_row(
            each.symbol,
            plain_quantity(each.quantity),
            local(each.acquired_at)[:10],
            local(each.sold_at)[:10],
            amount(each.cost),
            amount(each.proceeds),
            output.signed(each.gain),
        )
    console.print(shown)
    lots = _lot_count(sold)
    if lots > most:
        console.print(f"the last {most} of {lots}; --csv FILE writes all of them")
    console.print(
        f"{of_year}: {how_many(lots, 'lot')}, gain {amount(_total(sold))} ({output.zone()})"
    )


def _csv_row(each: Gain) -> list[str]:
    acquired = local(each.acquired_at, seconds=True) if each.acquired_at else ""
    numbers = (each.cost, each.proceeds, each.fees, each.gain)
    return [
        each.symbol,
        plain_quantity(each.quantity),
        acquired,
        local(each.sold_at, seconds=True),
        *("" if number is None else f"{number:.10f}" for number in numbers),
    ]
