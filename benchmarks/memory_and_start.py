"""How much memory `main_app.py` takes and how that grows with quotes, and how soon it trades:
after a start, and after a SIGKILL.

  memory   The whole program with 50 assets, resident memory (VmRSS) once it has been quiet for a
           while, and after each quarter of a million quotes, in frames of 10.
  start    From the start of the process to the arrival of its first order, a base order; then
           from a SIGKILL, with a restart at once, to the arrival of the next, a safety order.  On
           the simulated exchange, whose price stands where the order is due.

  memory_and_start.py [--rounds 5]
"""

from __future__ import annotations

import argparse
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
from common import (
    KEY_ID,
    SECRET_KEY,
    Bot,
    alpaca_environment,
    database_server,
    eventually,
    execute,
    holding_assets,
    median,
    new_database,
    report,
    scratch,
    simulated_exchange,
    symbols,
)
from exchange import Exchange
from quotes import PADDING_FRAMES, encoded, push

from dca_sandbox.private_mariadb import PrivateMariaDb

ASSETS = 50
BLOCK_QUOTES, BLOCKS, FRAME_SIZE = 10_000, 25, 10
QUARTERS = 4
QUIET_SECONDS = 5.0
QUOTE_SECONDS = 0.02
MEGABYTE = 1_000_000
SYMBOL = "BTC/USD"
ASSET = """
INSERT INTO dca_assets (asset_symbol, base_order_amount, safety_order_amount, max_safety_orders,
    safety_order_deviation, take_profit_percent, cooldown_period,
    buy_order_price_deviation_percent)
VALUES ('{symbol}', 20, 20, 5, 1, 5, 60, 1);
"""


def memory(server: PrivateMariaDb, directory: Path) -> list[dict[str, Any]]:
    """Resident memory, before any quote and as they come."""
    names = symbols(ASSETS)
    exchange, database = Exchange(names), new_database(server, "memory")
    execute(database, holding_assets(names))
    block = encoded(names, FRAME_SIZE, BLOCK_QUOTES)
    padding = encoded(names, 1, PADDING_FRAMES)
    rows: list[dict[str, Any]] = []
    with Bot(database, alpaca_environment(exchange.url), directory / "logs_memory") as bot:
        feed = exchange.feed(KEY_ID)
        for quarter in range(QUARTERS + 1):
            if quarter:
                push(feed, block, BLOCKS, padding)
            time.sleep(QUIET_SECONDS)
            resident = bot.status("VmRSS") / MEGABYTE
            first = rows[0]["resident MB"] if rows else resident
            quotes = quarter * BLOCKS * BLOCK_QUOTES
            rows.append({"quotes": quotes, "resident MB": resident, "growth MB": resident - first})
    return rows


class Simulator:
    """A simulated Alpaca whose price stands still, and is told again every 20 ms."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.price = 50_000.0
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers.update({"APCA-API-KEY-ID": KEY_ID, "APCA-API-SECRET-KEY": SECRET_KEY})
        self.is_ended = threading.Event()
        threading.Thread(target=self._tell, daemon=True).start()

    def order_times(self) -> list[float]:
        """When each order arrived, on the clock that all processes share."""
        record = self._session.get(f"{self.url}/sim/record", timeout=10).json()
        orders = (each for each in record["requests"] if each["method"] == "POST")
        return [each["arrived_monotonic"] for each in orders]

    def _tell(self) -> None:
        with requests.Session() as session:
            session.trust_env = False
            while not self.is_ended.wait(QUOTE_SECONDS):
                quote: dict[str, Any] = {"symbol": SYMBOL, "bid": self.price - 1, "ask": self.price}
                session.post(f"{self.url}/sim/quote", json=quote, timeout=10)


@contextmanager
def simulator(directory: Path) -> Iterator[Simulator]:
    options = ("--no-walk", "--rate-limit", "1000000", "--stale-slot-seconds", "0")
    with simulated_exchange(directory, *options) as url:
        running = Simulator(url)
        yield running
        running.is_ended.set()


def one_start(server: PrivateMariaDb, directory: Path, number: int) -> tuple[float, float]:
    """Seconds to the first order, and from SIGKILL to the next."""
    database = new_database(server, f"start_{number}")
    execute(database, ASSET.format(symbol=SYMBOL))
    with simulator(directory) as exchange:
        environment = alpaca_environment(exchange.url)
        bot = Bot(database, environment, directory / f"logs_{number}")
        first = eventually(exchange.order_times)[0] - bot.started_at
        eventually(lambda: "watching" in execute(database, "SELECT status FROM dca_cycles"))
        killed_at = time.monotonic()
        bot.kill()
        exchange.price *= 0.98
        with Bot(database, environment, directory / f"logs_{number}"):
            second = eventually(lambda: exchange.order_times()[1:])[0] - killed_at
    return first, second


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    with scratch() as directory, database_server(directory) as server:
        grown = memory(server, directory)
        starts = [one_start(server, directory, number) for number in range(given.rounds)]
    rows = [
        {"what": what, "median s": median(took), "worst s": max(took)}
        for what, took in zip(
            ("start to first order", "SIGKILL to next order"),
            zip(*starts, strict=True),
            strict=True,
        )
    ]
    tables = {"resident memory of main_app.py": grown, "time to trade": rows}
    report("memory_and_start", tables, rounds=given.rounds)


if __name__ == "__main__":
    main()
