"""What every store promises, run on each of them; a `world` gives a test its store.

Rule: nothing here knows which store it talks to.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, Protocol

import pytest

from dca_bot.core.model import (
    AfterStopLoss,
    Allowed,
    Asset,
    Cycle,
    CycleStatus,
    Order,
    OrderKind,
    OrderStatus,
)
from dca_bot.core.records import CycleResult, Event, EventKind
from dca_bot.program.errors import CycleChanged
from dca_bot.trading.ports import Store

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SMALLEST = Decimal("0.000000000000001")
LARGEST = Decimal("999999999999999.999999999999999")


class World(Protocol):
    """A store, and the user who edits `dca_assets` by SQL."""

    store: Store

    def put_asset(self, asset: Asset) -> None: ...

    def delete_asset(self, asset_id: int) -> None: ...

    def events(self) -> list[tuple[str, str]]:
        """Symbol and sentence of each."""

    def results(self) -> list[tuple[int, Decimal, Decimal | None]]:
        """Cycle, fees and net of each."""


def make_asset(asset_id: int = 1, **changes: Any) -> Asset:
    asset = Asset(
        asset_id=asset_id,
        symbol=f"COIN{asset_id}/USD",
        is_enabled=True,
        base_order_amount=Decimal("20.5"),
        safety_order_amount=Decimal("0.0000000001"),
        max_safety_orders=5,
        safety_order_deviation_pct=Decimal("1.5"),
        take_profit_pct=Decimal("0.0001"),
        cooldown_seconds=300,
        restart_deviation_pct=Decimal("999999.9999"),
        last_sell_price=None,
    )
    return replace(asset, **changes)


def make_cycle(asset_id: int = 1, **changes: Any) -> Cycle:
    return replace(Cycle(0, asset_id, CycleStatus.WATCHING), **changes)


FULL = {
    "status": CycleStatus.SELLING,
    "quantity": LARGEST,
    "average_purchase_price": Decimal("9999999999.9999999999"),
    "safety_orders": 4,
    "latest_order_id": 'it\'s "quoted" \\ with % and \u20bf \U0001f600',
    "last_order_fill_price": Decimal("0.0000000001"),
    "completed_at": NOON,
    "fee_rate": Decimal("0.0018"),
    "highest_bid": Decimal("0.0000000001"),
    "stop_loss_since": NOON + timedelta(microseconds=1),
}
# Every column of an asset that is off by default.
TURNED_ON = {
    "safety_order_volume_scale": Decimal("1.5"),
    "safety_order_step_scale": Decimal("0.9999"),
    "take_profit_after_fees": True,
    "trailing_pct": Decimal("0.5"),
    "stop_loss_pct": Decimal("99.9999"),
    "stop_loss_seconds": 60,
    "after_stop_loss": AfterStopLoss.COOLDOWN,
    "max_spread_pct": Decimal("0.0001"),
    "min_start_price": Decimal("0.0000000001"),
    "max_start_price": Decimal("9999999999.9999999999"),
    "allowed": Allowed.CYCLE,
    "allowed_before": Allowed.ALL,
}


def make_order(cycle: Cycle, number: int = 1, **changes: Any) -> Order:
    order = Order(
        client_order_id=f"dca-{cycle.asset_id}-{cycle.cycle_id}-{number}",
        asset_id=cycle.asset_id,
        cycle_id=cycle.cycle_id,
        kind=OrderKind.SAFETY,
        rung=number,
        quantity=Decimal("0.000311"),
        limit_price=Decimal("64120.5"),
        status=OrderStatus.INTENDED,
        created_at=NOON + timedelta(microseconds=number),
    )
    return replace(order, **changes)


def make_event(cycle: Cycle, **changes: Any) -> Event:
    sentence = "the ask is 100 \u2026"
    return replace(Event(NOON, cycle.cycle_id, EventKind.ORDERED, sentence), **changes)


def make_result(cycle: Cycle, **changes: Any) -> CycleResult:
    result = CycleResult(
        cycle_id=cycle.cycle_id,
        asset_id=cycle.asset_id,
        symbol="COIN1/USD",
        status=CycleStatus.COMPLETE,
        began_at=NOON,
        completed_at=NOON + timedelta(hours=1),
        safety_orders=2,
        max_safety_orders=5,
        cost=Decimal(60),
        proceeds=Decimal(61),
        fees=Decimal("0.3"),
        net=Decimal("0.7"),
        left_quantity=Decimal("-0.000000001"),
        drawdown_pct=Decimal("-2.5"),
        fees_are_known=False,
    )
    return replace(result, **changes)


def active_cycle(store: Store, asset_id: int = 1) -> Cycle | None:
    return next(state.cycle for state in store.assets() if state.asset.asset_id == asset_id)


def start_cycle(store: Store, asset_id: int = 1, **changes: Any) -> Cycle:
    with store.transaction(asset_id) as tx:
        return tx.add_cycle(make_cycle(asset_id, **changes))


def start_order(store: Store, cycle: Cycle, number: int = 1, **changes: Any) -> Order:
    order = make_order(cycle, number, **changes)
    with store.transaction(cycle.asset_id) as tx:
        tx.add_order(order)
    return order


def save(store: Store, before: Cycle, after: Cycle) -> None:
    with store.transaction(before.asset_id) as tx:
        tx.save_cycle(before, after)


class StoreContract:
    """Subclasses provide the fixture `world`."""

    @pytest.fixture
    def store(self, world: World) -> Store:
        world.put_asset(make_asset(1))
        world.put_asset(make_asset(2))
        return world.store

    # -- what is written comes back --

    @pytest.mark.parametrize("price", [None, Decimal("0.0000000001")])
    def test_every_field_of_an_asset_comes_back(self, world: World, price: Decimal | None) -> None:
        asset = make_asset(7, is_enabled=False, last_sell_price=price)
        world.put_asset(asset)
        with world.store.transaction(7) as tx:
            assert tx.asset == asset
        assert [state.asset for state in world.store.assets()] == [asset]

    def test_every_column_that_is_off_by_default_comes_back(self, world: World) -> None:
        asset = make_asset(7, **TURNED_ON)
        world.put_asset(asset)
        assert [state.asset for state in world.store.assets()] == [asset]

    def test_how_far_an_asset_may_go_is_kept(self, store: Store) -> None:
        with store.transaction(1) as tx:
            tx.set_allowed(Allowed.EXIT, Allowed.CYCLE)
        assets = [state.asset for state in store.assets()]
        assert [each.allowed for each in assets] == [Allowed.EXIT, Allowed.ALL]
        assert [each.allowed_before for each in assets] == [Allowed.CYCLE, None]
        with store.transaction(1) as tx:
            tx.set_allowed(Allowed.ALL)
            tx.count_losses_from(NOON)
        assert store.assets()[0].asset.allowed_before is None

    def test_every_field_of_a_new_cycle_comes_back(self, store: Store) -> None:
        cycle = start_cycle(store, **FULL, created_at=NOON - timedelta(days=1))
        expected = make_cycle(cycle_id=cycle.cycle_id, **FULL, created_at=NOON - timedelta(days=1))
        assert cycle == expected
        assert active_cycle(store) == expected

    def test_every_field_of_a_saved_cycle_comes_back(self, store: Store) -> None:
        before = start_cycle(store)
        save(store, before, replace(before, **FULL))
        assert active_cycle(store) == replace(before, **FULL)
        save(store, replace(before, **FULL), before)
        assert active_cycle(store) == before

    def test_a_new_cycle_says_when_it_was_created(self, store: Store) -> None:
        cycle = start_cycle(store)
        assert cycle.created_at is not None
        assert cycle.created_at.utcoffset() == timedelta(0)

    @pytest.mark.parametrize(
        "changes",
        [
            {},
            {"kind": OrderKind.TAKE_PROFIT, "limit_price": None, "rung": 0},
            {
                "status": OrderStatus.CANCELED,
                "alpaca_order_id": "b0b6dd9d-8b9b-48a9-ba46-b9d54906e415",
                "quantity": LARGEST,
                "filled_quantity": SMALLEST,
                "filled_average_price": Decimal("0.0000000001"),
                "received_quantity": SMALLEST,
                "quantity_before": Decimal(0),
                "average_before": Decimal("9999999999.9999999999"),
            },
        ],
    )
    def test_every_field_of_an_order_comes_back(
        self, store: Store, changes: dict[str, Any]
    ) -> None:
        order = start_order(store, start_cycle(store), **changes)
        with store.transaction(1) as tx:
            assert tx.order(order.client_order_id) == order
        assert store.order(order.client_order_id) == order

    def test_every_field_of_a_saved_order_comes_back(self, store: Store) -> None:
        before = start_order(store, start_cycle(store))
        after = replace(
            before,
            status=OrderStatus.FILLED,
            alpaca_order_id="b0b6",
            filled_quantity=Decimal("0.000311"),
            filled_average_price=Decimal("64120.4"),
            received_quantity=Decimal("0.0003102225"),
            quantity_before=SMALLEST,
            average_before=Decimal(1),
            fee=Decimal("0.05"),
            fee_is_known=True,
        )
        with store.transaction(1) as tx:
            tx.save_order(before, after)
        assert store.order(before.client_order_id) == after

    def test_sells_wait_for_their_fee_once_they_have_ended_until_it_is_reported(
        self, store: Store
    ) -> None:
        cycle = start_cycle(store)
        sold = {"kind": OrderKind.TAKE_PROFIT, "filled_quantity": Decimal(1)}
        waits = make_order(cycle, 1, status=OrderStatus.FILLED, **sold)
        early = timedelta(seconds=1)
        with store.transaction(1) as tx:
            tx.add_order(waits)
            tx.add_order(make_order(cycle, 2, status=OrderStatus.CANCELED, kind=sold["kind"]))
            tx.add_order(make_order(cycle, 3, status=OrderStatus.FILLED))
            tx.add_order(make_order(cycle, 4, status=OrderStatus.OPEN, **sold))
        assert store.sells_of_estimated_fee(waits.created_at - early) == [waits]
        assert store.sells_of_estimated_fee(waits.created_at + early) == []
        with store.transaction(1) as tx:
            tx.save_order(waits, replace(waits, fee_is_known=True))
        assert store.sells_of_estimated_fee(waits.created_at - early) == []

    def test_times_of_other_zones_come_back_as_the_same_moment(self, store: Store) -> None:
        india = timezone(timedelta(hours=5, minutes=30))
        order = start_order(store, start_cycle(store), created_at=NOON.astimezone(india))
        stored = store.order(order.client_order_id)
        assert stored is not None
        assert stored.created_at == NOON

    def test_the_last_sell_price_is_kept(self, store: Store) -> None:
        with store.transaction(1) as tx:
            tx.set_last_sell_price(Decimal("64120.5"))
        prices = [state.asset.last_sell_price for state in store.assets()]
        assert prices == [Decimal("64120.5"), None]

    # -- transactions --

    def test_nothing_is_seen_before_the_block_ends(self, store: Store) -> None:
        with store.transaction(1) as tx:
            cycle = tx.add_cycle(make_cycle())
            tx.add_order(make_order(cycle))
            assert active_cycle(store) is None
            assert store.live_orders() == []
            assert tx.live_order() == make_order(cycle)
            assert tx.cycle_by_id(cycle.cycle_id) == cycle
        assert active_cycle(store) == cycle
        assert store.live_orders() == [make_order(cycle)]

    def test_the_last_order_is_the_one_that_was_intended_last(self, store: Store) -> None:
        with store.transaction(1) as tx:
            assert tx.last_order() is None
        cycle = start_cycle(store)
        for number in (3, 1, 2):
            start_order(store, cycle, number, status=OrderStatus.FILLED)
        start_order(store, start_cycle(store, 2), 9)
        with store.transaction(1) as tx:
            last = tx.last_order()
            assert last == make_order(cycle, 3, status=OrderStatus.FILLED)
            tx.add_order(make_order(cycle, 4))
            assert tx.last_order() == make_order(cycle, 4)

    def test_an_exception_undoes_everything(self, store: Store) -> None:
        cycle = start_cycle(store)

        def write_and_fail() -> None:
            with store.transaction(1) as tx:
                tx.add_order(make_order(cycle))
                tx.save_cycle(cycle, replace(cycle, status=CycleStatus.BUYING))
                tx.set_last_sell_price(Decimal(1))
                assert tx.live_order() is not None  # it has all reached the books by now
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            write_and_fail()
        assert active_cycle(store) == cycle
        assert store.live_orders() == []
        assert store.assets()[0].asset.last_sell_price is None

    def test_a_block_that_only_looked_leaves_the_asset_free(self, store: Store) -> None:
        for _ in range(3):
            with store.transaction(1) as tx:
                assert tx.cycle is None

    def test_an_asset_that_is_not_there_counts_as_changed(self, store: Store) -> None:
        with pytest.raises(CycleChanged, match="asset 99"), store.transaction(99):
            pass

    def test_a_deleted_asset_takes_its_cycles_along_and_leaves_its_orders(
        self, world: World, store: Store
    ) -> None:
        gone = start_order(store, start_cycle(store))
        kept = start_order(store, start_cycle(store, 2))
        world.delete_asset(1)
        assert [state.asset.asset_id for state in store.assets()] == [2]
        assert store.live_orders() == [gone, kept]
        assert store.order(gone.client_order_id) == gone
        with pytest.raises(CycleChanged, match="asset 1"), store.transaction(1):
            pass
        filled = replace(gone, status=OrderStatus.FILLED, filled_quantity=Decimal(1))
        store.keep_order(gone, filled)
        assert (store.live_orders(), store.order(gone.client_order_id)) == ([kept], filled)
        with pytest.raises(CycleChanged):
            store.keep_order(gone, filled)
        world.put_asset(make_asset(3))  # a row inserted later has nothing to do with it
        with store.transaction(3) as tx:
            assert (tx.cycle, tx.live_order(), tx.previous_cycle()) == (None, None, None)
            assert tx.cycle_by_id(gone.cycle_id) is None
            assert tx.orders_of_cycle(gone.cycle_id) == []

    def test_the_orders_of_a_cycle_come_oldest_first_and_without_others(self, store: Store) -> None:
        cycle = start_cycle(store)
        first = replace(make_order(cycle), status=OrderStatus.FILLED, fee=Decimal("0.05"))
        with store.transaction(1) as tx:
            tx.add_order(first)
            tx.save_cycle(cycle, replace(cycle, status=CycleStatus.COMPLETE, completed_at=NOON))
        other = start_order(store, start_cycle(store), number=2)
        with store.transaction(1) as tx:
            assert tx.orders_of_cycle(cycle.cycle_id) == [first]
            last = make_order(cycle, 3, status=OrderStatus.REJECTED)
            tx.add_order(last)
            assert tx.orders_of_cycle(cycle.cycle_id) == [first, last]
            assert tx.orders_of_cycle(other.cycle_id) == [other]

    @pytest.mark.parametrize("seen", ["100.33602015315269", "0.000000012345", "123456789012.5"])
    def test_a_price_that_a_column_cannot_hold_never_loses_what_happened(
        self, world: World, store: Store, seen: str
    ) -> None:
        event = replace(make_event(start_cycle(store)), price=Decimal(seen))
        with store.transaction(1) as tx:
            tx.add_event(event)
        assert [sentence for _, sentence in world.events()] == [event.sentence]

    def test_events_and_results_are_written_with_the_rest_or_not_at_all(
        self, world: World, store: Store
    ) -> None:
        cycle = start_cycle(store)
        event, result = make_event(cycle), make_result(cycle)

        def write_and_lose() -> None:
            with store.transaction(1) as tx:
                tx.add_event(event)
                tx.put_result(result)
                tx.add_cycle(make_cycle())

        with pytest.raises(CycleChanged):
            write_and_lose()
        assert (world.events(), world.results()) == ([], [])
        with store.transaction(1) as tx:
            tx.add_event(event)
            tx.put_result(result)
        again = replace(result, net=None, fees=Decimal("0.5"))
        with store.transaction(1) as tx:
            tx.put_result(again)
        world.delete_asset(1)
        assert world.events() == [("COIN1/USD", event.sentence)]
        assert world.results() == [(cycle.cycle_id, again.fees, None)]

    def test_coins_that_a_deleted_row_has_left_are_remembered_by_their_symbol(
        self, world: World, store: Store
    ) -> None:
        cycle = start_cycle(store)
        bought = replace(
            make_order(cycle, 1, status=OrderStatus.FILLED),
            filled_quantity=Decimal(2),
            received_quantity=Decimal("1.995"),
        )
        sold = make_order(cycle, 2, status=OrderStatus.FILLED, kind=OrderKind.TAKE_PROFIT)
        with store.transaction(1) as tx:
            tx.add_order(bought)
            tx.add_order(replace(sold, filled_quantity=Decimal("0.5")))
        with store.transaction(1) as tx:
            assert tx.left_behind() == 0
        symbol = tx.asset.symbol
        world.delete_asset(1)
        world.put_asset(make_asset(7, symbol=symbol))
        with store.transaction(7) as tx:
            assert tx.left_behind() == Decimal("1.495")
        with store.transaction(2) as tx:
            assert tx.left_behind() == 0

    def test_a_take_profit_is_one_transaction(self, store: Store) -> None:
        cycle = start_cycle(store, status=CycleStatus.SELLING, quantity=Decimal(1))
        order = start_order(store, cycle, kind=OrderKind.TAKE_PROFIT, limit_price=None)
        done = replace(cycle, status=CycleStatus.COMPLETE, quantity=Decimal(0), completed_at=NOON)
        with store.transaction(1) as tx:
            tx.save_order(order, replace(order, status=OrderStatus.FILLED))
            tx.save_cycle(cycle, done)
            tx.set_last_sell_price(Decimal(70_000))
            new = tx.add_cycle(make_cycle(status=CycleStatus.COOLDOWN))
            assert tx.previous_cycle() == done
            assert tx.live_order() is None
        state = store.assets()[0]
        assert (state.cycle, state.asset.last_sell_price) == (new, Decimal(70_000))
        with store.transaction(1) as tx:
            assert tx.previous_cycle() == done

    # -- compare and set --

    @pytest.mark.parametrize("field", FULL)
    def test_a_cycle_that_moved_is_not_overwritten(self, store: Store, field: str) -> None:
        read = start_cycle(store)
        moved = replace(read, **{field: FULL[field]})
        save(store, read, moved)
        with pytest.raises(CycleChanged):
            save(store, read, replace(read, status=CycleStatus.BUYING))
        assert active_cycle(store) == moved
        save(store, moved, read)  # from a value to NULL it is found, too
        assert active_cycle(store) == read

    @pytest.mark.parametrize("moved", [{"status": OrderStatus.OPEN}, {"filled_quantity": SMALLEST}])
    def test_an_order_that_moved_is_not_overwritten(
        self, store: Store, moved: dict[str, Any]
    ) -> None:
        read = start_order(store, start_cycle(store))
        with store.transaction(1) as tx:
            tx.save_order(read, replace(read, **moved))
        with pytest.raises(CycleChanged), store.transaction(1) as tx:
            tx.save_order(read, replace(read, status=OrderStatus.LOST))
        assert store.order(read.client_order_id) == replace(read, **moved)

    def test_what_goes_along_with_a_write_that_missed_is_undone(self, store: Store) -> None:
        cycle = start_cycle(store)
        with store.transaction(1) as tx:
            tx.save_cycle(cycle, replace(cycle, quantity=Decimal(5)))

        def order_and_miss() -> None:
            with store.transaction(1) as tx:
                tx.add_order(make_order(cycle))
                tx.save_cycle(cycle, replace(cycle, status=CycleStatus.BUYING))

        with pytest.raises(CycleChanged):
            order_and_miss()
        assert store.live_orders() == []

    def test_two_that_write_the_same_news_of_an_order_are_in_no_conflict(
        self, store: Store
    ) -> None:
        read = start_order(store, start_cycle(store))
        answered = replace(read, alpaca_order_id="alpaca-1")
        for _ in range(2):
            with store.transaction(1) as tx:
                tx.save_order(read, answered)
        assert store.order(read.client_order_id) == answered

    def test_saving_equal_values_is_no_change(self, store: Store) -> None:
        cycle = start_cycle(store)
        order = start_order(store, cycle)
        with store.transaction(1) as tx:
            tx.save_cycle(cycle, replace(cycle, quantity=Decimal("0.000")))
            tx.save_order(order, replace(order, quantity=order.quantity))
        assert active_cycle(store) == cycle

    def test_a_cycle_that_does_not_exist_is_not_saved(self, store: Store) -> None:
        ghost = make_cycle(cycle_id=4711)
        with pytest.raises(CycleChanged):
            save(store, ghost, replace(ghost, status=CycleStatus.BUYING))

    # -- what the database forbids --

    @pytest.mark.parametrize("status", [status for status in CycleStatus if status.is_active])
    def test_an_asset_has_one_active_cycle(self, store: Store, status: CycleStatus) -> None:
        cycle = start_cycle(store)
        with pytest.raises(CycleChanged):
            start_cycle(store, status=status)
        assert active_cycle(store) == cycle

    def test_a_finished_cycle_does_not_come_back_beside_an_active_one(self, store: Store) -> None:
        done = start_cycle(store, status=CycleStatus.ERROR)
        start_cycle(store)
        with pytest.raises(CycleChanged):
            save(store, done, replace(done, status=CycleStatus.WATCHING))

    def test_finished_cycles_do_not_count(self, store: Store) -> None:
        for status in (CycleStatus.COMPLETE, CycleStatus.ERROR, CycleStatus.COMPLETE):
            start_cycle(store, status=status)
        assert active_cycle(store) is None
        assert active_cycle(store, 2) is None
        assert start_cycle(store) == active_cycle(store)
        assert start_cycle(store, 2) == active_cycle(store, 2)

    @pytest.mark.parametrize("status", [OrderStatus.INTENDED, OrderStatus.OPEN])
    def test_an_asset_has_one_live_order(self, store: Store, status: OrderStatus) -> None:
        cycle = start_cycle(store)
        first = start_order(store, cycle, 1, status=status)
        with pytest.raises(CycleChanged):
            start_order(store, cycle, 2)
        other = start_order(store, start_cycle(store, 2), 3)
        assert store.live_orders() == [first, other]

    @pytest.mark.parametrize("status", [status for status in OrderStatus if status.is_finished])
    def test_a_finished_order_makes_room(self, store: Store, status: OrderStatus) -> None:
        cycle = start_cycle(store)
        first = start_order(store, cycle, 1)
        with store.transaction(1) as tx:
            tx.save_order(first, replace(first, status=status))
            tx.add_order(make_order(cycle, 2))
        assert store.live_orders() == [make_order(cycle, 2)]

    def test_a_lost_order_does_not_come_back_beside_a_live_one(self, store: Store) -> None:
        cycle = start_cycle(store)
        lost = start_order(store, cycle, 1, status=OrderStatus.LOST)
        start_order(store, cycle, 2)
        with pytest.raises(CycleChanged), store.transaction(1) as tx:
            tx.save_order(lost, replace(lost, status=OrderStatus.OPEN))

    def test_a_client_order_id_is_used_once(self, store: Store) -> None:
        cycle, other = start_cycle(store), start_cycle(store, 2)
        first = start_order(store, cycle, status=OrderStatus.REJECTED)
        for again in (first, replace(first, asset_id=2, cycle_id=other.cycle_id)):
            with pytest.raises(CycleChanged), store.transaction(again.asset_id) as tx:
                tx.add_order(again)

    def test_an_order_needs_its_cycle(self, store: Store) -> None:
        with pytest.raises(CycleChanged), store.transaction(1) as tx:
            tx.add_order(make_order(make_cycle(cycle_id=4711)))

    @pytest.mark.parametrize(
        "unfit",
        [
            {"quantity": 0.1},
            {"quantity": Decimal("0.0000000000000001")},
            {"quantity": Decimal(10) ** 15},
            {"quantity": Decimal("NaN")},
            {"average_purchase_price": Decimal("1.00000000001")},
            {"last_order_fill_price": Decimal(10) ** 10},
            {"completed_at": NOON + timedelta(microseconds=1)},
            {"completed_at": NOON.replace(tzinfo=None)},
            {"latest_order_id": "x" * 256},
            {"safety_orders": 2**31},
        ],
    )
    def test_what_a_column_cannot_hold_exactly_is_refused(
        self, store: Store, unfit: dict[str, Any]
    ) -> None:
        cycle = start_cycle(store)
        attempts: list[Callable[[], object]] = [
            lambda: save(store, cycle, replace(cycle, **unfit)),
            lambda: start_cycle(store, 2, **unfit),
        ]
        for attempt in attempts:
            with pytest.raises((TypeError, ValueError)):
                attempt()
        assert [state.cycle for state in store.assets()] == [cycle, None]

    def test_digits_after_the_point_may_be_superfluous_zeros(self, store: Store) -> None:
        cycle = start_cycle(store, quantity=Decimal("1.00000000000000000000"))
        assert cycle.quantity == 1

    # -- finding --

    def test_the_previous_cycle_is_the_one_completed_last(self, store: Store) -> None:
        with store.transaction(1) as tx:
            assert tx.previous_cycle() is None
        hours = {3: CycleStatus.COMPLETE, 1: CycleStatus.COMPLETE, 9: CycleStatus.ERROR}
        for hour, status in hours.items():
            start_cycle(store, status=status, completed_at=NOON + timedelta(hours=hour))
        start_cycle(store, status=CycleStatus.COMPLETE)  # by hand, without a time
        start_cycle(store, 2, status=CycleStatus.COMPLETE, completed_at=NOON + timedelta(days=1))
        start_cycle(store)
        with store.transaction(1) as tx:
            found = tx.previous_cycle()
        assert found is not None
        assert found.completed_at == NOON + timedelta(hours=3)

    def test_of_two_cycles_completed_in_one_second_the_newer_is_previous(
        self, store: Store
    ) -> None:
        start_cycle(store, status=CycleStatus.COMPLETE, completed_at=NOON)
        second = start_cycle(store, status=CycleStatus.COMPLETE, completed_at=NOON)
        with store.transaction(1) as tx:
            assert tx.previous_cycle() == second

    def test_a_completed_cycle_that_is_corrected_gives_way_to_the_one_before(
        self, store: Store
    ) -> None:
        first = start_cycle(store, status=CycleStatus.COMPLETE, completed_at=NOON)
        later = NOON + timedelta(hours=1)
        second = start_cycle(store, status=CycleStatus.COMPLETE, completed_at=later)
        save(store, second, replace(second, status=CycleStatus.ERROR))
        with store.transaction(1) as tx:
            assert tx.previous_cycle() == first

    def test_a_transaction_sees_its_own_asset_only(self, store: Store) -> None:
        mine = start_cycle(store)
        other = start_order(store, start_cycle(store, 2))
        with store.transaction(1) as tx:
            assert tx.cycle == mine
            assert tx.cycle_by_id(other.cycle_id) is None
            assert tx.order(other.client_order_id) is None
            assert tx.live_order() is None

    def test_finished_cycles_are_found_by_their_number(self, store: Store) -> None:
        done = start_cycle(store, status=CycleStatus.ERROR, completed_at=NOON)
        with store.transaction(1) as tx:
            assert tx.cycle_by_id(done.cycle_id) == done

    def test_an_unknown_order_is_none(self, store: Store) -> None:
        assert store.order("dca-1-base-1") is None
        with store.transaction(1) as tx:
            assert tx.order("dca-1-base-1") is None

    def test_client_order_ids_differ_by_case(self, store: Store) -> None:
        start_order(store, start_cycle(store), client_order_id="dca-1-base-x")
        assert store.order("dca-1-BASE-x") is None

    def test_live_orders_come_oldest_first(self, store: Store) -> None:
        younger = start_order(store, start_cycle(store, 1), 2)
        older = start_order(store, start_cycle(store, 2), 1)
        assert store.live_orders() == [older, younger]

    def test_assets_come_in_the_order_of_their_ids_disabled_ones_too(self, world: World) -> None:
        assets = [make_asset(3, is_enabled=False), make_asset(5), make_asset(11)]
        for asset in reversed(assets):
            world.put_asset(asset)
        assert [state.asset for state in world.store.assets()] == assets

    def test_an_edited_asset_counts_for_the_running_cycle(self, world: World, store: Store) -> None:
        cycle = start_cycle(store)
        edited = make_asset(1, is_enabled=False, take_profit_pct=Decimal("2.5"))
        world.put_asset(edited)
        with store.transaction(1) as tx:
            assert (tx.asset, tx.cycle) == (edited, cycle)

    def test_a_row_given_another_symbol_while_its_cycle_has_coins_has_a_problem(
        self, world: World, store: Store
    ) -> None:
        cycle = start_cycle(store, quantity=Decimal("0.5"))
        filled = {"status": OrderStatus.FILLED, "filled_quantity": Decimal("0.5")}
        start_order(store, cycle, **filled)
        assert store.assets()[0].problem == ""
        world.put_asset(make_asset(1, symbol="OTHER/USD"))
        [state, other] = store.assets()
        assert (state.cycle, state.bought_as, other.problem) == (cycle, "COIN1/USD", "")
        assert "set asset_symbol back to COIN1/USD" in state.problem
        world.put_asset(make_asset(1))
        assert store.assets()[0].problem == ""

    @pytest.mark.parametrize("status", [OrderStatus.INTENDED, OrderStatus.OPEN])
    def test_a_row_given_another_symbol_while_an_order_is_under_way_has_a_problem(
        self, world: World, store: Store, status: OrderStatus
    ) -> None:
        start_order(store, start_cycle(store), status=status)
        world.put_asset(make_asset(1, symbol="OTHER/USD"))
        assert "its cycle has an order of COIN1/USD" in store.assets()[0].problem

    def test_a_row_whose_cycle_has_nothing_may_be_given_another_symbol(
        self, world: World, store: Store
    ) -> None:
        before = start_cycle(store, status=CycleStatus.COMPLETE)
        filled = {"status": OrderStatus.FILLED, "filled_quantity": Decimal("0.5")}
        start_order(store, before, **filled)
        start_order(store, start_cycle(store), 2, status=OrderStatus.CANCELED)
        world.put_asset(make_asset(1, symbol="OTHER/USD"))
        assert store.assets()[0].problem == ""
