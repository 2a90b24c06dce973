"""Says in one or two sentences what an asset waits for, with the numbers that are compared."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from dca_bot.commands import output
from dca_bot.commands.arguments import asset_named
from dca_bot.program.settings import read_mode, read_store_settings
from dca_bot.report.health import look
from dca_bot.report.reader import Reader
from dca_bot.report.words import state_of, why


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("symbol", metavar="SYMBOL", help="as in BTC/USD")


def run(arguments: Namespace) -> int:
    settings = read_store_settings()
    with Reader(settings.database) as reader:
        now, health = look(reader, settings, read_mode())
    found = asset_named(now, arguments.symbol)
    state, waits_for = state_of(found).value, why(found, health, now.at)
    if arguments.json:
        answer = {"symbol": found.asset.symbol, "state": state, "waits_for": waits_for}
        more = {"health": health.word.value, "at": now.at, "to_correct": now.to_correct}
        output.print_json({**answer, **more})
    else:
        output.console().print(f"{found.asset.symbol} ({state}): {waits_for}")
        output.say_to_correct(told for told in now.to_correct if told not in waits_for)
    return 0
