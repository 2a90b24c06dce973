"""Years of bars, trades and quotes that agree with each other and with what happens now."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from alpaca_simulator.clock import SECOND
from alpaca_simulator.prices.bar import DAY, HOUR, MINUTE, Bar, merged
from alpaca_simulator.prices.history import History
from alpaca_simulator.prices.past import BEGINNING, Past
from alpaca_simulator.prices.quotes import Quote
from alpaca_simulator.prices.tape import HOURS_KEPT, MINUTES_KEPT, QUOTES_KEPT, Tape
from tests.helpers import eventually
from tests.simulator.sim_wire import Wire

END = 1_795_986_000 * SECOND + 5 * SECOND  # a Sunday's evening
DATA = "/v1beta3/crypto/us"


def quote(at: int, price: str = "76600", number: int = 1) -> Quote:
    half, one = Decimal(10), Decimal(1)
    return Quote("BTC/USD", Decimal(price) - half, Decimal(price) + half, one, one, at, at, number)


def past() -> Past:
    return Past(1, "BTC/USD", 76600.0, END)


def test_the_past_reaches_back_to_2021_and_ends_at_the_price_of_the_start() -> None:
    made = past()
    days = [made.day(at) for at in range(BEGINNING, END - DAY, DAY)]
    assert len([one for one in days if one is not None]) > 5 * 365
    assert made.minutes(END // DAY * DAY)[-1].close == 76600.0
    for before, after in zip(days, days[1:], strict=False):
        if before is not None and after is not None:
            assert before.close == after.open


@pytest.mark.parametrize("length", [HOUR, DAY])
def test_bars_of_every_length_agree(length: int) -> None:
    made, at = past(), END // DAY * DAY - 400 * DAY
    whole = made.day(at)
    assert whole is not None
    longer = made.hours(at) if length == HOUR else [whole]
    shorter = list(merged(made.minutes(at), lambda moment: moment // length * length))
    assert [look(one) for one in shorter] == [look(one) for one in longer]


def look(bar: Bar) -> tuple[Any, ...]:
    return (bar.at, bar.ohlc, bar.trades, bar.volume)


def test_most_minutes_trade_nothing_and_a_day_about_four_coins() -> None:
    made, first = past(), END // DAY * DAY - 30 * DAY
    days = [made.day(first + n * DAY) for n in range(30)]
    assert 1 < sum(day.volume for day in days if day) / 30 < 16
    minutes = made.minutes(first)
    assert len([bar for bar in minutes if not bar.trades]) > 1200
    assert sum(bar.trades for bar in minutes) == len(made.trades(first))


def test_trades_are_within_the_bars_of_their_minutes() -> None:
    made, at = past(), END // DAY * DAY - 3 * DAY
    minutes = {bar.at: bar for bar in made.minutes(at)}
    trades = made.trades(at)
    assert trades
    for trade in trades:
        bar = minutes[trade.at // MINUTE * MINUTE]
        assert bar.low <= trade.price <= bar.high


def test_the_same_seed_has_the_same_past_and_another_has_another() -> None:
    at = END // DAY * DAY - 9 * DAY
    assert past().minutes(at) == past().minutes(at)
    assert past().minutes(at) != Past(2, "BTC/USD", 76600.0, END).minutes(at)


def test_a_quiet_market_leaves_no_hole_between_the_past_and_now() -> None:
    tape = Tape(1)
    tape.note_quote(quote(END))
    tape.note_quote(quote(END + 7 * MINUTE, "76800"))
    pair = tape.pair("BTC/USD")
    assert pair is not None
    now = END + 90 * MINUTE
    bars = list(History(pair, now).bars(END - HOUR, now, MINUTE))
    assert [after.at - before.at for before, after in zip(bars, bars[1:], strict=False)] == [
        MINUTE
    ] * (len(bars) - 1)
    assert len(bars) == 60 + 90 + (END % MINUTE == 0)
    assert all(
        before.close == after.open
        for before, after in zip(bars, bars[1:], strict=False)
        if after.at != (END + 7 * MINUTE) // MINUTE * MINUTE
    )


def test_a_record_of_months_takes_the_memory_of_days() -> None:
    tape = Tape(1)
    for minute in range(0, 90 * 24 * 60, 4):
        tape.note_quote(quote(END + minute * MINUTE, str(76600 + minute % 100), minute))
    pair = tape.pair("BTC/USD")
    assert pair is not None
    assert len(pair.minutes) <= MINUTES_KEPT + 120
    assert len(pair.hours) == HOURS_KEPT
    assert len(pair.quotes) == QUOTES_KEPT
    now = END + 90 * DAY
    weeks_ago = now - 20 * DAY
    bars = list(History(pair, now).bars(weeks_ago, weeks_ago + HOUR, MINUTE))
    assert len(bars) in (60, 61)


def test_years_of_daily_bars_have_volume(wire: Wire) -> None:
    query = {"symbols": "BTC/USD", "timeframe": "1day", "start": "2021-01-01", "limit": 9000}
    rows = wire.get(f"{DATA}/bars", **query)["bars"]["BTC/USD"]
    assert len(rows) > 5 * 365
    assert all(row["v"] > 0 and row["n"] > 0 for row in rows[:-1])


def test_yesterday_has_trades_and_quotes_and_the_newest_come_first_when_asked(wire: Wire) -> None:
    yesterday = datetime.now(UTC) - timedelta(days=1)
    query = {"symbols": "BTC/USD", "start": f"{yesterday:%Y-%m-%d}", "limit": 5000}
    trades = wire.get(f"{DATA}/trades", **query)["trades"]["BTC/USD"]
    assert len(trades) > 20
    quotes = wire.get(f"{DATA}/quotes", **query)["quotes"]["BTC/USD"]
    assert len(quotes) > 2000
    newest = wire.get(f"{DATA}/trades", **query, sort="desc")["trades"]["BTC/USD"]
    assert newest == trades[::-1]


def test_snapshots_have_every_part_from_the_first_moment(wire: Wire) -> None:
    found = wire.get(f"{DATA}/snapshots", symbols="BTC/USD,DOGE/USDC")["snapshots"]
    parts = {"dailyBar", "latestQuote", "latestTrade", "minuteBar", "prevDailyBar"}
    assert {symbol: set(found[symbol]) for symbol in found} == {
        "BTC/USD": parts,
        "DOGE/USDC": parts,
    }


@pytest.mark.parametrize("written", ["1Min", "1min", "1MIN", "1T", "5Hour", "1hour", "3month"])
def test_timeframes_are_read_in_any_case(wire: Wire, written: str) -> None:
    answer = wire.get(f"{DATA}/bars", symbols="BTC/USD", timeframe=written, start="2026-01-01")
    assert answer["bars"]["BTC/USD"]


def test_a_bad_start_is_answered_as_alpaca_does(wire: Wire) -> None:
    answer = wire.call("GET", f"{DATA}/bars?symbols=BTC/USD&timeframe=1Min&start=0")
    assert answer.status_code == 400
    beginning = "Invalid format for parameter start: error parsing '0' as RFC3339 or 2006-01-02"
    assert answer.json()["message"].startswith(beginning)


def test_a_reset_leaves_no_hole(wire: Wire) -> None:
    now = datetime.now(UTC)
    query = {"symbols": "BTC/USD", "timeframe": "1Min", "limit": 5000}
    wire.control("reset")
    rows = wire.get(f"{DATA}/bars", **query, start=f"{now - timedelta(hours=3):%Y-%m-%dT%H:%MZ}")
    times = [datetime.fromisoformat(row["t"]) for row in rows["bars"]["BTC/USD"]]
    assert len(times) >= 180
    assert {after - before for before, after in zip(times, times[1:], strict=False)} == {
        timedelta(minutes=1)
    }


def test_the_book_has_seven_levels_around_the_quote(wire: Wire) -> None:
    wire.quote("99", "100")
    book = wire.get(f"{DATA}/latest/orderbooks", symbols="BTC/USD")["orderbooks"]["BTC/USD"]
    asks, bids = ([level["p"] for level in book[side]] for side in ("a", "b"))
    assert (len(asks), asks[0], asks) == (7, 100, sorted(asks))
    assert (len(bids), bids[0], bids) == (7, 99, sorted(bids, reverse=True))
    assert all(level["s"] > 0 for side in ("a", "b") for level in book[side])


@pytest.mark.parametrize("folder", ["v1beta3/crypto/us-1", "v1beta3/crypto/eu-1"])
def test_other_locations_and_versions_answer_too(wire: Wire, folder: str) -> None:
    assert wire.get(f"/{folder}/latest/quotes", symbols="BTC/USD")["quotes"]["BTC/USD"]


def test_the_market_trades_by_itself_while_prices_walk(start: Any) -> None:
    wire = start("--volatility", "1000", quiet=False)
    before = wire.get(f"{DATA}/latest/trades", symbols="BTC/USD")["trades"]["BTC/USD"]
    eventually(
        lambda: wire.get(f"{DATA}/latest/trades", symbols="BTC/USD")["trades"]["BTC/USD"] != before
    )
