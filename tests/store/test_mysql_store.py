"""The store on a real MariaDB: the contract, and what only a database can show."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from dca_bot.core.model import CycleStatus, OrderStatus
from dca_bot.program.errors import UnreadableRow
from dca_bot.program.settings import DatabaseSettings
from dca_bot.store.assets import ALL_ASSETS, LOCK_ASSET, PREVIOUS_CYCLE
from dca_bot.store.mysql_store import MySqlStore
from dca_bot.store.orders import LIVE_ORDERS
from tests.store.sql_helpers import MySqlWorld
from tests.store.store_contract import (
    NOON,
    StoreContract,
    active_cycle,
    make_asset,
    make_event,
    make_result,
    start_cycle,
    start_order,
)


@pytest.fixture
def world(mysql_world: MySqlWorld) -> MySqlWorld:
    return mysql_world


@pytest.fixture
def store(mysql_store: MySqlStore) -> MySqlStore:
    return mysql_store


class TestMySqlStore(StoreContract):
    """The fixture `world` of this module is the real one."""


# -- rows edited by hand --


@pytest.mark.parametrize("status", ["paused", "", "WATCHING "])
def test_an_unknown_status_is_that_assets_problem_alone(
    world: MySqlWorld, store: MySqlStore, status: str
) -> None:
    broken, healthy = start_cycle(store), start_cycle(store, 2)
    world.sql.run("UPDATE dca_cycles SET status = %s WHERE id = %s", status, broken.cycle_id)
    first, second = store.assets()
    assert (first.asset, first.cycle) == (make_asset(1), None)
    assert repr(status) in first.problem
    assert f"row {broken.cycle_id} of dca_cycles" in first.problem
    assert (second.cycle, second.problem) == (healthy, "")
    with pytest.raises(UnreadableRow), store.transaction(1):
        pass
    with store.transaction(2) as tx:
        assert tx.cycle == healthy


@pytest.mark.parametrize("rate", ["1", "-0.0001"])
def test_a_fee_rate_that_cannot_be_is_that_assets_problem_alone(
    world: MySqlWorld, store: MySqlStore, rate: str
) -> None:
    broken, healthy = start_cycle(store), start_cycle(store, 2)
    world.sql.run("UPDATE dca_cycles SET fee_rate = %s WHERE id = %s", rate, broken.cycle_id)
    first, second = store.assets()
    assert "fee_rate is " in first.problem
    assert (second.cycle, second.problem) == (healthy, "")


def test_a_null_where_none_belongs_is_that_assets_problem_alone(
    world: MySqlWorld, store: MySqlStore
) -> None:
    world.sql.run("ALTER TABLE dca_assets MODIFY take_profit_percent DECIMAL(10, 4) NULL")
    world.sql.run("ALTER TABLE dca_cycles MODIFY quantity DECIMAL(30, 15) NULL")
    start_cycle(store, 2)
    world.sql.run("UPDATE dca_assets SET take_profit_percent = NULL WHERE id = 1")
    world.sql.run("UPDATE dca_cycles SET quantity = NULL")
    world.put_asset(make_asset(3))
    first, second, third = store.assets()
    assert "take_profit_percent is None" in first.problem
    assert (first.asset.symbol, first.asset.is_enabled) == ("COIN1/USD", False)
    assert "quantity is None" in second.problem
    assert (third.asset, third.problem) == (make_asset(3), "")


def test_an_unreadable_order_does_not_hide_the_others(world: MySqlWorld, store: MySqlStore) -> None:
    broken = start_order(store, start_cycle(store))
    healthy = start_order(store, start_cycle(store, 2))
    world.sql.run("UPDATE dca_orders SET kind = 'x' WHERE asset_id = 1")
    assert store.live_orders() == [healthy]
    with pytest.raises(UnreadableRow):
        store.order(broken.client_order_id)


def test_a_cycle_without_any_order_is_traded_from_its_columns(
    world: MySqlWorld, store: MySqlStore
) -> None:
    world.sql.run(
        "INSERT INTO dca_cycles (asset_id, status, quantity, average_purchase_price)"
        " VALUES (1, 'watching', 0.5, 100)"
    )
    with store.transaction(1) as tx:
        assert tx.cycle
        tx.save_cycle(tx.cycle, replace(tx.cycle, status=CycleStatus.SELLING))
    cycle = active_cycle(store)
    assert cycle
    assert (cycle.status, cycle.quantity) == (CycleStatus.SELLING, Decimal("0.5"))


def test_the_database_itself_refuses_a_second_active_cycle(
    world: MySqlWorld, store: MySqlStore
) -> None:
    start_cycle(store)
    with pytest.raises(Exception, match="one_active_cycle"):
        world.sql.run("INSERT INTO dca_cycles (asset_id, status) VALUES (1, 'cooldown')")


# -- updated_at --


LONG_AGO = datetime(2020, 1, 1)  # noqa: DTZ001 - as a column holds it
AGE_EVERY_ROW = (
    "UPDATE dca_assets SET updated_at = %s",
    "UPDATE dca_cycles SET updated_at = %s",
    "UPDATE dca_orders SET updated_at = %s",
)
ALL_UPDATED_AT = """
SELECT updated_at FROM dca_assets UNION ALL
SELECT updated_at FROM dca_cycles UNION ALL
SELECT updated_at FROM dca_orders
"""


def test_updated_at_tells_real_changes_only(world: MySqlWorld, store: MySqlStore) -> None:
    cycle = start_cycle(store)
    order = start_order(store, cycle)
    with store.transaction(1) as tx:
        tx.set_last_sell_price(Decimal(7))
    for statement in AGE_EVERY_ROW:
        world.sql.run(statement, LONG_AGO)

    with store.transaction(1) as tx:
        tx.save_cycle(cycle, replace(cycle, quantity=Decimal("0.0")))
        tx.save_order(order, replace(order, filled_quantity=Decimal("0.0")))
        tx.set_last_sell_price(Decimal("7.00"))
    assert {row[0] for row in world.sql.rows(ALL_UPDATED_AT)} == {LONG_AGO}

    with store.transaction(1) as tx:
        tx.save_cycle(cycle, replace(cycle, quantity=Decimal(1)))
    assert world.sql.value("SELECT updated_at FROM dca_cycles") != LONG_AGO


# -- time zones --


@pytest.fixture
def server_in_india(world: MySqlWorld) -> Iterator[None]:
    before = world.sql.value("SELECT @@global.time_zone")
    world.sql.run("SET GLOBAL time_zone = '+05:30'")
    yield
    world.sql.run("SET GLOBAL time_zone = %s", before)


@pytest.mark.usefixtures("server_in_india")
def test_times_are_utc_whatever_the_servers_zone(database: DatabaseSettings) -> None:
    world = MySqlWorld(database)
    world.put_asset(make_asset(1))
    before = datetime.now(UTC) - timedelta(seconds=2)
    cycle = start_cycle(world.store, status=CycleStatus.COMPLETE, completed_at=NOON)
    order = start_order(world.store, cycle, status=OrderStatus.FILLED)
    with world.store.transaction(1) as tx:
        assert tx.previous_cycle() == cycle
        assert tx.order(order.client_order_id) == order
    assert cycle.created_at
    assert before < cycle.created_at < datetime.now(UTC) + timedelta(seconds=2)
    moment = world.sql.value("SELECT UNIX_TIMESTAMP(completed_at) FROM dca_cycles")
    assert moment == NOON.timestamp()
    world.close()


# -- how the server finds its rows --


ROWS_READ = """
SELECT SUM(variable_value) FROM information_schema.session_status
 WHERE variable_name LIKE 'HANDLER_READ_%'
