"""After a gap the books and the exchange agree again, wherever the bot was interrupted."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from dca_bot.core.model import AssetState, CycleStatus, Order, OrderKind, OrderStatus, OrderUpdate
from dca_bot.core.order_ids import new_order
from dca_bot.program.errors import (
    BrokerUnavailable,
    DcaError,
    OrderOutcomeUnknown,
    RowLocked,
    StoreUnavailable,
    Unreadable,
    UnreadableRow,
)
from dca_bot.store.memory_store import MemoryStore
from dca_bot.trading.settle import Recovered, recover
from dca_bot.trading.trader import Trader
from tests.builders import NOW, Floor, a_cycle, an_asset, rules_of
from tests.fakes import FakeBroker

BASE, SAFETY, TAKE_PROFIT = OrderKind.BASE, OrderKind.SAFETY, OrderKind.TAKE_PROFIT


def deaf_floor(*, holds_fills: bool = True, **columns: Any) -> Floor:
    """A floor whose trader hears nothing: the trade stream is down."""
    floor = Floor(at_once=False, **columns)
    floor.broker.holds_fills = holds_fills
    return floor


def placed(floor: Floor, price: int = 100) -> Order:
    order = floor.see(price)
    assert order is not None
    return order


# -- one order


def test_a_fill_is_found_though_the_clock_was_set_back_by_an_hour() -> None:
    floor = deaf_floor()
    order = placed(floor)
    floor.broker.fill(order.client_order_id)
    before = order.created_at - timedelta(hours=1)
    assert recover(floor.trader.books, floor.store, floor.broker, intended_before=before).ended == 1
    assert floor.cycle.quantity > 0


@pytest.mark.parametrize("lag", [False, True])
def test_a_sale_that_left_nothing_ends_its_cycle_though_nobody_listened(lag: bool) -> None:
    floor = deaf_floor(holds_fills=False)
    placed(floor)
    floor.recover()
    floor.broker.hold("BTC/USD", "0.15", 100)  # the fee was far higher than expected
    if lag:
        floor.broker.let_positions_lag()
    placed(floor, 102)
    floor.recover()
    expected = CycleStatus.WATCHING if lag else CycleStatus.COOLDOWN
    assert floor.cycle.status is expected


def a_large_cycle() -> Floor:
    """It holds coins worth 300,000 USD, which Alpaca takes in two SELLs."""
    floor = deaf_floor(
        holds_fills=False,
        broker=FakeBroker(cash=400_000),
        base_order_amount=150_000,
        safety_order_amount=150_000,
    )
    for price in (100, 98):
        placed(floor, price)
        floor.recover()
    return floor


def test_an_empty_list_of_positions_does_not_end_a_cycle_that_is_sold_in_parts() -> None:
    floor = a_large_cycle()
    held = floor.cycle.quantity
    sold = placed(floor, 101)
    floor.broker.lose_positions()
    floor.recover()
    floor.broker.catch_up()
    assert floor.cycle.status is CycleStatus.WATCHING
    assert floor.cycle.quantity == floor.held == held - sold.quantity
    rest = placed(floor, 101)
    floor.recover()
    assert floor.held == 0
    assert floor.cycle_of(rest).status is CycleStatus.COMPLETE


def test_a_large_sale_that_left_only_a_higher_fee_ends_its_cycle() -> None:
    floor = a_large_cycle()
    placed(floor, 101)
    floor.recover()
    floor.broker.hold("BTC/USD", floor.held * Decimal("0.99"), 100)  # a fee of one percent more
    rest = placed(floor, 101)
    assert rest.quantity * 101 > 100_000
    floor.recover()
    assert floor.cycle_of(rest).status is CycleStatus.COMPLETE


def test_with_nothing_under_way_alpaca_is_not_asked() -> None:
    floor = Floor()
    floor.broker.calls.clear()
    assert recover(floor.trader.books, floor.store, floor.broker) == Recovered(0, 0, ())
    assert floor.broker.calls == []


def test_a_fill_while_nobody_listened_is_booked() -> None:
    floor = deaf_floor()
    order = placed(floor)
    floor.broker.fill(order.client_order_id)
    assert floor.recover() == Recovered(asked=1, ended=1, in_doubt=())
    assert floor.cycle.quantity == floor.held == Decimal("0.1995")
    assert floor.cycle.status is CycleStatus.WATCHING


def test_a_partial_fill_while_nobody_listened_is_booked_and_the_order_goes_on() -> None:
    floor = deaf_floor(broker=FakeBroker(fee_rate="0.0015"))
    order = placed(floor)
    floor.broker.fill(order.client_order_id, "0.1")
    assert floor.recover() == Recovered(asked=1, ended=0, in_doubt=())
    assert floor.cycle.quantity == floor.held == Decimal("0.09985")
    assert floor.cycle.status is CycleStatus.BUYING


@pytest.mark.parametrize("status", [OrderStatus.CANCELED, OrderStatus.EXPIRED])
def test_an_end_while_nobody_listened_is_booked_with_what_was_filled(status: OrderStatus) -> None:
    floor = deaf_floor()
    order = placed(floor)
    floor.broker.fill(order.client_order_id, "0.1")
    floor.broker.end(order.client_order_id, status)
    floor.recover()
    assert floor.cycle.quantity == floor.held == Decimal("0.09975")
    assert floor.cycle.status is CycleStatus.WATCHING


def test_a_sale_while_nobody_listened_completes_the_cycle() -> None:
    floor = deaf_floor(holds_fills=False)
    placed(floor)
    floor.recover()
    placed(floor, 101)
    floor.recover()
    assert floor.cycle.status is CycleStatus.COOLDOWN
    assert floor.asset.last_sell_price == 101


def test_an_order_that_rests_unchanged_is_known_from_one_call() -> None:
    floor = deaf_floor()
    placed(floor)
    floor.broker.calls.clear()
    floor.recover()
    assert floor.broker.calls == ["open_orders"]
    assert floor.cycle.status is CycleStatus.BUYING


def test_an_intent_that_never_left_is_given_up_after_a_while() -> None:
    class LosesPower(FakeBroker):
        def submit(self, order: Order, symbol: str) -> OrderUpdate:
            raise PowerCut

    floor = Floor(broker=LosesPower())
    with pytest.raises(PowerCut):
        floor.see(100)
    [intent] = floor.store.live_orders()
    assert intent.status is OrderStatus.INTENDED
    assert recover(floor.trader.books, floor.store, floor.broker).in_doubt == (
        intent.client_order_id,
    )
    floor.recover()
    assert floor.order(intent.client_order_id).status is OrderStatus.LOST
    assert floor.cycle == a_cycle(created_at=NOW)


@pytest.mark.parametrize("lies_back", [20, 3600])
def test_an_order_that_never_arrived_is_given_up_though_the_clock_was_set_back(
    lies_back: int,
) -> None:
    floor = Floor()
    floor.broker.lose_answer(taken=False)
    with pytest.raises(OrderOutcomeUnknown):
        floor.see(100)
    [order] = floor.store.live_orders()
    floor.clock.pass_by(-lies_back)
    for _ in range(3):  # 30 s, to the last
        assert floor.settle(order.client_order_id) is False
        floor.clock.pass_by(9.99)
    assert floor.settle(order.client_order_id) is False
    floor.clock.pass_by(21)
    assert floor.settle(order.client_order_id) is True
    assert floor.order(order.client_order_id).status is OrderStatus.LOST
    assert floor.cycle.status is CycleStatus.WATCHING


def an_order_out_of_sight() -> tuple[Floor, Order]:
    """Alpaca has acknowledged a BUY long ago, and finds it under neither id any more."""
    floor = deaf_floor()
    order = floor.order(placed(floor).client_order_id)
    assert order.alpaca_order_id is not None
    floor.clock.pass_by(3600)
    floor.broker.unseen = {order.client_order_id, order.alpaca_order_id}
    return floor, order


def test_an_acknowledged_order_that_alpaca_does_not_find_once_stays_under_way() -> None:
    floor, order = an_order_out_of_sight()
    assert floor.settle(order.client_order_id) is False
    assert floor.see(99) is None
    assert floor.order(order.client_order_id) == order
    assert len(floor.broker.submitted) == 1


def test_an_acknowledged_order_is_found_by_alpacas_own_id_too() -> None:
    floor, order = an_order_out_of_sight()
    floor.broker.unseen = {order.client_order_id}
    floor.broker.end(order.client_order_id, OrderStatus.CANCELED)
    assert floor.settle(order.client_order_id) is True
    assert floor.order(order.client_order_id).status is OrderStatus.CANCELED


def an_order_that_was_edited() -> tuple[Floor, Order]:
    """A base order rests, and somebody has lowered its limit in Alpaca's dashboard."""
    floor = deaf_floor()
    order = placed(floor)
    floor.broker.edit(order.client_order_id, "99")
    return floor, order


