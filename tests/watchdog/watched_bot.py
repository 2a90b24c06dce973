"""A main_app.py that only watchdog.py starts, in a directory of its own, and never left behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from pathlib import Path

from dca_bot.watchdog import heartbeat, process
from dca_bot.watchdog.bot_process import SCRIPT
from tests.helpers import eventually, run_script


class WatchedBot:
    """Runs the watchdog, finds the bot, and ends whatever bot there is at the end."""

    def __init__(self, env: dict[str, str]) -> None:
        self.env = env
        self.directory = Path(env["LOG_DIR"])
        self._seen: set[int] = set()
        self._kept: list[socket.socket] = []

    def watch(
        self, *arguments: str, expect: int | None = None, **changes: str
    ) -> subprocess.CompletedProcess[str]:
        """One run of the watchdog."""
        done = run_script("watchdog.py", *arguments, env=self.env | changes, timeout=120)
        if pid := self.pid:
            self._seen.add(pid)
        if expect is not None:
            assert done.returncode == expect, done.stdout + done.stderr
        return done

    @property
    def pid(self) -> int | None:
        """The bot's number, if it runs."""
        beat = heartbeat.read(self.directory)
        named = (beat and beat.pid, heartbeat.read_pid(self.directory))
        return next((pid for pid in named if pid and process.runs_script(pid, SCRIPT)), None)

    def keep(self, listener: socket.socket) -> None:
        """Close it when the test is over."""
        self._kept.append(listener)

    def send(self, number: signal.Signals) -> None:
        assert self.pid is not None
        os.kill(self.pid, number)

    def kill(self) -> None:
        """As if the machine had done it: no chance to say goodbye."""
        self.send(signal.SIGKILL)
        eventually(lambda: self.pid is None)

    @property
    def log(self) -> str:
        return (self.directory / "main_app.log").read_text()

    def clean_up(self) -> None:
        if pid := self.pid:
            self._seen.add(pid)
        for each in self._seen:
            process.stop(each, SCRIPT, term_seconds=6)
        for each_kept in self._kept:
            each_kept.close()
