"""What watchdog.py --status says."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from dca_bot.program.clock import utc_now
from dca_bot.watchdog import heartbeat, sight
from dca_bot.watchdog.bot_process import BotProcess
from dca_bot.watchdog.caretaker_marks import SuccessMark
from dca_bot.watchdog.heartbeat import Heartbeat
from dca_bot.watchdog.incidents import PAUSE_FILE_NAME
from dca_bot.watchdog.problems import Problem, ProblemKind
from dca_bot.watchdog.status import say_status

NOW = utc_now()
HOUR = timedelta(hours=1)


class RunningBot(BotProcess):
    """A bot that another process plays: a young one, however long the tests have been running."""

    played_by = 0

    def pid(self) -> int | None:
        return self.played_by


class Installation:
    def __init__(self, directory: Path, caplog: pytest.LogCaptureFixture) -> None:
        self.directory, self._caplog = directory, caplog
        self.process = subprocess.Popen(["sleep", "infinity"])
        self.beat = replace(
            heartbeat.first(NOW - HOUR),
            at=NOW,
            pid=self.process.pid,
            process_start=heartbeat.process_start(self.process.pid),
            quote_age_seconds=0.5,
            trade_stream_age_seconds=3.0,
            symbols=2,
        )

    def status(self, **changes: object) -> tuple[int, list[str]]:
        """Its exit status and its lines."""
        beat: Heartbeat = replace(self.beat, **changes)  # type: ignore[arg-type]
        heartbeat.write(beat, self.directory)
        bot = RunningBot(self.directory, beat_age_max=60, clock=lambda: NOW)
        bot.played_by = self.process.pid
        self._caplog.clear()
        with self._caplog.at_level("INFO"):
            status = say_status(bot, NOW, NOW - 100 * HOUR)
        return status, [record.getMessage() for record in self._caplog.records]


@pytest.fixture
def installation(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Iterator[Installation]:
    installation = Installation(tmp_path, caplog)
    yield installation
    installation.process.kill()
    installation.process.wait()


def seen(at: datetime, problem: str = "") -> sight.Sight:
    return sight.Sight(at, "paper", assets={"BTC/USD": sight.AssetSight(problem=problem)})


def test_a_bot_that_is_well_is_one_line_with_where_it_trades(installation: Installation) -> None:
    sight.write(seen(NOW), installation.directory)
    status, (line,) = installation.status()
    assert status == 0
    assert (
        f"well: heartbeat 0 s ago pid={installation.process.pid} version=1.0.0 mode=paper" in line
    )


def test_a_problem_is_named_and_is_not_well(installation: Installation) -> None:
    problem = Problem(ProblemKind.DATABASE, "", NOW - HOUR, "no server answers: start it")
    status, lines = installation.status(problems=(problem,))
    assert status == 1
    assert "the database does not answer, since" in lines[1]
    assert "no server answers: start it" in lines[1]


def test_a_caretaker_that_is_missed_is_named(installation: Installation) -> None:
    SuccessMark(installation.directory, "order_manager").leave(NOW - HOUR)
    status, lines = installation.status()
    assert status == 1
    assert "order_manager.py has not succeeded" in lines[1]


@pytest.mark.parametrize(
    ("silent", "stream"),
    [
        ({"quote_age_seconds": None}, "quote stream"),
        ({"quote_age_seconds": 61.0}, "quote stream"),
        ({"trade_stream_age_seconds": None}, "trade stream"),
    ],
)
def test_a_stream_that_is_not_heard_is_named(
    installation: Installation, silent: dict[str, object], stream: str
) -> None:
    status, lines = installation.status(**silent)
    assert status == 1
    assert f"its {stream} is not heard" in " ".join(lines[1:])


def test_streams_that_have_just_been_opened_are_not_missed(installation: Installation) -> None:
    young = NOW - timedelta(seconds=30)
    status, lines = installation.status(
        started_at=young, quote_age_seconds=None, trade_stream_age_seconds=None
    )
    assert (status, len(lines)) == (0, 1)


def test_a_row_that_is_not_traded_is_named(installation: Installation) -> None:
    sight.write(seen(NOW, "take_profit_percent is 0"), installation.directory)
    status, lines = installation.status()
    assert status == 1
    assert "BTC/USD is not traded: take_profit_percent is 0" in lines


def test_the_pause_is_named(installation: Installation) -> None:
    (installation.directory / PAUSE_FILE_NAME).touch()
    status, lines = installation.status()
    assert status == 0
    assert "--resume" in lines[1]
