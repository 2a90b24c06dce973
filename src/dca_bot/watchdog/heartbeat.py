"""What `main_app.py` tells the watchdog: a small file in LOG_DIR, rewritten by its own loop.

Rule: the loop that trades writes it, so a stuck loop goes silent.  Ages are seconds at `at`;
None: nothing heard yet.
"""

from __future__ import annotations

import json
import math
import os
import re
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dca_bot.program.files import read_own, read_text, replace_own
from dca_bot.watchdog.problems import Problem, ProblemKind, read_problem

FILE_NAME = "main_app.heartbeat"
PID_FILE_NAME = "main_app.pid"
BYTES_MAX = 1_000_000
ENDED = frozenset("ZX")  # states of a process that only waits to be struck off the list
PID = re.compile(r"[1-9][0-9]{0,8}")


@dataclass(frozen=True, slots=True)
class Heartbeat:
    pid: int
    process_start: int | None  # clock ticks since boot: tells our process from a reused pid
    started_at: datetime
    at: datetime
    quote_age_seconds: float | None = None
    trade_stream_age_seconds: float | None = None
    symbols: int = 0  # how many are watched: without any, no quotes are expected
    waits_for: str = ""  # what must answer before trading begins; empty: it has begun
    problems: tuple[Problem, ...] = ()

    @property
    def database_reachable(self) -> bool:
        return all(each.kind is not ProblemKind.DATABASE for each in self.problems)


def first(now: datetime) -> Heartbeat:
    """Of this process at its start, before it has heard anything."""
    pid = os.getpid()
    return Heartbeat(pid, process_start(pid), started_at=now, at=now)


def write(beat: Heartbeat, directory: Path) -> None:
    """Replace the heartbeat; raises OSError.

    Where a full disk forbids that, the old one's time of change still says that the loop runs, or
    the watchdog would replace a bot that is well by one that can't even write its PID.
    """
    path = directory / FILE_NAME
    text = json.dumps(asdict(beat), default=datetime.isoformat, indent=1)
    try:
        replace_own(path, text + "\n")
    finally:
        seconds = int(beat.at.timestamp())  # not rounded up: that would be in the future
        with suppress(OSError):
            os.utime(path, (seconds, seconds), follow_symlinks=False)


def read(directory: Path) -> Heartbeat | None:
    """The last beat; None when there is none, or it can't be read or isn't one."""
    path = directory / FILE_NAME
    try:
        raw = json.loads(read_own(path, BYTES_MAX))
        for name in ("started_at", "at"):
            raw[name] = datetime.fromisoformat(raw[name])
        raw["problems"] = tuple(read_problem(each) for each in raw.get("problems", ()))
        # what another version of the bot has to tell beside this is no matter
        beat = Heartbeat(**{each.name: raw[each.name] for each in fields(Heartbeat)})
        changed_at = datetime.fromtimestamp(int(path.lstat().st_mtime), UTC)
        return replace(beat, at=max(beat.at, changed_at)) if _is_sensible(beat) else None
    except (OSError, ValueError, TypeError, KeyError, RecursionError, OverflowError):
        return None


def is_running(beat: Heartbeat) -> bool:
    """Whether the process that left the beat is there."""
    return process_start(beat.pid) == beat.process_start


def process_start(pid: int) -> int | None:
    """When the process with this id began, in clock ticks since boot; None: there is none.

    One that has ended counts as gone, also while nobody has asked for its exit status: in a
    container whose first process asks for none, it stays listed for good.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The second field is the program's name in brackets and may hold spaces and brackets itself.
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in ENDED else int(fields[19])


def write_pid(directory: Path) -> None:
    replace_own(directory / PID_FILE_NAME, f"{os.getpid()}\n")


def read_pid(directory: Path, *, of_anybody: bool = False) -> int | None:
    """The number in the PID file; None when there is none that a process could have.

    A file that another user has written is believed only where `of_anybody` will do.
    """
    read = read_text if of_anybody else read_own
    try:
        text = read(directory / PID_FILE_NAME, BYTES_MAX).strip()
    except (OSError, ValueError):
        return None
    return int(text) if PID.fullmatch(text) else None


def remove(directory: Path) -> None:
    """After a clean end: no process, no pid; the last heartbeat stays, it tells since when."""
    (directory / PID_FILE_NAME).unlink(missing_ok=True)


def _is_sensible(beat: Heartbeat) -> bool:
    # Anything may stand in a file; what is compared with it must be what it is said to be.
    ages = (beat.quote_age_seconds, beat.trade_stream_age_seconds)
    return (
        _is_whole(beat.pid)
        and beat.pid > 0
        and (beat.process_start is None or _is_whole(beat.process_start))
        and all(at.tzinfo is not None for at in (beat.started_at, beat.at))
        and all(age is None or _is_whole(age) or _is_finite(age) for age in ages)
        and _is_whole(beat.symbols)
        and isinstance(beat.waits_for, str)
    )


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_finite(value: Any) -> bool:
    return isinstance(value, float) and math.isfinite(value)
