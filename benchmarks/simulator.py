"""How fast the simulated exchange is: quotes pushed to one client, and orders taken.

    python benchmarks/simulator.py [--quotes 300000] [--orders 2000] [--rounds 3]

The client is a process apart that does as little as it can with what it gets, so that the figures
are the simulator's. Prints tables, then one line of JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import requests
from aiohttp import ClientSession, WSMsgType

HEADERS = {"APCA-API-KEY-ID": "key", "APCA-API-SECRET-KEY": "secret"}
QUIET = ("--no-walk", "--rate-limit", "0", "--symbol-limit", "0", "--stale-slot-seconds", "0")
GOAL = 100_000  # quotes a second in frames of ten


@contextmanager
def simulator(*arguments: str) -> Iterator[str]:
    """Runs a simulator; yields its address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "alpaca_simulator", "--port", "0", *QUIET, *arguments],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.search(r"http://\S+", line)
        assert found, f"no ready line: {line!r}"
        yield found[0]
    finally:
        process.terminate()
        process.wait(timeout=10)


async def push(base: str, *, symbols: int, frame: int, quotes: int, packed: bool) -> float:
    """Asks for a burst and reads it; returns quotes a second, as the client saw them."""
    headers = HEADERS | ({"Content-Type": "application/msgpack"} if packed else {})
    names = [f"C{number}/USD" for number in range(symbols)]
    async with ClientSession(headers=headers) as session:
        rows = [{"symbol": name, "price": 100} for name in names]
        async with session.post(f"{base}/sim/assets", json=rows) as answer:
            assert answer.status == 200
        async with session.ws_connect(f"{base}/v1beta3/crypto/us", max_msg_size=0) as stream:
            await stream.receive()
            await stream.receive()
            await stream.send_json({"action": "subscribe", "quotes": ["*"]})
            await stream.receive()
            wanted = {"symbols": names, "quotes": quotes, "frame": frame}
            async with session.post(f"{base}/sim/burst", json=wanted) as answer:
                assert answer.status == 200
            return await _read(stream, -(-quotes // frame), quotes)


async def _read(stream: Any, frames: int, quotes: int) -> float:
    started = time.perf_counter()
    for _ in range(frames):
        message = await stream.receive()
        assert message.type in (WSMsgType.BINARY, WSMsgType.TEXT), message
    return quotes / (time.perf_counter() - started)


def orders(base: str, count: int, kind: str) -> tuple[float, float]:
    """Posts orders one after another; returns orders a second, and the median ms of one."""
    session = requests.Session()
    session.trust_env = False
    session.headers.update(HEADERS)
    took = []
    for number in range(count):
        body = {
            "symbol": "BTC/USD",
            "side": "buy",
            "type": "limit",
            "time_in_force": "gtc",
            "qty": "0.0002",
            "limit_price": "1000000" if kind == "filling" else "50000",
            "client_order_id": f"{kind}-{number}",
        }
        started = time.perf_counter()
        answer = session.post(f"{base}/v2/orders", json=body, timeout=10)
        took.append(time.perf_counter() - started)
        assert answer.status_code == 200, answer.text
    session.close()
    return count / sum(took), statistics.median(took) * 1000


async def orders_together(base: str, count: int, connections: int) -> float:
    """Posts orders over several connections at once; returns orders a second."""
    body = {
        "symbol": "ETH/USD",
        "side": "buy",
        "type": "limit",
        "time_in_force": "gtc",
        "qty": "0.01",
        "limit_price": "9000",
    }

    async def some(session: ClientSession, number: int) -> None:
        for _ in range(number):
            async with session.post(f"{base}/v2/orders", json=body) as answer:
                assert answer.status == 200, await answer.text()
                await answer.read()

    async with ClientSession(headers=HEADERS) as session:
        started = time.perf_counter()
        await asyncio.gather(*(some(session, count // connections) for _ in range(connections)))
        return count // connections * connections / (time.perf_counter() - started)


def quotes_in_process(count: int) -> float:
    """Quotes a second that the exchange's core alone takes, with ten orders resting."""
    from alpaca_simulator.options import Options
    from alpaca_simulator.world import World

    world = World(Options(walk=False))
    step = world.walks["BTC/USD"].step(0.1)
    started = time.perf_counter()
    for _ in range(count):
        world.push([world.quote_of("BTC/USD", step)])
    return count / (time.perf_counter() - started)


def main() -> int:
    """Measures and prints; 1 when the goal was missed."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quotes", type=int, default=300_000)
    parser.add_argument("--orders", type=int, default=2_000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    pushed = [_pushed(given, *case) for case in ((1, 10), (1, 1), (1, 100), (500, 10))]
    pushed.append(_pushed(given, 1, 10, packed=False))
    taken = _taken(given)
    core = round(quotes_in_process(100_000))
    reached = pushed[0]["quotes a second"] >= GOAL
    _table("Quotes pushed to one client", pushed)
    _table("Orders taken", taken)
    print(f"\nThe core alone, without a client: {core:,} quotes a second")
    print(f"Goal of {GOAL:,} quotes a second in frames of 10: {'met' if reached else 'MISSED'}\n")
    result = {"quotes": pushed, "orders": taken, "core_quotes_per_second": core}
    print(
        json.dumps(
            {"benchmark": "simulator", "goal_met": reached, "load": os.getloadavg()} | result
        )
    )
    return 0 if reached else 1


def _pushed(
    given: argparse.Namespace, symbols: int, frame: int, *, packed: bool = True
) -> dict[str, Any]:
    count = given.quotes if frame > 1 else given.quotes // 4
    rates = []
    for _ in range(given.rounds):
        with simulator() as base:
            job = push(base, symbols=symbols, frame=frame, quotes=count, packed=packed)
            rates.append(asyncio.run(job))
    return {
        "codec": "msgpack" if packed else "json",
        "symbols": symbols,
        "quotes a frame": frame,
        "quotes a second": round(statistics.median(rates)),
        "best": round(max(rates)),
    }


def _taken(given: argparse.Namespace) -> list[dict[str, Any]]:
    rows = []
    cash = str(Decimal(10) ** 9)
    with simulator("--cash", cash, "--partial-fills", "0", "--early-fills", "0") as base:
        for kind in ("filling", "resting"):
            rate, median = orders(base, given.orders, kind)
            rows.append(
                {"client": f"one, {kind}", "orders a second": round(rate), "median ms": median}
            )
        rate = asyncio.run(orders_together(base, given.orders, 16))
        rows.append({"client": "16 together", "orders a second": round(rate), "median ms": 0.0})
    return rows


def _table(title: str, rows: list[dict[str, Any]]) -> None:
    print(f"\n{title}")
    heads = list(rows[0])
    shown = [[_shown(row[head]) for head in heads] for row in rows]
    widths = [max(map(len, column)) for column in zip(heads, *shown, strict=True)]
    for line in (heads, ["-" * width for width in widths], *shown):
        print("  ".join(text.rjust(width) for text, width in zip(line, widths, strict=True)))


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.2f}" if value else "-"
    return f"{value:,}" if isinstance(value, int) else str(value)


if __name__ == "__main__":
    sys.exit(main())
