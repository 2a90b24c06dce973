"""sql/schema.sql and ensure_schema: the same complete database from whatever a user had before."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from dca_bot.core.model import CycleStatus
from dca_bot.program.errors import DcaError, StoreUnavailable
from dca_bot.program.settings import PROJECT_ROOT, DatabaseSettings
from dca_bot.store.failures import DEADLOCK
from dca_bot.store.mysql_store import MySqlStore
from dca_bot.store.schema import ensure_schema, read_statements
from tests.helpers import pipe_sql
from tests.proofs.whole.database_proxy import DatabaseProxy, Error, Nth, like
from tests.store.sql_helpers import SqlClient

README_SQL = (Path(__file__).parent / "readme.sql").read_bytes()
README_TABLES, _, README_ASSET = README_SQL.partition(b"INSERT INTO")
SCHEMA_SQL = (PROJECT_ROOT / "sql" / "schema.sql").read_bytes()
TABLES = ("dca_assets", "dca_cycles", "dca_orders", "dca_events", "dca_budget", "dca_results")
BEGINNINGS = (
    "SET @",
    "SET SESSION",
    "PREPARE",
    "EXECUTE",
    "DEALLOCATE",
    "UPDATE dca_",
    "INSERT IGNORE",
)
USERS_ROWS = b"""
INSERT INTO dca_cycles (asset_id, status, quantity, completed_at, updated_at) VALUES
    (1, 'complete', 0, '2026-01-02 03:04:05', '2026-01-02 03:04:05'),
    (1, 'error', 1, '2026-01-03 03:04:05', '2026-01-03 03:04:05'),
    (1, 'watching', 0.5, NULL, '2026-01-04 03:04:05');
"""
ALL_COLUMNS = """
SELECT table_name, column_name, column_type, is_nullable, column_default, extra, column_key
  FROM information_schema.columns WHERE table_schema = DATABASE()
 ORDER BY table_name, column_name
"""
ALL_INDEXES = """
SELECT table_name, index_name, non_unique, seq_in_index, column_name
  FROM information_schema.statistics WHERE table_schema = DATABASE()
 ORDER BY table_name, index_name, seq_in_index
"""
FOREIGN_KEYS = """
SELECT table_name, referenced_table_name, delete_rule
  FROM information_schema.referential_constraints WHERE constraint_schema = DATABASE()
 ORDER BY table_name, referenced_table_name