def test_an_order_that_was_edited_at_alpaca_is_the_one_under_way() -> None:
    floor, order = an_order_that_was_edited()
    floor.recover()
    followed = floor.order(order.client_order_id)
    assert followed.status is OrderStatus.OPEN
    assert followed.alpaca_order_id != f"alpaca-{order.client_order_id}"
    assert floor.cycle.latest_order_id == followed.alpaca_order_id
    assert floor.see(98) is None
    assert len(floor.broker.submitted) == 1


def test_late_news_of_an_order_before_its_edit_does_not_bring_its_old_id_back() -> None:
    floor, order = an_order_that_was_edited()
    floor.recover()
    [late] = [each for each in floor.broker.updates if each.status is OrderStatus.OPEN]
    assert not floor.hear(replace(late, replaced_by="another"))


def test_what_an_edited_order_fills_is_booked_once() -> None:
    floor, order = an_order_that_was_edited()
    floor.broker.fill(order.client_order_id, "0.05")
    floor.recover()
    floor.broker.fill(order.client_order_id)
    for _ in range(2):
        floor.recover()
    assert floor.cycle.quantity == floor.held
    assert floor.cycle.status is CycleStatus.WATCHING
    assert len(floor.broker.submitted) == 1


def test_an_edited_order_that_alpaca_finds_under_its_new_id_alone_is_found() -> None:
    floor, order = an_order_that_was_edited()
    floor.recover()
    floor.broker.unseen = {order.client_order_id}
    floor.broker.end(order.client_order_id, OrderStatus.CANCELED)
    assert floor.settle(order.client_order_id) is True
    assert floor.order(order.client_order_id).status is OrderStatus.CANCELED


