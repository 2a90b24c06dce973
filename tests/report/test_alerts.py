"""What is reported of the events in the books, and when a digest is due."""

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import pytest

from dca_bot.program.channel_settings import Digest
from dca_bot.program.settings import DatabaseSettings
from dca_bot.report.alerts import alerts_since, digest_text, is_due, newest_event, where_to_begin
from dca_bot.report.reader import Reader
from tests.helpers import apply_sql

EVENTS = b"""
INSERT INTO dca_orders (client_order_id, asset_id, cycle_id, kind, rung, status, quantity) VALUES
    ('loss', 1, 1, 'stop_loss', 0, 'filled', 1), ('base', 1, 1, 'base', 0, 'filled', 1),
    ('second', 1, 1, 'safety', 2, 'filled', 1), ('third', 1, 1, 'safety', 3, 'filled', 1),
    ('fourth', 1, 1, 'safety', 4, 'open', 1);
INSERT INTO dca_events (asset_id, symbol, cycle_id, kind, told, client_order_id) VALUES
    (1, 'BTC/USD', 1, 'ordered', 'in any words: the bid is 90, the average 100', 'loss'),
    (1, 'BTC/USD', 1, 'filled', 'safety order 2/5 filled: bought 1 at 95 on average', 'second'),
    (1, 'BTC/USD', 1, 'filled', 'safety order 3/5 partly filled: bought 0.5', 'third'),
    (1, 'BTC/USD', 1, 'filled', 'safety order 3/5 filled: bought 1 at 93 on average', 'third'),
    (1, 'BTC/USD', 1, 'filled', 'safety order 4/5 partly filled: bought 0.5', 'fourth'),
    (1, 'BTC/USD', 1, 'complete', 'all is sold, the cycle is complete', 'loss'),
    (1, 'BTC/USD', 1, 'filled', 'base order filled: bought 1 at 93 on average', 'base'),
    (2, 'ETH/USD', 2, 'allowed', 'paused: no BUYs (was all): by hand (dca panic)', NULL),
    (3, 'SOL/USD', 3, 'allowed', 'paused: no BUYs (was all): by hand (dca pause)', NULL);
UPDATE dca_events SET at = '2026-01-01' WHERE id <= 2;
INSERT INTO dca_results (cycle_id, asset_id, symbol, status, safety_orders, cost, proceeds, fees,
                         net, left_quantity)
VALUES (1, 1, 'BTC/USD', 'complete', 3, 100, 90, 1, -11, 0);
"""


@pytest.fixture
def reader(database: DatabaseSettings) -> Iterator[Reader]:
    apply_sql(database, EVENTS)
    with Reader(database) as reader:
        yield reader


def test_stop_losses_and_panic_are_always_reported(reader: Reader) -> None:
    news = alerts_since(reader, 0, None)
    assert news.last_id == newest_event(reader) == 9
    assert [line.split(":")[0] for line in news.lines] == ["BTC/USD", "ETH/USD"]


def test_what_happens_to_all_assets_at_once_is_one_line(
    reader: Reader, database: DatabaseSettings
) -> None:
    apply_sql(
        database,
        b"""INSERT INTO dca_events (asset_id, symbol, cycle_id, kind, told) VALUES
            (1, 'BTC/USD', 1, 'allowed', 'paused (was all): 5 were lost, DAILY_LOSS_LIMIT is 5'),
            (2, 'ETH/USD', 2, 'allowed', 'paused (was all): 5 were lost, DAILY_LOSS_LIMIT is 5');
        """,
    )
    [line] = alerts_since(reader, 9, None).lines
    assert line == "BTC/USD, ETH/USD: paused (was all): 5 were lost, DAILY_LOSS_LIMIT is 5"


def test_trades_are_reported_where_asked_for(reader: Reader) -> None:
    lines = alerts_since(reader, 0, 3).lines
    assert lines[1].startswith("BTC/USD: safety order 3/5 filled")
    assert lines[2] == "BTC/USD: all is sold, the cycle is complete, net -11.00"
    assert len(lines) == 4


def test_what_was_reported_is_not_reported_again(reader: Reader) -> None:
    assert alerts_since(reader, 9, 1).lines == ()


def test_another_database_is_read_from_a_day_back(reader: Reader) -> None:
    now = datetime.now(UTC)
    assert where_to_begin(reader, 9, now) == 9
    assert where_to_begin(reader, 5_000, now) == 2


def test_a_digest_says_what_was_earned(reader: Reader, tmp_path: Path) -> None:
    now = datetime.now().astimezone()
    text = digest_text(
        reader, tmp_path, now, mode="paper", beat_age_max=60, tie_out="the books agree"
    )
    assert "Earned net: today -11.00" in text
    assert "Health: BLIND" in text
    assert text.endswith("Tie-out: the books agree")


@pytest.mark.parametrize("is_weekly", [False, True])
def test_a_digest_is_due_once_for_its_time(is_weekly: bool) -> None:
    digest = Digest(is_weekly, time(8))
    monday = datetime(2026, 3, 2, 8, 1).astimezone()
    period = timedelta(days=7 if is_weekly else 1)
    assert is_due(digest, None, monday)
    assert is_due(digest, monday - period, monday)
    assert not is_due(digest, monday, monday + period / 2)
    assert is_due(digest, monday, monday + period)
