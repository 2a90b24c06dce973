"""Fixtures for the simulated exchange: one process for most tests, set afresh before each."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dca_bot.program.settings import PROJECT_ROOT
from tests.helpers import Simulator, SimulatorProcess
from tests.simulator.sim_wire import Wire
from tests.summary import NO_RECORDINGS

SHARED = Path(os.environ.get("SHARED") or PROJECT_ROOT.parent / "shared")
QUIET = ("--rate-limit", "0", "--stale-slot-seconds", "0", "--no-walk")
CERTAIN = ("--partial-fills", "0", "--early-fills", "0")

Start = Callable[..., Wire]


@pytest.fixture(scope="session")
def common_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    """One simulator for all the tests that need no options of their own."""
    process = SimulatorProcess(tmp_path_factory.mktemp("common_simulator"), *QUIET, *CERTAIN)
    yield process
    process.stop()


@pytest.fixture
def wire(common_process: Simulator) -> Iterator[Wire]:
    """A client of the common simulator, which starts afresh."""
    client = Wire(common_process.base_url)
    client.control("reset")
    yield client
    client.close()


@pytest.fixture
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Starts a simulator with options of the test's own."""
    running: list[tuple[Simulator, Wire]] = []

    def begin(*arguments: str, quiet: bool = True) -> Wire:
        options = (*QUIET, *CERTAIN, *arguments) if quiet else arguments
        process = SimulatorProcess(tmp_path_factory.mktemp("simulator"), *options)
        client = Wire(process.base_url)
        running.append((process, client))
        return client

    yield begin
    for process, client in running:
        client.close()
        process.stop()


@pytest.fixture(scope="session")
def recorded() -> Callable[[str], Any]:
    """Reads a recorded payload; skips where the recordings are not at hand."""

    def read(name: str) -> Any:
        return json.loads(shared_file(f"alpaca/recorded/{name}").read_text())

    return read


@pytest.fixture(scope="session")
def shared_data() -> Callable[[str], Path]:
    """Finds a file of recorded prices; skips where they are not at hand."""
    return lambda name: shared_file(f"data/{name}")


@pytest.fixture(scope="session")
def official() -> Callable[[str], Path]:
    """Finds an official description; skips where they are not at hand."""
    return lambda name: shared_file(f"alpaca/openapi/{name}")


def shared_file(name: str) -> Path:
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"needs {NO_RECORDINGS}: {name}")
    return path
