"""Recorded markets, at speed, through exchange, sockets, SDK, bot and MariaDB.

Every cycle that completes must agree, to the last digit, with what the exchange's own record of
fills and fees says (`auditor.py`).
"""

from __future__ import annotations

import gzip
import itertools
from pathlib import Path

import pytest

from dca_bot.program.settings import PROJECT_ROOT, DatabaseSettings
from tests.helpers import Simulator, eventually
from tests.proofs.whole.auditor import read_books, rows
from tests.proofs.whole.busy import Bot, add_assets, settle
from tests.summary import NO_RECORDINGS

pytestmark = pytest.mark.proof

# Recorded markets are large, and not part of this repository.
DATA = PROJECT_ROOT.parent / "shared" / "data"
BARS = "bars1m_binanceus_btcusd_20230301_20230321.csv.gz"
QUOTES = "quotes_binance_spot_ethusdt_20240808.csv.gz"
SYMBOL = "ETH/USD"  # whatever the market was: the exchange plays it under this name
OPTIONS = ("--no-walk", "--stale-slot-seconds", "0", "--rate-limit", "100000")


@pytest.mark.skipif(not DATA.is_dir(), reason=f"needs {NO_RECORDINGS}")
@pytest.mark.parametrize("simulator", [OPTIONS], indirect=True)
@pytest.mark.parametrize(
    ("name", "first_row", "count", "speed", "percent", "cycles"),
    [
        (BARS, 13_000, 3_000, 6_000, "0.3", 5),  # the week in which a bank failed
        (QUOTES, 0, 24_077, 15, "0.01", 3),
    ],
)
def test_every_cycle_agrees_with_the_record_of_the_exchange(
    name: str,
    first_row: int,
    count: int,
    speed: int,
    percent: str,
    cycles: int,
    simulator: Simulator,
    database: DatabaseSettings,
    bot: Bot,
    tmp_path: Path,
) -> None:
    add_assets(database, SYMBOL, percent=percent)
    stretch = tmp_path / "stretch.csv"
    with gzip.open(DATA / name, "rt") as lines:
        header, *points = itertools.chain(
            [next(lines)], itertools.islice(lines, first_row, first_row + count)
        )
    stretch.write_text(header + "".join(points))
    # before the replay begins, the exchange already stands where it begins
    first = dict(zip(header.strip().split(","), points[0].strip().split(","), strict=True))
    bid, ask = first.get("bid", first.get("close")), first.get("ask", first.get("close"))
    simulator.post("/sim/quote", {"symbol": SYMBOL, "bid": bid, "ask": ask})
    bot.start()
    eventually(lambda: simulator.get("/sim/state")["streams"]["data"], timeout=30)
    replay = {"symbol": SYMBOL, "path": str(stretch), "speed": speed, "spread_bps": 2}

    def complete_after_a_replay() -> int:
        feed = simulator.post("/sim/replay", replay)["feed"]
        eventually(lambda: simulator.get("/sim/state")["feeds"][feed]["finished"], timeout=120)
        settle(database, simulator)
        return len(rows(database, "SELECT id FROM dca_cycles WHERE status = 'complete'"))

    # again, if the machine stood still in the moments that mattered
    assert any(complete_after_a_replay() >= cycles for _ in range(3))
    assert len(read_books(database, simulator).record["fills"]) >= 2 * cycles
    assert bot.end() == 0
