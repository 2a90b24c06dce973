"""Price files are read exactly, and a bad row is named by its line."""

import gzip
from decimal import Decimal
from pathlib import Path

import pytest

from dca_bot.backtest.prices.price_files import read_prices
from dca_bot.backtest.prices.recording import Form, points, require_some, require_whole
from dca_bot.program.errors import DcaError, SettingsError

DAY = 86_400 * 10**9
QUOTES = "timestamp,bid,bid_size,ask,ask_size\n"
BARS = "timestamp,open,high,low,close,volume\n"
TRADES = "timestamp,price,size,side\n"


def a_file(directory: Path, content: str, name: str = "prices.csv") -> Path:
    path = directory / name
    if name.endswith(".gz"):
        path.write_bytes(gzip.compress(content.encode()))
    else:
        path.write_text(content)
    return path


def test_quotes_are_taken_as_they_are(tmp_path: Path) -> None:
    path = a_file(tmp_path, QUOTES + "1000,99.5,1,99.75,2\n2000,99.125,1,99.5,2\n", "q.csv.gz")
    recording = read_prices(path, "BTC/USD")
    prices = points(recording)
    assert recording.form is Form.QUOTES
    assert [prices.price(int(each)) for each in prices.bids] == [Decimal("99.5"), Decimal("99.125")]
    assert [prices.price(int(each)) for each in prices.asks] == [Decimal("99.75"), Decimal("99.5")]
    assert list(prices.times) == [1000, 2000]


def test_quote_bars_count_as_quotes_and_a_trade_is_bid_and_ask(tmp_path: Path) -> None:
    quote_bars = "timestamp,bid,ask,bid_low,bid_high,ask_low,ask_high\n1,10,11,9,10,10,12\n"
    assert read_prices(a_file(tmp_path, quote_bars), "BTC/USD").form is Form.QUOTES
    trades = points(read_prices(a_file(tmp_path, TRADES + "1,10.5,3,buy\n"), "BTC/USD"))
    assert trades.price(int(trades.bids[0])) == trades.price(int(trades.asks[0])) == Decimal("10.5")


def test_a_spread_is_put_around_closes_ask_up_and_bid_down(tmp_path: Path) -> None:
    path = a_file(tmp_path, BARS + "1,10,12,9,11,5\n")
    prices = points(read_prices(path, "BTC/USD"), Decimal(20))
    assert prices.price(int(prices.asks[0])) == Decimal("11.011")
    assert prices.price(int(prices.bids[0])) == Decimal("10.989")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (QUOTES + "1,10,1,11,1\nx,10,1,11,1\n", "line 3: timestamp 'x' is not a whole number"),
        (QUOTES + "1,10,1,11,1\n2,10,1\n", "line 3: only 3 columns"),
        (QUOTES + "1,10,1,11,1\n\n2,ten,1,11,1\n", "line 4: 'ten' is not a price above 0"),
        (QUOTES + "1,10,1,11,1\n2,12,1,11,1\n", "line 3: the bid is above the ask"),
        (QUOTES + "2,10,1,11,1\n1,10,1,11,1\n", "line 3: earlier than before it"),
        (TRADES + "1,-3,1,buy\n", "line 2: '-3' is not a price above 0"),
        (TRADES + "1,NaN,1,buy\n", "line 2: 'NaN' is not a price above 0"),
        (BARS + "1,10,9,8,9,1\n", "line 2: the high is below open or close"),
        (BARS + "1,10,12,11,12,1\n", "line 2: the low is above open or close"),
        ("time,price\n1,2\n", "line 1: neither quotes"),
        ("", "line 1: neither quotes"),
    ],
)
def test_a_bad_row_is_named_by_its_line(tmp_path: Path, content: str, message: str) -> None:
    path = a_file(tmp_path, content)
    with pytest.raises(DcaError) as caught:
        read_prices(path, "BTC/USD")
    assert f"{path}: {message}" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_damaged_archive_is_said_to_be_one(tmp_path: Path) -> None:
    whole = gzip.compress((TRADES + "1,2,3,buy\n" * 1000).encode())
    path = tmp_path / "cut.csv.gz"
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DcaError, match=r"cut\.csv\.gz: the file is damaged"):
        read_prices(path, "BTC/USD")


def test_a_file_that_is_not_there_is_a_wrong_call(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="No such file or directory"):
        read_prices(tmp_path / "nothing.csv", "BTC/USD")


def test_a_missing_week_is_refused(tmp_path: Path) -> None:
    rows = f"{DAY},10,1,buy\n{2 * DAY},10,1,buy\n{10 * DAY},11,1,buy\n"
    recording = read_prices(a_file(tmp_path, TRADES + rows), "BTC/USD")
    with pytest.raises(DcaError, match=r"no prices for 8\.0 days, from 1970-01-03"):
        require_whole(recording)
    require_whole(recording.part(None, 3 * DAY))


def test_a_week_that_is_missing_at_either_end_counts_where_it_was_asked_for(tmp_path: Path) -> None:
    rows = f"{20 * DAY},10,1,buy\n{21 * DAY},10,1,buy\n"
    recording = read_prices(a_file(tmp_path, TRADES + rows), "BTC/USD")
    require_whole(recording, since=14 * DAY, until=27 * DAY)
    with pytest.raises(DcaError, match=r"no prices for 8\.0 days, from 1970-01-13"):
        require_whole(recording, since=12 * DAY)
    with pytest.raises(DcaError, match=r"no prices for 9\.0 days, from 1970-01-22"):
        require_whole(recording, until=30 * DAY)


def test_an_empty_range_is_refused(tmp_path: Path) -> None:
    recording = read_prices(a_file(tmp_path, TRADES + f"{DAY},10,1,buy\n"), "BTC/USD")
    with pytest.raises(DcaError, match="no prices in this time"):
        require_some(recording.part(5 * DAY, 6 * DAY))
