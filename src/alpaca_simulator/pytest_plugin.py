"""A pytest plugin: the fixture `alpaca_sim`, an exchange of its own for every test.

Installed with the package, pytest finds it by itself. One simulator runs for the whole session (one
for each worker of pytest-xdist); each test gets a key of its own, and with it money, orders,
prices, faults and a record that no other test touches.
"""

import itertools
import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from alpaca_simulator.environment import environment

SECRET = "secret"  # noqa: S105
NUMBERS = itertools.count(1)
PATIENCE = 30.0  # seconds for an answer of the control API


class AlpacaSimulator:
    """One test's exchange."""

    def __init__(self, url: str, key: str) -> None:
        self.url = url
        self.ws_url = url.replace("http", "ws", 1)
        self.key = key
        self.secret = SECRET

    @property
    def trading_stream_url(self) -> str:
        """The trading websocket, as `url_override` of alpaca-py's TradingStream wants it."""
        return f"{self.ws_url}/stream"

    @property
    def data_stream_url(self) -> str:
        """The market-data websocket, as `url_override` of alpaca-py's CryptoDataStream wants it."""
        return f"{self.ws_url}/v1beta3/crypto/us"

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a child process that shall trade here."""
        return environment(self.url, self.key, self.secret)

    def quote(self, symbol: str, bid: object, ask: object, **more: object) -> None:
        """Puts a quote in force and pushes it to subscribers."""
        self.control("quote", symbol=symbol, bid=str(bid), ask=str(ask), **more)

    def fault(
        self,
        name: str,
        *,
        count: int | None = None,
        probability: float = 1,
        skip: int = 0,
        params: Mapping[str, object] | None = None,
        **more: object,
    ) -> None:
        """Turns a fault on: for good or so many times, with its parameters by name."""
        self.control(
            "faults",
            name=name,
            count=count,
            probability=probability,
            skip=skip,
            params={**(params or {}), **more},
        )

    def heal(self, name: str | None = None) -> None:
        """Turns off the faults of a name, or all."""
        self._call("DELETE", "faults" if name is None else f"faults/{name}")

    def scenario(self, name: str) -> None:
        """Plays a scenario."""
        self.control("scenario", name=name)

    def record(self) -> dict[str, Any]:
        """Everything that happened: orders, fills, requests, events, balances."""
        return self._call("GET", "record")

    def state(self) -> dict[str, Any]:
        """The present: balances, open orders, quotes, faults."""
        return self._call("GET", "state")

    def control(self, call: str, **body: object) -> dict[str, Any]:
        """Any other call of the control API; raises ValueError with its complaint."""
        return self._call("POST", call, body)

    def _call(self, method: str, call: str, body: object = None) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        headers = {"APCA-API-KEY-ID": self.key, "APCA-API-SECRET-KEY": self.secret}
        request = urllib.request.Request(  # noqa: S310
            f"{self.url}/sim/{call}", data, headers, method=method
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=PATIENCE) as answer:
                found: dict[str, Any] = json.loads(answer.read() or b"{}")
                return found
        except urllib.error.HTTPError as e:
            with e:
                raise ValueError(f"{method} /sim/{call}: {e.read().decode()}") from None


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the options that the simulator of the session is started with."""
    parser.addini("alpaca_sim_options", "options of the simulator", type="args", default=[])


@pytest.fixture(scope="session")
def alpaca_sim_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """Where the session's simulator listens."""
    options = ["--port", "0", "--account-per-key", "--no-walk", "--rate-limit", "0"]
    options += ["--partial-fills", "0", "--early-fills", "0", "--stale-slot-seconds", "0"]
    options += request.config.getini("alpaca_sim_options")
    with subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", "alpaca_simulator", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None  # noqa: S101
        assert process.stderr is not None  # noqa: S101
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(process.stderr.read().strip())
        try:
            yield line.split(" on ")[1].split()[0]
        finally:
            process.terminate()


@pytest.fixture
def alpaca_sim(alpaca_sim_url: str) -> Iterator[AlpacaSimulator]:
    """An exchange of this test's own, with a fresh account of 100,000 USD."""
    exchange = AlpacaSimulator(alpaca_sim_url, f"test-{os.getpid()}-{next(NUMBERS)}")
    yield exchange
    exchange.control("forget")
