"""cooldown_manager.py: a cooldown ends when its time has come, and Alpaca is not asked."""

import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from dca_bot.core.model import CycleStatus
from dca_bot.core.overdue import cooldown_over
from dca_bot.program.settings import PROJECT_ROOT
from tests.builders import NOW, a_cycle, an_asset
from tests.caretakers.small_world import SmallWorld


@pytest.fixture
def world() -> SmallWorld:
    """A cycle was completed just now, and its cooldown of 300 s begins."""
    world = SmallWorld(last_sell_price="100")
    world.put_cycle(status=CycleStatus.COMPLETE, completed_at=world.clock())
    world.put_cycle(status=CycleStatus.COOLDOWN)
    return world


@pytest.mark.parametrize(
    ("seconds", "is_over"), [(0, False), (299, False), (300, True), (9e6, True)]
)
def test_a_cooldown_lasts_its_period(world: SmallWorld, seconds: float, is_over: bool) -> None:
    world.clock.pass_by(seconds)
    assert world.end_cooldowns() == 0
    assert (world.cycle.status is CycleStatus.WATCHING) == is_over


def test_the_cycle_completed_last_counts(world: SmallWorld) -> None:
    world.put_cycle(
        status=CycleStatus.COMPLETE, completed_at=world.clock() + timedelta(seconds=100)
    )
    world.clock.pass_by(399)
    world.end_cooldowns()
    assert world.cycle.status is CycleStatus.COOLDOWN
    world.clock.pass_by(1)
    world.end_cooldowns()
    assert world.cycle.status is CycleStatus.WATCHING


def test_without_a_completed_cycle_there_is_nothing_to_wait_for() -> None:
    world = SmallWorld()
    world.put_cycle(status=CycleStatus.ERROR, completed_at=world.clock())
    world.put_cycle(status=CycleStatus.COOLDOWN)
    world.end_cooldowns()
    assert world.cycle.status is CycleStatus.WATCHING


def test_an_edited_period_counts_for_the_running_cooldown(world: SmallWorld) -> None:
    world.store.put_asset(replace(world.state.asset, cooldown_seconds=10))
    world.clock.pass_by(10)
    world.end_cooldowns()
    assert world.cycle.status is CycleStatus.WATCHING


def test_a_cooldown_that_the_price_has_ended_is_left_alone(world: SmallWorld) -> None:
    world.broker.holds_fills = True
    world.trade(price=97)
    before = world.cycle
    assert before.status is CycleStatus.BUYING
    world.clock.pass_by(1000)
    world.end_cooldowns()
    assert world.cycle == before


def test_the_cycle_keeps_what_it_holds(world: SmallWorld) -> None:
    world.edit_cycle(quantity=Decimal("0.000001"))
    before = world.cycle
    world.clock.pass_by(300)
    world.end_cooldowns()
    assert world.cycle == replace(before, status=CycleStatus.WATCHING)


def test_a_dry_run_changes_nothing(world: SmallWorld) -> None:
    world.clock.pass_by(300)
    assert world.end_cooldowns(dry_run=True) == 0
    assert world.cycle.status is CycleStatus.COOLDOWN


def test_one_asset_in_trouble_does_not_stop_the_others(world: SmallWorld) -> None:
    world.store.put_asset(an_asset(asset_id=2, symbol="X/USD"))
    world.store.problems = {2: "bad row"}
    world.clock.pass_by(300)
    assert world.end_cooldowns() == 1
    assert world.cycle.status is CycleStatus.WATCHING


def test_only_a_cooldown_can_be_over() -> None:
    for status in CycleStatus:
        cycle = a_cycle(status=status)
        assert cooldown_over(cycle, None, an_asset(), NOW) == (status is CycleStatus.COOLDOWN)


def test_it_imports_nothing_of_alpaca() -> None:
    seen = subprocess.run(
        [sys.executable, "-X", "importtime", "cooldown_manager.py", "--help"],
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stderr
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in seen.splitlines()}
    assert "mysql" in imported
    assert imported.isdisjoint({"alpaca", "requests", "pandas", "websockets", "aiohttp"})
