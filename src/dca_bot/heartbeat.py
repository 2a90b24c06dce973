"""What `main_app.py` tells the watchdog: a small file in LOG_DIR, rewritten by its own loop.

Rule: the loop that trades writes it, so a stuck loop goes silent.  Ages are seconds at `at`;
None: nothing heard yet.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

FILE_NAME = "main_app.heartbeat"
PID_FILE_NAME = "main_app.pid"


@dataclass(frozen=True, slots=True)
class Heartbeat:
    pid: int
    process_start: int | None  # clock ticks since boot: tells our process from a reused pid
    started_at: datetime
    at: datetime
    quote_age_seconds: float | None = None
    trade_stream_age_seconds: float | None = None
    database_reachable: bool = True
    symbols: int = 0  # how many are watched: without any, no quotes are expected


def first(now: datetime) -> Heartbeat:
    """Of this process at its start, before it has heard anything."""
    pid = os.getpid()
    return Heartbeat(pid, process_start(pid), started_at=now, at=now)


def write(beat: Heartbeat, directory: Path) -> None:
    """Replace the file as a whole: a reader sees the old beat or the new one, never half of it."""
    text = json.dumps(asdict(beat), default=datetime.isoformat, indent=1)
    fresh = directory / f"{FILE_NAME}.new"
    fresh.write_text(text + "\n", encoding="utf-8")
    fresh.replace(directory / FILE_NAME)


def read(directory: Path) -> Heartbeat | None:
    """The last beat; None when there is none, or it can't be read."""
    try:
        raw = json.loads((directory / FILE_NAME).read_text(encoding="utf-8"))
        for name in ("started_at", "at"):
            raw[name] = datetime.fromisoformat(raw[name])
        return Heartbeat(**raw)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def process_start(pid: int) -> int | None:
    """When the process with this id began, in clock ticks since boot; None: there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return None
    # The second field is the program's name in brackets and may hold spaces and brackets itself.
    return int(stat.rpartition(")")[2].split()[19])


def write_pid(directory: Path) -> None:
    (directory / PID_FILE_NAME).write_text(f"{os.getpid()}\n", encoding="ascii")


def remove(directory: Path) -> None:
    """After a clean end: no process, no pid; the last heartbeat stays, it tells since when."""
    (directory / PID_FILE_NAME).unlink(missing_ok=True)
