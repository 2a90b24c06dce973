"""Caretakers without a pause beside a busy main_app.py: nothing goes wrong, nothing stands still.

Their limits are a second here, so they cancel what the bot is just working with.
"""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from dca_bot.live.pauses import MAX_SECONDS
from dca_bot.program.settings import DatabaseSettings
from tests.helpers import Simulator, apply_sql, eventually, run_script
from tests.proofs.whole.auditor import always, read_books, rows
from tests.proofs.whole.busy import SYMBOLS, Bot, add_assets, calm, settle

pytestmark = pytest.mark.proof

# Longer for a long night: DCA_RACE_SECONDS=300.
RACE_SECONDS = float(os.environ.get("DCA_RACE_SECONDS", "40"))
CARETAKERS = ("order_manager.py", "cooldown_manager.py", "consistency_checker.py")
AT_ONCE = {
    "STALE_ORDER_SECONDS": "1",
    "ORPHAN_ORDER_SECONDS": "1",
    "STUCK_SELL_SECONDS": "1",
}
OPTIONS = ("--lively", "--stale-slot-seconds", "1", "--rate-limit", "100000")
# What the caretakers have work with: orders that take their time, and cancels that lose the race.
MISHAPS = (
    {"name": "slow_fill", "probability": 0.3, "params": {"seconds": 3}},
    {"name": "partial_fill", "probability": 0.2},
    {"name": "fill_before_cancel", "probability": 0.3},
    {"name": "positions_lag", "probability": 0.3, "params": {"seconds": 2}},
)
# Only cooldown_manager.py ends these cooldowns: no price falls by half.
COOLDOWNS = b"""
UPDATE dca_assets SET cooldown_period = 1, buy_order_price_deviation_percent = 50 WHERE id > 1;
"""


@pytest.mark.parametrize("simulator", [OPTIONS], indirect=True)
def test_caretakers_and_bot_never_get_in_each_others_way(
    simulator: Simulator, database: DatabaseSettings, bot: Bot, bot_env: dict[str, str]
) -> None:
    add_assets(database)
    apply_sql(database, COOLDOWNS)
    for mishap in MISHAPS:
        simulator.post("/sim/faults", mishap)
    bot.start()
    with caretakers_without_a_pause(bot_env | AT_ONCE) as outcomes:
        look_for(RACE_SECONDS, simulator, database)
        # on a slow machine they come too late for most orders, but not for all of them
        eventually(lambda: has_canceled(simulator), timeout=180)
        calm(simulator)
        settle(database, simulator)
        for symbol in SYMBOLS:
            still_trades(symbol, simulator)
        settle(database, simulator)
    assert bot.end() == 0
    assert set(outcomes) == {0}, outcomes
    assert outcomes[0] > len(CARETAKERS)
    assert rows(database, "SELECT * FROM dca_cycles WHERE status = 'error'") == []


@contextmanager
def caretakers_without_a_pause(env: dict[str, str]) -> Iterator[Counter[int]]:
    """Each in a loop of its own while the block runs; how often which exit status was seen."""
    outcomes: Counter[int] = Counter()
    is_over = threading.Event()

    def loop(name: str) -> None:
        while not is_over.is_set():
            done = run_script(name, env=env)
            outcomes[done.returncode] += 1
            if done.returncode:
                print(done.stdout, done.stderr)

    loops = [threading.Thread(target=loop, args=(name,)) for name in CARETAKERS]
    for each in loops:
        each.start()
    try:
        yield outcomes
    finally:
        is_over.set()
        for each in loops:
            each.join(120)


def look_for(seconds: float, simulator: Simulator, database: DatabaseSettings) -> None:
    """Look again and again for what may never be seen."""
    over_at = time.monotonic() + seconds

    def is_over() -> bool:
        assert always(read_books(database, simulator)) == []
        return time.monotonic() > over_at

    eventually(is_over, timeout=seconds * 3)


def has_canceled(simulator: Simulator) -> bool:
    """Whether the caretakers had something to do: here nobody else cancels."""
    return any(order["status"] == "canceled" for order in simulator.get("/sim/record")["orders"])


def still_trades(symbol: str, simulator: Simulator) -> None:
    """A price far above every purchase is a reason to sell, or for a cycle that is empty to buy."""
    before = orders_of(symbol, simulator)
    price = 2 * float(simulator.get("/sim/state")["quotes"][symbol]["ask"])

    def has_ordered() -> bool:
        # again and again: a pause after a cancel may outlast one quote's usefulness
        simulator.post("/sim/quote", {"symbol": symbol, "bid": price, "ask": price})
        return orders_of(symbol, simulator) > before

    eventually(has_ordered, timeout=MAX_SECONDS + 60)


def orders_of(symbol: str, simulator: Simulator) -> int:
    return sum(order["symbol"] == symbol for order in simulator.get("/sim/record")["orders"])
