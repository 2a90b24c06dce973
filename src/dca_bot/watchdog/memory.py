"""What the watchdog remembers from run to run: a file in LOG_DIR.

Rule: a memory that can't be read is an empty one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from dca_bot.program.clock import aware
from dca_bot.program.errors import DcaError
from dca_bot.program.files import read_own, replace_own
from dca_bot.watchdog.problems import KnownProblem, read_problem

FILE_NAME = "watchdog.state"
BYTES_MAX = 1_000_000


@dataclass(slots=True)
class Memory:
    """As it is in the file, where times are ISO text."""

    down_since: datetime | None = None  # a start has failed, and the bot was not well since
    why: str = ""
    needs_a_human: bool = False  # a wrong setting: another start would fail as well
    failed_starts: list[datetime] = field(default_factory=list)
    restarts: list[datetime] = field(default_factory=list)
    mute_restart_at: datetime | None = None
    unsent: list[tuple[str, str]] = field(default_factory=list)  # subject and body
    problems: list[KnownProblem] = field(default_factory=list)
    database_away_at: datetime | None = None  # when that was last seen
    last_event: int | None = None  # the last of dca_events that was looked at
    digest_at: datetime | None = None


def load(directory: Path) -> Memory:
    """What the run before has saved."""
    try:
        raw = json.loads(read_own(directory / FILE_NAME, BYTES_MAX))
        return Memory(
            down_since=_time(raw["down_since"]),
            why=str(raw["why"]),
            needs_a_human=bool(raw["needs_a_human"]),
            failed_starts=[aware(at) for at in raw["failed_starts"]],
            restarts=[aware(at) for at in raw["restarts"]],
            mute_restart_at=_time(raw["mute_restart_at"]),
            unsent=[(str(subject), str(body)) for subject, body in raw["unsent"]],
            problems=[_known(each) for each in raw.get("problems", ())],
            database_away_at=_time(raw.get("database_away_at")),
            last_event=raw.get("last_event"),
            digest_at=_time(raw.get("digest_at")),
        )
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return Memory()


def save(memory: Memory, directory: Path) -> None:
    """Raises DcaError where it can't be written."""
    text = json.dumps(asdict(memory), default=datetime.isoformat, indent=1)
    try:
        replace_own(directory / FILE_NAME, text + "\n")
    except OSError as error:
        raise DcaError(
            f"what was found can't be remembered: {error}; make room on the disk of LOG_DIR, and "
            "let this user write there"
        ) from error


def _known(raw: Mapping[str, Any]) -> KnownProblem:
    return KnownProblem(read_problem(raw["problem"]), _time(raw["mailed_at"]))


def _time(text: str | None) -> datetime | None:
    return aware(text) if text else None
