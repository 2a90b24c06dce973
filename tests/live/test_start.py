"""From the start of main_app.py to its first answers: what is waited for, and what ends it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Event

import pytest

from dca_bot.broker.rest import KeysRefused
from dca_bot.live.problems import Problems
from dca_bot.live.start import (
    AGAIN_SECONDS,
    FIRST_ANSWERS,
    alone_in,
    beats_while_waiting,
    say_where,
    until_answered,
)
from dca_bot.program.clock import utc_now
from dca_bot.program.errors import BrokerUnavailable, DcaError, StoreUnavailable
from dca_bot.program.settings import AlpacaSettings, DatabaseSettings
from dca_bot.store.failures import explain
from dca_bot.store.schema import ensure_schema
from dca_bot.watchdog import heartbeat
from dca_bot.watchdog.problems import ProblemKind
from tests.store.sql_helpers import SqlClient

DATABASE = DatabaseSettings("db.local", 3306, "dca", "secret-word", "dca_bot_db")
AWAY = explain(2003, "Connection refused", DATABASE)
REFUSED = explain(1045, "Access denied for user 'dca'@'localhost'", DATABASE)


def answering(*answers: Exception | str) -> Callable[[], str]:
    """A question whose answers come one after the other."""
    left: Iterator[Exception | str] = iter(answers)

    def ask() -> str:
        answer = next(left)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return ask


class Waiting:
    """What a waiting program does meanwhile."""

    def __init__(self) -> None:
        self.waited_for: list[str] = []
        self.slept = 0.0

    def until(self, ask: Callable[[], str]) -> str:
        return until_answered(ask, self._beat, sleep=self._sleep)

    def _beat(self, waits_for: str, why: str) -> None:
        assert why
        self.waited_for.append(waits_for)

    def _sleep(self, seconds: float) -> None:
        self.slept += seconds


@pytest.fixture
def waiting() -> Waiting:
    return Waiting()


def test_an_answer_is_not_waited_for(waiting: Waiting) -> None:
    assert waiting.until(answering("yes")) == "yes"
    assert waiting.slept == 0


def test_a_database_that_is_away_is_waited_for_with_the_heartbeat_going(waiting: Waiting) -> None:
    assert waiting.until(answering(AWAY, AWAY, "yes")) == "yes"
    assert waiting.slept == 2 * AGAIN_SECONDS
    assert waiting.waited_for == ["the database"] * 2 * AGAIN_SECONDS


def test_alpaca_is_waited_for_as_well(waiting: Waiting) -> None:
    away = BrokerUnavailable("no connection")
    assert waiting.until(answering(away, StoreUnavailable("lost"), "yes")) == "yes"
    assert set(waiting.waited_for) == {"Alpaca", "the database"}


def test_an_answer_that_takes_long_is_waited_for_with_the_heartbeat_going() -> None:
    has_beaten, told = Event(), []

    def beat(waits_for: str, why: str) -> None:
        told.append((waits_for, why))
        has_beaten.set()

    def ask() -> str:
        assert has_beaten.wait(30)
        return "yes"

    assert until_answered(ask, beat, slow_after=0) == "yes"
    assert set(told) == {(FIRST_ANSWERS, "")}


def test_while_it_asks_again_the_heartbeat_tells_why_it_had_to() -> None:
    has_beaten, told, answers = Event(), [], answering(AWAY, "yes")

    def beat(waits_for: str, why: str) -> None:
        told.append((waits_for, why))
        has_beaten.set()

    def ask() -> str:
        assert has_beaten.wait(30)
        has_beaten.clear()
        return answers()

    assert until_answered(ask, beat, sleep=lambda _: has_beaten.clear(), slow_after=0) == "yes"
    assert told[0] == (FIRST_ANSWERS, "")
    assert told[-1] == ("the database", str(AWAY))


def test_a_start_that_gets_a_quick_no_leaves_no_sign_of_life(waiting: Waiting) -> None:
    with pytest.raises(KeysRefused):
        waiting.until(answering(KeysRefused("the host refuses the keys")))
    assert waiting.waited_for == []


def test_one_line_tells_of_a_wait_however_long(
    waiting: Waiting, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        waiting.until(answering(*[AWAY] * 500, explain(2013, "lost", DATABASE), "yes"))
    levels = [record.levelname for record in caplog.records]
    assert levels == ["WARNING", "INFO"]


@pytest.mark.parametrize("no", [REFUSED, KeysRefused("the host refuses the keys")])
def test_a_clear_no_is_not_waited_out(waiting: Waiting, no: DcaError) -> None:
    with pytest.raises(type(no)):
        waiting.until(answering(AWAY, no, "never asked"))


@pytest.mark.parametrize(
    "change",
    [{"password": "not-the-password"}, {"name": "nowhere"}, {"user": "nobody-we-know"}],
)
def test_what_the_server_refuses_is_said_in_its_own_words(
    database: DatabaseSettings, waiting: Waiting, change: dict[str, str]
) -> None:
    wrong = replace(database, **change)
    with pytest.raises(StoreUnavailable, match=r"(Access denied|Unknown database).*correct DB_"):
        waiting.until(lambda: str(ensure_schema(wrong)))


def test_a_user_without_rights_is_refused_in_the_servers_own_words(
    empty_database: DatabaseSettings, waiting: Waiting
) -> None:
    sql = SqlClient(empty_database)
    sql.create_user("stranger", "x", "another_database", "SELECT")
    try:
        stranger = replace(empty_database, user="stranger", password="x")
        with pytest.raises(StoreUnavailable, match="Access denied.*GRANT"):
            waiting.until(lambda: str(ensure_schema(stranger)))
    finally:
        sql.drop_user("stranger")
        sql.close()


def test_a_second_bot_in_the_same_directory_says_so_and_leaves_the_files_alone(
    tmp_path: Path,
) -> None:
    with alone_in(tmp_path):
        pid = heartbeat.read_pid(tmp_path)
        with pytest.raises(DcaError, match="already running"), alone_in(tmp_path):
            pass
        assert heartbeat.read_pid(tmp_path) == pid
    assert heartbeat.read_pid(tmp_path) is None


def test_a_pid_file_that_cannot_be_written_is_a_setting_to_edit(tmp_path: Path) -> None:
    (tmp_path / f"{heartbeat.PID_FILE_NAME}.new").mkdir()
    with pytest.raises(DcaError, match="LOG_DIR does not work"), alone_in(tmp_path):
        pass


def test_a_wait_for_the_database_is_a_problem_that_the_heartbeat_names(tmp_path: Path) -> None:
    beat = beats_while_waiting(tmp_path, Problems(utc_now, mail_after=timedelta(minutes=5)))
    beat("the database", "it is away: start it")
    first = heartbeat.read(tmp_path)
    beat("the database", "it is away: start it")
    second = heartbeat.read(tmp_path)
    beat("Alpaca", "no connection")
    third = heartbeat.read(tmp_path)
    assert first is not None
    assert second is not None
    assert third is not None
    (problem,) = first.problems
    assert (problem.kind, problem.sentence) == (ProblemKind.DATABASE, "it is away: start it")
    assert second.problems == first.problems  # since the same time
    assert not second.database_reachable
    assert (third.waits_for, third.problems) == ("Alpaca", ())


@pytest.mark.parametrize(
    ("url", "level", "words"),
    [
        ("https://api.alpaca.markets", "WARNING", "LIVE TRADING WITH REAL MONEY"),
        ("https://paper-api.alpaca.markets", "INFO", "no real money"),
        ("http://127.0.0.1:4300", "INFO", "a simulated exchange"),
        ("https://paper-api.alpaca.markets.example.com", "WARNING", "no host of Alpaca's"),
    ],
)
def test_where_it_trades_is_said_of_each_kind_of_host(
    caplog: pytest.LogCaptureFixture, url: str, level: str, words: str
) -> None:
    with caplog.at_level(logging.INFO):
        say_where(AlpacaSettings("AK1", "s", url, url, url))
    (record,) = caplog.records
    assert record.levelname == level
    assert words in record.getMessage()


def test_live_trading_is_said_whatever_the_level(caplog: pytest.LogCaptureFixture) -> None:
    url = "https://api.alpaca.markets"
    with caplog.at_level(logging.CRITICAL):
        caplog.handler.setLevel(logging.NOTSET)  # all that LOG_LEVEL lets through
        say_where(AlpacaSettings("AK1", "s", url, url, url))
    assert "LIVE TRADING" in caplog.text
