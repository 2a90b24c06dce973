"""The command line: what makes no sense ends the start with one line that names it."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from alpaca_simulator.__main__ import main
from alpaca_simulator.options import LIVELY_INTERVAL, read_options

TIMES = "timestamp,bid,bid_size,ask,ask_size\n"


class Found(NamedTuple):
    """How a start ended."""

    status: int
    said: str
    complained: str


@pytest.fixture
def started(capsys: pytest.CaptureFixture[str]) -> Callable[..., Found]:
    """Starts the program in this process; each of these starts fails."""

    def start(*arguments: str) -> Found:
        try:
            status = main(["--port", "0", *arguments])
        except SystemExit as e:
            status = int(e.code or 0)
        return Found(status, *capsys.readouterr())

    return start


def assert_refused(found: Found, status: int, words: str) -> None:
    assert (found.status, found.said) == (status, "")
    assert found.complained.count("\n") == 1
    assert words in found.complained


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--quote-interval", "0"), "--quote-interval: 0 is not between"),
        (("--quote-interval", "-1"), "--quote-interval"),
        (("--cash", "abc"), "--cash: 'abc' is no number"),
        (("--cash", "nan"), "--cash"),
        (("--cash", "-5"), "--cash"),
        (("--port", "99999"), "--port: 99999 is not between 0 and 65535"),
        (("--volatility", "inf"), "--volatility"),
        (("--taker-bps", "1e9"), "--taker-bps"),
        (("--partial-fills", "2"), "--partial-fills: 2 is not between 0 and 1"),
        (("--fill-latency-ms", "-1"), "--fill-latency-ms"),
        (("--rate-limit", "-1"), "--rate-limit"),
        (("--batch", "0"), "--batch"),
        (("--speed", "fast"), "--speed: 'fast' is no number"),
        (("--key", ""), "--key: it is empty"),
        (("--lively", "--no-walk"), "--lively and --no-walk contradict each other"),
        (("--scenario", "earthquake"), "there is no scenario 'earthquake', but flash-crash"),
        (("--nonsense",), "--nonsense"),
        (("--prices-symbol", "BTC/USD"), "--prices-symbol is needed once for each --prices"),
    ],
)
def test_an_option_that_makes_no_sense_is_named_in_one_line(
    started: Callable[..., Found], arguments: tuple[str, ...], words: str
) -> None:
    assert_refused(started(*arguments), 2, words)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (TIMES + "1,99,1,100,1\n2,99,1,much,1\n", "line 3: a row that can't be read"),
        (TIMES + "1,99,1\n", "line 2: a row that can't be read"),
        (TIMES + "1,-99,1,100,1\n", "line 2: a price that can't be"),
        (TIMES + "1,99,1,1e40,1\n", "line 2: a price that can't be"),
        (TIMES, "it has a header, but no rows"),
        ("a,b\n1,2\n", "neither quotes, bars nor trades"),
        ("", "neither quotes, bars nor trades"),
        (None, "No such file"),
    ],
)
def test_a_recording_that_cannot_be_played_is_named_with_its_line(
    started: Callable[..., Found], tmp_path: Path, text: str | None, words: str
) -> None:
    path = tmp_path / "prices.csv"
    if text is not None:
        path.write_text(text)
    assert_refused(started("--prices", str(path)), 1, words)


def test_a_recording_that_is_not_what_its_name_says_is_named(
    started: Callable[..., Found], tmp_path: Path
) -> None:
    path = tmp_path / "prices.csv.gz"
    path.write_text(TIMES)
    assert_refused(started("--prices", str(path)), 1, "prices.csv.gz")
    path = tmp_path / "prices.csv"
    path.write_bytes(b"\x1f\x8b\xff\xfe\x00")
    assert_refused(started("--prices", str(path)), 1, "prices.csv")


def test_the_pair_of_a_recording_is_one_that_there_is(
    started: Callable[..., Found], tmp_path: Path
) -> None:
    path = tmp_path / "prices.csv"
    path.write_text(TIMES + "1,99,1,100,1\n")
    found = started("--prices", str(path), "--prices-symbol", "BTCUSD")
    assert_refused(found, 1, "--prices-symbol BTCUSD: there is no such pair")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "script.json"),
        ("[]", "a script is a list of steps"),
        ('[{"symbol": "NOPE/USD", "price": 5}]', "there is no pair NOPE/USD"),
        ('[{"symbol": "BTC/USD", "path": 5}]', "path is a list of numbers"),
        ('[{"symbol": "BTC/USD", "price": "1e40"}]', "1e40 is no price"),
        ('[{"symbol": "BTC/USD", "price": 5, "after": -1}]', "after is a number of seconds"),
        (None, "No such file"),
    ],
)
def test_a_script_that_cannot_be_played_is_named(
    started: Callable[..., Found], tmp_path: Path, text: str | None, words: str
) -> None:
    path = tmp_path / "script.json"
    if text is not None:
        path.write_text(text)
    assert_refused(started("--script", str(path)), 1, words)


def test_an_option_of_its_own_counts_more_than_lively() -> None:
    options = read_options(["--lively", "--volatility", "3"])
    assert (options.volatility, options.quote_interval) == (3, LIVELY_INTERVAL)


def test_an_address_that_cannot_be_listened_on_is_named(started: Callable[..., Found]) -> None:
    assert_refused(started("--host", "203.0.113.77"), 1, "203.0.113.77 port 0: ")
