"""The control API, and the program itself."""

import asyncio
import os
import signal
import subprocess
import sys
from decimal import Decimal
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from alpaca_simulator.api.gate import is_loopback
from tests import warm
from tests.helpers import SimulatorProcess, eventually
from tests.simulator.sim_wire import HEADERS, PATIENCE, Wire, socket


class Caller:
    """A request, as far as the check of its origin is concerned."""

    def __init__(self, remote: str | None) -> None:
        self.remote = remote


@pytest.mark.parametrize(
    ("remote", "ours"),
    [("127.0.0.1", True), ("::1", True), ("192.168.1.7", False), ("10.127.0.1", False), (None, 0)],
)
def test_the_control_api_is_for_this_machine_alone(remote: str | None, ours: bool) -> None:
    assert is_loopback(Caller(remote)) == ours  # type: ignore[arg-type]


def test_held_fills_wait_for_their_release(wire: Wire) -> None:
    wire.quote("99", "100")
    wire.control("hold", symbol="BTC/USD")
    order = wire.order(limit_price="101")
    eventually(lambda: wire.status(order["id"]) == "new")
    wire.quote("94", "95")
    assert wire.status(order["id"]) == "new"
    wire.control("release", symbol="BTC/USD")
    assert wire.get(f"/v2/orders/{order['id']}")["filled_avg_price"] == "95"


def test_an_order_is_filled_by_hand_in_parts_and_found_by_its_clients_id(wire: Wire) -> None:
    wire.quote("99", "100")
    wire.order(limit_price="50", client_order_id="mine")
    part = wire.control("orders/mine/fill", qty="0.25", price="49")
    assert (part["status"], part["filled_qty"], part["filled_avg_price"]) == (
        "partially_filled",
        "0.25",
        "49",
    )
    assert wire.control("orders/mine/fill")["filled_avg_price"] == "49.75"


@pytest.mark.parametrize("status", ["canceled", "expired", "rejected"])
def test_an_order_is_ended_by_hand(wire: Wire, status: str) -> None:
    order = wire.order(limit_price="50")
    assert wire.control(f"orders/{order['id']}/finish", status=status)["status"] == status


def test_cash_and_coins_come_and_go(wire: Wire) -> None:
    wire.control("cash", amount="-99000")
    assert wire.get("/v2/account")["cash"] == "1000"
    refused = wire.call("POST", "/sim/cash", json={"amount": -5000})
    assert refused.status_code == 400
    wire.control("cash", currency="ETH", amount="2", price="1000")
    position = wire.get("/v2/positions/ETHUSD")
    assert (position["qty"], position["avg_entry_price"]) == ("2", "1000")


def test_assets_are_added_and_edited(wire: Wire) -> None:
    wire.control("assets", symbol="NEW/USD", price="2.5", price_increment="0.01")
    assert wire.get("/v2/assets/NEWUSD")["price_increment"] == "0.01"
    assert wire.get("/sim/state")["quotes"]["NEW/USD"]["number"] == 1
    refused = wire.try_order(symbol="NEW/USD", qty="10", limit_price="2.505")
    assert refused.json()["message"] == "limit price increment must be > 0.01"
    many = [{"symbol": f"C{number}/USD", "price": 10} for number in range(500)]
    assert wire.call("POST", "/sim/assets", json=many).json()["assets"] == 574


def test_settings_change_while_it_runs(wire: Wire) -> None:
    wire.control("settings", minimum_usd_buy=1, taker_fee="0.01", fill_latency=0)
    wire.quote("99", "100")
    order = wire.order(qty="0.05", limit_price="101")
    assert wire.status(order["id"]) == "filled"
    assert wire.get("/sim/record")["fills"][0]["fee"] == "0.0005"
    assert wire.call("POST", "/sim/settings", json={"nonsense": 1}).status_code == 400


