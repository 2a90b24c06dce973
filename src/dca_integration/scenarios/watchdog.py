"""The situations of watchdog.py.

Rule: only watchdog.py starts main_app.py here; what the test does to it is what happens to it in
real life, by signals and by files.
"""

from __future__ import annotations

import os
import signal

from dca_integration.programs import runs_bot
from dca_integration.stage import FIRST, Stage, Unmet

SCRIPT = "watchdog.py"


def first_start(stage: Stage) -> None:
    """The very first start, a healthy bot that is left alone, and one that was killed."""
    stage.add_asset(FIRST, is_enabled=False)
    stage.run(SCRIPT, "--status", status=1)
    stage.run(SCRIPT)
    first = running(stage)
    stage.run(SCRIPT, "--status")
    stage.run(SCRIPT)
    stage.claim("main_app.py, left alone", running(stage), first)
    kill(stage, first, signal.SIGKILL)
    stage.run(SCRIPT)
    replaced(stage, first)


def hung(stage: Stage) -> None:
    """A bot that hangs is replaced."""
    stage.add_asset(FIRST, is_enabled=False)
    stage.run(SCRIPT)
    first = running(stage)
    stage.step(f"stop process {first} by SIGSTOP, and wait until its heartbeat is old")
    os.kill(first, signal.SIGSTOP)
    stage.soon(
        "watchdog.py --status",
        lambda: stage.programs.run(SCRIPT, "--status").last_line,
        "hung",
        lambda line: "main_app.py is hung" in line,
    )
    stage.run(SCRIPT)
    replaced(stage, first)


def strangers_pid(stage: Stage) -> None:
    """A PID file whose number belongs to another program is no running bot."""
    stage.add_asset(FIRST, is_enabled=False)
    stage.step(f"write the number of this program, {os.getpid()}, into main_app.pid")
    (stage.programs.log_dir / "main_app.pid").write_text(f"{os.getpid()}\n")
    stage.run(SCRIPT)
    running(stage)
    # and here we are still, so it was not taken for the bot


def pause(stage: Stage) -> None:
    """While paused, the watchdog leaves a stopped bot stopped."""
    stage.add_asset(FIRST, is_enabled=False)
    stage.run(SCRIPT, "--pause")
    stage.run(SCRIPT)
    stage.claim("main_app.py while paused", stage.programs.bot_pid(), None)
    stage.run(SCRIPT, "--resume")
    stage.run(SCRIPT)
    running(stage)


def running(stage: Stage) -> int:
    """The number of the main_app.py that runs."""
    pid = stage.programs.bot_pid()
    if pid is None:
        raise Unmet("main_app.py: expected to run, seen no process of the PID file's number")
    stage.report.met("main_app.py", expected="running", seen=f"process {pid}")
    return pid


def kill(stage: Stage, pid: int, number: signal.Signals) -> None:
    """Send a signal and see the process go."""
    stage.step(f"send {number.name} to process {pid}")
    os.kill(pid, number)
    stage.soon("main_app.py", stage.programs.bot_pid, "no process", lambda found: found is None)


def replaced(stage: Stage, old: int) -> None:
    """Another main_app.py runs, and the old one is gone."""
    new = running(stage)
    stage.claim_that("it is another one", new, holds=new != old, expected=f"not {old}")
    stage.claim(f"process {old} runs main_app.py", runs_bot(old), False)