def test_an_acknowledged_order_that_alpaca_does_not_find_for_a_minute_is_given_up() -> None:
    floor, order = an_order_out_of_sight()
    assert floor.settle(order.client_order_id) is False
    floor.clock.pass_by(59)
    assert floor.settle(order.client_order_id) is False
    floor.clock.pass_by(1)
    assert floor.settle(order.client_order_id) is True
    assert floor.order(order.client_order_id).status is OrderStatus.LOST
    assert floor.cycle.status is CycleStatus.WATCHING


def test_an_edited_order_whose_successor_is_never_found_is_given_up_with_what_it_filled() -> None:
    floor = deaf_floor()
    order = replace(placed(floor), alpaca_order_id=None)  # as read before its answer was booked
    before = floor.broker.fill(order.client_order_id, "0.05")
    edited = replace(before, replaced_by="nowhere")
    for seconds, is_settled in ((30, False), (59, False), (1, True)):
        floor.clock.pass_by(seconds)
        assert floor.trader.books.settle(order, edited) is is_settled
    assert floor.order(order.client_order_id).status is OrderStatus.LOST
    assert (floor.cycle.status, floor.cycle.quantity) == (CycleStatus.WATCHING, floor.held)


def test_an_acknowledged_order_that_is_seen_in_between_is_missed_anew() -> None:
    floor, order = an_order_out_of_sight()
    unseen = floor.broker.unseen
    for is_listed in (True, False):
        assert floor.settle(order.client_order_id) is False
        floor.broker.unseen = set()
        floor.clock.pass_by(40)
        if is_listed:
            floor.recover()
        else:
            assert floor.settle(order.client_order_id) is True
        floor.broker.unseen = unseen
        floor.clock.pass_by(40)
        assert floor.settle(order.client_order_id) is False


