"""What was earned: sums over finished cycles, by time and by asset.

Rule: a cycle counts when it is complete and what it came to is known; how many are not known is
said beside every sum, and never counted as zero.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from dca_bot.core.model import ZERO
from dca_bot.report import queries
from dca_bot.report.reader import Reader, known, moment, money, result_oddity, whole
from dca_bot.store.orders import RESULTS
from dca_bot.store.values import Row, Value

HUNDRED = Decimal(100)
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Earned:
    """Sums over some cycles; `group` says which: a day, a week, a month or a symbol."""

    group: str
    cycles: int
    net: Decimal
    fees: Decimal
    best: Decimal
    worst: Decimal
    cost: Decimal


@dataclass(frozen=True, slots=True)
class Totals:
    """Of all complete cycles, and their net since three moments."""

    cycles: int
    net: Decimal
    fees: Decimal
    unknown: int
    estimated: int  # cycles whose fees Alpaca's records do not show yet
    today: Decimal
    week: Decimal
    month: Decimal
    to_correct: tuple[str, ...] = ()  # a line for each row of `dca_results` that says what can't be


@dataclass(frozen=True, slots=True)
class Capital:
    """Money at work within a time, and what the same assets would have brought by themselves."""

    average: Decimal  # what finished cycles had in, averaged over the time
    return_pct: Decimal | None  # the net, in % of it
    buy_and_hold_pct: Decimal | None  # the prices of the bot's first and last order, averaged


def totals(reader: Reader, now: datetime) -> Totals:
    """Given the time, sum everything up; a day begins at the user's midnight."""
    midnight = now.astimezone().replace(hour=0, minute=0, second=0, microsecond=0)
    moments = (midnight, now - timedelta(days=7), now - timedelta(days=30))
    row = reader.row(queries.TOTALS, *(at.replace(microsecond=0) for at in moments))
    return Totals(
        cycles=whole(row[0]),
        net=money(row[1]),
        fees=money(row[2]),
        unknown=whole(row[3]),
        today=money(row[4]),
        week=money(row[5]),
        month=money(row[6]),
        estimated=whole(row[7]),
        to_correct=results_to_correct(reader),
    )


def results_to_correct(reader: Reader) -> tuple[str, ...]:
    """A line for each row of `dca_results` that can't be read, or says what can't be."""
    found = len(reader.to_correct)
    for row in reader.rows(queries.UNSOUND_RESULTS):
        reader.take(RESULTS, row, result_oddity)
    return reader.to_correct[found:]


def by_asset(reader: Reader, since: datetime, until: datetime) -> list[Earned]:
    """Sums for each symbol, of what was completed within the time."""
    return [_earned(str(row[0]), row) for row in reader.rows(queries.BY_SYMBOL, since, until)]


def by_time(reader: Reader, since: datetime, until: datetime, unit: str) -> list[Earned]:
    """Sums for each `day`, `week` or `month` of the user's, oldest first."""
    first, last = reader.row(queries.FIRST_AND_LAST, since, until)
    if first is None:
        return []
    begins, ends = moment(first), moment(last) + timedelta(seconds=1)
    groups: dict[str, list[Earned]] = {}
    for start, end in same_offset(begins, ends):
        for row in reader.rows(queries.BY_DAY, _offset_seconds(start), start, end):
            name = _group_of(_day(row[0]), unit)
            groups.setdefault(name, []).append(_earned(name, row))
    return [together(name, parts) for name, parts in groups.items()]


def same_offset(since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
    """The time in parts, within each of which the user's clock is not put forward or back."""
    while since < until:
        end = _next_change(since, until)
        yield since, end
        since = end


def _next_change(since: datetime, until: datetime) -> datetime:
    """When the clock is put forward or back, to the second; `until` where it isn't before."""

    def has_changed(at: datetime) -> bool:
        return _offset_seconds(at) != _offset_seconds(since)

    day = since
    while day < until:
        if has_changed(day + DAY):
            seconds = range(int(DAY.total_seconds()) + 1)
            second = bisect_left(
                seconds, True, key=lambda second: has_changed(day + timedelta(seconds=second))
            )
            return min(day + timedelta(seconds=second), until)
        day += DAY
    return until


def together(group: str, parts: list[Earned]) -> Earned:
    """The sums of sums."""
    return Earned(
        group=group,
        cycles=sum(part.cycles for part in parts),
        net=sum((part.net for part in parts), ZERO),
        fees=sum((part.fees for part in parts), ZERO),
        best=max((part.best for part in parts), default=ZERO),
        worst=min((part.worst for part in parts), default=ZERO),
        cost=sum((part.cost for part in parts), ZERO),
    )


def doubts(reader: Reader, since: datetime, until: datetime) -> tuple[int, int]:
    """Of the complete cycles, how many have a net that can't be known, and how many one that counts
    with estimated fees: Alpaca's records do not show them yet."""
    row = reader.row(queries.DOUBTS, since, until)
    return whole(row[0]), whole(row[1])


def capital(reader: Reader, since: datetime, until: datetime, net: Decimal) -> Capital:
    """What the profit was made with, from `since` or the first cycle on, whichever is later."""
    row = reader.row(queries.CAPITAL_SECONDS, since, until, since, until)
    if row[1] is None:
        return Capital(ZERO, None, None)
    began = max(since, moment(row[1]))
    seconds = Decimal(max(1, int((until - began).total_seconds())))
    average = money(row[0]) / seconds
    changes = []
    for _, first, last in reader.rows(queries.FIRST_AND_LAST_BUY, since, until):
        one, other = known(first), known(last)
        if one and other:
            changes.append((other / one - 1) * HUNDRED)
    return Capital(
        average=average,
        return_pct=net / average * HUNDRED if average else None,
        buy_and_hold_pct=sum(changes, ZERO) / len(changes) if changes else None,
    )


def _earned(group: str, row: Row) -> Earned:
    return Earned(
        group=group,
        cycles=whole(row[1]),
        net=money(row[2]),
        fees=money(row[3]),
        best=money(row[4]),
        worst=money(row[5]),
        cost=money(row[6]),
    )


def _group_of(day: date, unit: str) -> str:
    if unit == "week":
        year, week, _ = day.isocalendar()
        return f"{year}-W{week:02}"
    return f"{day:%Y-%m}" if unit == "month" else day.isoformat()


def _offset_seconds(at: datetime) -> int:
    offset = at.astimezone().utcoffset()
    return int(offset.total_seconds()) if offset else 0


def _day(value: Value | date) -> date:
    assert isinstance(value, date), value  # noqa: S101 - DATE() gives one
    return value
