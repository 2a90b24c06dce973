"""Storms: the exchange and the network misbehave by seed, then the sea calms.

Two phases.  Safety: while faults strike, nothing wrong may be seen, not once.  Liveness: once
they stop, both sides agree again without help.
"""

from __future__ import annotations

import os

import pytest

from dca_bot.program.settings import DatabaseSettings
from tests.helpers import Simulator, eventually
from tests.proofs.whole.busy import (
    LIVELY,
    Bot,
    add_assets,
    agree_and_end,
    more_orders_than,
    watch_for,
)

pytestmark = pytest.mark.proof

# More seeds for a long night: DCA_STORM_SEEDS=200.
SEEDS = int(os.environ.get("DCA_STORM_SEEDS", "2"))
STORM_SECONDS = 15
OPTIONS = (*LIVELY, "--seed")


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
    watch_for(STORM_SECONDS, database, simulator)
    agree_and_end(database, simulator, bot, timeout=120)
