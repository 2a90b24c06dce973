"""From the quote leaving the exchange to the order arriving there, while other quotes come, too.

The exchange runs in this process (exchange.py) and stamps both moments with one clock: just
before the quote is handed to the system, and when the last byte of the POST was read.  The bot is
the real `main_app.py` on a private MariaDB that writes every commit to the disk, and commits its
intent before it sends.  Beside it, in turns of a few orders each: bare loops that only POST
(order_loops.py), and the same bot while the database leaves writing to the system.

  safety order      the usual case: nothing is asked before the intent
  take profit       asks for the positions first: one request more
  cooldown restart  a base order after a fall: a commit more, and the positions

  tick_to_order.py [--orders 300]
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from pathlib import Path

from common import (
    Bot,
    alpaca_environment,
    database_server,
    execute,
    holding_assets,
    new_database,
    percentile,
    report,
    scratch,
    symbols,
)
from exchange import Exchange, Feed, quote, quote_frame

from dca_bot.program.settings import DatabaseSettings

RATES = (10, 1_000, 5_000)
TURNS = 10  # the orders of a case are spread over so many turns
WARM_UP = 5
OTHERS = 20  # watched symbols that the other quotes are about
TICK_SECONDS = 0.001
ARRIVES_SECONDS = 10.0
SAFETY, PROFIT, RESTART = "safety order", "take profit", "cooldown restart"
SYMBOL, *OTHER_SYMBOLS = symbols(1 + OTHERS)
ASSET = """
INSERT INTO dca_assets (asset_symbol, base_order_amount, safety_order_amount, max_safety_orders,
    safety_order_deviation, take_profit_percent, cooldown_period,
    buy_order_price_deviation_percent)
VALUES ('{symbol}', 20, 20, 1000, 0.01, 1, 86400, 1);
"""


class Market:
    """The prices of the one symbol, moved so that exactly the wanted order is due."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._price = self._dearest = Decimal(100_000)  # now, and of all that is held

    def due(self, kind: str) -> bytes:
        """The frame that triggers such an order, given that the last one has filled."""
        if kind == PROFIT:  # 1 % above the average, which is below the dearest
            self._price = self._dearest * Decimal("1.02")
        else:
            self._price *= Decimal("0.9998" if kind == SAFETY else "0.98")
        self._price = self._price.quantize(Decimal("0.01"))
        if kind == RESTART:
            self._dearest = self._price
        self._exchange.prices[SYMBOL] = self._price
        ask = self._price + Decimal("0.01")
        return quote_frame([quote(SYMBOL, float(self._price), float(ask))])


class Others:
    """So many quotes a second of the other symbols, one a frame, while the `with` block lasts.

    They leave in bursts, at most one a millisecond: a pusher that wakes up for each of 5,000 would
    be in the way of everything else on a small machine.
    """

    def __init__(self, feed: Feed, per_second: int) -> None:
        self._feed, self._pause = feed, 1 / per_second
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        names = itertools.cycle(OTHER_SYMBOLS)
        due = time.perf_counter()
        while not self._ended.wait(max(TICK_SECONDS, due - time.perf_counter())):
            burst = []
            while due <= time.perf_counter():
                burst.append(quote_frame([quote(next(names), 100, 100.05)]))
                due += self._pause
            self._feed.channel.send(b"".join(burst))


def one_order(exchange: Exchange, feed: Feed, trigger: bytes) -> float:
    """Milliseconds from the quote to the order."""
    left_ns = time.perf_counter_ns()
    feed.channel.send(trigger)
    arrival = exchange.arrivals.get(timeout=ARRIVES_SECONDS)
    return (arrival.at_ns - left_ns) / 1e6


def turn(exchange: Exchange, market: Market, feed: Feed, kinds: list[str]) -> list[float]:
    """One order after the other, with time to book each."""
    latencies = []
    for kind in kinds:
        time.sleep(random.uniform(0.04, 0.06))
        latencies.append(one_order(exchange, feed, market.due(kind)))
    time.sleep(0.06)
    return latencies


