"""Minute bars are fetched page by page, kept by month, and fetched once only."""

import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from dca_bot.backtest.prices.history import Ask, asker, fetch
from dca_bot.backtest.prices.months import (
    MINUTE,
    Month,
    file_of,
    months,
    read_bars,
    read_month,
)
from dca_bot.backtest.words import iso
from dca_bot.program.errors import BrokerUnavailable, DcaError
from dca_sandbox.exchange import SimulatedExchange

PAIR = "BTC/USD"
JANUARY, FEBRUARY = Month(2025, 1), Month(2025, 2)
PAGE = 5


class Alpaca:
    """Has one bar for each minute but some, and tells them five a page."""

    def __init__(self, first: int, last: int, missing: set[int] | None = None) -> None:
        self.minutes = [at for at in range(first, last, MINUTE) if at not in (missing or ())]
        self.asked: list[dict[str, str]] = []
        self.dies_after = 10**9

    def __call__(self, query: dict[str, str]) -> dict[str, Any]:
        self.asked.append(query)
        if len(self.asked) > self.dies_after:
            raise BrokerUnavailable("down")
        begins, ends = query["start"], query["end"]
        found = [at for at in self.minutes if begins <= iso(at) <= ends]
        skip = int(query.get("page_token", 0))
        page, more = found[skip : skip + PAGE], len(found) > skip + PAGE
        token = str(skip + PAGE) if more else None
        bars = [
            {"t": iso(at), "o": "100.25", "h": "101", "l": "99.125", "c": Decimal(100)}
            for at in page
        ]
        return {"bars": {PAIR: bars} if bars else {}, "next_page_token": token}


def fetched(ask: Ask, directory: Path, since: int, until: int) -> list[int]:
    fetch(ask, directory, PAIR, since, until, lambda at: None)
    return [int(at) for at in read_bars(directory, PAIR, since, until).times]


def test_bars_come_in_pages_over_the_end_of_a_month(tmp_path: Path) -> None:
    since, until = JANUARY.ends - 12 * MINUTE, FEBRUARY.begins + 3 * MINUTE
    alpaca = Alpaca(since, until)
    assert fetched(alpaca, tmp_path, since, until) == alpaca.minutes
    assert len(alpaca.asked) == 4
    assert file_of(tmp_path, PAIR, JANUARY).exists()
    assert file_of(tmp_path, PAIR, FEBRUARY).exists()
    bars = read_bars(tmp_path, PAIR, since, until)
    assert {name: int(column[0]) for name, column in bars.columns.items()} == {
        "open": 100_250,
        "high": 101_000,
        "low": 99_125,
        "close": 100_000,
    }
    assert bars.digits == 3


def test_what_is_here_is_not_fetched_again(tmp_path: Path) -> None:
    since = JANUARY.begins
    first = Alpaca(since, since + 100 * MINUTE)
    fetched(first, tmp_path, since, since + 7 * MINUTE)
    again = Alpaca(since, since + 100 * MINUTE)
    assert fetched(again, tmp_path, since, since + 7 * MINUTE) == again.minutes[:7]
    assert again.asked == []
    assert fetched(again, tmp_path, since, since + 9 * MINUTE) == again.minutes[:9]
    assert [query["start"] for query in again.asked] == [iso(since + 7 * MINUTE)]


def test_a_run_that_was_cut_off_goes_on_after_its_last_page(tmp_path: Path) -> None:
    since, until = JANUARY.begins, JANUARY.begins + 30 * MINUTE
    dying = Alpaca(since, until)
    dying.dies_after = 2
    with pytest.raises(BrokerUnavailable):
        fetched(dying, tmp_path, since, until)
    alive = Alpaca(since, until)
    assert fetched(alive, tmp_path, since, until) == alive.minutes
    assert alive.asked[0]["start"] == iso(since + 2 * PAGE * MINUTE)


def test_an_earlier_day_of_a_month_leaves_no_hole(tmp_path: Path) -> None:
    since, until = JANUARY.begins, JANUARY.begins + 20 * MINUTE
    alpaca = Alpaca(since, until)
    fetched(alpaca, tmp_path, since + 15 * MINUTE, until)
    assert fetched(alpaca, tmp_path, since, until) == alpaca.minutes


def test_a_minute_that_alpaca_does_not_have_stays_a_gap(tmp_path: Path) -> None:
    since, until = JANUARY.begins, JANUARY.begins + 20 * MINUTE
    alpaca = Alpaca(since, until, missing={since + 3 * MINUTE, since + 4 * MINUTE})
    assert len(fetched(alpaca, tmp_path, since, until)) == 18
    bars = read_bars(tmp_path, PAIR, since, until)
    assert bars.gaps(longer_than=2 * MINUTE) == [(since + 2 * MINUTE, since + 5 * MINUTE)]
    assert fetched(alpaca, tmp_path, since, until) == alpaca.minutes
    stored = read_month(tmp_path, PAIR, JANUARY)
    assert stored is not None
    assert stored.until == until


def test_a_pair_that_alpaca_does_not_have_is_named(tmp_path: Path) -> None:
    nothing = Alpaca(0, 0)
    with pytest.raises(DcaError, match="no minute bars of BTC/USD in this time"):
        fetched(nothing, tmp_path, JANUARY.begins, JANUARY.begins + MINUTE)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(DcaError, match="there are none here"):
        read_bars(tmp_path, PAIR, None, None)


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    since = JANUARY.begins
    fetched(Alpaca(since, since + 5 * MINUTE), tmp_path, since, since + 5 * MINUTE)
    path = file_of(tmp_path, PAIR, JANUARY)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DcaError, match=r"2025-01\.bars: the file is damaged .* remove it"):
        read_bars(tmp_path, PAIR, None, None)


def test_months_follow_each_other() -> None:
    names = [month.name for month in months(Month(2024, 11).begins, Month(2025, 2).begins)]
    assert names == ["2024-11", "2024-12", "2025-01"]


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimulatedExchange]:
    simulated = SimulatedExchange(tmp_path_factory.mktemp("exchange"), "--no-walk")
    yield simulated
    simulated.stop()


def test_the_simulated_exchange_has_days_of_history(
    exchange: SimulatedExchange, tmp_path: Path
) -> None:
    # far enough in its past to be complete, whatever it is now
    until = time.time_ns() // MINUTE * MINUTE - 60 * MINUTE
    since = until - 9 * 24 * 60 * MINUTE
    times = fetched(asker(exchange.settings.data_url), tmp_path, since, until)
    assert times == list(range(since, until, MINUTE))


def test_a_market_data_host_that_is_away_is_asked_for_a_minute() -> None:
    waits: list[float] = []
    ask = asker("http://127.0.0.1:1", wait=waits.append)
    with pytest.raises(BrokerUnavailable, match="goes on where it stopped"):
        ask({"symbols": PAIR})
    assert waits == [1, 2, 4, 8, 16, 32]


def test_a_refusal_is_reported_in_alpacas_words(exchange: SimulatedExchange) -> None:
    ask = asker(exchange.settings.data_url)
    with pytest.raises(DcaError, match="status 400"):
        ask({"symbols": PAIR, "timeframe": "1Min", "start": "yesterday"})
