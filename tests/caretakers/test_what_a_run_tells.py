"""What a caretaker tells of its run: in the log, in its last line, and in the cycle's story."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from dca_bot.caretakers.closed_orders import ClosedOrders, sold_by_others
from dca_bot.caretakers.run import Run
from dca_bot.core.model import (
    AssetRules,
    Cycle,
    CycleStatus,
    OrderKind,
    OrderStatus,
    OrderUpdate,
)
from dca_bot.core.records import EventKind
from dca_bot.watchdog.caretaker_marks import SuccessMark
from tests.builders import (
    BTC,
    NOW,
    STEP,
    a_fill,
    a_holding_cycle,
    an_asset,
    an_order,
    an_update,
)
from tests.caretakers.small_world import LIMITS, SmallWorld
from tests.fakes import FakeBroker

S = CycleStatus


@pytest.fixture(autouse=True)
def _every_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


def lines(caplog: pytest.LogCaptureFixture, about: str) -> list[str]:
    """The lines with these words in them, each after its asset and cycle."""
    logged = [
        f"{getattr(each, 'subject', '')} {each.getMessage()}".strip() for each in caplog.records
    ]
    return [line for line in logged if about in line]


def story(world: SmallWorld) -> list[EventKind]:
    return [event.kind for _, event in world.store.events]


def doubtful(*, filled: bool = True) -> SmallWorld:
    """A base order was sent, its answer was lost, and it is too old to be waited for."""
    world = SmallWorld()
    world.put_cycle()
    world.broker.holds_fills = not filled
    world.trade_in_doubt(taken=True, seconds=60)
    return world


# -- the last line


def test_the_last_line_counts_the_orders_that_were_settled(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert doubtful().manage_orders() == 0
    assert lines(caplog, "done")[-1] == (
        "done open_orders=0 settled=1 stale=0 stuck=0 orphans=0 trouble=0"
    )


def test_the_last_line_counts_what_was_settled_that_a_hand_had_begun(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = SmallWorld()
    world.put_cycle(status=S.BUYING, latest_order_id=world.order_by_hand(quantity="0.5"))
    world.check_consistency()
    assert lines(caplog, "done")[-1] == (
        "done assets=1 settled=1 opened=0 corrected=0 not_owned=0 trouble=0"
    )


def test_the_last_line_counts_the_cycles_that_were_begun(
    caplog: pytest.LogCaptureFixture,
) -> None:
    SmallWorld().check_consistency()
    assert "opened=1" in lines(caplog, "done")[-1]


def test_the_last_line_counts_what_was_corrected(caplog: pytest.LogCaptureFixture) -> None:
    world = SmallWorld()
    world.hold()
    world.broker.hold(BTC, "0.5", "100")
    world.check_consistency()
    assert "corrected=1 not_owned=0" in lines(caplog, "done")[-1]


def test_the_last_line_counts_what_is_somebody_elses(caplog: pytest.LogCaptureFixture) -> None:
    world = SmallWorld()
    world.put_cycle()
    world.broker.hold(BTC, "0.5", "100")
    world.check_consistency()
    assert "corrected=0 not_owned=1" in lines(caplog, "done")[-1]


# -- orders


def test_the_end_of_an_order_that_no_cycle_tracks_is_reported(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = SmallWorld()
    world.put_cycle()
    world.broker.holds_fills = True
    order_id = world.order_by_hand()
    world.clock.pass_by(LIMITS.orphan_order_seconds + 1)
    assert world.manage_orders() == 0
    assert lines(caplog, "buy order canceled") == [
        f"BTC/USD buy order canceled filled=0 order={order_id} client_id=by-hand-0"
    ]


def test_the_end_of_an_order_of_a_cycle_that_is_over_is_reported_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = SmallWorld()
    world.put_cycle()
    world.broker.holds_fills = True
    order = world.trade()
    assert order is not None
    world.main_app.books.conclude(world.store.live_orders()[0], OrderStatus.LOST, "given up")
    world.edit_cycle(status=S.ERROR, completed_at=world.clock())
    world.put_cycle()
    world.clock.pass_by(LIMITS.orphan_order_seconds + 1)
    assert world.manage_orders() == 0
    assert len(lines(caplog, "buy order canceled")) == 1
    row = world.store.order(order.client_order_id)
    assert row is not None
    assert row.status is OrderStatus.CANCELED


def test_a_dry_run_tells_what_it_would_book(caplog: pytest.LogCaptureFixture) -> None:
    world = doubtful()
    world.manage_orders(dry_run=True)
    [line] = lines(caplog, "book what Alpaca says")
    assert line.startswith("BTC/USD c1 dry run, not done: book what Alpaca says status=filled")
    assert "settled=1" in lines(caplog, "dry run done")[-1]


def test_a_dry_run_tells_of_an_order_that_alpaca_does_not_know(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = SmallWorld()
    world.put_cycle(status=S.BUYING, latest_order_id="never-heard-of")
    world.check_consistency(dry_run=True)
    [line] = lines(caplog, "book what Alpaca says")
    assert line.endswith('book what Alpaca says order=none why="unknown to Alpaca"')


def test_a_cycle_that_waits_for_an_unknown_order_has_its_release_in_its_story() -> None:
    world = SmallWorld()
    world.put_cycle(status=S.BUYING, latest_order_id="never-heard-of")
    world.check_consistency()
    assert story(world) == [EventKind.LET_GO]


@pytest.mark.parametrize(
    ("held", "kind", "rung"), [("0", OrderKind.BASE, 0), ("1", OrderKind.SAFETY, 3)]
)
def test_a_buy_by_hand_takes_its_place_in_the_ladder(held: str, kind: OrderKind, rung: int) -> None:
    world = SmallWorld()
    if held != "0":
        world.broker.hold(BTC, held, "100")
    order_id = world.order_by_hand(quantity="0.5")
    world.clock.pass_by(600)
    world.put_cycle(
        status=S.BUYING,
        latest_order_id=order_id,
        quantity=Decimal(held),
        average_purchase_price=Decimal(100),
        safety_orders=2,
    )
    world.check_consistency()
    row = world.store.order("by-hand-0")
    assert row is not None
    assert (row.kind, row.rung) == (kind, rung)
    update = world.broker.order("by-hand-0")
    assert update is not None
    assert row.created_at == update.created_at
    assert world.cycle.safety_orders == (3 if rung else 2)


# -- positions


def test_a_correction_stands_in_the_story_with_both_quantities() -> None:
    world = SmallWorld()
    world.hold()
    world.broker.hold(BTC, "0.5", "100")
    world.check_consistency()
    [(_, event)] = world.store.events
    assert event.kind is EventKind.CORRECTED
    assert event.quantity == Decimal("-0.5")


def test_a_cycle_that_is_given_up_has_its_end_in_its_story_and_a_result() -> None:
    world = SmallWorld()
    old = world.hold()
    world.broker.hold(BTC, "0", "100")
    world.check_consistency()
    assert story(world) == [EventKind.GIVEN_UP]
    assert world.store.results[old.cycle_id].status is S.ERROR


def test_less_than_an_increment_of_the_assets_own_is_a_matter_of_rounding() -> None:
    world = SmallWorld()
    cycle = world.hold()
    world.broker.asset_rules[BTC] = AssetRules(BTC, True, Decimal("0.01"), STEP)
    world.broker.hold(BTC, "0.995", "100")
    assert world.check_consistency() == 0
    assert world.cycle == cycle


def test_coins_of_a_symbol_that_alpaca_lists_no_more_are_compared_all_the_same() -> None:
    world = SmallWorld()
    world.hold()
    world.broker.asset_rules.clear()
    world.broker.hold(BTC, "0.5", "100")
    assert world.check_consistency() == 0
    assert world.cycle.quantity == Decimal("0.5")


def test_of_a_coin_that_two_cycles_claim_each_holder_is_reported(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = SmallWorld()
    world.hold()
    for asset_id, symbol, held in ((2, "BTC/USDC", 1), (3, "BTC/USDT", 0)):
        world.store.put_asset(an_asset(asset_id=asset_id, symbol=symbol))
        with world.store.transaction(asset_id) as tx:
            price = Decimal(100 * held)
            tx.add_cycle(
                Cycle(
                    0,
                    asset_id,
                    S.WATCHING,
                    quantity=Decimal(held),
                    average_purchase_price=price,
                )
            )
    world.check_consistency()
    assert [line.split()[0] for line in lines(caplog, "several cycles hold BTC")] == [
        "BTC/USD",
        "BTC/USDC",
    ]


def test_what_is_more_than_the_ladder_could_have_bought_is_reported_with_its_numbers(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = SmallWorld()
    world.hold("0.2")
    world.broker.hold(BTC, "1000.2", "100")
    world.check_consistency()
    [line] = lines(caplog, "never sold")
    assert line.startswith("BTC/USD c1 Alpaca holds more than")
    assert "quantity=1000.2 cycle_holds=0.2 ladder_at_most=1.2" in line
    assert line.endswith("not_the_bots=1000")


def test_a_position_that_no_cycle_owns_is_reported_with_its_average(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = SmallWorld()
    world.put_cycle()
    world.broker.hold(BTC, "0.5", "100")
    world.check_consistency()
    [line] = lines(caplog, "no cycle owns")
    assert line.startswith("BTC/USD c1 Alpaca holds a position")
    assert line.endswith("quantity=0.5 average=100")


@pytest.mark.parametrize("has_cycle", [True, False])
def test_a_position_in_the_coin_of_a_disabled_row_is_the_users_own_matter(
    has_cycle: bool, caplog: pytest.LogCaptureFixture
) -> None:
    world = SmallWorld(is_enabled=False)
    if has_cycle:
        world.put_cycle()
    world.broker.hold(BTC, "0.5", "100")
    assert world.check_consistency() == 0
    assert lines(caplog, "no cycle owns") == []
    assert world.slept == []


# -- what the watchdog is left


def test_a_run_without_trouble_leaves_its_mark_and_one_with_trouble_only_began(
    tmp_path: Path,
) -> None:
    began, done = [], []

    class Watched(SuccessMark):
        def begin(self, at: datetime) -> None:
            began.append(at)

        def leave(self, at: datetime) -> None:
            done.append(at)

    mark = Watched(tmp_path, "a_caretaker")
    assert Run(mark=mark).sum_up() == 0
    assert (len(began), len(done)) == (1, 1)
    troubled = Run(mark=mark)
    troubled.trouble(BTC, "what is wrong")
    assert troubled.sum_up() == 1
    assert (len(began), len(done)) == (2, 1)
    assert Run(mark=mark, dry_run=True).sum_up() == 0
    assert (len(began), len(done)) == (2, 1)


def test_what_nobody_expected_is_one_assets_trouble_and_is_reported(
    caplog: pytest.LogCaptureFixture,
) -> None:
    this_run = Run()
    with this_run.contain(BTC):
        raise RuntimeError("no one expected this")
    assert this_run.troubled == {BTC}
    assert len(lines(caplog, "no one expected this")) == 1
    assert this_run.sum_up() == 1


# -- whose orders have sold what is gone


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


@pytest.mark.parametrize(("seconds", "is_later"), [(0, False), (1, True)])
def test_only_a_sale_of_after_the_cycles_begin_explains_what_is_gone(
    seconds: float, is_later: bool
) -> None:
    world = SmallWorld()
    cycle = a_holding_cycle(created_at=NOW)
    order = an_order(kind=OrderKind.TAKE_PROFIT, client_order_id="by-hand")
    sale = replace(a_fill(order, 1), created_at=at(seconds))
    closed = ClosedOrders(NOW, [sale])
    asset = world.state.asset
    found = sold_by_others([(asset, cycle)], closed, world.store, world.broker)
    assert (found == {1}) is is_later


def test_the_last_end_in_a_coin_is_the_latest_of_what_alpaca_and_the_books_know() -> None:
    order = an_order(created_at=at(50))
    sale = replace(an_update(order, "canceled"), ended_at=at(20), created_at=at(10))
    other = replace(sale, symbol="ETH/USD", ended_at=at(99))
    closed = ClosedOrders(NOW, [sale, other])
    assert closed.last_end("BTC", None) == at(20)
    assert closed.last_end("BTC", order) == at(50)
    assert closed.last_end("LTC", None) is None


def test_the_end_of_an_order_of_before_a_list_begins_is_left_open() -> None:
    closed = ClosedOrders(NOW, [])
    assert closed.leaves_open_the_end_of(an_order(created_at=NOW))
    assert not closed.leaves_open_the_end_of(an_order(created_at=at(0.001)))


def test_one_list_goes_back_a_day_and_further_only_for_cycles_that_are_older() -> None:
    class Listening(FakeBroker):
        def closed_orders(self, since: datetime) -> Sequence[OrderUpdate]:
            asked.append(since)
            return super().closed_orders(since)

    asked: list[datetime] = []
    world, broker, week = SmallWorld(), Listening(BTC), timedelta(days=7)
    closed = ClosedOrders.of_the_last_day(broker, NOW)
    assert closed.since == NOW - timedelta(days=1)
    asset = world.state.asset
    cycles = [a_holding_cycle(created_at=NOW - ago * week) for ago in (1, 2)]
    sold_by_others([(asset, cycle) for cycle in cycles], closed, world.store, broker)
    assert asked == [NOW - timedelta(days=1), NOW - 2 * week]


def test_coins_of_a_row_that_was_deleted_are_told_to_be_the_bots(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = SmallWorld()
    world.put_cycle()
    world.listen()
    world.trade()
    world.clock.pass_by(100)
    world.store.delete_asset(1)
    world.store.put_asset(an_asset(asset_id=2))
    world.broker.hold(BTC, "0.5", "100")
    world.check_consistency()
    world.check_consistency()
    assert lines(caplog, "no cycle owns")[-1].endswith(
        "quantity=0.5 average=100 bought_by_the_bot_for_a_deleted_row=0.1995"
    )


@pytest.mark.parametrize(("held", "logged"), [("0", "none"), ("0.000001", "0.000001")])
def test_a_cycle_that_is_given_up_is_reported_with_what_is_held(
    held: str, logged: str, caplog: pytest.LogCaptureFixture
) -> None:
    world = SmallWorld()
    world.hold()
    world.broker.hold(BTC, held, "100")
    world.check_consistency()
    [line] = lines(caplog, "cycle given up")
    assert line.endswith(f"status=error quantity=1 average=100 held={logged}")


def test_a_correction_is_reported_with_both_quantities(caplog: pytest.LogCaptureFixture) -> None:
    world = SmallWorld()
    world.hold()
    world.broker.hold(BTC, "0.5", "90")
    world.check_consistency()
    [line] = lines(caplog, "quantity corrected")
    assert line.endswith("quantity_before=1 quantity=0.5 average_before=100 average=90")


@pytest.mark.parametrize(
    ("held", "why"),
    [
        ("1.001", "a fee was not as assumed"),  # it rested, and paid 0.15 % instead of 0.25 %
        ("0.9975", "a fee was not as assumed"),
        ("0.997", "was it traded by hand?"),
        ("1.003", "was it traded by hand?"),
    ],
)
def test_a_correction_says_what_it_looks_like(
    held: str, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    world = SmallWorld()
    world.hold()
    world.broker.hold(BTC, held, "100")
    world.check_consistency()
    [line] = lines(caplog, "quantity corrected")
    assert f"Alpaca's position, {why} quantity_before=1" in line
