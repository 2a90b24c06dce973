"""The books' one door: whose order the news is about, and the end of a cycle."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from dca_bot.core.model import Cycle, CycleStatus, Order, OrderStatus
from dca_bot.core.records import EventKind
from dca_bot.program.errors import (
    BrokerUnavailable,
    CycleChanged,
    OrderOutcomeUnknown,
    OrderWithheld,
)
from dca_bot.trading.books import Books
from dca_bot.trading.cash import Cash
from dca_bot.trading.sending import Sender
from tests.builders import BTC, Floor, TestClock, a_fill, an_asset, an_order, an_update


def of_renamed_row() -> tuple[Floor, Order]:
    """A base order was placed; its row has another symbol since, and another row has its own."""
    floor = Floor(at_once=False)
    order = floor.see(100)
    assert order is not None
    floor.store.put_asset(replace(floor.asset, symbol="ETH/USD"))
    floor.store.put_asset(an_asset(asset_id=2, symbol=BTC))
    return floor, order


def test_news_under_a_symbol_that_another_row_has_by_now_reaches_the_orders_own_cycle() -> None:
    floor, order = of_renamed_row()
    entry = floor.trader.books.on_update(2, a_fill(order, order.quantity))
    assert entry is not None
    assert entry.is_news
    assert entry.asset.asset_id == 1
    assert floor.cycle.quantity > 0


def test_news_of_an_order_that_the_books_do_not_know_changes_nothing() -> None:
    floor, order = of_renamed_row()
    stranger = replace(an_update(order, "canceled"), client_order_id="dca-9-base-x")
    assert floor.trader.books.on_update(2, stranger) is None
    assert floor.order(order.client_order_id).status is OrderStatus.OPEN


def test_news_for_a_cycle_that_was_deleted_stays_with_its_order() -> None:
    floor = Floor(at_once=False)
    order = floor.see(100)
    assert order is not None
    rows = floor.store._all_rows[1]
    rows.cycles.clear()
    rows.active_cycle = None
    assert floor.trader.books.on_update(1, a_fill(order, order.quantity)) is None
    assert floor.order(order.client_order_id).filled_quantity == order.quantity


def sold_but_for_a_rest() -> tuple[Floor, Books, Cycle, Order, list[Cycle]]:
    """A take profit has sold all that Alpaca held; the books have coins left."""
    ended: list[Cycle] = []
    floor = Floor()
    floor.see(100)
    floor.broker.hold(BTC, "0.15", 100)
    floor.tells_at_once(False)
    order = floor.see(102)
    assert order is not None
    floor.broker.fail("holdings", BrokerUnavailable("away"))
    assert floor.settle(order.client_order_id)
    books = Books(floor.store, floor.broker, floor.clock, ended.append)
    return floor, books, floor.cycle, floor.order(order.client_order_id), ended


def test_a_cycle_that_is_ended_with_its_last_sell_has_its_end_in_its_story() -> None:
    floor, books, cycle, order, ended = sold_but_for_a_rest()
    assert cycle.status is CycleStatus.WATCHING
    books.complete(cycle, order)
    assert [each.cycle_id for each in ended] == [cycle.cycle_id]
    assert floor.store.events[-1][1].kind is EventKind.COMPLETE
    assert floor.store.results[cycle.cycle_id].status is CycleStatus.COMPLETE
    assert floor.cycle.status is CycleStatus.COOLDOWN
    assert floor.asset.last_sell_price == 102


def test_a_position_that_is_heard_to_be_gone_after_the_fill_ends_the_cycle() -> None:
    floor, books, cycle, order, ended = sold_but_for_a_rest()
    gone = a_fill(order, order.filled_quantity, 102, position="0")
    for _ in range(2):
        books.on_update(1, gone)
    assert [each.cycle_id for each in ended] == [cycle.cycle_id]
    assert floor.store.results[cycle.cycle_id].status is CycleStatus.COMPLETE
    assert floor.cycle.status is CycleStatus.COOLDOWN


def test_what_was_bought_since_is_not_gone_because_an_old_sale_is_told_again() -> None:
    floor, books, cycle, order, ended = sold_but_for_a_rest()
    floor.tells_at_once(True)
    floor.see(90)
    bought = floor.cycle
    assert (bought.cycle_id, bought.safety_orders) == (cycle.cycle_id, 1)
    books.on_update(1, a_fill(order, order.filled_quantity, 102, position="0"))
    assert floor.cycle == bought
    assert ended == []


def test_what_was_bought_since_is_not_gone_because_a_lost_sale_is_told_at_last() -> None:
    floor = Floor()
    floor.see(100)
    floor.broker.lose_answer(taken=False)
    with pytest.raises(OrderOutcomeUnknown):
        floor.see(102)
    [sale] = floor.store.live_orders()
    floor.clock.pass_by(31)
    assert floor.settle(sale.client_order_id)
    sold = floor.cycle.quantity
    floor.see(90)
    bought = floor.cycle.quantity - sold
    late = a_fill(floor.order(sale.client_order_id), sale.quantity, 102, position="0")
    for _ in range(2):
        floor.hear(late)
    assert floor.cycle.status is CycleStatus.WATCHING
    assert floor.cycle.quantity == bought


def test_a_cycle_that_has_moved_is_not_ended() -> None:
    floor, books, cycle, order, ended = sold_but_for_a_rest()
    floor.put_cycle(quantity="0.06")
    with pytest.raises(CycleChanged):
        books.complete(cycle, order)
    assert floor.cycle.quantity == Decimal("0.06")
    assert ended == []


def test_a_cycle_is_not_ended_with_an_order_that_has_moved() -> None:
    floor, books, cycle, order, ended = sold_but_for_a_rest()
    with pytest.raises(CycleChanged):
        books.complete(cycle, replace(order, filled_quantity=Decimal("0.1")))
    assert floor.cycle == cycle
    assert ended == []


def test_who_waits_for_the_end_of_cycles_is_told_of_each_once() -> None:
    ended: list[Cycle] = []
    floor = Floor(at_once=False)
    books = Books(floor.store, floor.broker, floor.clock, ended.append)
    first = floor.cycle
    for price in (100, 102):
        order = floor.see(price)
        assert order is not None
        assert ended == []
        for update in 2 * floor.broker.updates:
            books.on_update(1, update)
    assert [each.cycle_id for each in ended] == [first.cycle_id]
    assert floor.store.results[first.cycle_id].cost == 20


def test_late_news_of_an_old_cycle_leaves_the_asset_with_its_new_one() -> None:
    floor = Floor(at_once=False)
    order = floor.see(100)
    assert order is not None
    floor.put_cycle(status=CycleStatus.ERROR, completed_at=floor.clock())
    late = a_fill(order, order.quantity)
    entry = floor.trader.books.on_update(1, late)
    assert entry is not None
    assert entry.state.cycle is None
    floor.trader.books.open_cycle(1)
    entry = floor.trader.books.on_update(1, late)
    assert entry is not None
    assert entry.state.cycle == floor.cycle


def test_who_places_an_order_gets_the_cycle_as_it_is_with_it() -> None:
    floor = Floor(at_once=False)
    acted = floor.trader.on_quote(floor.state, floor.quote(100))
    assert acted.state == floor.state
    assert acted.state.cycle is not None
    assert acted.state.cycle.status is CycleStatus.BUYING


@pytest.mark.parametrize(("seconds", "is_sent"), [(5, True), (5.001, False)])
def test_an_order_is_sent_within_five_seconds_or_never(seconds: float, is_sent: bool) -> None:
    floor = Floor(at_once=False)
    closed: list[Order] = []
    cash = Cash(floor.broker.cash, floor.clock)
    sender = Sender(floor.broker, lambda order, *_: closed.append(order), cash, floor.clock)
    floor.quote(100)
    order = an_order(quantity="0.2", created_at=floor.clock())
    floor.clock.pass_by(seconds)
    if is_sent:
        assert sender.send(floor.asset, order).status is OrderStatus.OPEN
    else:
        with pytest.raises(BrokerUnavailable, match="5 s went by"):
            sender.send(floor.asset, order)
    assert (closed == [order]) is not is_sent


def test_news_under_the_symbol_of_a_deleted_row_reaches_the_orders_own_cycle() -> None:
    floor, order = of_renamed_row()
    floor.store.delete_asset(2)
    entry = floor.trader.books.on_update(2, a_fill(order, order.quantity))
    assert entry is not None
    assert floor.cycle.quantity > 0


def test_news_of_an_unknown_order_of_a_deleted_row_changes_nothing() -> None:
    floor, order = of_renamed_row()
    floor.store.delete_asset(2)
    stranger = replace(an_update(order, "canceled"), client_order_id="dca-9-base-x")
    assert floor.trader.books.on_update(2, stranger) is None


def test_cash_that_is_just_enough_is_enough() -> None:
    asset, cash = an_asset(), Cash(lambda _: Decimal(20), TestClock())
    cash.is_short(asset)
    cash.check(asset, Decimal(20), is_sure=False)
    for is_sure in (True, False):
        with pytest.raises(OrderWithheld, match="waiting for 20.01 USD, available 20.00") as held:
            cash.check(asset, Decimal("20.01"), is_sure=is_sure)
        assert held.value.needs_cash
    cash.sufficed(asset)
    cash.check(asset, Decimal("20.01"), is_sure=False)


def test_what_waits_for_cash_says_so_in_one_way_at_every_price() -> None:
    asset, cash = an_asset(), Cash(lambda _: Decimal("15.123"), TestClock())
    cash.is_short(asset)
    said = set()
    for cost in ("19.999999871", "19.999998123", "20"):
        with pytest.raises(OrderWithheld) as held:
            cash.check(asset, Decimal(cost), is_sure=False)
        said.add(str(held.value))
    assert said == {"waiting for 20.00 USD, available 15.12"}


@pytest.mark.parametrize(("ahead", "is_sent"), [(30, True), (-30, True), (31, False), (-31, False)])
def test_an_order_is_sent_while_the_clocks_are_half_a_minute_apart_and_no_further(
    ahead: int, is_sent: bool
) -> None:
    floor = Floor(at_once=False)
    floor.quote(100)
    floor.broker.clock_offset = timedelta(seconds=ahead)
    order = an_order(quantity="0.2", created_at=floor.clock())
    cash = Cash(floor.broker.cash, floor.clock)
    sender = Sender(floor.broker, lambda *_: None, cash, floor.clock)
    if is_sent:
        assert sender.send(floor.asset, order).status is OrderStatus.OPEN
    else:
        with pytest.raises(BrokerUnavailable, match="31 s off"):
            sender.send(floor.asset, order)


def test_cash_that_alpaca_denies_while_the_account_shows_it_is_asked_for_ever_less_often() -> None:
    clock, asset, there = TestClock(), an_asset(), [Decimal(100)]
    cash = Cash(lambda _: there[0], clock)
    sent = 0
    for _ in range(24 * 60):
        with suppress(OrderWithheld):
            cash.check(asset, Decimal(20), is_sure=False)
            sent += 1
            cash.is_short(asset)
        clock.pass_by(60)
    assert 20 < sent <= 30
    there[0] = Decimal(101)
    cash.check(asset, Decimal(20), is_sure=False)