def test_a_clock_that_is_set_back_gives_up_no_acknowledged_order() -> None:
    floor, order = an_order_out_of_sight()
    floor.clock.pass_by(600)
    assert floor.settle(order.client_order_id) is False
    floor.clock.pass_by(-600)
    assert floor.settle(order.client_order_id) is False
    floor.clock.pass_by(60)
    assert floor.settle(order.client_order_id) is True


def test_an_acknowledged_order_out_of_sight_is_not_asked_about_in_a_hurry() -> None:
    floor, order = an_order_out_of_sight()
    found = recover(floor.trader.books, floor.store, floor.broker)
    assert found == Recovered(asked=1, ended=0, in_doubt=())
    assert floor.order(order.client_order_id) == order


def test_an_order_whose_answer_was_lost_is_adopted() -> None:
    floor = deaf_floor(holds_fills=False)
    floor.broker.lose_answer(taken=True)
    with pytest.raises(OrderOutcomeUnknown):
        floor.see(100)
    floor.recover()
    assert floor.cycle.quantity == floor.held == Decimal("0.1995")
    assert len(floor.broker.submitted) == 1


def test_an_order_whose_answer_was_lost_is_in_doubt_no_more_once_it_is_listed() -> None:
    floor = deaf_floor()
    floor.broker.lose_answer(taken=True)
    with pytest.raises(OrderOutcomeUnknown):
        floor.see(100)
    found = recover(floor.trader.books, floor.store, floor.broker)
    assert found == Recovered(asked=1, ended=0, in_doubt=())


def test_young_orders_are_left_to_the_stream_when_asked_so() -> None:
    floor = deaf_floor(holds_fills=False)
    order = placed(floor)
    found = recover(floor.trader.books, floor.store, floor.broker, intended_before=order.created_at)
    assert found.asked == 0
    later = order.created_at + timedelta(seconds=1)
    assert recover(floor.trader.books, floor.store, floor.broker, intended_before=later).asked == 1


@pytest.mark.parametrize("verb", ["open_orders", "order"])
def test_when_alpaca_cannot_be_asked_nothing_changes(verb: str) -> None:
    floor = deaf_floor(holds_fills=False)
    order = placed(floor)
    before = (floor.state, floor.order(order.client_order_id))
    floor.broker.fail(verb, BrokerUnavailable("down"))
    with pytest.raises(BrokerUnavailable):
        recover(floor.trader.books, floor.store, floor.broker)
    assert (floor.state, floor.order(order.client_order_id)) == before
    floor.recover()
    assert floor.cycle.quantity == floor.held


def test_a_database_that_goes_away_is_not_one_orders_trouble() -> None:
    class GoingAway(MemoryStore):
        is_away = False

        @contextmanager
        def transaction(self, asset_id: int) -> Iterator[Any]:
            if self.is_away:
                raise StoreUnavailable("gone")
            with super().transaction(asset_id) as tx:
                yield tx

    floor = Floor(at_once=False)
    store = GoingAway([floor.asset], clock=floor.clock)
    trader = Trader(store, floor.broker, floor.clock, floor.rules)
    trader.books.open_cycle(1)
    trader.on_quote(store.assets()[0], floor.quote(100))
    store.is_away = True
    with pytest.raises(StoreUnavailable):
        recover(trader.books, store, floor.broker)
    store.is_away = False
    assert recover(trader.books, store, floor.broker).ended == 1


