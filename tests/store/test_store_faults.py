"""Connections that die, servers that restart, users that may not: nothing lost, and good advice."""

import signal
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from types import FrameType
from typing import NoReturn

import pytest

from dca_bot.core.model import CycleStatus
from dca_bot.program.errors import DcaError, StoreUnavailable
from dca_bot.program.settings import DatabaseSettings
from dca_bot.store.connection import ANSWER_SECONDS, Session
from dca_bot.store.mysql_store import MySqlStore
from tests.helpers import eventually
from tests.servers import Server
from tests.store.sql_helpers import MySqlWorld
from tests.store.store_contract import active_cycle, make_order, start_cycle

STEPS = ["before the order", "before the cycle", "before the commit"]


def kill_all(world: MySqlWorld) -> None:
    """Kill every connection to this database but our own, and wait until they are gone."""
    world.sql.kill(world.sql.connections())
    eventually(lambda: not world.sql.connections())


@pytest.mark.parametrize("step", [None, *STEPS])
def test_a_connection_killed_before_any_statement_loses_and_doubles_nothing(
    mysql_world: MySqlWorld, mysql_store: MySqlStore, step: str | None
) -> None:
    cycle = start_cycle(mysql_store)
    buying = replace(cycle, status=CycleStatus.BUYING)

    def place(fault: str | None) -> None:
        def kill_at(name: str) -> None:
            if name == fault:
                kill_all(mysql_world)

        with mysql_store.transaction(1) as tx:
            kill_at("before the order")
            tx.add_order(make_order(cycle))
            kill_at("before the cycle")
            tx.save_cycle(cycle, buying)
            kill_at("before the commit")

    if step is None:
        kill_all(mysql_world)  # before the first statement: nobody notices
        place(None)
    else:
        with pytest.raises(StoreUnavailable, match="lost"):
            place(step)
        assert mysql_store.live_orders() == []
        assert active_cycle(mysql_store) == cycle
        place(None)  # and the whole piece of work is simply done again
    assert mysql_store.live_orders() == [make_order(cycle)]
    assert active_cycle(mysql_store) == buying


@pytest.mark.parametrize(
    "read",
    [MySqlStore.assets, MySqlStore.live_orders, lambda store: store.order("dca-1-base-1")],
    ids=["assets", "live orders", "order"],
)
def test_idle_connections_that_died_are_replaced_unnoticed(
    mysql_world: MySqlWorld, mysql_store: MySqlStore, read: Callable[[MySqlStore], object]
) -> None:
    with mysql_store.transaction(1), mysql_store.transaction(2):
        pass  # two idle connections
    before = read(mysql_store)
    kill_all(mysql_world)
    assert read(mysql_store) == before


def test_connections_closed_after_wait_timeout_are_replaced_unnoticed(
    mysql_world: MySqlWorld, database: DatabaseSettings
) -> None:
    mysql_world.sql.run("SET GLOBAL wait_timeout = 1")
    try:
        with MySqlStore(database) as store:
            assert store.assets() == []
            eventually(lambda: not mysql_world.sql.connections())
            assert store.assets() == []
    finally:
        mysql_world.sql.run("SET GLOBAL wait_timeout = DEFAULT")


def test_a_restarted_server_is_found_again(
    database_server: Server,
    mysql_world: MySqlWorld,
    mysql_store: MySqlStore,
    database: DatabaseSettings,
) -> None:
    # what was committed must be on the disk when the server is killed
    mysql_world.sql.run("SET GLOBAL innodb_flush_log_at_trx_commit = 1")
    cycle = start_cycle(mysql_store)
    buying = replace(cycle, status=CycleStatus.BUYING)

    def begin_before_and_end_after() -> None:
        with mysql_store.transaction(1) as tx:
            tx.save_cycle(cycle, buying)
            database_server.halt()

    with pytest.raises(StoreUnavailable):
        begin_before_and_end_after()
    with pytest.raises(StoreUnavailable, match="DB_HOST"):
        mysql_store.assets()
    database_server.resume()
    assert active_cycle(mysql_store) == cycle
    with mysql_store.transaction(1) as tx:
        tx.save_cycle(cycle, buying)
    assert active_cycle(mysql_store) == buying
    mysql_world.sql = type(mysql_world.sql)(database)


