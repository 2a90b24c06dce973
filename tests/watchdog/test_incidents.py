"""What the watchdog remembers between its runs, and when it had better wait."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dca_bot.program.settings import AlertSettings
from dca_bot.watchdog.caretaker_marks import SuccessMark
from dca_bot.watchdog.health import ProcessHealth
from dca_bot.watchdog.incidents import FAILED_STARTS_MAX, RESTART_MAILS_MAX, Incidents
from dca_bot.watchdog.memory import FILE_NAME, load
from dca_bot.watchdog.problems import Problem, ProblemKind

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
# Nobody listens there: what was to be mailed stays in the memory, where a test can see it.
NO_SERVER = AlertSettings("a@example.com", "b@example.com", "127.0.0.1", 1, None, None)


@pytest.fixture
def env_file(tmp_path: Path) -> Path:
    env_file = tmp_path / ".env"
    env_file.touch()
    os.utime(env_file, (0, 0))
    return env_file


class Runs:
    """Runs of the watchdog, one after the other."""

    def __init__(self, directory: Path, env_file: Path) -> None:
        self.directory, self.env_file = directory, env_file

    def at(self, now: datetime) -> Incidents:
        return Incidents(self.directory, NO_SERVER, now, ["top-secret"], env_file=self.env_file)

    def fail(self, times: int, *, needs_a_human: bool = False) -> None:
        for minute in range(times):
            with self.at(NOW + timedelta(minutes=minute)) as incidents:
                incidents.start_failed("it", "no", "log", needs_a_human=needs_a_human)

    def reason(self, now: datetime, health: ProcessHealth = ProcessHealth.STOPPED) -> str:
        with self.at(now) as incidents:
            return incidents.reason_to_wait(health)

    @property
    def mails(self) -> str:
        return (self.directory / FILE_NAME).read_text()

    @property
    def subjects(self) -> list[str]:
        """Without what all of them have."""
        return [
            subject.removeprefix("[dca-bot] ").rpartition(" on ")[0] for subject, _ in self._unsent
        ]

    @property
    def bodies(self) -> list[str]:
        return [body for _, body in self._unsent]

    @property
    def _unsent(self) -> list[tuple[str, str]]:
        return load(self.directory).unsent


@pytest.fixture
def runs(tmp_path: Path, env_file: Path) -> Runs:
    return Runs(tmp_path, env_file)


def test_a_start_that_failed_is_tried_again(runs: Runs) -> None:
    runs.fail(FAILED_STARTS_MAX - 1)
    assert runs.reason(NOW + timedelta(minutes=5)) == ""


def test_after_too_many_the_bot_is_left_alone_until_the_first_is_an_hour_ago(runs: Runs) -> None:
    runs.fail(FAILED_STARTS_MAX)
    assert "--resume" in runs.reason(NOW + HOUR - timedelta(seconds=1))
    assert runs.reason(NOW + HOUR) == ""


def test_resuming_makes_room_at_once(runs: Runs) -> None:
    runs.fail(FAILED_STARTS_MAX, needs_a_human=True)
    with runs.at(NOW + timedelta(minutes=9)) as incidents:
        incidents.pause(on=True)
        assert incidents.is_paused
        incidents.pause(on=False)
        assert not incidents.is_paused
    assert runs.reason(NOW + timedelta(minutes=10)) == ""


def test_a_bot_that_was_well_has_its_whole_budget_again(runs: Runs) -> None:
    runs.fail(FAILED_STARTS_MAX - 1)
    with runs.at(NOW + timedelta(minutes=5)) as incidents:
        incidents.well()
    runs.fail(FAILED_STARTS_MAX - 1)
    assert runs.reason(NOW + timedelta(minutes=10)) == ""


def test_a_wrong_setting_is_not_tried_again_until_the_settings_are_edited(
    runs: Runs, env_file: Path
) -> None:
    runs.fail(1, needs_a_human=True)
    assert ".env" in runs.reason(NOW + 100 * HOUR)
    edited = (NOW + 100 * HOUR).timestamp()
    os.utime(env_file, (edited, edited))
    assert runs.reason(NOW + 101 * HOUR) == ""


def test_a_mute_bot_is_replaced_once_an_hour_at_most(runs: Runs) -> None:
    assert runs.reason(NOW, ProcessHealth.MUTE) == ""
    with runs.at(NOW) as incidents:
        incidents.restarts(ProcessHealth.MUTE)
    assert "Alpaca" in runs.reason(NOW + timedelta(minutes=59), ProcessHealth.MUTE)
    assert runs.reason(NOW + timedelta(minutes=59), ProcessHealth.STOPPED) == ""
    assert runs.reason(NOW + HOUR, ProcessHealth.MUTE) == ""


def test_a_bot_that_dies_again_and_again_fills_no_mailbox(runs: Runs) -> None:
    for minute in range(3 * RESTART_MAILS_MAX):
        with runs.at(NOW + timedelta(minutes=minute)) as incidents:
            incidents.started("it was not running", "log", is_first=False)
    assert runs.mails.count("was restarted") == RESTART_MAILS_MAX


def test_a_mail_calls_a_bot_well_only_if_it_waits_for_nothing(runs: Runs) -> None:
    for waits_for in ("", "the database"):
        with runs.at(NOW) as incidents:
            incidents.started("it hung", "log", is_first=False, waits_for=waits_for)
    well, waiting = runs.bodies
    assert "which is well" in well
    assert "which waits for the database" in waiting
    assert "is well" not in waiting


def test_what_is_kept_for_a_mail_holds_no_secret(runs: Runs) -> None:
    with runs.at(NOW) as incidents:
        incidents.start_failed("it hung", "why", "key is top-secret")
    assert "key is ***" in runs.mails
    assert "top-secret" not in runs.mails


def test_a_mail_says_when_it_was_seen_however_late_it_is_sent(runs: Runs) -> None:
    runs.fail(1)
    with runs.at(NOW + timedelta(hours=3)) as incidents:
        incidents.well()
    assert "At 2026-01-01 12:00 UTC the watchdog found" in runs.bodies[0]
    assert "At 2026-01-01 15:00 UTC it was well, after 3:00:00" in runs.bodies[1]


@pytest.mark.parametrize("is_stopped", [True, False])
def test_only_a_bot_that_is_known_to_be_stopped_is_said_to_place_no_orders(
    runs: Runs, *, is_stopped: bool
) -> None:
    with runs.at(NOW) as incidents:
        incidents.start_failed("it hangs", "it does not end", "log", is_stopped=is_stopped)
    assert ("No orders are placed" in runs.bodies[0]) is is_stopped


@pytest.mark.parametrize("content", ["", "{", "[]", '{"why": 3}', "\0\0"])
def test_a_memory_that_cannot_be_read_is_an_empty_one(runs: Runs, content: str) -> None:
    (runs.directory / FILE_NAME).write_text(content)
    assert runs.reason(NOW) == ""


AWAY = Problem(ProblemKind.DATABASE, "", NOW, "no server answers at db.local: start it")
STUCK = Problem(
    ProblemKind.TAKE_PROFIT, "BTC/USD", NOW, "its take profit is due at 101: top-secret"
)


def see(runs: Runs, minutes: int, *problems: Problem) -> None:
    with runs.at(NOW + timedelta(minutes=minutes)) as incidents:
        incidents.see(problems, not_looked_at=(), booted_at=NOW - 100 * HOUR)


def test_a_problem_that_lasts_is_one_mail_and_its_end_another(runs: Runs) -> None:
    for minutes in (0, 4, 5, 10, 15):
        see(runs, minutes, AWAY)
    assert runs.subjects == ["the database does not answer"]
    see(runs, 20)
    see(runs, 25)
    assert runs.subjects == ["the database does not answer", "over: the database does not answer"]
    first = runs.bodies[0]
    assert "since 2026-01-01 12:00 UTC" in first
    assert AWAY.sentence in first


def test_problems_of_the_same_run_are_one_mail_without_a_secret(runs: Runs) -> None:
    see(runs, 5, AWAY, STUCK)
    assert runs.subjects == ["2 problems"]
    (body,) = runs.bodies
    assert "BTC/USD: a due take profit can't be sold" in body
    assert "top-secret" not in body


def test_while_the_database_is_away_and_just_after_it_no_caretaker_is_missed(runs: Runs) -> None:
    SuccessMark(runs.directory, "order_manager").leave(NOW - timedelta(minutes=1))
    for minutes in (0, 30, 60):
        see(runs, minutes, AWAY)
    see(runs, 65)
    assert runs.subjects == ["the database does not answer", "over: the database does not answer"]
    see(runs, 90)
    assert runs.subjects[2:] == ["order_manager.py has not succeeded for too long"]