"""


def plan(world: MySqlWorld, sql: str) -> list[tuple[object, object, object]]:
    """Table, kind of access and index, in the order in which the server reads."""
    return [(row[2], row[3], row[5]) for row in world.sql.rows(f"EXPLAIN {sql}")]


@pytest.fixture
def long_history(world: MySqlWorld, store: MySqlStore) -> None:
    start_cycle(store)
    start_cycle(store, 2)
    world.sql.run(
        "INSERT INTO dca_cycles (asset_id, status, completed_at)"
        " SELECT 1, 'complete', '2026-01-01' + INTERVAL seq MINUTE FROM seq_1_to_5000"
    )
    world.sql.rows("ANALYZE TABLE dca_cycles")


@pytest.mark.usefixtures("long_history")
def test_the_lock_takes_the_asset_first_and_both_rows_by_unique_key(world: MySqlWorld) -> None:
    assert plan(world, LOCK_ASSET % 1) == [
        ("a", "const", "PRIMARY"),
        ("c", "const", "one_active_cycle"),
    ]


@pytest.mark.usefixtures("long_history")
def test_past_cycles_cost_nothing(world: MySqlWorld) -> None:
    assert ("c", "ALL", None) not in plan(world, ALL_ASSETS)
    assert [key for _, _, key in plan(world, PREVIOUS_CYCLE % 1)] == ["completed_cycles"]
    for sql in (ALL_ASSETS, PREVIOUS_CYCLE % 1, LIVE_ORDERS):
        world.sql.run("FLUSH STATUS")
        world.sql.rows(sql)
        rows_read = world.sql.value(ROWS_READ)
        assert isinstance(rows_read, float)
        assert rows_read < 100, sql


# -- rows that only tell of something --


@pytest.mark.parametrize("sign", [1, -1])
def test_sums_that_no_column_holds_are_reported_as_near_as_it_can(
    world: MySqlWorld, store: MySqlStore, sign: int
) -> None:
    cycle, sum_of_all = start_cycle(store), Decimal("12345678901234567890.00000000005") * sign
    with store.transaction(1) as tx:
        tx.save_cycle(cycle, replace(cycle, quantity=Decimal(7)))
        tx.put_result(
            make_result(
                cycle,
                cost=sum_of_all,
                proceeds=sum_of_all,
                fees=Decimal("0.00000000005") * sign,
                net=sum_of_all,
                left_quantity=sum_of_all,
                drawdown_pct=sum_of_all,
            )
        )
    assert active_cycle(store) == replace(cycle, quantity=Decimal(7))
    money = Decimal("9999999999.9999999999").copy_sign(sign)
    assert list(world.sql.rows("SELECT cost, proceeds, fees, net FROM dca_results")[0]) == [
        money,
        money,
        Decimal(0),
        None,
    ]
    assert list(world.sql.rows("SELECT left_quantity, drawdown_pct FROM dca_results")[0]) == [
        Decimal("999999999999999.999999999999999").copy_sign(sign),
        Decimal("999999.9999").copy_sign(sign),
    ]


def test_a_quantity_with_all_the_digits_of_its_column_is_reported(
    world: MySqlWorld, store: MySqlStore
) -> None:
    event = make_event(start_cycle(store), quantity=Decimal("123456789012345.0000000000000005"))
    with store.transaction(1) as tx:
        tx.add_event(event)
    assert world.sql.value("SELECT quantity FROM dca_events") == Decimal(123456789012345)
