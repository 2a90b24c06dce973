"""Time: nanoseconds since the epoch (UTC) inside, RFC 3339 on the wire.

Only `WallClock` reads the machine's clock; everything else is given one.
"""

import time
from datetime import UTC, date, datetime, timedelta, timezone
from functools import lru_cache
from typing import Protocol

SECOND = 1_000_000_000
MILLISECOND = 1_000_000


class Clock(Protocol):
    """A source of the current time."""

    def now(self) -> int:
        """The time that is written on things; two readings are never equal."""

    def timer(self) -> int:
        """The time by which things fall due, which no fault touches."""


class WallClock:
    """The machine's clock, strictly growing, and wrong by some skew when a fault says so."""

    def __init__(self) -> None:
        self._skew_ns = 0
        self._last = 0

    def skew(self, nanoseconds: int) -> None:
        """Makes what is written wrong by so much; backwards too."""
        self._skew_ns = nanoseconds
        self._last = 0

    def timer(self) -> int:
        """Returns nanoseconds since the epoch."""
        return time.time_ns()

    def now(self) -> int:
        """Returns nanoseconds since the epoch, later than every reading before."""
        self._last = max(self._last + 1, time.time_ns() + self._skew_ns)
        return self._last


def rfc3339(ns: int) -> str:
    """Given nanoseconds, writes `2024-06-03T16:31:59.23323392Z`: trailing zeros trimmed."""
    seconds, rest = divmod(ns, SECOND)
    text = _second_text(seconds)
    return f"{text}.{rest:09d}".rstrip("0") + "Z" if rest else text + "Z"


def rfc3339_micros(ns: int) -> str:
    """Given nanoseconds, writes the time in microseconds, as the `at` of trade updates is."""
    return rfc3339(ns // 1000 * 1000)


@lru_cache(maxsize=4096)
def _second_text(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def parse_rfc3339(text: str) -> int | None:
    """Given an RFC 3339 time or a date, returns nanoseconds; None when it is neither."""
    head, dot, tail = text.strip().partition(".")
    digits = tail[: len(tail) - len(tail.lstrip("0123456789"))] if dot else ""
    zone = tail[len(digits) :]
    try:
        moment = datetime.fromisoformat(head + zone)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    whole = int(moment.timestamp())
    return whole * SECOND + int((digits or "0")[:9].ljust(9, "0"))


def new_york(ns: int) -> datetime:
    """Given nanoseconds, returns New York's wall time (activity ids, expiry, /v2/clock)."""
    moment = datetime.fromtimestamp(ns // SECOND, UTC)
    return moment.astimezone(timezone(new_york_offset(moment)))


def new_york_offset(moment: datetime) -> timedelta:
    """Given a moment, returns New York's distance from UTC, by the rule in force since 2007."""
    # Second Sunday of March to first Sunday of November, both at 02:00 local time. Written out,
    # as a slim container has no time zone database.
    starts = datetime.combine(_sunday(moment.year, 3, 2), datetime.min.time(), UTC)
    ends = datetime.combine(_sunday(moment.year, 11, 1), datetime.min.time(), UTC)
    summer = starts + timedelta(hours=7) <= moment < ends + timedelta(hours=6)
    return timedelta(hours=-4 if summer else -5)


def _sunday(year: int, month: int, which: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=(6 - first.weekday()) % 7 + 7 * (which - 1))


def new_york_close(ns: int, *, days: int) -> int:
    """Given a moment, returns 16:00 New York time on the day so many days later."""
    close = datetime.combine(
        new_york(ns).date() + timedelta(days=days), datetime.min.time(), UTC
    ) + timedelta(hours=16)
    return int((close - new_york_offset(close)).timestamp()) * SECOND