def test_an_order_that_is_open_and_unchanged_is_not_asked_about_one_by_one() -> None:
    floor = deaf_floor()
    order = placed(floor)
    floor.broker.calls.clear()
    floor.recover()
    assert floor.broker.calls == ["open_orders"]
    floor.broker.fill(order.client_order_id, "0.1")
    floor.recover()
    assert "order" in floor.broker.calls
    assert floor.cycle.quantity == Decimal("0.09975")


@pytest.mark.parametrize(
    "trouble",
    [
        UnreadableRow("status is 'wachting': correct it"),
        RowLocked("another connection holds it locked"),
    ],
)
def test_an_asset_whose_rows_cannot_be_read_or_stay_locked_does_not_stop_the_others(
    trouble: DcaError,
) -> None:
    class HalfThere(MemoryStore):
        @contextmanager
        def transaction(self, asset_id: int) -> Iterator[Any]:
            if asset_id in troubled:
                raise trouble
            with super().transaction(asset_id) as tx:
                yield tx

    troubled: set[int] = set()
    floor = Floor(at_once=False)
    coins = ["BTC/USD", "ETH/USD"]
    store = HalfThere(
        [an_asset(asset_id=n, symbol=each) for n, each in enumerate(coins, 1)], clock=floor.clock
    )
    trader = Trader(store, floor.broker, floor.clock, {each: rules_of(each) for each in coins})
    for asset_id, symbol in enumerate(coins, 1):
        trader.books.open_cycle(asset_id)
        state: AssetState = store.assets()[asset_id - 1]
        trader.on_quote(state, floor.broker.quote(symbol, 100, 100))
    troubled.add(1)
    assert len(recover(trader.books, store, floor.broker).stuck) == 1
    cycle = store.assets()[1].cycle
    assert cycle is not None
    assert cycle.quantity == Decimal("0.1995")
    troubled.clear()
    assert recover(trader.books, store, floor.broker).stuck == ()


def test_an_order_in_words_that_nobody_knows_does_not_stop_the_others() -> None:
    floor = Floor(at_once=False)
    coins = ["BTC/USD", "ETH/USD"]
    store = MemoryStore(
        [an_asset(asset_id=n, symbol=each) for n, each in enumerate(coins, 1)], clock=floor.clock
    )
    trader = Trader(store, floor.broker, floor.clock, {each: rules_of(each) for each in coins})
    for asset_id, symbol in enumerate(coins, 1):
        trader.books.open_cycle(asset_id)
        state: AssetState = store.assets()[asset_id - 1]
        trader.on_quote(state, floor.broker.quote(symbol, 100, 100))
    floor.broker.fail("order", Unreadable("unknown order status 'frobnicated'"))
    [stuck] = recover(trader.books, store, floor.broker).stuck
    assert "frobnicated" in stuck
    first, second = (state.cycle for state in store.assets())
    assert first is not None
    assert first.status is CycleStatus.BUYING
    assert second is not None
    assert second.quantity == Decimal("0.1995")


# -- power cuts at every point


class PowerCut(BaseException):
    """The process is gone, at once; nothing in it may react."""


class Fuse:
    """Blows when it is used for the n-th time: the process dies, or is told of some trouble."""

    def __init__(self, blows_at: int, *, is_deadly: bool = True) -> None:
        self.blows_at = blows_at
        self.is_deadly = is_deadly
        self.used = 0

    def use(self, trouble: DcaError) -> None:
        self.used += 1
        if self.used == self.blows_at:
            raise PowerCut if self.is_deadly else trouble


