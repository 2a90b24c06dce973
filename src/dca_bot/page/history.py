"""All finished cycles, as the page shows them: sums, and the newest one by one.

Rule: what reads the whole history is read at most once a minute; what was completed since then is
read by its time and added.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from dca_bot.core.model import ZERO, CycleStatus
from dca_bot.report.cycles import CycleLine, closed_lines
from dca_bot.report.honesty import Honesty, honesty
from dca_bot.report.now import Now
from dca_bot.report.profit import Earned, Totals, by_time, together, totals
from dca_bot.report.queries import LONG_AGO, LONG_AHEAD
from dca_bot.report.reader import Reader

HISTORY_SECONDS = 60.0
CYCLES_IN_CURVES = 1_000
# One transaction may have taken its time earlier than another, and be seen later.
LATE = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Past:
    """Of all finished cycles: the newest, newest first; the sums, by day too; the honest part."""

    closed: list[CycleLine]
    earned: Totals
    days: list[Earned]
    honesty: Honesty


class History:
    """Not for two threads."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._read: Past | None = None
        self._read_at = 0.0  # by the monotonic clock

    def look(self, now: Now) -> Past:
        """As it is now; until the minute is over and no cycle was completed, an equal one."""
        read = self._whole(now)
        closed = self._newest(read)
        new = _completed_since(read, closed)
        return Past(closed, _with_new(read.earned, new), days_with(read.days, new), read.honesty)

    def _whole(self, now: Now) -> Past:
        kept, at = self._read, time.monotonic()
        # a history that has not begun costs nothing to read
        if kept is None or not kept.days or at - self._read_at > HISTORY_SECONDS:
            self._read_at = at
            kept = self._read = Past(
                earned=totals(self._reader, now.at),  # first: it keeps what is to be corrected
                days=by_time(self._reader, LONG_AGO, LONG_AHEAD, "day"),
                honesty=honesty(self._reader, now),
                closed=closed_lines(self._reader, None, CYCLES_IN_CURVES),
            )
        return kept

    def _newest(self, read: Past) -> list[CycleLine]:
        newest = read.closed[0].completed_at if read.closed else None
        if newest is None or len(read.closed) < CYCLES_IN_CURVES:
            return closed_lines(self._reader, None, CYCLES_IN_CURVES)
        known = {line.id for line in read.closed}
        since = closed_lines(self._reader, None, CYCLES_IN_CURVES, since=newest - LATE)
        new = [line for line in since if line.id not in known]
        return [*new, *read.closed][:CYCLES_IN_CURVES]


def _completed_since(read: Past, closed: Sequence[CycleLine]) -> list[CycleLine]:
    counted = {line.id for line in read.closed}
    return [
        line for line in closed if line.id not in counted and line.status == CycleStatus.COMPLETE
    ]


def _with_new(then: Totals, new: Sequence[CycleLine]) -> Totals:
    """The sums, with the cycles that were completed after they were read."""
    known = [line for line in new if line.net is not None]
    net = sum((line.net or ZERO for line in known), ZERO)
    return replace(
        then,
        cycles=then.cycles + len(new),
        unknown=then.unknown + len(new) - len(known),
        estimated=then.estimated + sum(line.fees_estimated for line in known),
        net=then.net + net,
        fees=then.fees + sum((line.fees or ZERO for line in known), ZERO),
        today=then.today + net,
        week=then.week + net,
        month=then.month + net,
    )


def days_with(days: Sequence[Earned], new: Sequence[CycleLine]) -> list[Earned]:
    """The sums by day, with the same cycles, so that the day of now agrees with its sum."""
    grown = {day.group: day for day in days}
    for line in reversed(new):
        if line.net is None or line.completed_at is None:
            continue
        name = line.completed_at.astimezone().date().isoformat()
        fees, cost = line.fees or ZERO, line.invested or ZERO
        one = Earned(name, 1, line.net, fees, best=line.net, worst=line.net, cost=cost)
        grown[name] = together(name, [grown[name], one]) if name in grown else one
    return list(grown.values())
