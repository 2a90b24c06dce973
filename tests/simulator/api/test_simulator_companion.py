"""The simulator for other people's programs: a command beside it, and the fixture of tests."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from alpaca.common.exceptions import APIError
from alpaca.trading.client import TradingClient

from tests import warm

if TYPE_CHECKING:
    from alpaca_simulator.pytest_plugin import AlpacaSimulator

pytest_plugins = ["alpaca_simulator.pytest_plugin"]

# A program that knows nothing of a simulator and has no option for addresses.
SOMEBODYS_BOT = """
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import OrderSide, TimeInForce
from alpaca.trading.requests import MarketOrderRequest

client = TradingClient("key", "secret", paper=True)
order = client.submit_order(
    MarketOrderRequest(
        symbol="BTC/USD", qty=0.1 / 3, side=OrderSide.BUY, time_in_force=TimeInForce.GTC
    )
)
print("bought", order.qty)
"""
SHOWS_ENVIRONMENT = """
import os, sys
names = ("APCA_API_BASE_URL", "TRADE_API_URL", "ALPACA_BASE_URL", "APCA_TRADING_BASE_URL")
assert len({os.environ[name] for name in names}) == 1
assert os.environ["APCA_API_STREAM_URL"].startswith("ws://127.0.0.1:")
assert os.environ["APCA_API_KEY_ID"] == os.environ["ALPACA_API_KEY"] == "mine"
sys.exit(7)
"""


def run(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return warm.run("-m", "alpaca_simulator", "run", *arguments, env=os.environ | env, timeout=120)


def test_a_program_without_an_option_for_addresses_trades_here() -> None:
    found = run("--", sys.executable, "-c", SOMEBODYS_BOT)
    assert (found.returncode, found.stdout) == (0, "bought 0.033333333\n"), found.stderr


def test_every_convention_of_the_environment_is_served_and_the_status_is_passed_on() -> None:
    found = run("--key", "mine", "--secret", "x", "--", sys.executable, "-c", SHOWS_ENVIRONMENT)
    assert found.returncode == 7, found.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("--",), 2, "a command is needed, after --"),
        (("--lively",), 2, "a command is needed, after --"),
        (("--", "/no/such/program"), 127, "/no/such/program: No such file or directory"),
        (("--", "python0", "my_bot.py"), 127, "activate its venv first, or call it python3"),
        (("--", os.devnull), 126, "Permission denied"),
    ],
)
def test_a_command_that_cannot_be_run_is_named(
    arguments: tuple[str, ...], status: int, words: str
) -> None:
    found = run(*arguments)
    assert found.returncode == status
    assert words in found.stderr.splitlines()[-1]


def test_another_sitecustomize_still_runs(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("print('mine too')\n")
    found = run("--", sys.executable, "-c", "pass", PYTHONPATH=str(tmp_path))
    assert "mine too" in found.stdout


def test_the_fixture_quotes_breaks_and_tells_what_happened(alpaca_sim: AlpacaSimulator) -> None:
    alpaca_sim.quote("BTC/USD", bid=99, ask=100)
    alpaca_sim.fault("reject_order", count=1, side="buy")
    with pytest.raises(ValueError, match="restricted to liquidation"):
        raise_for(alpaca_sim)
    record = alpaca_sim.record()
    assert record["quotes"]["BTC/USD"]["ask"] == "100"
    assert [one["status"] for one in record["requests"]] == [403]


def raise_for(alpaca_sim: AlpacaSimulator) -> None:
    """Sends an order as the SDK would, and complains as it would."""
    client = TradingClient(alpaca_sim.key, alpaca_sim.secret, url_override=alpaca_sim.url)
    try:
        body = {"symbol": "BTC/USD", "side": "buy", "type": "market", "qty": "1"}
        client.post("/orders", body | {"time_in_force": "gtc"})
    except APIError as e:
        raise ValueError(str(e)) from e
    finally:
        client._session.close()


@pytest.mark.parametrize("number", [1, 2])
def test_two_tests_with_the_fixture_do_not_meet(alpaca_sim: AlpacaSimulator, number: int) -> None:
    assert alpaca_sim.state()["balances"]["free"]["USD"] == "100000"
    assert alpaca_sim.record()["requests"] == []
    alpaca_sim.control("cash", amount=-100 * number)
    alpaca_sim.quote("BTC/USD", bid=1, ask=2)


def test_what_the_fixture_is_asked_wrongly_is_named(alpaca_sim: AlpacaSimulator) -> None:
    with pytest.raises(ValueError, match="unknown symbol NOPE/USD"):
        alpaca_sim.quote("NOPE/USD", bid=1, ask=2)
    with pytest.raises(ValueError, match="GET /sim/faults lists them"):
        alpaca_sim.fault("nonsense")
