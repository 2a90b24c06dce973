"""Our programs as processes without the start of an interpreter: forks of one that has loaded what
they import.

Rule: each is a process of its own, with exactly its environment, its own output and exit status.
Only /proc goes on to show the command line and the environment of the first.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from multiprocessing import connection
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType

LOADED = (
    "dca_bot.live.app",
    "dca_bot.live.start",
    "dca_bot.store.instance_lock",
    "dca_bot.caretakers.posted_fees",
    "dca_bot.caretakers.positions",
    "dca_bot.report.alerts",
    "dca_bot.commands.page",
    "alpaca_simulator.__main__",
    "aiosmtpd.smtp",
)
forks = multiprocessing.get_context("forkserver")
forks.set_forkserver_preload(list(LOADED))
# Whoever starts one asks all others how they have ended, and each can say that only once.
one_looks = threading.Lock()


class WarmProcess:
    """As far as tests need it, what `subprocess.Popen` is.

    Its command is what would follow `python`: a script or `-m` and a module, and arguments.
    """

    def __init__(
        self, *command: str, env: Mapping[str, str], output: Path, errors: Path | None = None
    ) -> None:
        self.args = command
        output.touch()
        # a daemon here is what ends with us at the latest
        self._process = forks.Process(
            target=_become,
            args=(command, dict(env), _umask(), str(output), str(errors or output)),
            daemon=True,
        )
        with one_looks:
            self._process.start()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        return self.poll()

    def poll(self) -> int | None:
        with one_looks:
            return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        connection.wait([self._process.sentinel], timeout)
        status = self.poll()
        if status is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return status

    def send_signal(self, number: signal.Signals) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def __enter__(self) -> WarmProcess:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: object, _at: TracebackType | None
    ) -> None:
        self.wait()


def run(
    *command: str, env: Mapping[str, str], timeout: float = 60
) -> subprocess.CompletedProcess[str]:
    """Run it to its end, or kill it when it takes longer; what it has said stands apart."""
    with TemporaryDirectory() as folder:
        output, errors = Path(folder, "output"), Path(folder, "errors")
        process = WarmProcess(*command, env=env, output=output, errors=errors)
        try:
            status = process.wait(timeout)
        finally:
            process.kill()
        return subprocess.CompletedProcess(command, status, output.read_text(), errors.read_text())


def _umask() -> int:
    ours = os.umask(0)
    os.umask(ours)
    return ours


def _become(
    command: tuple[str, ...], env: dict[str, str], umask: int, output: str, errors: str
) -> None:
    """Take over, in the fork, what a process has from its parent, and be that program."""
    os.chdir("/")
    os.umask(umask)
    os.environ.clear()
    os.environ.update(env)
    time.tzset()
    for stream, path in ((sys.stdout, output), (sys.stderr, errors)):
        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        os.dup2(file, stream.fileno())
        os.close(file)
    if command[0] == "-m":
        sys.argv = list(command[1:])
        runpy.run_module(command[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = list(command)
        runpy.run_path(command[0], run_name="__main__")
