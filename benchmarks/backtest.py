"""How fast settings are tried: points a second of the exact engine, of the sweep's kernel, and of a
plain Python loop that compares each point with two floats, in turns.

  busy     A million points, an action every 650 or so.
  quotes   Ten million points, an action every 300,000 or so.
  process  `dca backtest` as a process, from a year of minutes as `dca history` keeps them.
  sweep    200 sets over the busy points on all cores, once the kernel is compiled.
  peers    The busy points by vectorbt, whole processes and a sweep of 20 sets, with --peers; the
           interpreter is that of an environment with `pip install vectorbt`.

Everything is in memory but for `process`; a run counts from prices without any index to the whole
result with its drawdown.  Processor time stands beside the clock's, since it is steadier on a
machine that others use too.

  backtest.py [--rounds 7] [--peers /path/to/python]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
from common import median, report, scratch

from dca_bot.backtest.engine import Replay, play
from dca_bot.backtest.exchange import Terms
from dca_bot.backtest.parameters import ladder_cost, sample_asset
from dca_bot.backtest.prices.months import MINUTE, Month, Stored, months, write_month
from dca_bot.backtest.prices.recording import Form, Recording
from dca_bot.backtest.prices.series import PriceSeries, narrowed
from dca_bot.backtest.result import result_of
from dca_bot.backtest.sweep import fast
from dca_bot.backtest.sweep.grid import Grid
from dca_bot.backtest.sweep.parts import Parts
from dca_bot.core.model import Side
from dca_bot.program.settings import PROJECT_ROOT

PAIR = "BTC/USD"
ASSET = sample_asset(PAIR)
START = Month(2025, 1).begins
MILLION = 1_000_000
YEAR_MINUTES = 525_600


@dataclass(frozen=True)
class Took:
    """Seconds by the clock and of the processor."""

    wall: float
    cpu: float


def a_walk(points: int, *, step: float, back: float) -> np.typing.NDArray[np.int64]:
    """Prices in cents that return to 20,000 dollars: each point pulls back by a share `back`."""
    noise = np.random.default_rng(1).normal(0, step, points)
    walk = np.empty(points)
    at = 0.0
    for number in range(points):
        at += noise[number] - back * at
        walk[number] = at
    return np.round(2_000_000 * np.exp(walk)).astype(np.int64)


def prices_of(
    values: np.typing.NDArray[np.int64], nanoseconds: int, *, spread: int = 0
) -> PriceSeries:
    times = START + np.arange(len(values)) * nanoseconds
    bids = narrowed(values)
    asks = narrowed(values + spread) if spread else bids
    return PriceSeries(PAIR, times, bids, asks, 2)


def afresh(prices: PriceSeries) -> PriceSeries:
    """The same without what has been worked out of it."""
    return prices.between(0, len(prices))


def exactly(prices: PriceSeries) -> int:
    replay = Replay(prices, ASSET, Terms())
    play([replay])
    result_of([replay], ladder_cost(ASSET))
    return len(replay.fills)


def by_plain_loop(prices: PriceSeries) -> int:
    """The same decisions, found by looking at every point, two comparisons each."""
    replay = Replay(prices, ASSET, Terms())
    asks, bids = prices.asks.tolist(), prices.bids.tolist()
    upto = 0
    for index, (bid, ask) in enumerate(zip(bids, asks, strict=True)):
        limits = replay._limits  # noqa: SLF001 - what the engine itself is armed with
        if ask <= limits.buy or bid >= limits.sell or index == replay._cooldown_end > upto:
            replay.act(index)
            upto = index
    return len(replay.fills)


def took(work: Callable[[], Any]) -> Took:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return Took(time.perf_counter() - wall, time.process_time() - cpu)


def in_turns(rounds: int, **works: Callable[[], Any]) -> dict[str, Took]:
    """The medians of each piece of work, done in turns."""
    found: dict[str, list[Took]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            found[name].append(took(work))
    return {
        name: Took(median([t.wall for t in each]), median([t.cpu for t in each]))
        for name, each in found.items()
    }


def engine(prices: PriceSeries, rounds: int, *, plain_rounds: int) -> dict[str, Any]:
    actions = exactly(afresh(prices))
    exact = in_turns(rounds, exact=lambda: exactly(afresh(prices)))["exact"]
    plain = in_turns(plain_rounds, plain=lambda: by_plain_loop(afresh(prices)))["plain"]
    arrays = [prices.times, prices.bids, *([] if prices.asks is prices.bids else [prices.asks])]
    return {
        "points": len(prices),
        "points/action": len(prices) / actions,
        "Mpoints/s": len(prices) / exact.wall / MILLION,
        "of cpu": len(prices) / exact.cpu / MILLION,
        "plain loop of cpu": len(prices) / plain.cpu / MILLION,
        "times faster": plain.cpu / exact.cpu,
        "bytes/point": sum(array.nbytes for array in arrays) / len(prices),
    }


def sweep(prices: PriceSeries, rounds: int) -> dict[str, Any]:
    values = {
        "safety_order_deviation": tuple(Decimal(each) / 10 for each in range(10, 30)),
        "take_profit_percent": tuple(Decimal(each) / 10 for each in range(8, 18)),
    }
    grid = Grid(ASSET, values)
    assets = grid.assets
    parts = Parts(prices, prices.between(0, 2))  # all of it counts, once
    market = parts.markets[0]
    cores = len(os.sched_getaffinity(0))
    shares = [assets[number::cores] for number in range(cores)]

    def all_sets() -> None:
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(cores) as pool:
            list(pool.map(lambda share: fast.run(prices, market, share, Terms()), shares))

    all_sets()  # compiles
    fast_took = in_turns(rounds, sweep=all_sets)["sweep"]
    index = in_turns(rounds, index=lambda: fast.market_of(prices))["index"]
    scores = fast.run(prices, market, assets, Terms())
    actions = sum(score.buys + score.cycles for score in scores)
    work = len(assets) * len(prices)
    return {
        "sets": len(assets),
        "points/action": work / actions,
        "Mset-points/s": work / fast_took.wall / MILLION,
        "of two cores' cpu": 2 * work / fast_took.cpu / MILLION,
        "ns/action of cpu": 1e9 * fast_took.cpu / actions,
        "index ms": 1000 * index.cpu,
    }


def keep_a_year(directory: Path) -> None:
    """Minute bars of a year, as `dca history` keeps them."""
    keep(directory, a_walk(YEAR_MINUTES, step=0.0008, back=0.0005))


def keep(directory: Path, closes: np.typing.NDArray[np.int64]) -> None:
    opens = np.concatenate([closes[:1], closes[:-1]])
    columns = {
        "open": opens,
        "high": np.maximum(opens, closes) + 300,
        "low": np.minimum(opens, closes) - 300,
        "close": closes,
    }
    times = START + np.arange(len(closes)) * MINUTE
    recording = Recording(PAIR, Form.BARS, times, columns, 2)
    for month in months(START, START + len(closes) * MINUTE):
        bars = recording.part(month.begins, month.ends)
        write_month(directory, month, Stored(bars, month.begins, month.ends))


def processes(rounds: int) -> list[dict[str, Any]]:
    """Whole processes; with the child's own processor time and the most memory it had."""
    rows = []
    with scratch() as directory:
        keep_a_year(directory)
        for name, options in (("a range, both runs", []), ("closes, exact", ["--closes"])):
            words = ["backtest", PAIR, "--data", str(directory), "--json", *options]
            found = [_child([sys.executable, "-m", "dca_bot", *words]) for _ in range(rounds)]
            rows.append(
                {
                    "a year of minutes": name,
                    "wall s": median([wall for wall, _, _ in found]),
                    "cpu s": median([cpu for _, cpu, _ in found]),
                    "MB": median([memory for _, _, memory in found]),
                }
            )
    return rows


