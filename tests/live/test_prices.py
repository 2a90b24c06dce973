"""The newest quotes, and how late they came."""

from __future__ import annotations

from datetime import timedelta

import pytest

from dca_bot.live.prices import LivePrices
from dca_bot.live.watch import Watch
from tests.builders import BTC, NOW, a_quote

AGE_MAX = timedelta(seconds=10)


def test_a_quote_that_came_in_time_is_not_called_late_as_it_ages() -> None:
    passed = 0.0
    prices = LivePrices(lambda: passed)
    prices.watches["BTC/USD"] = Watch(lambda: None)
    made_at = (NOW - AGE_MAX).isoformat()
    prices.on_quotes([{"T": "q", "S": "BTC/USD", "bp": 99.0, "ap": 100.0, "t": made_at}])
    passed = 3.0
    assert prices.late(["BTC/USD"], NOW + timedelta(seconds=3), AGE_MAX) == set()
    [words] = prices.late(["BTC/USD"], NOW + timedelta(seconds=4), AGE_MAX)
    assert "more than 10 s old when they come" in words


class Heard:
    """Prices of BTC/USD, and a monotonic clock."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.prices = LivePrices(lambda: self.now)
        self.prices.watches[BTC] = Watch(lambda: None)

    def hear(self, *, age: float) -> None:
        at = NOW - timedelta(seconds=age)
        self.prices.on_quotes([{"S": BTC, "bp": 99.0, "ap": 100.0, "t": at.isoformat()}])

    def late(self) -> set[str]:
        return self.prices.late([BTC], NOW, AGE_MAX)


def test_prices_are_known_once_the_stream_or_rest_has_reported_them() -> None:
    heard = Heard()
    assert heard.prices.known_at is None
    heard.prices.confirmed()
    assert heard.prices.known_at == 1000
    heard.now = 1007
    heard.hear(age=0)
    assert heard.prices.known_at == 1007


@pytest.mark.parametrize(("age", "is_late"), [(10, False), (10.000001, True)])
def test_a_quote_of_the_greatest_age_is_in_time(age: float, is_late: bool) -> None:
    heard = Heard()
    heard.hear(age=age)
    assert bool(heard.late()) is is_late


@pytest.mark.parametrize(("seconds", "is_late"), [(5, True), (5.1, False)])
def test_a_stream_that_has_gone_silent_is_not_called_late(seconds: float, is_late: bool) -> None:
    heard = Heard()
    heard.hear(age=61)
    heard.now += seconds
    assert bool(heard.late()) is is_late


def test_only_what_rest_has_brought_is_lent() -> None:
    heard = Heard()
    assert heard.prices.lent(BTC) is None
    heard.prices.on_lent_quote(a_quote(99, 100))
    assert heard.prices.lent(BTC) == heard.prices.newest(BTC) == a_quote(99, 100)
    assert heard.late() == set()
    heard.hear(age=0)
    assert heard.prices.lent(BTC) is None
