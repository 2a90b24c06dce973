"""A simulated exchange whose prices stand still, shared by a module's tests."""

from collections.abc import Iterator

import pytest

from tests.helpers import Simulator, SimulatorProcess

QUIET = ("--no-walk", "--early-fills", "0", "--partial-fills", "0", "--rate-limit", "0")


@pytest.fixture(scope="module")
def still_exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    """One process for all tests of a module; a slot that is lost is free at once."""
    exchange = SimulatorProcess(
        tmp_path_factory.mktemp("exchange"), *QUIET, "--stale-slot-seconds", "0"
    )
    yield exchange
    exchange.stop()
