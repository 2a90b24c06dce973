"""What `dca doctor` finds: a line for each thing that it looked at."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Mark(StrEnum):
    OK = "ok"
    NOTE = "note"  # worth knowing; the bot works
    BAD = "bad"  # the bot does not work like this


@dataclass(frozen=True, slots=True)
class Finding:
    """`what` was found about `about`; `do` says what helps, where something should be done."""

    about: str
    mark: Mark
    what: str
    do: str = ""


def ok(about: str, what: str) -> Finding:
    return Finding(about, Mark.OK, what)


def note(about: str, what: str, do: str = "") -> Finding:
    return Finding(about, Mark.NOTE, what, do)


def bad(about: str, what: str, do: str) -> Finding:
    return Finding(about, Mark.BAD, what, do)
