"""A database of an earlier release is completed: its orders lose their foreign keys and gain their
symbol, and each finished cycle gets what can be known of it."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from dca_bot.program.settings import PROJECT_ROOT, DatabaseSettings
from dca_bot.store.schema import ensure_schema
from tests.helpers import pipe_sql
from tests.store.sql_helpers import SqlClient

README_TABLES = (Path(__file__).parent / "readme.sql").read_bytes()
SCHEMA_SQL = (PROJECT_ROOT / "sql" / "schema.sql").read_bytes()
ORDERS_OF_BEFORE = b"""
CREATE TABLE dca_orders (
    id INT AUTO_INCREMENT PRIMARY KEY,
    client_order_id VARCHAR(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    alpaca_order_id VARCHAR(255) NULL,
    asset_id INT NOT NULL,
    cycle_id INT NOT NULL,
    kind VARCHAR(20) NOT NULL,
    rung INT NOT NULL DEFAULT 0,
    status VARCHAR(20) NOT NULL,
    quantity DECIMAL(30, 15) NOT NULL,
    limit_price DECIMAL(20, 10) NULL,
    filled_quantity DECIMAL(30, 15) NOT NULL DEFAULT 0,
    filled_average_price DECIMAL(20, 10) NULL,
    received_quantity DECIMAL(30, 15) NOT NULL DEFAULT 0,
    quantity_before DECIMAL(30, 15) NULL,
    average_before DECIMAL(20, 10) NULL,
    created_at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    updated_at TIMESTAMP NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
    live_asset_id INT GENERATED ALWAYS AS
        (CASE WHEN status IN ('intended', 'open') THEN asset_id ELSE NULL END) VIRTUAL,
    UNIQUE KEY client_order_id (client_order_id),
    UNIQUE KEY one_live_order (live_asset_id),
    KEY orders_of_asset (asset_id),
    KEY orders_of_cycle (cycle_id),
    FOREIGN KEY (asset_id) REFERENCES dca_assets(id) ON DELETE CASCADE,
    FOREIGN KEY (cycle_id) REFERENCES dca_cycles(id) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
INSERT INTO dca_cycles (id, asset_id, status, safety_orders, completed_at) VALUES
    (1, 1, 'complete', 0, '2026-01-02 03:04:05'),
    (2, 1, 'complete', 0, '2026-01-03 03:04:05'),
    (3, 1, 'watching', 0, NULL);
INSERT INTO dca_orders (client_order_id, asset_id, cycle_id, kind, status, quantity,
    filled_quantity, filled_average_price, received_quantity, created_at) VALUES
    ('dca-1-base', 1, 1, 'base', 'filled', 1, 1, 100, 0.9975, '2026-01-02 01:00:00'),
    ('dca-1-tp', 1, 1, 'take_profit', 'filled', 0.9975, 0.9975, 110, 0, '2026-01-02 03:04:00'),
    ('dca-3-base', 1, 3, 'base', 'filled', 1, 1, 100, 0.9975, '2026-01-03 04:00:00');
"""


@pytest.fixture
def sql(empty_database: DatabaseSettings) -> Iterator[SqlClient]:
    pipe_sql(empty_database, README_TABLES + ORDERS_OF_BEFORE)
    client = SqlClient(empty_database)
    yield client
    client.close()


@pytest.mark.parametrize("by_hand", [True, False])
def test_what_can_be_known_of_earlier_cycles_is_known_and_the_rest_is_not_zero(
    empty_database: DatabaseSettings, sql: SqlClient, by_hand: bool
) -> None:
    if by_hand:
        pipe_sql(empty_database, SCHEMA_SQL)
        pipe_sql(empty_database, SCHEMA_SQL)
    else:
        ensure_schema(empty_database)
    found = sql.rows("SELECT cycle_id, symbol, cost, proceeds, fees, net FROM dca_results")
    # 0.25 in coin at 100, and 0.275 of 109.725, rounded up
    assert [tuple(row) for row in found] == [
        (1, "BTC/USD", 100, Decimal("109.725"), Decimal("0.53"), Decimal("9.445"))
    ]
    assert sql.value("SELECT COUNT(*) FROM dca_orders WHERE symbol = 'BTC/USD'") == 3


def test_orders_and_results_stay_when_the_row_of_their_asset_goes(
    empty_database: DatabaseSettings, sql: SqlClient
) -> None:
    ensure_schema(empty_database)
    sql.run("DELETE FROM dca_assets")
    assert sql.value("SELECT COUNT(*) FROM dca_cycles") == 0
    assert sql.value("SELECT COUNT(*) FROM dca_orders") == 3
    assert sql.value("SELECT COUNT(*) FROM dca_results") == 1
