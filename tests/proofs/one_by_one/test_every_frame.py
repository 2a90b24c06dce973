"""The n-th trade update is lost, repeated, swapped, late or garbled: each n at an asset of its own.

One bot trades a cycle with all of them at the same time; what one asset suffers must neither cost
it a fill nor touch the others.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dca_bot.program.settings import DatabaseSettings
from tests.helpers import Simulator, apply_sql, eventually
from tests.proofs.whole.auditor import always, read_books, rows
from tests.proofs.whole.busy import Bot, add_assets, quoting, settle
from tests.tally import struck

pytestmark = pytest.mark.proof

OPTIONS = (
    *("--no-walk", "--rate-limit", "100000", "--symbol-limit", "0", "--stale-slot-seconds", "0"),
    *("--partial-fills", "0", "--early-fills", "0"),
)
FRAMES = range(1, 10)  # three orders, and of each: pending_new, new, fill
# Nobody notices these, until Alpaca is asked because an order is old.
UNNOTICED: dict[str, dict[str, Any]] = {
    "lose_update": {},
    "repeat_update": {"times": 2},
    "reorder_updates": {},
    "delay_update": {"seconds": 1},
}
# These make the bot ask at once, and about all its orders.
NOTICED: dict[str, dict[str, Any]] = {
    "null_instead": {},
    "garbled_update": {"body": "half"},
    "unknown_status": {},
    "unknown_event": {},
}
PRICES = {"base": "100", "safety": "99", "take_profit": "101"}
SYNC_SECONDS = 90  # of an update that never came the bot knows within 60 s


@pytest.mark.parametrize("faults", [UNNOTICED, NOTICED], ids=["unnoticed", "noticed"])
@pytest.mark.parametrize("simulator", [OPTIONS], indirect=True)
def test_whichever_update_goes_wrong_no_fill_is_lost_or_counted_twice(
    faults: dict[str, dict[str, Any]], simulator: Simulator, database: DatabaseSettings, bot: Bot
) -> None:
    suffering = {
        f"F{which}N{number}/USD": (fault, number)
        for which, fault in enumerate(faults)
        for number in FRAMES
    }
    list_pairs(simulator, *suffering)
    for symbol, (fault, number) in suffering.items():
        params = faults[fault] | {"symbol": symbol}
        body = {"name": fault, "params": params, "count": 1, "skip": number - 1}
        simulator.post("/sim/faults", body)
    add_assets(database, *suffering, percent="0.5")
    pause_after_sales(database)
    bot.start()
    for kind, price in PRICES.items():
        done = filled_by(database, kind, len(suffering))
        eventually(quoting(simulator, price, done, *suffering), timeout=SYNC_SECONDS)
        assert always(read_books(database, simulator)) == []
    hits = simulator.get("/sim/record")["faults_struck"]
    assert len(hits) == len(suffering)
    for fault, number in suffering.values():
        struck(fault, n=number)
    settle(database, simulator, timeout=SYNC_SECONDS)
    assert bot.end() == 0


@pytest.mark.parametrize("simulator", [OPTIONS], indirect=True)
def test_garbled_quotes_delay_orders_and_nothing_else(
    simulator: Simulator, database: DatabaseSettings, bot: Bot
) -> None:
    symbols = {"AAA/USD": None, "BBB/USD": None}
    list_pairs(simulator, *symbols)
    for body in ("half", "nonsense"):
        fault = {"name": "garbled_quotes", "params": {"body": body}, "probability": 0.6}
        simulator.post("/sim/faults", fault)
    for name in ("crossed_quotes", "zero_quotes"):
        simulator.post("/sim/faults", {"name": name, "probability": 0.4})
    add_assets(database, *symbols, percent="0.5")
    pause_after_sales(database)
    bot.start()
    for kind, price in PRICES.items():
        done = filled_by(database, kind, len(symbols))
        eventually(quoting(simulator, price, done, *symbols), timeout=SYNC_SECONDS)
    for name in ("garbled_quotes", "crossed_quotes", "zero_quotes"):
        [*faults] = (f for f in simulator.get("/sim/faults")["on"] if f["name"] == name)
        hits = sum(fault["hits"] for fault in faults)
        assert hits > 0
        struck(name, hits)
    settle(database, simulator)
    assert bot.end() == 0


def list_pairs(simulator: Simulator, *symbols: str) -> None:
    simulator.post("/sim/assets", [{"symbol": each, "price": 100} for each in symbols])


def pause_after_sales(database: DatabaseSettings) -> None:
    """One cycle each is enough: no restart, whatever the price."""
    apply_sql(database, b"UPDATE dca_assets SET max_safety_orders = 1")
    apply_sql(
        database,
        b"UPDATE dca_assets SET cooldown_period = 3600, buy_order_price_deviation_percent = 50",
    )


def filled_by(database: DatabaseSettings, kind: str, count: int) -> Callable[[], bool]:
    sql = f"SELECT id FROM dca_orders WHERE kind = '{kind}' AND status = 'filled'"  # noqa: S608
    return lambda: len(rows(database, sql)) == count
