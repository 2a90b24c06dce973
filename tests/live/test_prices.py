"""The newest quotes, and how late they came."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from dca_bot.live.prices import Prices
from dca_bot.live.watch import Watch

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
AGE_MAX = timedelta(seconds=10)


def test_a_quote_that_came_in_time_is_not_called_late_as_it_ages() -> None:
    passed = 0.0
    prices = Prices(lambda: passed)
    prices.watches["BTC/USD"] = Watch(lambda: None)
    made_at = (NOW - AGE_MAX).isoformat()
    prices.on_quotes([{"T": "q", "S": "BTC/USD", "bp": 99.0, "ap": 100.0, "t": made_at}])
    passed = 3.0
    assert prices.late(["BTC/USD"], NOW + timedelta(seconds=3), AGE_MAX) == set()
    [words] = prices.late(["BTC/USD"], NOW + timedelta(seconds=4), AGE_MAX)
    assert "more than 10 s old when they come" in words
