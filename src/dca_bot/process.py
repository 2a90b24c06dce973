"""Processes by their id: whether it still is the one that was meant, how to end it, and how to
start one that outlives us.

Rule: nothing is signalled without asking first whether the number still belongs to our script; the
system hands numbers out again.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from dca_bot.heartbeat import process_start

POLL_SECONDS = 0.1


def runs_script(pid: int, script: Path) -> bool:
    """Whether the process exists and is a Python that runs this very script."""
    # A zombie has an empty command line, so it counts as gone, which it is.
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
        folder = Path(f"/proc/{pid}/cwd").readlink()
    except OSError:
        return False
    named = (folder / argument for argument in command[1:] if argument.endswith(script.name))
    return "python" in Path(command[0]).name and any(_is_same(path, script) for path in named)


def running_seconds(pid: int) -> float | None:
    """For how long the process has been running; None: there is none."""
    start = process_start(pid)
    if start is None:
        return None
    since_boot = float(Path("/proc/uptime").read_text(encoding="ascii").split()[0])
    return max(0.0, since_boot - start / os.sysconf("SC_CLK_TCK"))


def stop(
    pid: int,
    script: Path,
    *,
    term_seconds: float = 10.0,
    kill_seconds: float = 5.0,
    sleep: Callable[[float], None] = time.sleep,
) -> bool:
    """TERM, wait, KILL, wait; whether the process is gone."""
    for number, patience in ((signal.SIGTERM, term_seconds), (signal.SIGKILL, kill_seconds)):
        if not runs_script(pid, script):
            return True
        os.kill(pid, number)
        give_up_at = time.monotonic() + patience
        while runs_script(pid, script) and time.monotonic() < give_up_at:
            sleep(POLL_SECONDS)
    return not runs_script(pid, script)


def start_detached(script: Path, output: Path) -> subprocess.Popen[bytes]:
    """Start the script with our own Python, so that it outlives us; `output` is appended to."""
    with output.open("ab") as log:
        return subprocess.Popen(  # noqa: S603 - our own script
            [sys.executable, str(script)],
            cwd=script.parent,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # cron ends what is left in its own session
        )


def _is_same(path: Path, script: Path) -> bool:
    try:
        return path.samefile(script)
    except OSError:
        return False
