"""Processes of the demo and of integration_test.py: each has a log of its own, none outlives us.

Rule: whoever starts a process here stops it here.  The kernel ends those that a killed parent
leaves behind; what they started in turn (watchdog.py a main_app.py) is found by its environment,
at the end or by the next run.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from dca_sandbox.growing_file import GrowingFile

STOP_SECONDS = 8  # main_app.py ends within 5 s of SIGTERM
PR_SET_PDEATHSIG = 1


class Child:
    """A process whose output goes to `<name>.log`.  Start it from the main thread, which lives
    as long as we do: the kernel ties the child's life to the thread."""

    def __init__(
        self, name: str, command: Sequence[str], *, environment: Mapping[str, str], log_dir: Path
    ) -> None:
        self.name = name
        self.log_path = log_dir / f"{name}.log"
        self.output = GrowingFile(self.log_path)
        with self.log_path.open("ab") as log_file:
            self._process = subprocess.Popen(  # noqa: S603 - our own programs
                command,
                env=environment,
                cwd=log_dir,
                stdin=subprocess.DEVNULL,
                stdout=log_file,
                stderr=subprocess.STDOUT,
                # Ctrl-C is for us alone, who end our children in the right order
                start_new_session=True,
                preexec_fn=die_with(os.getpid()),  # noqa: PLW1509 - two system calls only
            )

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    def exit_status(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def last_line(self) -> str:
        """The last thing it said."""
        lines = self.log_path.read_text(errors="replace").split("\n")
        return next((line for line in reversed(lines) if line.strip()), "it said nothing")

    def stop(self) -> None:
        """End it, in its own way if it is quick enough."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


def end_strays(environment_entry: str) -> None:
    """End every process with this `NAME=value` in its environment.

    A main_app.py that watchdog.py has started is nobody's child.
    """
    mark = environment_entry.encode()
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in _marked(mark):
            _send(pid, number)
        give_up_at = time.monotonic() + STOP_SECONDS
        while any(_marked(mark)) and time.monotonic() < give_up_at:
            time.sleep(0.05)


def _marked(mark: bytes) -> Iterator[int]:
    for environ in Path("/proc").glob("[0-9]*/environ"):
        pid = int(environ.parent.name)
        try:
            if pid != os.getpid() and mark in environ.read_bytes().split(b"\0"):
                yield pid
        except OSError:
            continue  # it has ended, or it is another user's


def _send(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):  # it was quicker
        os.kill(pid, number)


def die_with(parent: int) -> Callable[[], None]:
    """What a child of `parent` runs before it begins, so that it never outlives it."""
    # A parent that is killed cannot stop its server, and nobody else would.  The kernel does it
    # (Linux; elsewhere only stop() does).  Its data is fresh each time, so KILL loses nothing.
    libc = ctypes.CDLL(None)

    def in_child() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the kernel was told
            os._exit(1)

    return in_child
