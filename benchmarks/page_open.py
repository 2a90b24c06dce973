"""What the page costs: its data on a long history, and whether the bot is slower beside it.

    python -m benchmarks.page_open [--orders 200]

1. `dca page` over 100 assets and 50,000 finished cycles: the CPU time of its process for an answer
   to /data.json, asked every 2 s as an open page asks, and the time until the answer is there; the
   minute in which the whole history is read again is among them.
2. Tick to order (tick_to_order.py) with the page open on such a history, and without: in turns of a
   few orders each.  Without means that the page's process is frozen and nobody asks.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from common import (  # noqa: E402 - its neighbours import each other by their short names
    Bot,
    alpaca_environment,
    database_server,
    execute,
    holding_assets,
    median,
    new_database,
    percentile,
    report,
    scratch,
)
from exchange import Exchange  # noqa: E402
from tick_to_order import (  # noqa: E402
    ASSET,
    OTHER_SYMBOLS,
    RATES,
    SAFETY,
    SYMBOL,
    WARM_UP,
    Market,
    Others,
    turn,
)

from benchmarks.report import fill  # noqa: E402
from dca_bot.program.settings import DatabaseSettings  # noqa: E402
from tests.helpers import database_environment  # noqa: E402

ANSWERS = 45  # every 2 s: the whole history is read at least twice
EVERY_SECONDS = 2.0
TURNS = 10
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


class Page:
    """`dca page` as a process."""

    def __init__(self, database: DatabaseSettings, environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "dca_bot", "page", "--port", "0"],
            env={"PATH": os.defpath, **environment, **database_environment(database)},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        self.url = next(word for word in line.split() if word.startswith("http")).rstrip("/.,")

    def ask(self) -> float:
        """Seconds until the whole answer was there."""
        began = time.perf_counter()
        with urllib.request.urlopen(f"{self.url}/data.json") as answer:  # noqa: S310 - our own
            assert "status" in json.loads(answer.read())
        return time.perf_counter() - began

    def cpu_seconds(self) -> float:
        """User and system, of the process itself."""
        words = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) / CLOCK_TICKS

    def freeze(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        self.go_on()
        self._process.terminate()
        self._process.wait()


@contextmanager
def looked_at(page: Page) -> Iterator[None]:
    """Somebody has the page open while the block runs."""
    gone = threading.Event()

    def look() -> None:
        while True:
            page.ask()
            if gone.wait(EVERY_SECONDS):
                return

    page.go_on()
    visitor = threading.Thread(target=look)
    visitor.start()
    try:
        yield
    finally:
        gone.set()
        visitor.join()
        page.freeze()


def data_on_a_long_history(directory: Path) -> list[dict[str, object]]:
    with database_server(directory) as server:
        database = new_database(server, "history")
        fill(database, assets=100, cycles=50_000)
        page = Page(database, alpaca_environment("http://127.0.0.1:1") | logs(directory))
        try:
            page.ask()
            cpu, clock = [], []
            for _ in range(ANSWERS):
                time.sleep(EVERY_SECONDS)
                before = page.cpu_seconds()
                clock.append(page.ask())
                cpu.append(page.cpu_seconds() - before)
        finally:
            page.close()
    mean = sum(cpu) / len(cpu)
    return [
        {
            "CPU ms, mean": mean * 1e3,
            "clock ms, p50": median(clock) * 1e3,
            "clock ms, worst": max(clock) * 1e3,
        }
    ]


def tick_to_order(directory: Path, orders: int) -> list[dict[str, object]]:
    exchange = Exchange([SYMBOL, *OTHER_SYMBOLS])
    found: dict[tuple[int, str], list[float]] = {}
    with database_server(directory) as server:
        database = new_database(server, "orders")
        fill(database, assets=100, cycles=50_000)
        # what was traded survives its row: a long history beside the bot's own assets
        execute(database, "DELETE FROM dca_assets;")
        execute(database, holding_assets(OTHER_SYMBOLS) + ASSET.format(symbol=SYMBOL))
        environment = alpaca_environment(exchange.url)
        with Bot(database, environment, directory / "logs"):
            exchange.await_trade_stream()
            bot, market = exchange.feed("bot"), Market(exchange)
            page = Page(database, environment | logs(directory))
            try:
                page.ask()
                page.freeze()
                turn(exchange, market, bot, [SAFETY] * WARM_UP)
                for _ in range(TURNS):
                    for rate in RATES[:2]:
                        kinds = [SAFETY] * (orders // TURNS)
                        with Others(bot, rate):
                            without = turn(exchange, market, bot, kinds)
                        with looked_at(page), Others(bot, rate):
                            with_page = turn(exchange, market, bot, kinds)
                        found.setdefault((rate, "without"), []).extend(without)
                        found.setdefault((rate, "page open"), []).extend(with_page)
            finally:
                page.close()
    return [
        {
            "quotes/s": rate,
            "who": who,
            "p50 ms": percentile(latencies, 50),
            "p99 ms": percentile(latencies, 99),
            "orders": len(latencies),
        }
        for (rate, who), latencies in found.items()
    ]


def logs(directory: Path) -> dict[str, str]:
    return {"LOG_DIR": str(directory / "logs")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=200)
    given = parser.parse_args()
    sys.setswitchinterval(1e-4)
    with scratch() as directory:
        data = data_on_a_long_history(directory / "data")
    with scratch() as directory:
        orders = tick_to_order(directory / "orders", given.orders)
    report("page_open", {"an answer to /data.json": data, "from quote to order": orders})


if __name__ == "__main__":
    main()
