"""What a run of each caretaker costs: CPU and wall time, with a short and with a long history.

Every run is a process of its own, as cron starts it, on a private MariaDB and beside a simulated
exchange.  Nothing has to be put right, which is the usual case: five assets, one of them with a
position that agrees, one in cooldown.  The budget: 0.2 s of CPU for cooldown_manager.py, 0.4 s for
the others, whatever the number of past cycles.

  caretakers.py [--rounds 10]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections import defaultdict
from contextlib import ExitStack

import requests
from common import (
    alpaca_environment,
    database_server,
    environment,
    execute,
    median,
    new_database,
    report,
    scratch,
    simulated_exchange,
)

from dca_bot.program.settings import PROJECT_ROOT, DatabaseSettings

BUDGET = {"cooldown_manager.py": 0.2, "order_manager.py": 0.4, "consistency_checker.py": 0.4}
HISTORIES = (5, 5_000)
SYMBOLS = ("BTC/USD", "ETH/USD", "SOL/USD", "LTC/USD", "DOGE/USD")

ASSETS = """
INSERT INTO dca_assets (asset_symbol, base_order_amount, safety_order_amount, max_safety_orders,
    safety_order_deviation, take_profit_percent, cooldown_period, buy_order_price_deviation_percent)
VALUES ('{symbol}', 20, 20, 5, 1.5, 1, 86400, 2);
"""
# A past cycle has a base order, a safety order and a take profit.
PAST_CYCLES = """
INSERT INTO dca_cycles (asset_id, status, quantity, average_purchase_price, safety_orders,
    last_order_fill_price, completed_at)
SELECT 1 + seq % 5, 'complete', 0, 100, 1, 99, UTC_TIMESTAMP() - INTERVAL seq MINUTE
  FROM seq_1_to_{count};
INSERT INTO dca_orders (client_order_id, alpaca_order_id, asset_id, cycle_id, kind, status,
    quantity, filled_quantity, filled_average_price)
SELECT CONCAT('dca-', id, '-', kind), UUID(), asset_id, id, kind, 'filled', 1, 1, 100
  FROM dca_cycles JOIN (SELECT 'base' AS kind UNION SELECT 'safety' UNION SELECT 'take_profit') k;
"""
NOW_CYCLES = """
INSERT INTO dca_cycles (asset_id, status, quantity, average_purchase_price, last_order_fill_price)
SELECT id, IF(id = 2, 'cooldown', 'watching'), IF(id = 1, {held}, 0), 100, 100 FROM dca_assets;
"""


def main() -> None:
    """Measure in turns, and say whether the budget is kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    rounds = parser.parse_args().rounds
    with ExitStack() as stack:
        directory = stack.enter_context(scratch())
        server = stack.enter_context(database_server(directory))
        url = stack.enter_context(simulated_exchange(directory, "--rate-limit", "0", "--no-walk"))
        held = buy_bitcoin(url)
        environments = {}
        for count in HISTORIES:
            database = new_database(server, f"past_{count}")
            fill(database, count, held)
            logs = directory / str(count)
            environments[count] = environment(database, alpaca_environment(url), logs)
        costs = measure(environments, rounds)
    report("caretakers", {f"one run, median of {rounds}": costs})
    if any(row["cpu_s"] > row["budget_s"] for row in costs):
        raise SystemExit("the budget is not kept")


def measure(
    environments: dict[int, dict[str, str]], rounds: int
) -> list[dict[str, str | int | float]]:
    """The medians of every caretaker with every history; the first turn only warms up."""
    cpu, wall = defaultdict(list), defaultdict(list)
    for turn in range(rounds + 1):
        for script in BUDGET:
            for count, env in environments.items():
                seconds = run(script, env)
                if turn:
                    cpu[script, count].append(seconds[0])
                    wall[script, count].append(seconds[1])
    return [
        {
            "caretaker": script,
            "past_cycles": count,
            "cpu_s": median(cpu[script, count]),
            "wall_s": median(wall[script, count]),
            "budget_s": BUDGET[script],
        }
        for script, count in cpu
    ]


def run(script: str, env: dict[str, str]) -> tuple[float, float]:
    """CPU and wall seconds of one run, which must end well."""
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, str(PROJECT_ROOT / script)], env=env, stdout=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{script} ended with status {process.returncode}")
    return usage.ru_utime + usage.ru_stime, time.monotonic() - began


def fill(database: DatabaseSettings, past_cycles: int, held: str) -> None:
    for symbol in SYMBOLS:
        execute(database, ASSETS.format(symbol=symbol))
    execute(database, PAST_CYCLES.format(count=past_cycles))
    execute(database, NOW_CYCLES.format(held=held))


def buy_bitcoin(url: str) -> str:
    """Hold a little bitcoin; how much."""
    headers = {"APCA-API-KEY-ID": "bot", "APCA-API-SECRET-KEY": "secret"}
    order = {"symbol": "BTC/USD", "side": "buy", "qty": "0.001"}
    requests.post(f"{url}/sim/trade", json=order, headers=headers, timeout=10).raise_for_status()
    positions = requests.get(f"{url}/v2/positions", headers=headers, timeout=10).json()
    return str(positions[0]["qty"])


if __name__ == "__main__":
    main()
