"""The heartbeat as the watchdog reads it."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dca_bot.watchdog import heartbeat
from dca_bot.watchdog.problems import Problem, ProblemKind

NOW = datetime(2026, 1, 1, 12, 0, 0, 600_000, tzinfo=UTC)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    problem = Problem(ProblemKind.ROW, "BTC/USD", NOW, "its row is unusable")
    beat = replace(heartbeat.first(NOW), quote_age_seconds=0.3, symbols=2, problems=(problem,))
    heartbeat.write(beat, tmp_path)
    assert heartbeat.read(tmp_path) == beat


def test_where_nothing_can_be_written_the_old_one_still_says_that_the_loop_runs(
    tmp_path: Path,
) -> None:
    beat, later = heartbeat.first(NOW), NOW + timedelta(minutes=5)
    heartbeat.write(beat, tmp_path)
    (tmp_path / f"{heartbeat.FILE_NAME}.new").mkdir()  # in the way, as a full disk would be
    with pytest.raises(OSError, match="new"):
        heartbeat.write(replace(beat, at=later), tmp_path)
    assert heartbeat.read(tmp_path) == replace(beat, at=later.replace(microsecond=0))


def test_a_bot_that_has_ended_is_gone_though_nobody_asks_how_it_ended() -> None:
    with subprocess.Popen(["sleep", "60"]) as bot:
        beat = replace(
            heartbeat.first(NOW), pid=bot.pid, process_start=heartbeat.process_start(bot.pid)
        )
        assert heartbeat.is_running(beat)
        bot.kill()
        os.waitid(os.P_PID, bot.pid, os.WEXITED | os.WNOWAIT)
        assert not heartbeat.is_running(beat)


def test_where_nothing_was_ever_written_there_is_none(tmp_path: Path) -> None:
    (tmp_path / f"{heartbeat.FILE_NAME}.new").mkdir()
    with pytest.raises(OSError, match="new"):
        heartbeat.write(heartbeat.first(NOW), tmp_path)
    assert heartbeat.read(tmp_path) is None


def test_a_database_that_is_away_is_reported_as_a_problem_and_known_by_it(tmp_path: Path) -> None:
    beat = heartbeat.first(NOW)
    assert beat.database_reachable
    row = Problem(ProblemKind.ROW, "BTC/USD", NOW, "its row is unusable")
    away = Problem(ProblemKind.DATABASE, "", NOW, "it does not answer")
    assert replace(beat, problems=(row,)).database_reachable
    heartbeat.write(replace(beat, problems=(row, away)), tmp_path)
    read = heartbeat.read(tmp_path)
    assert read is not None
    assert not read.database_reachable


def test_what_another_version_tells_beside_it_is_no_matter(tmp_path: Path) -> None:
    beat = heartbeat.first(NOW)
    heartbeat.write(beat, tmp_path)
    path = tmp_path / heartbeat.FILE_NAME
    raw = json.loads(path.read_text())
    path.write_text(json.dumps(raw | {"database_reachable": True}))
    read = heartbeat.read(tmp_path)
    assert read is not None
    assert read.pid == beat.pid
