"""Sums by day: a day is one of the user's, in summer as in winter."""

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from dca_bot.program.settings import DatabaseSettings
from dca_bot.report.profit import by_time, same_offset
from dca_bot.report.queries import LONG_AGO, LONG_AHEAD
from dca_bot.report.reader import Reader
from tests.helpers import apply_sql

COMPLETED = """
INSERT INTO dca_results (cycle_id, asset_id, symbol, status, safety_orders, cost, proceeds, fees,
                         net, left_quantity, completed_at)
VALUES ({number}, 1, 'BTC/USD', 'complete', 0, 100, 101, 0, {number}, 0, '{at}');
"""


@pytest.fixture
def in_berlin() -> Iterator[None]:
    before = os.environ.get("TZ")
    os.environ["TZ"] = "Europe/Berlin"
    time.tzset()
    yield
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    time.tzset()


@pytest.mark.usefixtures("in_berlin")
def test_a_night_belongs_to_the_users_day_in_summer_and_in_winter(
    database: DatabaseSettings,
) -> None:
    moments = ("2026-01-10 22:30:00", "2026-01-10 23:30:00", "2026-07-10 22:30:00")
    for number, at in enumerate(moments, start=1):
        apply_sql(database, COMPLETED.format(number=number, at=at).encode())
    with Reader(database) as reader:
        days = by_time(reader, LONG_AGO, LONG_AHEAD, "day")
        months = by_time(reader, LONG_AGO, LONG_AHEAD, "month")
    assert [(each.group, each.net) for each in days] == [
        ("2026-01-10", Decimal(1)),
        ("2026-01-11", Decimal(2)),
        ("2026-07-11", Decimal(3)),
    ]
    assert [(each.group, each.net) for each in months] == [
        ("2026-01", Decimal(3)),
        ("2026-07", Decimal(3)),
    ]


@pytest.mark.usefixtures("in_berlin")
def test_a_time_is_parted_where_the_clock_is_put_forward_or_back() -> None:
    first, last = datetime(2026, 3, 1, 5, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)
    forward, back = datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2026, 10, 25, 1, tzinfo=UTC)
    assert list(same_offset(first, last)) == [(first, forward), (forward, back), (back, last)]
    assert list(same_offset(forward, back)) == [(forward, back)]


def test_nothing_earned_has_no_days(database: DatabaseSettings) -> None:
    with Reader(database) as reader:
        assert by_time(reader, LONG_AGO, LONG_AHEAD, "day") == []
