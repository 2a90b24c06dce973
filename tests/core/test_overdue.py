"""What the caretakers judge about ages, orders and positions."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from dca_bot.core.model import CycleStatus, Holding, OrderStatus, Side
from dca_bot.core.overdue import (
    PositionVerdict,
    Tracking,
    is_awaited,
    is_older,
    is_orphan,
    is_settled,
    is_stale,
    lacks_order_row,
    position_verdict,
)
from tests.builders import BTC, NOW, STEP, a_holding, a_holding_cycle, an_asset, an_order, an_update

LONG_AGO = NOW - timedelta(days=1)


def test_an_order_of_unknown_age_is_never_too_old() -> None:
    order = an_update(an_order(), "open", created_at=None)
    assert not is_older(order, 0, NOW)


def test_an_order_by_hand_beside_a_cycles_own_is_not_the_cycles() -> None:
    cycle = a_holding_cycle(status=CycleStatus.BUYING, latest_order_id="alpaca-1")
    tracking = Tracking(frozenset({BTC}), frozenset(), {BTC: cycle}, {})
    theirs = an_update(
        an_order(client_order_id="by-hand"),
        "open",
        alpaca_order_id="alpaca-2",
        created_at=LONG_AGO,
    )
    assert theirs.side is Side.BUY
    assert not is_stale(theirs, tracking, 60, NOW)
    assert is_orphan(theirs, tracking, 60, NOW)


@pytest.mark.parametrize("status", [CycleStatus.BUYING, CycleStatus.SELLING])
@pytest.mark.parametrize("holding", [None, a_holding("0.4"), a_holding(3)])
def test_of_a_position_that_an_order_moves_nothing_can_be_said(
    status: CycleStatus, holding: Holding | None
) -> None:
    cycle = a_holding_cycle(status=status)
    assert (
        position_verdict(an_asset(), cycle, holding, STEP, at_most=Decimal(1))
        is PositionVerdict.AGREES
    )


@pytest.mark.parametrize(
    ("status", "owner", "lacks"),
    [
        (CycleStatus.BUYING, 1, False),
        (CycleStatus.BUYING, 2, True),
        (CycleStatus.SELLING, 2, True),
        (CycleStatus.WATCHING, 2, False),
    ],
)
def test_a_cycle_that_waits_lacks_an_order_when_all_live_ones_are_of_others(
    status: CycleStatus, owner: int, lacks: bool
) -> None:
    live = [an_order(asset_id=owner)]
    assert lacks_order_row(a_holding_cycle(status=status), live) is lacks


def test_an_asset_without_a_cycle_lacks_nothing() -> None:
    assert not lacks_order_row(None, [])


@pytest.mark.parametrize(("age", "settled"), [(59.9, False), (60, True), (-300, False)])
def test_a_position_has_settled_a_minute_after_the_last_order(age: float, settled: bool) -> None:
    assert is_settled(NOW - timedelta(seconds=age), NOW) is settled


def test_without_any_order_a_position_has_settled() -> None:
    assert is_settled(None, NOW)


@pytest.mark.parametrize(("followed", "is_ours"), [("alpaca-2", True), ("alpaca-1", False)])
def test_an_edited_order_of_a_deleted_row_is_an_orphan(followed: str, is_ours: bool) -> None:
    row = an_order(alpaca_order_id=followed)
    tracking = Tracking(frozenset(), frozenset(), {}, {row.client_order_id: row})
    edited = an_update(
        an_order(client_order_id="by-hand"),
        "open",
        alpaca_order_id="alpaca-2",
        created_at=LONG_AGO,
    )
    assert is_orphan(edited, tracking, 60, NOW) is is_ours


def test_an_order_that_a_cycle_names_is_the_cycles_though_it_has_no_row() -> None:
    cycle = a_holding_cycle(status=CycleStatus.BUYING, latest_order_id="alpaca-2")
    tracking = Tracking(frozenset({BTC}), frozenset(), {BTC: cycle}, {})
    order = an_update(
        an_order(client_order_id="by-hand"),
        "open",
        alpaca_order_id="alpaca-2",
        created_at=LONG_AGO,
    )
    assert is_stale(order, tracking, 60, NOW)
    assert not is_orphan(order, tracking, 60, NOW)


@pytest.mark.parametrize(("age", "awaited"), [(29.9, True), (30, False)])
def test_an_answer_is_awaited_until_the_order_is_given_up(age: float, awaited: bool) -> None:
    row = an_order(status=OrderStatus.INTENDED, created_at=NOW - timedelta(seconds=age))
    assert is_awaited(row, NOW, timedelta(seconds=30)) is awaited


def test_an_order_that_works_is_not_awaited() -> None:
    assert not is_awaited(an_order(created_at=NOW), NOW, timedelta(seconds=30))


@pytest.mark.parametrize(
    ("holding", "verdict"),
    [(None, PositionVerdict.AGREES), (a_holding(1), PositionVerdict.NOT_OURS)],
)
def test_without_a_cycle_every_position_is_somebody_elses(
    holding: Holding | None, verdict: PositionVerdict
) -> None:
    assert position_verdict(an_asset(), None, holding, STEP, at_most=Decimal(0)) is verdict


@pytest.mark.parametrize("price", [0, 40])
def test_coins_that_came_for_less_are_counted_at_the_cycles_average(price: int) -> None:
    cycle = a_holding_cycle()
    held = replace(a_holding("0.02"), average_entry_price=Decimal(price))  # 2 USD at the average
    verdict = position_verdict(an_asset(), cycle, held, STEP, at_most=Decimal(1))
    assert verdict is PositionVerdict.DIFFERS


def test_all_that_the_ladder_could_have_bought_is_not_too_much() -> None:
    cycle, held = a_holding_cycle(), a_holding(3)
    verdict = position_verdict(an_asset(), cycle, held, STEP, at_most=Decimal(3))
    assert verdict is PositionVerdict.DIFFERS