@pytest.mark.usefixtures("mysql_store")
def test_a_statement_cut_short_by_a_signal_leaves_no_half_read_connection(
    database: DatabaseSettings,
) -> None:
    class CutShort(BaseException):
        pass

    def cut_short(_number: int, _frame: FrameType | None) -> NoReturn:
        raise CutShort

    def wait_for_the_row(store: MySqlStore) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        with store.transaction(1):
            pass

    previous = signal.signal(signal.SIGALRM, cut_short)
    with MySqlStore(database, lock_wait_seconds=30) as store:
        try:
            with closing(Session(database, 5)) as by_hand:
                by_hand.rows("SELECT id FROM dca_assets WHERE id = 1 FOR UPDATE")
                with pytest.raises(CutShort):
                    wait_for_the_row(store)
        finally:
            signal.signal(signal.SIGALRM, previous)
        assert [state.asset.asset_id for state in store.assets()] == [1, 2]
        assert start_cycle(store) == active_cycle(store)


def test_an_answer_that_comes_too_late_is_not_taken_for_the_next_one(
    mysql_store: MySqlStore, database: DatabaseSettings
) -> None:
    with MySqlStore(database, lock_wait_seconds=3 * ANSWER_SECONDS) as store:
        with closing(Session(database, 5)) as by_hand:
            by_hand.rows("SELECT id FROM dca_assets WHERE id = 1 FOR UPDATE")
            with pytest.raises(StoreUnavailable), store.transaction(1):
                pass
        # now the row comes, and nobody waits for it any more
        assert [state.asset.asset_id for state in store.assets()] == [1, 2]
        assert start_cycle(store) == active_cycle(mysql_store)


# -- what a user did wrong in the settings --


@pytest.fixture
def guest(mysql_world: MySqlWorld, database: DatabaseSettings) -> Iterator[DatabaseSettings]:
    """A user who may connect, and hardly anything else."""
    mysql_world.sql.create_user("guest", "open sesame", database.name, "CREATE")
    yield replace(database, user="guest", password="open sesame")
    mysql_world.sql.drop_user("guest")


def complaint(settings: DatabaseSettings) -> str:
    with MySqlStore(settings) as store, pytest.raises(DcaError) as caught:
        store.assets()
    assert not settings.password or settings.password not in str(caught.value)
    return str(caught.value)


def test_each_mistake_in_the_settings_has_its_own_advice(
    mysql_world: MySqlWorld,
    database: DatabaseSettings,
    empty_database: DatabaseSettings,
    guest: DatabaseSettings,
) -> None:
    mysql_world.sql.run("CREATE DATABASE IF NOT EXISTS without_tables")
    advice = {
        complaint(replace(database, password="wrong")): "DB_PASSWORD",
        complaint(replace(database, name="no_such_db")): "CREATE DATABASE `no_such_db`",
        complaint(replace(guest, name="without_tables")): "correct DB_NAME, or",
        complaint(guest): "run GRANT SELECT, INSERT, UPDATE ON",
        complaint(replace(database, name="without_tables")): "sql/schema.sql",
        complaint(replace(database, port=1)): "DB_HOST and DB_PORT",
        complaint(replace(database, host="no.such.host.invalid")): "no.such.host.invalid",
    }
    mysql_world.sql.run("DROP DATABASE without_tables")
    assert len(advice) == 7
    for message, expected in advice.items():
        assert expected in message


def test_a_server_that_cannot_write_is_unavailable_not_broken(
    mysql_world: MySqlWorld,
    mysql_store: MySqlStore,
    guest: DatabaseSettings,
    database: DatabaseSettings,
) -> None:
    cycle = start_cycle(mysql_store)
    mysql_world.sql.grant("guest", database.name, "SELECT", "INSERT", "UPDATE", "DELETE")
    mysql_world.sql.run("SET GLOBAL read_only = ON")
    try:
        with MySqlStore(guest) as store:
            assert active_cycle(store) == cycle
            with pytest.raises(StoreUnavailable, match="can't write"):
                start_cycle(store, 2)
    finally:
        mysql_world.sql.run("SET GLOBAL read_only = OFF")
    assert active_cycle(mysql_store, 2) is None
