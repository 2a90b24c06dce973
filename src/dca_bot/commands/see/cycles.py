"""Lists cycles: the open ones, and the finished ones from the newest on, with what they came to.

The net of an open cycle is what selling everything at the bid would leave now.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from datetime import datetime

from dca_bot.commands import output
from dca_bot.commands.arguments import WrongCall, count
from dca_bot.commands.output import amount, local
from dca_bot.program.settings import read_mode, read_store_settings
from dca_bot.report import queries
from dca_bot.report.cycles import (
    ALL_CYCLES,
    CycleLine,
    closed_lines,
    cycle_object,
    lasted,
    open_lines,
)
from dca_bot.report.health import look
from dca_bot.report.now import plain
from dca_bot.report.numbers import age_in_words
from dca_bot.report.reader import Reader, texts

SHOWN = 40


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("symbol", metavar="SYMBOL", nargs="?", help="only those of one asset")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--open", action="store_true", help="only those under way")
    which.add_argument("--closed", action="store_true", help="only those that are over")
    parser.add_argument(
        "--last",
        type=count,
        metavar="N",
        help=f"how many at most, the open ones first; default: all open ones, and finished ones up "
        f"to {SHOWN} in all, in JSON all",
    )


def run(arguments: Namespace) -> int:
    settings = read_store_settings()
    limit = arguments.last or (ALL_CYCLES if arguments.json else SHOWN)
    with Reader(settings.database) as reader:
        now, _ = look(reader, settings, read_mode())
        symbol = _spelt(arguments.symbol, reader)
        lines = [] if arguments.closed else open_lines(now, symbol)
        lines = lines[: arguments.last]
        if not arguments.open and len(lines) < limit:
            lines += closed_lines(reader, symbol, limit - len(lines))
        to_correct = reader.to_correct
    if arguments.json:
        output.print_json(
            {"cycles": [cycle_object(line) for line in lines], "to_correct": to_correct}
        )
    else:
        _print(lines, now.at)
        output.say_to_correct(to_correct)
    return 0


def _spelt(symbol: str | None, reader: Reader) -> str | None:
    """The symbol as the books have it, also of an asset whose row is gone; raises WrongCall."""
    if symbol is None:
        return None
    known = texts(reader.rows(queries.SYMBOLS))
    found = next((each for each in known if plain(each) == plain(symbol)), None)
    if found is None:
        raise WrongCall(f"the books have no {symbol!r}; they have {', '.join(sorted(known))}")
    return found


def _print(lines: list[CycleLine], now: datetime) -> None:
    console = output.console()
    if not lines:
        console.print("No cycles: the first begins with the first row of dca_assets.")
        return
    headings = ("cycle", "asset", "status", f"began ({output.zone()})", "lasted")
    shown = output.table(*headings, "safety", "in", "fees", "net", left=4)
    for line in lines:
        age = lasted(line, now)
        shown.add_row(
            str(line.id),
            line.symbol,
            line.status,
            local(line.began_at)[2:],
            "-" if age is None else age_in_words(age),
            str(line.safety_orders),
            amount(line.invested),
            amount(line.fees),
            output.signed(line.net),
        )
    console.print(shown)
