"""What a scenario is, and how one is played: its result, its time, and why it failed.

Rule: whatever goes wrong in one scenario is that scenario's failure; the others have their turn.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from dca_bot.program.errors import DcaError
from dca_integration.guard import Guard
from dca_integration.market import SimulatedMarket
from dca_integration.report import Outcome, Result
from dca_integration.stage import Stage, Unmet


@dataclass(frozen=True, slots=True)
class Scenario:
    """`play` raises Unmet; `only_simulated` says why the paper account can't have it."""

    sentence: str
    play: Callable[[Stage], None]
    only_simulated: str = ""


def perform(number: int, scenario: Scenario, stage: Stage, guard: Guard) -> Result:
    """Play one on an empty account and an empty database, and leave them empty.

    Raises KeyboardInterrupt when a signal has come.
    """
    report = stage.report
    report.heading(number, scenario.sentence)
    begun_at = time.monotonic()
    outcome, why = Outcome.PASSED, ""
    if scenario.only_simulated and not isinstance(stage.market, SimulatedMarket):
        outcome, why = Outcome.SKIPPED, f"needs --simulated: {scenario.only_simulated}"
    else:
        try:
            _play(scenario, stage, guard)
        except (Unmet, DcaError) as error:
            outcome, why = Outcome.FAILED, str(error)
        except Exception as error:  # noqa: BLE001 - a scenario's own mistake is its failure
            outcome, why = Outcome.FAILED, f"{type(error).__name__}: {error}"
    seconds, why = time.monotonic() - begun_at, " ".join(why.split())
    result = Result(str(number), scenario.sentence, outcome, seconds, why)
    report.ended(result)
    if outcome is Outcome.FAILED:
        report.log_tail("main_app.log", stage.programs.whole_bot_log())
    return result


def _play(scenario: Scenario, stage: Stage, guard: Guard) -> None:
    stage.programs.forget()
    try:
        scenario.play(stage)
    finally:
        stage.programs.end_all()
        stage.books.empty()
        guard.put_back()
