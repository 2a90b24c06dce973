"""The wall clock.  Rule: no other module reads it; everybody else is handed a time or a `Clock`.

Alpaca's clock stamps quotes and orders; how far it is from ours is measured (broker/), and what
that means is said here.
"""

import logging
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from enum import IntEnum

Clock = Callable[[], datetime]

OFFSET_REPORTED = timedelta(seconds=2)  # from here on a human should know
OFFSET_MAX = timedelta(seconds=30)  # beyond, no order is placed (behaviour 15)


def utc_now() -> datetime:
    """The current time, aware and in UTC."""
    return datetime.now(UTC)


def aware(text: str) -> datetime:
    """A time as our own files have it; raises ValueError for anything else."""
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"{text} has no time zone")
    return at


def local_midnight(day: date) -> datetime:
    """When a day of the user's begins."""
    return datetime.combine(day, time()).astimezone().astimezone(UTC)


class Level(IntEnum):
    """How much a wrong clock matters, as a level of the log."""

    SLIGHT = logging.WARNING  # ages of quotes are counted by Alpaca's clock
    GRAVE = logging.ERROR  # no order is placed


def clock_level(offset: timedelta, before: Level | None = None) -> Level | None:
    """How much it matters that Alpaca's clock is `offset` ahead; None: hardly.

    A reported level lasts until the difference has halved, so that the log does not flap.
    """
    apart = abs(offset)
    if apart > OFFSET_MAX:
        return Level.GRAVE
    return Level.SLIGHT if apart > (OFFSET_REPORTED / 2 if before else OFFSET_REPORTED) else None


def clock_trouble(offset: timedelta) -> str:
    """What is wrong with this machine's clock, and what to do."""
    side = "behind" if offset > timedelta(0) else "ahead of"
    seconds = abs(offset).total_seconds()
    what = "no order is placed" if abs(offset) > OFFSET_MAX else "quotes are dated by Alpaca's"
    return (
        f"this machine's clock is {seconds:.0f} s {side} Alpaca's, {what}: "
        "set it right (timedatectl set-ntp true)"
    )
