"""Shows what it can cost: money that is stuck and since when, how deep cycles went, how long they
took, how many used their last rung.

A drawdown of a finished cycle is at least as deep as shown: it is seen at the bot's own BUYs.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from dataclasses import asdict
from decimal import Decimal

from dca_bot.commands import output
from dca_bot.commands.output import age, amount, local, percent
from dca_bot.core.model import ZERO
from dca_bot.program.settings import read_mode, read_store_settings
from dca_bot.report.health import look
from dca_bot.report.honesty import Honesty, honesty
from dca_bot.report.numbers import how_many
from dca_bot.report.profit import results_to_correct
from dca_bot.report.reader import Reader


def add_arguments(_parser: ArgumentParser) -> None:
    """None but `--json`."""


def run(arguments: Namespace) -> int:
    settings = read_store_settings()
    with Reader(settings.database) as reader:
        now, _ = look(reader, settings, read_mode())
        found = honesty(reader, now)
        results_to_correct(reader)
        to_correct = reader.to_correct
    stuck = sum((each.invested for each in found.stuck), ZERO)
    if arguments.json:
        output.print_json({"money_stuck": stuck, **asdict(found), "to_correct": to_correct})
    else:
        _print(found, stuck)
        output.say_to_correct(to_correct)
    return 0


def _print(found: Honesty, stuck: Decimal) -> None:
    console = output.console()
    console.print(f"Money in open cycles: {amount(stuck)}")
    if found.stuck:
        headings = ("asset", "cycle", f"since ({output.zone()})", "for", "in", "now", "last rung")
        shown = output.table(*headings, left=3)
        for each in found.stuck:
            shown.add_row(
                each.symbol,
                str(each.cycle_id),
                local(each.since),
                age(each.seconds),
                amount(each.invested),
                percent(each.drawdown_pct),
                "yes" if each.is_on_last_rung else "no",
            )
        console.print(shown)
    console.print()
    if not found.finished:
        console.print("No cycle is complete yet.")
        return
    share = Decimal(found.used_last_rung) / found.finished * 100
    console.print(
        f"{how_many(found.finished, 'complete cycle')}: half took less than "
        f"{age(found.median_seconds)}, 95 % less than {age(found.seconds_95_pct)}."
    )
    console.print(
        f"{found.used_last_rung} used their last rung ({share:.1f} %), {found.at_a_loss} ended at "
        "a loss."
    )
    if found.fully_invested_share is not None:
        console.print(f"Time on the last rung: {found.fully_invested_share * 100:.1f} % of all.")
    if found.deepest:
        console.print("The deepest below their average, at least:")
        for deep in found.deepest:
            console.print(f"  {-deep.drawdown_pct:.2f} %  cycle {deep.cycle_id} of {deep.symbol}")
