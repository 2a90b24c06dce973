"""The n-th request to Alpaca goes wrong, for every n until a run is left untouched."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from dca_bot.program.settings import DatabaseSettings
from tests.helpers import Simulator, SimulatorProcess, apply_sql
from tests.proofs.one_by_one.one_cycle import FRESH, QUIET, STEPS, OneCycle
from tests.tally import struck

pytestmark = pytest.mark.proof

IS_WHOLE_SWEEP = os.environ.get("DCA_SWEEP") == "all"
READ_SECONDS = 0.3  # how long an answer is waited for, so that a hanging one costs no more
REQUESTS_MIN, REQUESTS_MAX = 12, 100
FAULTS: dict[str, tuple[str, dict[str, Any]]] = {
    # Alpaca does nothing
    "429": ("rate_limited", {}),
    "500": ("server_error", {}),
    "502 of a proxy": ("server_error", {"status": 502, "body": "html"}),
    "403": ("forbidden", {}),
    "cut before it was taken": ("reset", {}),
    "no answer, nothing done": ("hang", {}),
    # Alpaca does it, and we can't know
    "504, though done": ("timeout_after_accepting", {}),
    "500, though done": ("error_after_accepting", {}),
    "cut, though done": ("reset_after_accepting", {}),
    "no answer, though done": ("hang_after_accepting", {}),
    "half an answer": ("garbled_answer", {"body": "half"}),
    "an empty answer": ("garbled_answer", {"body": "empty"}),
    "another page as answer": ("garbled_answer", {"body": "html"}),
}


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    """One for all runs, set afresh for each."""
    exchange = SimulatorProcess(tmp_path_factory.mktemp("exchange"), *QUIET)
    yield exchange
    exchange.stop()


@pytest.mark.parametrize("name", FAULTS)
def test_whichever_order_goes_wrong_it_is_traded_once(
    name: str, exchange: Simulator, database: DatabaseSettings
) -> None:
    assert sweep(name, {"method": "POST"}, exchange, database) >= len(STEPS)


@pytest.mark.parametrize("name", FAULTS)
def test_whichever_request_goes_wrong_the_cycle_is_traded_to_its_end(
    name: str, exchange: Simulator, database: DatabaseSettings
) -> None:
    stride = 1 if IS_WHOLE_SWEEP else 6
    assert sweep(name, {}, exchange, database, stride) >= REQUESTS_MIN / stride


def sweep(
    name: str,
    only: dict[str, str],
    exchange: Simulator,
    database: DatabaseSettings,
    stride: int = 1,
) -> int:
    """How many runs were struck before one was left untouched."""
    for count, number in enumerate(range(1, REQUESTS_MAX, stride)):
        exchange.post("/sim/reset", {"walk": False})
        apply_sql(database, FRESH.encode())
        fault, params = FAULTS[name]
        body = {"name": fault, "params": params | only, "count": 1, "skip": number - 1}
        exchange.post("/sim/faults", body)
        cycle = OneCycle(database, database, exchange, read_seconds=READ_SECONDS)
        cycle.run()
        if not exchange.get("/sim/record")["faults_struck"]:
            return count
        struck(f"request: {name}", n=number, **only)
        exchange.post("/sim/faults", {"name": fault, "on": False})
        assert cycle.judge() == [], f"{name}, {number}: {cycle.troubles}"
    raise AssertionError(f"{REQUESTS_MAX} requests for one cycle")
