"""What a run of integration_test.py tells its reader, line by line, and the table at its end.

Rule: only this file writes to stdout, and a reader who has gone away stops nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import TextIO

LOG_LINES_SHOWN = 25


class Outcome(StrEnum):
    PASSED = "passed"
    FAILED = "FAILED"
    SKIPPED = "skipped"
    NOT_RUN = "not run"


@dataclass(frozen=True, slots=True)
class Result:
    """One line of the table; `number` is empty for what is no scenario."""

    number: str
    sentence: str
    outcome: Outcome
    seconds: float = 0.0
    why: str = ""


class Report:
    def __init__(self, output: TextIO) -> None:
        self._output = output

    def heading(self, number: int, sentence: str) -> None:
        """A scenario begins."""
        self._say(f"\n=== {number}. {sentence}")

    def step(self, text: str) -> None:
        """Something that is being done."""
        self._say(f"  - {text}")

    def met(self, what: str, *, expected: object, seen: object) -> None:
        """An assertion that holds."""
        self._say(f"    ok: {what}: expected {shown(expected)}, seen {shown(seen)}")

    def ended(self, result: Result) -> None:
        """A scenario is over."""
        self._say(f"  {result.outcome} after {result.seconds:.1f} s {result.why}".rstrip())

    def warn(self, text: str) -> None:
        """Something that the reader must know or do."""
        self._say(f"  ! {text}")

    def shout(self, text: str) -> None:
        """The same from a signal handler, which may have struck in the middle of a write."""
        with suppress(OSError, ValueError):
            os.write(self._output.fileno(), f"  ! {text}\n".encode())

    def log_tail(self, name: str, lines: Sequence[str]) -> None:
        """The last lines of a program's log, when a scenario has failed."""
        self._say(f"  the last lines of {name}:")
        for line in lines[-LOG_LINES_SHOWN:]:
            self._say(f"    | {line}")

    def catalogue(self, sentences: Mapping[int, str]) -> None:
        """Every scenario that there is."""
        for number, sentence in sentences.items():
            self._say(f"{number:>3}  {sentence}")

    def table(self, results: Iterable[Result]) -> None:
        """Every scenario with its result and its time."""
        self._say("\n No  Result      Time  Scenario")
        for each in results:
            why = f" ({each.why})" if each.why else ""
            self._say(
                f"{each.number:>3}  {each.outcome:<8} {each.seconds:5.1f} s  {each.sentence}{why}"
            )

    def _say(self, line: str) -> None:
        # `integration_test.py | head` or a closed terminal: the account is put back all the same
        with suppress(OSError, ValueError):
            self._output.write(f"{line}\n")
            self._output.flush()


def shown(value: object) -> str:
    """A value as a line can hold it."""
    match value:
        case Decimal():
            return f"{value:f}"
        case list() | tuple() | set():
            return f"({', '.join(shown(each) for each in value)})"
        case _:
            return str(value) or "nothing"
