"""What the verbs of `dca` cost on a long history: 100 assets and 50,000 finished cycles.

    python -m benchmarks.report [--cycles 50000] [--assets 100]

Each verb runs as a process of its own, as a user would call it, a few times; the median of its CPU
time (user and system, with the start of Python) and of its time by the clock is shown.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import mysql.connector

from benchmarks.common import report
from dca_bot.program.settings import PROJECT_ROOT, DatabaseSettings
from dca_bot.store.schema import ensure_schema
from dca_sandbox.private_mariadb import PrivateMariaDb

TURNS = 5
VERBS = (
    ("status",),
    ("why", "COIN7/USD"),
    ("ladder", "COIN7/USD", "--price", "100"),
    ("cycles",),  # all of them: as much work as there are cycles
    ("cycles", "--last", "2000"),
    ("cycles", "COIN7/USD"),
    ("cycle", "4711"),
    ("profit",),
    ("profit", "--by", "day"),
    ("honesty",),
    ("gains", "--year", "2026"),
)
NUMBERS = """
CREATE TEMPORARY TABLE numbers (n INT PRIMARY KEY) AS
WITH RECURSIVE counted AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM counted WHERE n < {most})
SELECT n FROM counted
"""
ASSETS = """
INSERT INTO dca_assets (id, asset_symbol, base_order_amount, safety_order_amount,
    max_safety_orders, safety_order_deviation, take_profit_percent, cooldown_period,
    buy_order_price_deviation_percent)
SELECT n, CONCAT('COIN', n, '/USD'), 20, 20, 5, 1.5, 1, 300, 2 FROM numbers WHERE n <= {assets}
"""
# One cycle after the other, over the last two years; the newest of each asset is open.
CYCLES = """
INSERT INTO dca_cycles (id, asset_id, status, quantity, average_purchase_price, safety_orders,
    last_order_fill_price, completed_at, created_at)
SELECT n, 1 + n % {assets}, 'complete', 0, 99, n % 6, 98,
       UTC_TIMESTAMP() - INTERVAL ({cycles} - n) * 1200 SECOND,
       UTC_TIMESTAMP() - INTERVAL ({cycles} - n) * 1200 + 40000 SECOND
  FROM numbers WHERE n <= {cycles}
"""
OPEN_CYCLES = """
INSERT INTO dca_cycles (asset_id, status, quantity, average_purchase_price, safety_orders,
    last_order_fill_price)
SELECT n, 'watching', 0.2, 100, 0, 100 FROM numbers WHERE n <= {assets}
"""
ORDERS = """
INSERT INTO dca_orders (client_order_id, alpaca_order_id, asset_id, cycle_id, kind, rung, status,
    quantity, limit_price, filled_quantity, filled_average_price, received_quantity, symbol, fee,
    created_at)
SELECT CONCAT('dca-', c.id, '-', k.n), UUID(), c.asset_id, c.id,
       ELT(k.n, 'base', 'safety', 'safety', 'take_profit'), IF(k.n IN (2, 3), k.n - 1, 0), 'filled',
       0.2, 100, IF(k.n = 4, 0.5985, 0.2), IF(k.n = 4, 101, 100 - k.n), IF(k.n = 4, 0, 0.1995),
       a.asset_symbol, IF(k.n = 4, 0.16, NULL), c.created_at + INTERVAL k.n * 9000 SECOND
  FROM dca_cycles c
  JOIN dca_assets a ON a.id = c.asset_id
  JOIN numbers k ON k.n <= IF(c.status = 'complete', 4, 1)
 ORDER BY c.id, k.n
"""
EVENTS = """
INSERT INTO dca_events (at, asset_id, symbol, cycle_id, kind, told, client_order_id, price)
SELECT o.created_at, o.asset_id, o.symbol, o.cycle_id, k.kind, 'the ask is 98, the last was 99',
       o.client_order_id, 98
  FROM dca_orders o
  JOIN (SELECT 'ordered' AS kind UNION SELECT 'filled') AS k
 ORDER BY o.id
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cycles", type=int, default=50_000)
    parser.add_argument("--assets", type=int, default=100)
    arguments = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as directory,
        PrivateMariaDb(Path(directory) / "db", durable=False) as server,
    ):
        database = server.create_database("history")
        ensure_schema(database)
        fill(database, assets=arguments.assets, cycles=arguments.cycles)
        rows = [measured(words, database, Path(directory)) for words in VERBS]
    title = f"{arguments.assets} assets, {arguments.cycles} finished cycles"
    report("report", {title: rows}, assets=arguments.assets, cycles=arguments.cycles)


def fill(database: DatabaseSettings, *, assets: int, cycles: int) -> None:
    """A history, and then what each cycle came to, by the schema itself as for old databases."""
    connection = mysql.connector.connect(
        host=database.host,
        port=database.port,
        user=database.user,
        password=database.password,
        database=database.name,
        use_pure=True,
        collation="utf8mb4_general_ci",
        time_zone="+00:00",
        autocommit=True,
    )
    cursor = connection.cursor()
    cursor.execute("SET SESSION max_recursive_iterations = 1000000")
    for statement in (NUMBERS, ASSETS, CYCLES, OPEN_CYCLES, ORDERS, EVENTS):
        cursor.execute(statement.format(most=max(assets, cycles), assets=assets, cycles=cycles))
    schema = (PROJECT_ROOT / "sql" / "schema.sql").read_text()
    backfill = schema[schema.index("INSERT IGNORE INTO dca_results") :].strip().removesuffix(";")
    began = time.perf_counter()
    cursor.execute(backfill)
    print(f"results of all cycles worked out in {time.perf_counter() - began:.1f} s")
    cursor.execute("UPDATE dca_results SET max_safety_orders = 5, drawdown_pct = -(cycle_id % 90)")
    cursor.execute("ANALYZE TABLE dca_results, dca_orders, dca_events, dca_cycles")
    cursor.fetchall()
    connection.close()


def measured(
    words: tuple[str, ...], database: DatabaseSettings, log_dir: Path
) -> dict[str, object]:
    """Medians of a few calls."""
    env = {
        "PATH": os.defpath,
        "LOG_DIR": str(log_dir),
        "DB_HOST": database.host,
        "DB_PORT": str(database.port),
        "DB_USER": database.user,
        "DB_PASSWORD": database.password,
        "DB_NAME": database.name,
    }
    cpu, clock = [], []
    for _ in range(TURNS):
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "dca_bot", *words, "--json"],
            env=env,
            capture_output=True,
            check=False,
        )
        clock.append(time.perf_counter() - began)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert done.returncode == 0, done.stderr
        cpu.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return {
        "verb": " ".join(words),
        "CPU s": round(statistics.median(cpu), 3),
        "clock s": round(statistics.median(clock), 3),
    }


if __name__ == "__main__":
    main()
