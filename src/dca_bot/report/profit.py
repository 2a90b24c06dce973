"""What was earned: sums over finished cycles, by time and by asset.

Rule: a cycle counts when it is complete and what it came to is known; how many are not known is
said beside every sum, and never counted as zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from dca_bot.core.model import ZERO
from dca_bot.report import queries
from dca_bot.report.queries import LONG_AHEAD
from dca_bot.report.reader import Reader, known, money, whole
from dca_bot.store.statements import Row, Value

HUNDRED = Decimal(100)


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
    estimated: int  # cycles whose fees Alpaca's records have not told yet
    today: Decimal
    week: Decimal
    month: Decimal


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
    )


def by_asset(reader: Reader, since: datetime, until: datetime) -> list[Earned]:
    """Sums for each symbol, of what was completed within the time."""
    return [_earned(str(row[0]), row) for row in reader.rows(queries.BY_SYMBOL, since, until)]


def by_time(reader: Reader, since: datetime, until: datetime, unit: str) -> list[Earned]:
    """Sums for each `day`, `week` or `month` of the user's, oldest first."""
    offset = _offset_seconds(until)
    days = reader.rows(queries.BY_DAY, offset, since, until)
    groups: dict[str, list[Earned]] = {}
    for row in days:
        name = _group_of(_day(row[0]), unit)
        groups.setdefault(name, []).append(_earned(name, row))
    return [together(name, parts) for name, parts in groups.items()]


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
    with estimated fees: Alpaca's records have not told them yet."""
    row = reader.row(queries.DOUBTS, since, until)
    return whole(row[0]), whole(row[1])


def capital(reader: Reader, since: datetime, until: datetime, net: Decimal) -> Capital:
    """What the profit was made with, from `since` or the first cycle on, whichever is later."""
    row = reader.row(queries.CAPITAL_SECONDS, since, until, since, until)
    if row[1] is None:
        return Capital(ZERO, None, None)
    began = max(since, _aware(row[1]))
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
    # One distance for all days: an hour around the change of summer time may fall to its neighbour.
    local = min(at, LONG_AHEAD).astimezone()
    offset = local.utcoffset()
    return int(offset.total_seconds()) if offset else 0


def _day(value: Value | date) -> date:
    assert isinstance(value, date), value  # noqa: S101 - DATE() gives one
    return value


def _aware(value: Value) -> datetime:
    assert isinstance(value, datetime), value  # noqa: S101 - the column's type
    return value.replace(tzinfo=UTC)
