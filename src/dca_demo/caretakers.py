"""Runs the caretakers as cron would, only more often, and remembers what each of them did.

Rule: one at a time, so that a small machine is not busy with starting programs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from dca_sandbox.children import Child

# In seconds.  Cron runs them every minute or every five (README 5.3).
EVERY_SECONDS = {
    "cooldown_manager.py": 4,
    "order_manager.py": 7,
    "consistency_checker.py": 15,
    "watchdog.py": 20,
}


@dataclass(frozen=True, slots=True)
class CaretakerNow:
    """One caretaker: when it ran last, how that ended, its last line, and what it did last.

    While it runs, `ended_at` is that of the run before.
    """

    script: str
    every_seconds: int
    ended_at: datetime | None = None
    exit_status: int | None = None
    last_line: str = ""
    deed: str = ""
    is_running: bool = False


@dataclass(slots=True)
class _Round:
    """One caretaker and when it is due again."""

    shown: CaretakerNow
    due_at: datetime


class Caretakers:
    """`start` begins a run of a script, given its name."""

    def __init__(self, start: Callable[[str], Child], now: datetime) -> None:
        self._start = start
        self._rounds = [
            _Round(CaretakerNow(script, seconds), due_at=now + timedelta(seconds=seconds))
            for script, seconds in EVERY_SECONDS.items()
        ]
        self._running: tuple[_Round, Child] | None = None

    def tick(self, now: datetime) -> None:
        """Note the end of a run, and begin the one that has waited longest."""
        if self._running is not None and not self._has_ended(*self._running, now):
            return
        self._running = None
        first = min(self._rounds, key=lambda each: each.due_at)
        if first.due_at <= now:
            first.due_at = now + timedelta(seconds=first.shown.every_seconds)
            self._running = first, self._start(first.shown.script)
            first.shown = replace(first.shown, is_running=True)

    def shown(self) -> tuple[CaretakerNow, ...]:
        """Each with its last run and its last deed."""
        return tuple(each.shown for each in self._rounds)

    def stop(self) -> None:
        """End the run that is under way."""
        if self._running is not None:
            self._running[1].stop()

    def _has_ended(self, run: _Round, child: Child, now: datetime) -> bool:
        status = child.exit_status()
        if status is None:
            return False
        said = child.output.new_lines()
        # One line says that there was nothing to do; a deed or a complaint comes beside it.
        deeds = [line for line in said if " done " not in line] if len(said) > 1 or status else []
        run.shown = replace(
            run.shown,
            ended_at=now,
            exit_status=status,
            last_line=said[-1] if said else "",
            deed=_most_telling(deeds) or run.shown.deed,
            is_running=False,
        )
        return True


def _most_telling(deeds: list[str]) -> str:
    """The first complaint, such as the watchdog's of a bot that has ended; else the last deed."""
    complaints = [line for line in deeds if " INFO " not in line]
    return (complaints or deeds[-1:] or [""])[0]