@contextmanager
def started(exchange: Exchange, directory: Path) -> Iterator[tuple[DatabaseSettings, list[Feed]]]:
    """The bot and the bare loops, connected; the bot has bought for the first time."""
    with ExitStack() as stack:
        server = stack.enter_context(database_server(directory))
        database = new_database(server, "orders")
        execute(database, holding_assets(OTHER_SYMBOLS) + ASSET.format(symbol=SYMBOL))
        environment = alpaca_environment(exchange.url)
        stack.enter_context(Bot(database, environment, directory / "logs"))
        for kind in ("http.client", "requests"):
            script = str(Path(__file__).with_name("order_loops.py"))
            process = subprocess.Popen([sys.executable, script, kind, exchange.url])
            stack.callback(process.wait)
            stack.callback(process.kill)
        exchange.await_trade_stream()
        yield database, [exchange.feed(key) for key in ("bot", "http.client", "requests")]


def set_durable(database: DatabaseSettings, durable: bool) -> None:
    execute(database, f"SET GLOBAL innodb_flush_log_at_trx_commit = {1 if durable else 2};")


def measure(exchange: Exchange, directory: Path, orders: int) -> dict[str, dict[str, list[float]]]:
    """Latencies by row and who: every turn does a few orders of each."""
    found: dict[str, dict[str, list[float]]] = {}
    with started(exchange, directory) as (database, (bot, http_client, requests)):
        market = Market(exchange)

        def measured(row: str, who: str, feed: Feed, rate: int, kinds: list[str]) -> None:
            with Others(feed, rate):
                latencies = turn(exchange, market, feed, kinds)
            for kind, latency in zip(kinds, latencies, strict=True):
                name = kind if row == "kinds" else row
                found.setdefault(name, {}).setdefault(who, []).append(latency)

        a_turn = orders // TURNS
        turn(exchange, market, bot, [SAFETY] * WARM_UP)
        for feed in (http_client, requests):
            turn(exchange, market, feed, [SAFETY] * WARM_UP)
        for _ in range(TURNS):
            for rate in RATES:
                row, kinds = f"{SAFETY}, {rate:,} quotes/s", [SAFETY] * a_turn
                measured(row, "http.client", http_client, rate, kinds)
                measured(row, "bot", bot, rate, kinds)
                measured(row, "requests", requests, rate, kinds)
                set_durable(database, False)
                measured(row, "bot, no fsync", bot, rate, kinds)
                set_durable(database, True)
            measured("kinds", "bot", bot, RATES[0], [PROFIT, RESTART] * a_turn)
    return found


def fsync_milliseconds(directory: Path, times: int = 300) -> list[float]:
    """What it takes here to get 512 bytes to the disk."""
    took = []
    with (directory / "fsync").open("wb", buffering=0) as file:
        for _ in range(times):
            began = time.perf_counter()
            file.write(bytes(512))
            os.fdatasync(file.fileno())
            took.append((time.perf_counter() - began) * 1e3)
    return took


def summary(latencies: list[float]) -> dict[str, float]:
    worst = {"worst ms": max(latencies), "orders": len(latencies)}
    return {"p50 ms": percentile(latencies, 50), "p99 ms": percentile(latencies, 99), **worst}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=300)
    given = parser.parse_args()
    sys.setswitchinterval(1e-4)
    exchange = Exchange([SYMBOL, *OTHER_SYMBOLS])
    with scratch() as directory:
        fsync = fsync_milliseconds(directory)
        found = measure(exchange, directory, given.orders)
    rows = []
    for name, by_who in found.items():
        for who, latencies in by_who.items():
            bare = (
                by_who.get("http.client")
                or found[f"{SAFETY}, {RATES[0]:,} quotes/s"]["http.client"]
            )
            ratio = percentile(latencies, 50) / percentile(bare, 50)
            rows.append({"what": name, "who": who, **summary(latencies), "p50/http.client": ratio})
    report(
        "tick_to_order",
        {"from quote to order": rows, "fsync of 512 bytes": [summary(fsync)]},
    )


if __name__ == "__main__":
    main()
