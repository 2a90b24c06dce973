"""What main_app.py tells whoever looks from outside: the cash that goes with the cycles."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from dca_bot.core.model import Cycle, CycleStatus
from dca_bot.live.sight_writer import (
    CASH_SECONDS,
    CASH_SECONDS_AFTER_A_CHANGE,
    AccountCash,
    no_orders,
)
from dca_bot.program.errors import BrokerUnavailable
from tests.fakes import FakeBroker

WATCHING = Cycle(7, 1, CycleStatus.WATCHING)
HOLDING = replace(WATCHING, quantity=Decimal("0.2"))


class Later:
    """Seconds that pass only when told."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def broker() -> FakeBroker:
    return FakeBroker("BTC/USD", cash=100)


@pytest.fixture
def later() -> Later:
    return Later()


def test_cash_follows_soon_after_a_cycle_has_changed(broker: FakeBroker, later: Later) -> None:
    account_cash = AccountCash(broker, later)
    assert account_cash.cash([WATCHING]) == 100
    broker.money["USD"] = Decimal(80)
    later.seconds += CASH_SECONDS_AFTER_A_CHANGE
    assert account_cash.cash([WATCHING]) == 100
    assert account_cash.cash([HOLDING]) == 80


def test_cash_is_not_asked_for_at_every_change(broker: FakeBroker, later: Later) -> None:
    account_cash = AccountCash(broker, later)
    account_cash.cash([WATCHING])
    broker.money["USD"] = Decimal(80)
    assert account_cash.cash([HOLDING]) == 100
    later.seconds += CASH_SECONDS_AFTER_A_CHANGE
    assert account_cash.cash([HOLDING]) == 80  # the change is not forgotten meanwhile


def test_cash_that_nothing_of_ours_has_moved_is_seen_too(broker: FakeBroker, later: Later) -> None:
    account_cash = AccountCash(broker, later)
    account_cash.cash([HOLDING])
    broker.money["USD"] = Decimal(500)
    later.seconds += CASH_SECONDS
    assert account_cash.cash([HOLDING]) == 500


def test_while_alpaca_is_away_it_is_the_cash_of_before(broker: FakeBroker, later: Later) -> None:
    account_cash = AccountCash(broker, later)
    account_cash.cash([WATCHING])
    broker.fail("account", BrokerUnavailable("away"))
    later.seconds += CASH_SECONDS
    assert account_cash.cash([WATCHING]) == 100


@pytest.mark.parametrize(
    ("seconds", "is_reported"), [(0, False), (-29, False), (31, True), (-31, True)]
)
def test_a_clock_that_lets_no_order_out_is_reported(
    broker: FakeBroker, seconds: int, is_reported: bool
) -> None:
    broker.clock_offset = timedelta(seconds=seconds)
    assert ("clock" in no_orders(broker)) is is_reported
