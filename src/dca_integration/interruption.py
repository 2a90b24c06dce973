"""Ctrl-C at any moment, without leaving anything half done.

Rule: once the account or the database may have been touched, a signal is only remembered, and
whoever waits asks for it: so it strikes between two steps, and never in the tear-down.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from dca_integration.report import Report

POLL_SECONDS = 0.1


class Interruption:
    """Listens inside `listening()`.

    Until `defer` the first signal raises KeyboardInterrupt where it strikes: nothing but programs
    of our own has been touched so far.  From `tearing_down` on it is answered by a word.
    """

    def __init__(self, report: Report) -> None:
        self.signal: int | None = None
        self._report = report
        self._is_deferred = False
        self._is_tearing_down = False

    @contextmanager
    def listening(self) -> Iterator[None]:
        """SIGINT, SIGTERM and SIGHUP (unless nohup forbids it) come here."""
        numbers = [signal.SIGINT, signal.SIGTERM]
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            numbers.append(signal.SIGHUP)
        before = [(number, signal.signal(number, self._on_signal)) for number in numbers]
        try:
            yield
        finally:
            for number, handler in before:
                signal.signal(number, handler)

    def defer(self) -> None:
        """From now on a signal waits for the next `check`."""
        self._is_deferred = True

    def tearing_down(self) -> None:
        """From now on nothing is cut short."""
        self._is_tearing_down = True

    def check(self) -> None:
        """Raise KeyboardInterrupt when a signal has come, unless the tear-down has begun."""
        if self.signal is not None and not self._is_tearing_down:
            raise KeyboardInterrupt(self.signal)

    def wait(self, is_done: Callable[[], bool], seconds: float, every: float | None = None) -> bool:
        """Ask again and again; whether it was done in time.  Raises KeyboardInterrupt."""
        give_up_at = time.monotonic() + seconds
        while not is_done():
            if time.monotonic() > give_up_at:
                return False
            self.check()
            time.sleep(every or POLL_SECONDS)
        return True

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        is_first = self.signal is None
        self.signal = self.signal or number
        if is_first and not self._is_deferred:
            raise KeyboardInterrupt(number)
        self._report.shout(
            "stopping: programs are ended, then the account and the database are put back, "
            "which takes seconds"
        )
