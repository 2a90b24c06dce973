"""When each caretaker succeeded last: a file in LOG_DIR for each of them, whose time tells.

Rule: a caretaker that has never run here is not missed; one that has run must succeed again and
again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dca_bot.program.files import append_to
from dca_bot.watchdog.problems import Problem, ProblemKind

# Three of the periods in which cron runs them.
SILENCE_MAX = {
    "order_manager": timedelta(minutes=10),
    "cooldown_manager": timedelta(minutes=10),
    "consistency_checker": timedelta(minutes=20),
}


@dataclass(frozen=True, slots=True)
class SuccessMark:
    """The mark of one caretaker."""

    directory: Path
    name: str

    @property
    def _path(self) -> Path:
        return self.directory / f"{self.name}.success"

    def begin(self, now: datetime) -> None:
        """It runs: from its first run on it is missed when it does not succeed."""
        if not self._path.exists():
            self.leave(now)

    def leave(self, now: datetime) -> None:
        """It has succeeded."""
        # On a full disk the time of the old mark can still be changed.
        with suppress(OSError):
            os.close(append_to(self._path))
            os.utime(self._path, (now.timestamp(), now.timestamp()), follow_symlinks=False)

    def time(self) -> datetime | None:
        """When it was left last; None: never."""
        try:
            return datetime.fromtimestamp(self._path.lstat().st_mtime, UTC)
        except (OSError, ValueError, OverflowError):
            return None


def caretaker_problems(
    directory: Path, now: datetime, *, excused_until: datetime
) -> Iterator[Problem]:
    """The caretakers that have run here and have not succeeded for too long.

    Until `excused_until` none could have: the machine was off, or the database away.
    """
    for name, silence_max in SILENCE_MAX.items():
        at = SuccessMark(directory, name).time()
        if at is None:
            continue
        since = max(at, excused_until) + silence_max
        if now > since:
            yield Problem(
                ProblemKind.CARETAKER,
                f"{name}.py",
                since,
                f"its last success was at {at:%Y-%m-%d %H:%M} UTC: see {name}.log in LOG_DIR, "
                "and whether cron still runs it (crontab -l)",
            )
