"""Two at a time on a real server: what a lock in memory could never show."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal

import pytest

from dca_bot.core.model import CycleStatus
from dca_bot.program.errors import CycleChanged, RowLocked
from dca_bot.program.settings import DatabaseSettings
from dca_bot.store.connection import Session
from dca_bot.store.mysql_store import MySqlStore
from tests.helpers import eventually
from tests.store.sql_helpers import MySqlWorld
from tests.store.store_contract import (
    active_cycle,
    make_cycle,
    make_order,
    start_cycle,
    start_order,
)

LOCK_WAITS = "SHOW GLOBAL STATUS LIKE 'Innodb_row_lock_current_waits'"  # name and value
LOCK_CYCLE = "SELECT id FROM dca_cycles WHERE id = %s FOR UPDATE"
TOUCH_ASSET = "UPDATE dca_assets SET cooldown_period = cooldown_period + 1 WHERE id = 1"
TOUCH_CYCLE = "UPDATE dca_cycles SET safety_orders = safety_orders + 1 WHERE id = %s"


@pytest.fixture
def patient_store(database: DatabaseSettings, mysql_store: MySqlStore) -> Iterator[MySqlStore]:
    """Another process's store, as it were, that waits long enough for any lock."""
    with MySqlStore(database, lock_wait_seconds=30) as store:
        yield store


@pytest.fixture
def rival_store(database: DatabaseSettings, mysql_store: MySqlStore) -> Iterator[MySqlStore]:
    """A third one, as patient: who loses a race must never be taken for who waited too long."""
    with MySqlStore(database, lock_wait_seconds=30) as store:
        yield store


def in_thread(work: Callable[[], object]) -> Future[object]:
    pool = ThreadPoolExecutor(1)
    future = pool.submit(work)
    pool.shutdown(wait=False)
    return future


def wait_for_a_lock_wait(world: MySqlWorld) -> None:
    eventually(lambda: world.sql.rows(LOCK_WAITS)[0][1] != "0")


def hold_cycle(by_hand: Session, cycle_id: int) -> None:
    # of two deadlocked transactions the server ends the one that has changed less
    for _ in range(20):
        by_hand.write(TOUCH_CYCLE, (cycle_id,))


def test_the_lock_makes_the_second_wait_and_see_what_the_first_wrote(
    mysql_world: MySqlWorld, mysql_store: MySqlStore, patient_store: MySqlStore
) -> None:
    cycle = start_cycle(mysql_store)

    def second() -> Decimal | None:
        with patient_store.transaction(1) as tx:
            return tx.cycle.quantity if tx.cycle else None

    with mysql_store.transaction(1) as tx:
        seen = in_thread(second)
        wait_for_a_lock_wait(mysql_world)
        tx.save_cycle(cycle, replace(cycle, quantity=Decimal(5)))
    assert seen.result(timeout=30) == 5


@pytest.mark.parametrize("round_number", range(10))
def test_of_two_that_race_for_an_order_exactly_one_wins(
    mysql_store: MySqlStore,
    patient_store: MySqlStore,
    rival_store: MySqlStore,
    round_number: int,
) -> None:
    cycle = start_cycle(mysql_store)
    start = threading.Barrier(2)

    def place(store: MySqlStore, number: int) -> bool:
        start.wait(30)
        try:
            with store.transaction(1) as tx:
                tx.add_order(make_order(cycle, number))
                tx.save_cycle(cycle, replace(cycle, status=CycleStatus.BUYING))
        except CycleChanged:
            return False
        return True

    first = in_thread(lambda: place(rival_store, 1))
    second = in_thread(lambda: place(patient_store, 2))
    outcomes = [first.result(timeout=30), second.result(timeout=30)]
    assert sorted(outcomes) == [False, True], round_number
    winner = make_order(cycle, 1 + outcomes.index(True))
    assert mysql_store.live_orders() == [winner]


def test_of_two_that_race_for_a_cycle_exactly_one_wins(
    patient_store: MySqlStore, rival_store: MySqlStore
) -> None:
    start = threading.Barrier(2)

    def begin(store: MySqlStore) -> bool:
        start.wait(30)
        try:
            start_cycle(store)
        except CycleChanged:
            return False
        return True

    outcomes = [in_thread(lambda s=s: begin(s)) for s in (rival_store, patient_store)]
    assert sorted(bool(each.result(timeout=30)) for each in outcomes) == [False, True]


def test_a_change_by_hand_after_the_read_is_not_overwritten(
    mysql_world: MySqlWorld, mysql_store: MySqlStore
) -> None:
    read = start_cycle(mysql_store)
    mysql_world.sql.run("UPDATE dca_cycles SET quantity = 3")
    with pytest.raises(CycleChanged), mysql_store.transaction(1) as tx:
        tx.save_cycle(read, replace(read, status=CycleStatus.BUYING))


def test_many_threads_add_up(mysql_store: MySqlStore, patient_store: MySqlStore) -> None:
    start_cycle(mysql_store)

    def count_to_twenty() -> None:
        for _ in range(20):
            with patient_store.transaction(1) as tx:
                assert tx.cycle
                more = replace(tx.cycle, safety_orders=tx.cycle.safety_orders + 1)
                tx.save_cycle(tx.cycle, more)

    for each in [in_thread(count_to_twenty) for _ in range(5)]:
        each.result(timeout=30)
    cycle = active_cycle(mysql_store)
    assert cycle
    assert cycle.safety_orders == 100


