"""Processes by their id: whether it still is the one that was meant, how to end it, and how to
start one that outlives us.

Rule: nothing is signalled without asking first whether the number still belongs to our script; the
system hands numbers out again, and anything may stand in a file.
"""

from __future__ import annotations

import os
import pwd
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from dca_bot.program.files import append_to
from dca_bot.watchdog.heartbeat import process_start

POLL_SECONDS = 0.1
OPTIONS_WITH_VALUE = frozenset({"-W", "-X", "--check-hash-based-pycs"})  # Python's own
CODE_OR_MODULE = re.compile(r"-[^-WXcm]*[cm]")  # -c, -m, -um


def runs_script(pid: int, script: Path) -> bool:
    """Whether the process exists, is ours, and is a Python that runs this very script."""
    # A zombie has no program any more, so it counts as gone, which it is.
    place = Path(f"/proc/{pid}")
    try:
        is_ours = _user_of(place) == os.geteuid()
        program = (place / "exe").readlink().name
        command = (place / "cmdline").read_bytes().decode(errors="surrogateescape").split("\0")
    except OSError:
        return False
    named = _script_of(command)
    if not (is_ours and "python" in program and named):
        return False
    # Seen with its eyes: the same path in a container is another installation.
    seen = place / "root" / named.lstrip("/") if named.startswith("/") else place / "cwd" / named
    return _is_same(seen, script)


def other_user_of(pid: int, script: Path) -> str:
    """The user, if not ours, as whom a Python runs this very script; "": nobody else does."""
    place = Path(f"/proc/{pid}")
    try:
        uid = _user_of(place)
        command = (place / "cmdline").read_bytes().decode(errors="surrogateescape").split("\0")
    except OSError:
        return ""
    named = _script_of(command)
    # What the process sees (its root, its directory) is hidden from other users.
    is_it = named.startswith("/") and "python" in command[0] and _is_same(Path(named), script)
    if uid == os.geteuid() or not is_it:
        return ""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def running_seconds(pid: int) -> float | None:
    """For how long the process has been running; None: there is none."""
    start = process_start(pid)
    if start is None:
        return None
    return max(0.0, seconds_since_boot() - start / os.sysconf("SC_CLK_TCK"))


def seconds_since_boot() -> float:
    return float(Path("/proc/uptime").read_text(encoding="ascii").split()[0])


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
        if not _send(pid, script, number):
            return True
        give_up_at = time.monotonic() + patience
        while runs_script(pid, script) and time.monotonic() < give_up_at:
            sleep(POLL_SECONDS)
    return not runs_script(pid, script)


def start_detached(script: Path, output: Path) -> subprocess.Popen[bytes]:
    """Start the script with our own Python, so that it outlives us; `output` is appended to."""
    with os.fdopen(append_to(output), "ab") as log:
        return subprocess.Popen(  # noqa: S603 - our own script
            [sys.executable, str(script)],
            cwd=script.parent,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # cron ends what is left in its own session
        )


def _send(pid: int, script: Path, number: signal.Signals) -> bool:
    """Send the signal to the process if it still runs the script; whether it does.

    The number could change hands between the look and the signal.  A pidfd can't: what is sent
    through it reaches the process that had the number when it was opened, or nobody.
    """
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    except OSError:  # a kernel before 5.3, or a sandbox: then the look must do
        pidfd = None
    try:
        if not runs_script(pid, script):
            return False
        if pidfd is None:
            os.kill(pid, number)
        else:
            signal.pidfd_send_signal(pidfd, number)
    except ProcessLookupError:
        return False
    finally:
        if pidfd is not None:
            os.close(pidfd)
    return True


def _user_of(place: Path) -> int:
    # Not the owner of the directory: for a process that has changed its user that is root.
    status = (place / "status").read_text(encoding="utf-8", errors="replace")
    uids = next(line for line in status.splitlines() if line.startswith("Uid:"))
    return int(uids.split()[2])  # real, effective, saved, of the file system


def _script_of(command: Sequence[str]) -> str:
    """The script that Python was called with; "" when there is none, as after -c or -m."""
    arguments = iter(command[1:])
    for argument in arguments:
        if argument in OPTIONS_WITH_VALUE:
            next(arguments, None)
        elif not argument.startswith("-"):
            return argument
        elif CODE_OR_MODULE.match(argument):
            return ""
    return ""


def _is_same(path: Path, script: Path) -> bool:
    try:
        return path.samefile(script)
    except OSError:
        return False
