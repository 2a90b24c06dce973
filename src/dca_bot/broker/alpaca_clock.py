"""How far Alpaca's clock is from ours, as the `Date` of its answers tells."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from dca_bot.program.clock import Clock, utc_now

ONE_SECOND = timedelta(seconds=1)


class AlpacaClock:
    """Learns with each answer; safe to use from several threads.

    A `Date` is cut to whole seconds and was written some time between request and answer.  So one
    answer says of the difference that it lies within a second and the time of the way, and several
    say it more sharply.  When two contradict each other, one of the clocks was set: the newer
    answer counts.
    """

    def __init__(self, clock: Clock = utc_now) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._least: timedelta | None = None
        self._most = timedelta(0)

    @property
    def offset(self) -> timedelta:
        """How far Alpaca's clock is ahead of ours; zero before the first answer."""
        with self._lock:
            if self._least is None:
                return timedelta(0)
            return (self._least + self._most) / 2

    def heard(self, date: str, seconds: float) -> None:
        """An answer with this `Date` has come, so many seconds after its request."""
        received_at = self._clock()
        written = _read(date)
        if written is None:
            return
        least = written - received_at
        most = written + ONE_SECOND - (received_at - timedelta(seconds=seconds))
        with self._lock:
            if self._least is not None and max(least, self._least) <= min(most, self._most):
                least, most = max(least, self._least), min(most, self._most)
            self._least, self._most = least, most


def _read(date: str) -> datetime | None:
    try:
        written = parsedate_to_datetime(date)
    except ValueError:
        return None
    return written.replace(tzinfo=UTC) if written.tzinfo is None else written
