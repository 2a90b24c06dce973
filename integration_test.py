#!/usr/bin/env python3
"""Runs the whole bot end to end and says what it sees: set-up, scenarios, assertions, tear-down.

  integration_test.py                on the paper account of .env, with a scratch database beside
                                     DB_NAME; costs less than a dollar of paper money
  integration_test.py --simulated    the same scenarios on the bundled simulator and a private
                                     database; needs no account and no settings
  integration_test.py 2 5            only these scenarios; --list shows them all

It refuses the live host, and an account that holds positions or orders.  Account and database are
left as they were found, also after Ctrl-C.  Stop the bot that trades on the same account first.

Exit status: 0 all passed, 1 something failed or was refused, 2 a setting is wrong.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Mapping, Sequence

from dca_bot.program.script import argument_parser, run
from dca_bot.store.schema import ensure_schema
from dca_integration.account import PaperAccount
from dca_integration.ground import Ground, paper_ground, simulated_ground
from dca_integration.guard import Guard
from dca_integration.interruption import Interruption
from dca_integration.programs import Programs
from dca_integration.report import Outcome, Report, Result
from dca_integration.scenario import Scenario, perform
from dca_integration.scenarios.catalogue import SCENARIOS
from dca_integration.scratch import Scratch
from dca_integration.stage import SYMBOLS, Stage

NUMBERED = dict(enumerate(SCENARIOS, start=1))


def main() -> int:
    """Do what the arguments say; return the exit status."""
    arguments = parse_arguments()
    report = Report(sys.stdout)
    if arguments.list:
        report.catalogue({number: each.sentence for number, each in NUMBERED.items()})
        return 0
    chosen = {number: NUMBERED[number] for number in arguments.numbers or NUMBERED}
    interruption = Interruption(report)
    with (
        interruption.listening(),
        simulated_ground(report) if arguments.simulated else paper_ground() as ground,
    ):
        results = examine(ground, chosen, report, interruption, wipe=arguments.wipe_account)
    report.table(results)
    report.step(f"the logs are in {ground.work_dir}")
    return exit_status(results, interruption.signal)


def parse_arguments() -> argparse.Namespace:
    parser = argument_parser(__doc__)
    parser.add_argument("numbers", nargs="*", type=number_of_scenario, metavar="NUMBER")
    parser.add_argument("--simulated", action="store_true", help="on the bundled simulator")
    parser.add_argument(
        "--wipe-account", action="store_true", help="first cancel and sell all that it holds"
    )
    parser.add_argument("--list", action="store_true", help="show the scenarios, and do nothing")
    return parser.parse_args()


def number_of_scenario(text: str) -> int:
    """Raises ArgumentTypeError when there is none with this number."""
    if text.isdecimal() and int(text) in NUMBERED:
        return int(text)
    raise argparse.ArgumentTypeError(
        f"{text!r} is not from 1 to {len(NUMBERED)}: --list shows them"
    )


def examine(
    ground: Ground,
    chosen: Mapping[int, Scenario],
    report: Report,
    interruption: Interruption,
    *,
    wipe: bool,
) -> list[Result]:
    """Set up, play, tear down; raise DcaError when something forbids the run."""
    account, books = PaperAccount(ground.alpaca), Scratch(ground.database, ensure_schema)
    programs = Programs(ground.environment(books.settings), ground.log_dir, interruption)
    stage = Stage(account, books, programs, ground.market, report, interruption)
    guard = Guard(account, SYMBOLS, report, interruption)
    if not wipe:
        guard.refuse_what_is_there()
    interruption.defer()
    results = []
    try:
        report.step(f"make the scratch database {books.settings.name}")
        programs.end_all()  # a bot that an earlier run has left behind, because it was killed
        books.create()
        if wipe:
            guard.wipe()
        results = play(chosen, stage, guard)
    finally:
        interruption.tearing_down()
        torn_down = tear_down(stage, guard)
    return [*results, torn_down]


def play(chosen: Mapping[int, Scenario], stage: Stage, guard: Guard) -> list[Result]:
    """One after the other; a signal leaves the rest undone."""
    results = []
    for number, scenario in chosen.items():
        try:
            stage.interruption.check()
            results.append(perform(number, scenario, stage, guard))
        except KeyboardInterrupt:
            results.append(
                Result(str(number), scenario.sentence, Outcome.NOT_RUN, why="interrupted")
            )
    return results


def tear_down(stage: Stage, guard: Guard) -> Result:
    """End the programs, put the account back, drop the database; each whatever became of the
    others."""
    stage.report.step("tear down")
    begun_at, problems = time.monotonic(), []
    for do in (stage.programs.end_all, guard.put_back, stage.books.drop):
        try:
            do()
        except Exception as error:  # noqa: BLE001 - the next one has its turn all the same
            problems.append(f"{error}")
            stage.report.warn(f"not put back: {error}")
    outcome = Outcome.FAILED if problems else Outcome.PASSED
    seconds = time.monotonic() - begun_at
    return Result("", "account and database are as before", outcome, seconds, "; ".join(problems))


def exit_status(results: Sequence[Result], signal_number: int | None) -> int:
    """0 only when nothing has failed and nothing was left out because of a signal."""
    if signal_number is not None:
        return 128 + signal_number
    return 1 if any(each.outcome is Outcome.FAILED for each in results) else 0


if __name__ == "__main__":
    sys.exit(run(main))