class FusedBroker(FakeBroker):
    """An exchange that goes on while our side of a call may die before it or after it."""

    def __init__(self, fuse: Fuse, **options: Any) -> None:
        super().__init__(**options)
        self._fuse = fuse

    def submit(self, order: Order, symbol: str) -> OrderUpdate:
        self._fuse.use(BrokerUnavailable("not sent"))
        update = super().submit(order, symbol)
        self._fuse.use(OrderOutcomeUnknown("no answer"))
        return update

    def order(self, client_order_id: str) -> OrderUpdate | None:
        self._fuse.use(BrokerUnavailable("no answer"))
        return super().order(client_order_id)

    def holdings(self, *, urgent: bool = False) -> Any:
        self._fuse.use(BrokerUnavailable("no answer"))
        return super().holdings(urgent=urgent)


class FusedStore(MemoryStore):
    """Books that survive: the process may die before a transaction, before or after its commit."""

    def __init__(self, fuse: Fuse, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._fuse = fuse

    @contextmanager
    def transaction(self, asset_id: int) -> Iterator[Any]:
        self._fuse.use(StoreUnavailable("gone"))
        with super().transaction(asset_id) as tx:
            yield tx
            self._fuse.use(StoreUnavailable("gone before the commit"))
        self._fuse.use(StoreUnavailable("gone, and nobody knows whether it was committed"))


STORY = (100, 98, 96, 110, 107, 109)  # base, two safety orders, take profit, restart, take profit
EXPECTED = [BASE, SAFETY, SAFETY, TAKE_PROFIT, BASE, TAKE_PROFIT]


class Life:
    """The story told with one trouble in it, and what follows one: asking Alpaca."""

    def __init__(self, fuse: Fuse, *, at_once: bool) -> None:
        self.floor = Floor(at_once=False, broker=FusedBroker(fuse))
        self.floor.store = FusedStore(fuse, [self.floor.asset], clock=self.floor.clock)
        self.fuse = fuse
        self.at_once = at_once
        self.troubles = 0
        self.most_open_at_once = 0
        self.start()

    def start(self) -> None:
        floor = self.floor
        floor.trader = Trader(floor.store, floor.broker, floor.clock, floor.rules)
        floor.tells_at_once(self.at_once)

    def live(self) -> None:
        self.surviving(lambda: self.floor.trader.books.open_cycle(1))
        for price in STORY:
            for _ in range(3):  # quotes come again and again
                self.surviving(lambda price=price: self.see(price))
        self.fuse.blows_at = 0

    def see(self, price: int) -> None:
        floor = self.floor
        heard = len(floor.broker.updates)
        floor.trader.books.open_cycle(1)
        floor.see(price)
        if not self.at_once:
            for update in floor.broker.updates[heard:]:
                floor.hear(update)

    def surviving(self, act: Callable[[], object]) -> None:
        with suppress(PowerCut, DcaError):
            act()
            self.audit()
            return
        self.troubles += 1
        self.audit()
        if self.fuse.is_deadly:
            self.start()
        self.floor.recover()
        self.audit()

    def audit(self) -> None:
        """Whatever happened: never two open orders."""
        self.most_open_at_once = max(self.most_open_at_once, len(self.floor.broker.open_orders()))


@pytest.mark.parametrize("is_deadly", [True, False], ids=["power-cut", "trouble"])
@pytest.mark.parametrize("at_once", [True, False], ids=["heard-at-once", "heard-later"])
def test_whatever_fails_at_any_point_no_fill_is_lost_and_no_order_placed_twice(
    at_once: bool, is_deadly: bool
) -> None:
    points = 0
    while True:
        points += 1
        life = Life(Fuse(points, is_deadly=is_deadly), at_once=at_once)
        life.live()
        floor = life.floor
        assert floor.kinds_sent == EXPECTED, f"it failed at point {points}"
        assert life.most_open_at_once <= 1
        assert floor.store.live_orders() == []
        assert floor.cycle.status is CycleStatus.COOLDOWN
        assert floor.asset.last_sell_price == 109
        assert floor.held == 0
        if not life.troubles:  # the story ended before the fuse blew
            break
    assert points > 50


@pytest.mark.parametrize("at_once", [True, False], ids=["heard-at-once", "heard-later"])
def test_every_power_cut_leaves_books_that_a_restart_brings_to_what_alpaca_holds(
    at_once: bool,
) -> None:
    blows_at = 0
    while True:
        blows_at += 1
        life = Life(Fuse(blows_at), at_once=at_once)
        with suppress(PowerCut):
            life.floor.trader.books.open_cycle(1)
            for price in STORY[:3]:
                life.see(price)
            break  # the story ended before the fuse blew
        life.start()
        life.floor.recover()
        held = life.floor.state.cycle.quantity if life.floor.state.cycle else Decimal(0)
        assert held == life.floor.held, f"power cut at point {blows_at}"
    assert blows_at > 20


# -- an order that dca_orders lacks


def placed_by_hand(floor: Floor, kind: OrderKind, quantity: str) -> OrderUpdate:
    """An order that no row tells of, and the cycle waits for it."""
    floor.quote(100)
    limit = None if kind is TAKE_PROFIT else Decimal(100)
    order = replace(
        new_order(floor.cycle, kind, quantity=Decimal(quantity), limit_price=limit, now=NOW),
        client_order_id="by-hand",
    )
    update = floor.broker.submit(order, floor.asset.symbol)
    status = CycleStatus.SELLING if kind is TAKE_PROFIT else CycleStatus.BUYING
    floor.put_cycle(status=status, latest_order_id=update.alpaca_order_id)
    return update


def test_a_buy_of_a_cycle_that_was_written_by_hand_is_booked_once_it_has_ended() -> None:
    floor = deaf_floor()
    order = placed_by_hand(floor, BASE, "0.2")
    assert floor.recover() == Recovered(asked=1, ended=0, in_doubt=())
    assert floor.cycle.status is CycleStatus.BUYING
    floor.broker.fill(order.client_order_id)
    assert floor.recover() == Recovered(asked=1, ended=1, in_doubt=())
    assert floor.cycle.quantity == floor.held > 0
    assert (floor.cycle.status, floor.cycle.latest_order_id) == (CycleStatus.WATCHING, None)
    assert floor.recover() == Recovered(0, 0, ())


def test_a_sale_of_a_cycle_that_was_written_by_hand_completes_it() -> None:
    floor = deaf_floor()
    floor.broker.hold("BTC/USD", "0.2", 100)
    floor.put_cycle(quantity="0.2", average_purchase_price="100", last_order_fill_price="100")
    order = placed_by_hand(floor, TAKE_PROFIT, "0.2")
    floor.broker.fill(order.client_order_id)
    floor.recover()
    assert floor.cycle_of(floor.order("by-hand")).status is CycleStatus.COMPLETE
    assert floor.cycle.status is CycleStatus.COOLDOWN


def test_an_order_that_alpaca_does_not_know_is_left_to_the_consistency_checker() -> None:
    floor = deaf_floor()
    floor.put_cycle(status=CycleStatus.BUYING, latest_order_id="no-such-order")
    assert floor.recover() == Recovered(asked=1, ended=0, in_doubt=())
    assert floor.cycle.status is CycleStatus.BUYING


def test_trouble_with_an_order_that_was_written_by_hand_stops_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    floor = deaf_floor()
    placed_by_hand(floor, BASE, "0.2")

    def garbage(alpaca_order_id: str) -> OrderUpdate:
        raise Unreadable(f"{alpaca_order_id}: garbage")

    monkeypatch.setattr(floor.broker, "order_by_id", garbage)
    assert floor.recover().stuck[0].startswith("BTC/USD (")
