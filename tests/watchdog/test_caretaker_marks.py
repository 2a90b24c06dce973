"""A caretaker that has run here is missed when it does not succeed any more."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dca_bot.caretakers.run import Run
from dca_bot.program.clock import utc_now
from dca_bot.watchdog.caretaker_marks import SuccessMark, caretaker_problems

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
EVER = datetime(1970, 1, 1, tzinfo=UTC)
LIMITS = {"order_manager": 10, "cooldown_manager": 10, "consistency_checker": 20}


def missed(directory: Path, now: datetime, excused_until: datetime = EVER) -> list[str]:
    return [each.symbol for each in caretaker_problems(directory, now, excused_until=excused_until)]


def test_one_that_has_never_run_here_is_not_missed(tmp_path: Path) -> None:
    assert missed(tmp_path, NOW) == []


@pytest.mark.parametrize(("name", "minutes"), LIMITS.items())
def test_three_periods_without_success_are_too_many(
    tmp_path: Path, name: str, minutes: int
) -> None:
    SuccessMark(tmp_path, name).leave(NOW)
    limit = NOW + timedelta(minutes=minutes)
    assert missed(tmp_path, limit) == []
    assert missed(tmp_path, limit + timedelta(seconds=1)) == [f"{name}.py"]
    SuccessMark(tmp_path, name).leave(limit)
    assert missed(tmp_path, limit + timedelta(seconds=1)) == []


def test_while_none_could_succeed_none_is_missed(tmp_path: Path) -> None:
    SuccessMark(tmp_path, "order_manager").leave(NOW)
    back = NOW + timedelta(hours=3)
    assert missed(tmp_path, back + timedelta(minutes=9), back) == []
    (problem,) = caretaker_problems(tmp_path, back + timedelta(minutes=11), excused_until=back)
    assert problem.since == back + timedelta(minutes=10)
    assert "2026-01-01 12:00 UTC" in problem.sentence


def test_a_run_leaves_its_mark_when_it_has_succeeded(tmp_path: Path) -> None:
    mark = SuccessMark(tmp_path, "order_manager")
    mark.leave(NOW)
    assert Run(mark=mark).sum_up() == 0
    assert mark.time() != NOW


def test_one_that_has_had_trouble_since_its_first_run_is_missed(tmp_path: Path) -> None:
    mark = SuccessMark(tmp_path, "order_manager")
    run = Run(mark=mark)
    began = mark.time()
    assert began is not None
    run.trouble("BTC/USD", "its row can't be read")
    assert run.sum_up() == 1
    assert mark.time() == began
    Run(mark=mark)
    assert mark.time() == began
    assert missed(tmp_path, utc_now() + timedelta(minutes=11)) == ["order_manager.py"]


def test_a_dry_run_leaves_no_mark(tmp_path: Path) -> None:
    mark = SuccessMark(tmp_path, "order_manager")
    assert Run(dry_run=True, mark=mark).sum_up() == 0
    assert mark.time() is None
