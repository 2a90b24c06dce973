"""Storms: the exchange and the network misbehave by seed, then the sea calms.

Two phases.  Safety: while faults strike, nothing wrong may be seen, not once.  Liveness: once
they stop, both sides agree again without help.
"""

from __future__ import annotations

import os
import time

import pytest

from dca_bot.settings import DatabaseSettings
from helpers import Simulator, eventually
from whole.auditor import always, read_books
from whole.busy import Bot, add_assets, calm, more_orders_than, settle

# More seeds for a long night: DCA_STORM_SEEDS=200.
SEEDS = int(os.environ.get("DCA_STORM_SEEDS", "2"))
STORM_SECONDS = 15
OPTIONS = ("--lively", "--stale-slot-seconds", "1", "--rate-limit", "100000", "--seed")


@pytest.mark.parametrize(
    ("seed", "simulator"),
    [(seed, (*OPTIONS, str(seed))) for seed in range(SEEDS)],
    indirect=["simulator"],
)
def test_the_books_agree_after_a_storm(
    seed: int,
    simulator: Simulator,
    database: DatabaseSettings,
    bot: Bot,
) -> None:
    add_assets(database)
    bot.start()
    eventually(more_orders_than(simulator, 2), timeout=30)
    simulator.post("/sim/faults", {"seed": seed})
    storm(simulator, database)
    calm(simulator)
    settle(database, simulator, timeout=120)
    assert bot.end() == 0


def storm(simulator: Simulator, database: DatabaseSettings) -> None:
    """Let the faults strike for a while, and look again and again."""
    over_at = time.monotonic() + STORM_SECONDS

    def is_over() -> bool:
        assert always(read_books(database, simulator)) == []
        return time.monotonic() > over_at

    eventually(is_over, timeout=STORM_SECONDS * 3)
