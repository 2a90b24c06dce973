"""The n-th statement to the database goes wrong, for every n until a run is left untouched."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from dca_bot.program.settings import DatabaseSettings
from tests.helpers import Simulator, SimulatorProcess, apply_sql
from tests.proofs.one_by_one.one_cycle import ASSET, FRESH, QUIET, OneCycle
from tests.proofs.whole.database_proxy import Cut, DatabaseProxy, Error, Fault, Nth
from tests.tally import struck

pytestmark = pytest.mark.proof

IS_WHOLE_SWEEP = os.environ.get("DCA_SWEEP") == "all"
CHANCES_MIN, CHANCES_MAX = 30, 400
# name -> what happens, and how many of the chances the ordinary run lets pass between two
FAULTS: dict[str, tuple[Fault, int]] = {
    "cut before it arrived": (Cut(is_done=False), 3),
    "done, answer lost": (Cut(is_done=True), 3),
    "done, answer cut in half": (Cut(is_done=True, share=0.5), 9),
    "lock wait": (Error(1205), 7),
    "deadlock": (Error(1213, "40001", undoes=True), 4),
    "read only": (Error(1290), 13),
    "disk full": (Error(1021), 11),
    "table full": (Error(1114), 17),
    "server shuts down": (Error(1053, "08S01", undoes=True), 9),
    "killed": (Error(1927, "70100", undoes=True), 13),
}


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    """One for all runs, set afresh for each."""
    exchange = SimulatorProcess(tmp_path_factory.mktemp("exchange"), *QUIET)
    yield exchange
    exchange.stop()


@pytest.fixture
def proxy(database: DatabaseSettings) -> Iterator[DatabaseProxy]:
    proxy = DatabaseProxy(database)
    yield proxy
    proxy.close()


@pytest.mark.parametrize("name", FAULTS)
def test_whichever_statement_fails_the_cycle_is_traded_to_its_end(
    name: str, exchange: Simulator, database: DatabaseSettings, proxy: DatabaseProxy
) -> None:
    fault, stride = FAULTS[name]
    for number in range(1, CHANCES_MAX, 1 if IS_WHOLE_SWEEP else stride):
        plan = Nth(number, fault)
        run_with(plan, exchange, database, proxy, f"{name}, {number}")
        if not plan.struck:
            break
        struck(f"statement: {name}", n=number)
    assert CHANCES_MIN < number < CHANCES_MAX - stride


def run_with(
    plan: Nth, exchange: Simulator, database: DatabaseSettings, proxy: DatabaseProxy, which: str
) -> None:
    exchange.post("/sim/reset", {"walk": False})
    apply_sql(database, FRESH.encode())
    proxy.plan = plan
    cycle = OneCycle(proxy.settings, database, exchange)
    try:
        cycle.run()
    finally:
        proxy.plan = None
    assert cycle.judge() == [], f"{which}: {plan.struck}; {cycle.troubles}"


def test_untouched_it_needs_no_second_try(
    exchange: Simulator, database: DatabaseSettings, proxy: DatabaseProxy, tmp_path: Path
) -> None:
    exchange.post("/sim/reset", {"walk": False})
    apply_sql(database, ASSET.encode())
    # as long as it takes: here a stalled machine would be a trouble, too
    cycle = OneCycle(proxy.settings, database, exchange, read_seconds=30)
    cycle.run()
    assert (cycle.judge(), cycle.troubles) == ([], {})