def test_other_assets_never_wait(mysql_store: MySqlStore) -> None:
    # whoever waits here longer than a second gets StoreUnavailable
    with mysql_store.transaction(1) as tx:
        mine = tx.add_cycle(make_cycle(1))
        tx.add_order(make_order(mine))
        with mysql_store.transaction(2) as other:
            theirs = other.add_cycle(make_cycle(2))
            other.add_order(make_order(theirs))
            other.save_cycle(theirs, replace(theirs, status=CycleStatus.BUYING))
            other.set_last_sell_price(Decimal(1))
        assert [state.cycle and state.cycle.status for state in mysql_store.assets()] == [
            None,
            CycleStatus.BUYING,
        ]
    assert {order.cycle_id for order in mysql_store.live_orders()} == {
        mine.cycle_id,
        theirs.cycle_id,
    }


def test_reading_never_waits(mysql_store: MySqlStore) -> None:
    cycle = start_cycle(mysql_store)
    order = start_order(mysql_store, cycle)
    with mysql_store.transaction(1) as tx:
        tx.save_cycle(cycle, replace(cycle, status=CycleStatus.BUYING))
        assert mysql_store.assets()[0].cycle == cycle
        assert mysql_store.live_orders() == [order]
        assert mysql_store.order(order.client_order_id) == order


def test_a_row_that_stays_locked_is_given_up_with_advice(
    mysql_store: MySqlStore, database: DatabaseSettings
) -> None:
    cycle = start_cycle(mysql_store)
    by_hand = Session(database, 1)
    by_hand.rows(LOCK_CYCLE, (cycle.cycle_id,))
    with pytest.raises(RowLocked, match="PROCESSLIST"), mysql_store.transaction(1):
        pass
    with mysql_store.transaction(2) as tx:  # the others go on
        tx.add_cycle(make_cycle(2))
    by_hand.rollback()  # which is answered: then the lock is gone
    by_hand.close()
    assert _quantity_saved(mysql_store) == 9


def _quantity_saved(store: MySqlStore) -> Decimal | None:
    with store.transaction(1) as tx:
        assert tx.cycle
        tx.save_cycle(tx.cycle, replace(tx.cycle, quantity=Decimal(9)))
    cycle = active_cycle(store)
    return cycle.quantity if cycle else None


def test_a_lock_that_is_let_go_in_time_is_waited_for(
    mysql_world: MySqlWorld,
    mysql_store: MySqlStore,
    patient_store: MySqlStore,
    database: DatabaseSettings,
) -> None:
    cycle = start_cycle(mysql_store)
    by_hand = Session(database, 1)
    by_hand.write(TOUCH_CYCLE, (cycle.cycle_id,))
    saved = in_thread(lambda: _quantity_saved(patient_store))
    wait_for_a_lock_wait(mysql_world)
    by_hand.commit()
    assert saved.result(timeout=30) == 9
    after = active_cycle(mysql_store)
    assert after
    assert after.safety_orders == 1
    by_hand.close()


def test_a_deadlock_at_the_lock_is_repeated_unnoticed(
    mysql_world: MySqlWorld,
    mysql_store: MySqlStore,
    patient_store: MySqlStore,
    database: DatabaseSettings,
) -> None:
    cycle = start_cycle(mysql_store)
    by_hand = Session(database, 30)
    hold_cycle(by_hand, cycle.cycle_id)  # the user holds the cycle,
    saved = in_thread(lambda: _quantity_saved(patient_store))
    wait_for_a_lock_wait(mysql_world)  # the bot holds the asset and wants the cycle,
    by_hand.write(TOUCH_ASSET)  # and now the user wants the asset
    by_hand.commit()
    assert saved.result(timeout=30) == 9
    by_hand.close()


def test_a_deadlock_later_on_asks_for_reloading(
    mysql_world: MySqlWorld,
    mysql_store: MySqlStore,
    patient_store: MySqlStore,
    database: DatabaseSettings,
) -> None:
    done = start_cycle(mysql_store, status=CycleStatus.ERROR)
    by_hand = Session(database, 30)
    hold_cycle(by_hand, done.cycle_id)

    def reopen() -> None:
        with patient_store.transaction(1) as tx:
            tx.save_cycle(done, replace(done, status=CycleStatus.WATCHING))

    reopened = in_thread(reopen)
    wait_for_a_lock_wait(mysql_world)
    by_hand.write(TOUCH_ASSET)
    by_hand.commit()
    with pytest.raises(CycleChanged):
        reopened.result(timeout=30)
    assert active_cycle(mysql_store) is None
    by_hand.close()


def test_threads_share_no_more_connections_than_allowed(
    mysql_world: MySqlWorld, mysql_store: MySqlStore, database: DatabaseSettings
) -> None:
    start_cycle(mysql_store)
    before = len(mysql_world.sql.connections())
    with MySqlStore(database, pool_size=2, lock_wait_seconds=30) as small:
        for each in [in_thread(lambda: _quantity_saved(small)) for _ in range(12)]:
            each.result(timeout=30)
        assert len(mysql_world.sql.connections()) <= before + 2