def test_the_record_lets_anyone_recompute_the_balances(wire: Wire) -> None:
    wire.quote("99", "100")
    wire.control("trade", symbol="BTC/USD", side="buy", qty="3")
    wire.control("trade", symbol="BTC/USD", side="sell", qty="1")
    wire.try_order(qty="0.01", client_order_id="small")
    record = wire.get("/sim/record")
    cash, coins = Decimal(100_000), Decimal(0)
    for fill in record["fills"]:
        sign = 1 if fill["side"] == "buy" else -1
        coins += sign * Decimal(fill["qty"])
        cash -= sign * Decimal(fill["qty"]) * Decimal(fill["price"])
        if fill["fee_currency"] == "USD":
            cash -= Decimal(fill["fee"])
        else:
            coins -= Decimal(fill["fee"])
        assert fill["quote"]["ask"] == "100"
    assert record["balances"]["free"]["USD"] == format(cash.normalize(), "f")
    assert record["balances"]["free"]["BTC"] == format(coins.normalize(), "f")
    refused = [one for one in record["requests"] if one["client_order_id"] == "small"]
    assert [(one["status"], one["outcome"]) for one in refused] == [(403, 403)]
    assert refused[0]["answered_monotonic"] >= refused[0]["arrived_monotonic"]


def test_a_reset_starts_afresh(wire: Wire) -> None:
    wire.control("trade", symbol="BTC/USD", side="buy", qty="0.1")
    wire.control("settings", minimum_usd_buy=1)
    wire.fault("hang")
    wire.control("reset")
    record = wire.get("/sim/record")
    assert (record["orders"], record["fills"], record["events"], record["faults"]) == (
        [],
        [],
        [],
        [],
    )
    assert wire.get("/v2/account")["cash"] == "100000"
    assert wire.try_order(qty="0.01").status_code == 403


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("quote", {"symbol": "BTC/USD", "bid": 1}, "ask is needed, as a number"),
        ("quote", {"symbol": "NOPE/USD", "bid": 1, "ask": 2}, "unknown symbol NOPE/USD"),
        ("walk", {"on": "yes"}, "on is true or false"),
        ("assets", {"symbol": "BTCUSD"}, "a symbol is written BASE/QUOTE"),
        ("replay", {"path": "none.csv"}, "none.csv: No such file or directory"),
    ],
)
def test_what_makes_no_sense_is_said_in_a_sentence(
    wire: Wire, path: str, body: dict[str, Any], message: str
) -> None:
    answer = wire.call("POST", f"/sim/{path}", json=body)
    assert (answer.status_code, answer.json()) == (400, {"message": message})


def test_a_quote_may_carry_a_time_of_its_own(wire: Wire) -> None:
    wire.control("quote", symbol="BTC/USD", bid=1, ask=2, at="2026-01-02T03:04:05.5Z")
    latest = wire.get("/v1beta3/crypto/us/latest/quotes", symbols="BTC/USD")
    assert latest["quotes"]["BTC/USD"]["t"] == "2026-01-02T03:04:05.5Z"


def test_an_unknown_path_is_an_endpoint_not_found(wire: Wire) -> None:
    answer = wire.call("GET", "/v2/nonsense")
    assert (answer.status_code, answer.json()["message"]) == (404, "endpoint not found")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_program_says_one_line_and_ends_when_told(number: int) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "alpaca_simulator", "--port", "0", "--lively"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith("alpaca_simulator ready on http://127.0.0.1:")
    assert line.endswith(" (key SIM-KEY secret SIM-SECRET)\n")
    process.send_signal(number)
    rest, errors = process.communicate(timeout=10)
    assert (process.returncode, rest, errors) == (0, "", "")


def test_it_ends_although_requests_hang_and_sockets_are_open(
    tmp_path: Path,
) -> None:
    process = SimulatorProcess(tmp_path, "--no-walk")
    client = Wire(process.base_url)
    client.fault("hang")
    hanging = HTTPConnection(urlsplit(process.base_url).netloc, timeout=PATIENCE)
    hanging.request("GET", "/v2/account", headers=HEADERS)
    eventually(lambda: client.get("/sim/record")["faults_struck"])

    async def run() -> None:
        async with socket(client.stream_url) as trading, socket(client.data_url) as data:
            await trading.listen()
            await data.subscribe("BTC/USD")
            assert await asyncio.to_thread(process.stop) == 0
            assert await trading.hear() is None

    asyncio.run(run())
    hanging.close()
    client.close()
    assert "Traceback" not in process.output


def test_a_start_that_fails_says_why(wire: Wire) -> None:
    port = wire.base.rsplit(":", 1)[1]
    taken = warm.run("-m", "alpaca_simulator", "--port", port, env=os.environ)
    assert (taken.returncode, taken.stdout) == (1, "")
    assert "alpaca_simulator cannot start: " in taken.stderr
    assert "Traceback" not in taken.stderr
