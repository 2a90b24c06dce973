"""Enables an asset: the bot trades it from now on.  In SQL: is_enabled = TRUE."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from dca_bot.commands.act.action import add_yes
from dca_bot.commands.configure.rows import write


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("symbol", metavar="SYMBOL", help="as in BTC/USD")
    add_yes(parser)


def run(arguments: Namespace) -> int:
    return write(arguments, {"is_enabled": 1})