def _child(command: list[str]) -> tuple[float, float, float]:
    start = time.perf_counter()
    child = subprocess.Popen(command, cwd=PROJECT_ROOT, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 0, command
    return time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def peers(python: str, values: np.typing.NDArray[np.int64], rounds: int) -> list[dict[str, Any]]:
    """vectorbt and this, in turns, on the same closes; both make the same buys and sells."""
    script = str(Path(__file__).with_name("peer_vectorbt.py"))
    ours = exact_events(prices_of(values, MINUTE))
    with scratch() as directory:
        closes, data = directory / "closes.npy", directory / "data"
        np.save(closes, values / 100)
        keep(data, values)
        theirs = [python, script, str(closes)]
        words = ["backtest", PAIR, "--data", str(data), "--json", "--closes"]
        own = [sys.executable, "-m", "dca_bot", *words]
        pairs = [(_child([*theirs, "1"]), _child(own)) for _ in range(rounds)]
        one, many = (_asked([*theirs, sets]) for sets in ("1", "20"))
        assert (one["buys"], one["sells"]) == ours
    processes = [median([pair[side][1] for pair in pairs]) for side in (0, 1)]
    prices = prices_of(values, MINUTE)
    return [
        {
            "of cpu": "vectorbt",
            "whole process s": processes[0],
            "Mpoints/s": len(values) / one["cpu"] / MILLION,
            "sweep Mset-points/s": 20 * len(values) / many["cpu"] / MILLION,
        },
        {
            "of cpu": "dca",
            "whole process s": processes[1],
            "Mpoints/s": engine(prices, rounds, plain_rounds=1)["of cpu"],
            "sweep Mset-points/s": sweep(prices_of(values, MINUTE), rounds)["of two cores' cpu"]
            / 2,
        },
    ]


def exact_events(prices: PriceSeries) -> tuple[int, int]:
    """Buys and sells of the exact engine."""
    replay = Replay(prices, ASSET, Terms())
    play([replay])
    buys = sum(fill.kind.side is Side.BUY for fill in replay.fills)
    return buys, len(replay.fills) - buys


def _asked(command: list[str]) -> dict[str, Any]:
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7, help="of each measurement (7)")
    parser.add_argument("--peers", metavar="PYTHON", help="of an environment with vectorbt")
    arguments = parser.parse_args()
    rounds = arguments.rounds
    whole = processes(rounds)  # first: a child's memory counts from what its parent had
    busy = prices_of(a_walk(MILLION, step=0.0008, back=0.0003), MINUTE)
    quotes = prices_of(a_walk(10 * MILLION, step=0.000024, back=0.0000003), 10**8, spread=1)
    rows = [
        {"prices": "busy", **engine(busy, rounds, plain_rounds=3)},
        {"prices": "quotes", **engine(quotes, rounds, plain_rounds=1)},
    ]
    tables = {"Exact engine": rows, "Whole process": whole}
    if fast.is_there():
        tables["Sweep by the kernel"] = [sweep(busy, rounds)]
    if arguments.peers:
        values = a_walk(MILLION, step=0.0008, back=0.0003)
        tables["Beside vectorbt"] = peers(arguments.peers, values, 3)
    report("backtest", tables)


if __name__ == "__main__":
    main()