"""
USERS_CYCLES = """
SELECT asset_id, status, quantity, completed_at, updated_at FROM dca_cycles ORDER BY id
"""


@pytest.fixture
def sql(empty_database: DatabaseSettings) -> Iterator[SqlClient]:
    client = SqlClient(empty_database)
    yield client
    client.close()


def shape(sql: SqlClient) -> list[list[tuple[object, ...]]]:
    return [
        [tuple(row) for row in sql.rows(query)]
        for query in (ALL_COLUMNS, ALL_INDEXES, FOREIGN_KEYS)
    ]


@pytest.fixture
def complete_shape(sql: SqlClient, empty_database: DatabaseSettings) -> object:
    """What a database looks like that was made by schema.sql from nothing; it is empty again."""
    pipe_sql(empty_database, SCHEMA_SQL)
    complete = shape(sql)
    for table in reversed(TABLES):
        sql.run("DROP TABLE " + table)
    return complete


def test_piped_in_again_it_changes_nothing(
    empty_database: DatabaseSettings, sql: SqlClient, complete_shape: object
) -> None:
    pipe_sql(empty_database, SCHEMA_SQL)
    pipe_sql(empty_database, README_ASSET and b"INSERT INTO" + README_ASSET)
    created = [sql.rows("SHOW CREATE TABLE " + table) for table in TABLES]
    before = sql.rows("SELECT * FROM dca_assets")
    pipe_sql(empty_database, SCHEMA_SQL)
    assert [sql.rows("SHOW CREATE TABLE " + table) for table in TABLES] == created
    assert sql.rows("SELECT * FROM dca_assets") == before
    assert shape(sql) == complete_shape


@pytest.mark.parametrize("by_hand", [True, False])
def test_what_the_readme_creates_is_completed_and_keeps_its_rows(
    empty_database: DatabaseSettings, sql: SqlClient, complete_shape: object, by_hand: bool
) -> None:
    pipe_sql(empty_database, README_SQL + USERS_ROWS)
    before = sql.rows(USERS_CYCLES)
    if by_hand:
        pipe_sql(empty_database, SCHEMA_SQL)
    else:
        ensure_schema(empty_database)
    assert shape(sql) == complete_shape
    assert sql.rows(USERS_CYCLES) == before
    with MySqlStore(empty_database) as store:
        cycle = store.assets()[0].cycle
    assert cycle
    assert (cycle.status, cycle.quantity) == (CycleStatus.WATCHING, Decimal("0.5"))


def test_a_program_makes_an_empty_database_complete(
    empty_database: DatabaseSettings, sql: SqlClient, complete_shape: object
) -> None:
    ensure_schema(empty_database)
    assert shape(sql) == complete_shape
    ensure_schema(empty_database)
    assert shape(sql) == complete_shape


def test_two_programs_that_start_together_both_succeed(
    empty_database: DatabaseSettings, sql: SqlClient, complete_shape: object
) -> None:
    pipe_sql(empty_database, README_TABLES)
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(ensure_schema, [empty_database] * 4)) == [None] * 4
    assert shape(sql) == complete_shape


def test_it_is_piped_in_where_updates_must_name_a_key(
    empty_database: DatabaseSettings, sql: SqlClient, complete_shape: object
) -> None:
    pipe_sql(empty_database, b"SET sql_safe_updates = 1;" + SCHEMA_SQL)
    assert shape(sql) == complete_shape


def test_a_server_with_the_safeguards_of_a_client_is_worked_with_all_the_same(
    empty_database: DatabaseSettings, sql: SqlClient, complete_shape: object
) -> None:
    sql.run("SET GLOBAL sql_safe_updates = 1, GLOBAL sql_select_limit = 1")
    try:
        ensure_schema(empty_database)
        both = b"INSERT INTO" + README_ASSET + b"INSERT INTO" + README_ASSET.replace(b"BTC", b"ETH")
        pipe_sql(empty_database, both)
        with MySqlStore(empty_database) as store:
            assert [each.asset.symbol for each in store.assets()] == ["BTC/USD", "ETH/USD"]
    finally:
        sql.run("SET GLOBAL sql_safe_updates = 0, GLOBAL sql_select_limit = DEFAULT")
    assert shape(sql) == complete_shape


@pytest.mark.parametrize("statement", ["CREATE TABLE", "PREPARE", "EXECUTE"])
def test_a_deadlock_with_another_program_that_adds_the_same_is_tried_again(
    empty_database: DatabaseSettings, sql: SqlClient, complete_shape: object, statement: str
) -> None:
    """As on MySQL, whose dictionary of tables is a table itself."""
    proxy = DatabaseProxy(empty_database)
    is_counted = like(rf"(-- .* )?{statement}")
    plan = Nth(1, Error(DEADLOCK, "40001"), is_counted)
    proxy.plan = plan
    try:
        ensure_schema(proxy.settings)
    finally:
        proxy.close()
    assert plan.struck
    assert shape(sql) == complete_shape


def test_the_readmes_insert_works_as_printed(database: DatabaseSettings) -> None:
    pipe_sql(database, b"INSERT INTO" + README_ASSET)
    with MySqlStore(database) as store:
        (state,) = store.assets()
    assert (state.asset.symbol, state.asset.is_enabled) == ("BTC/USD", True)
    assert (state.asset.base_order_amount, state.asset.cooldown_seconds) == (20, 300)
    assert state.problem == ""


def test_two_active_cycles_are_named_with_what_to_do(
    empty_database: DatabaseSettings, sql: SqlClient
) -> None:
    pipe_sql(empty_database, README_SQL + USERS_ROWS + USERS_ROWS)
    with pytest.raises(DcaError, match="BTC/USD has cycles 3 and 6.*set the status"):
        ensure_schema(empty_database)
    sql.run("UPDATE dca_cycles SET status = 'error' WHERE id = 6")
    ensure_schema(empty_database)


def test_a_user_who_may_not_create_is_told_who_can(
    empty_database: DatabaseSettings, sql: SqlClient
) -> None:
    sql.create_user("reader", "x", empty_database.name, "SELECT", "INSERT")
    reader = replace(empty_database, user="reader", password="x")
    try:
        with pytest.raises(DcaError, match="as an administrator pipe sql/schema.sql"):
            ensure_schema(reader)
        ensure_schema(empty_database)
        ensure_schema(reader)  # a complete database needs no such privilege
    finally:
        sql.drop_user("reader")


def test_a_column_of_the_readme_that_is_missing_is_named(
    empty_database: DatabaseSettings, sql: SqlClient
) -> None:
    pipe_sql(empty_database, SCHEMA_SQL)
    sql.run("ALTER TABLE dca_assets DROP COLUMN cooldown_period")
    with pytest.raises(DcaError, match=r"dca_assets\.cooldown_period"):
        ensure_schema(empty_database)


def test_a_missing_schema_file_is_named(empty_database: DatabaseSettings, tmp_path: Path) -> None:
    with pytest.raises(DcaError, match=r"restore the file"):
        ensure_schema(empty_database, tmp_path / "schema.sql")


def test_a_database_that_is_not_there_is_unavailable(empty_database: DatabaseSettings) -> None:
    with pytest.raises(StoreUnavailable, match="no database 'nowhere'"):
        ensure_schema(replace(empty_database, name="nowhere"))


def test_every_statement_of_the_file_is_found() -> None:
    statements = read_statements(SCHEMA_SQL.decode())
    first_words = [
        next(line for line in statement.splitlines() if line and not line.startswith("--"))
        for statement in statements
    ]
    assert all(line.startswith(("CREATE TABLE IF", *BEGINNINGS)) for line in first_words)
    assert SCHEMA_SQL.count(b";\n") == len(statements)
