"""Changes columns of an asset's row, after checking the row and showing its ladder.

The change counts for the running cycle too.
As in: dca set BTC/USD take_profit_percent=1.5 trailing_percent=0.3
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from dca_bot.commands.act.action import add_yes
from dca_bot.commands.configure.rows import assignments, write


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("symbol", metavar="SYMBOL", help="as in BTC/USD")
    parser.add_argument("columns", metavar="column=value", nargs="+", help="columns of dca_assets")
    add_yes(parser)


def run(arguments: Namespace) -> int:
    return write(arguments, assignments(arguments.columns))
