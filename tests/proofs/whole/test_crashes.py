"""SIGKILL at any moment: nothing is bought twice, and no fill is lost."""

from __future__ import annotations

import random

import pytest

from dca_bot.program.settings import DatabaseSettings
from tests.helpers import Simulator, eventually
from tests.proofs.whole.auditor import always, read_books
from tests.proofs.whole.busy import LIVELY, Bot, add_assets, settle
from tests.tally import struck

pytestmark = pytest.mark.proof

KILLS = 20
# Orders are taken, but their answers come late, so that many kills fall between both.
OPTIONS = (*LIVELY, "--stale-slot-seconds", "0", "--seed", "7")


@pytest.mark.parametrize("simulator", [OPTIONS], indirect=True)
def test_twenty_kills_in_a_busy_run_leave_the_books_right(
    simulator: Simulator, database: DatabaseSettings, bot: Bot
) -> None:
    chance = random.Random(20)
    add_assets(database)
    simulator.post(
        "/sim/faults",
        {
            "name": "slow_answer",
            "params": {"path": "/v2/orders", "method": "POST", "seconds": 0.2},
            "probability": 0.5,
        },
    )
    for _ in range(KILLS):
        enough = posts_so_far(simulator) + chance.randint(1, 6)
        bot.start()
        wait_for_posts(simulator, enough)
        bot.kill()
        struck("SIGKILL at a random moment", posts=enough)
        assert always(read_books(database, simulator)) == []
    simulator.post("/sim/faults", {"name": "slow_answer", "on": False})
    bot.start()
    wait_for_posts(simulator, posts_so_far(simulator) + 3)
    simulator.post("/sim/walk", {"on": False})
    settle(database, simulator)
    assert bot.end() == 0


def wait_for_posts(simulator: Simulator, count: int) -> None:
    """Until so many orders were sent: a moment in the middle of something, not one at rest."""
    eventually(lambda: posts_so_far(simulator) >= count, timeout=90)


def posts_so_far(simulator: Simulator) -> int:
    return sum(1 for row in simulator.get("/sim/record")["requests"] if row["method"] == "POST")
