"""How answers look on the wire, and the calls that clients make beside trading."""

import asyncio
import re
from collections.abc import Callable
from typing import Any

import pytest
import requests

from alpaca_simulator.faults import CATALOGUE
from alpaca_simulator.scenarios import read_scenario, scenario_names
from tests.helpers import eventually
from tests.simulator.sim_wire import PATIENCE, Wire, socket


def test_an_error_body_is_compact_and_escaped(wire: Wire) -> None:
    refused = wire.try_order(qty="0.01")
    assert refused.text == (
        '{"code":40310000,"message":"cost basis must be \\u003e= minimal amount of order 10"}'
    )


@pytest.mark.parametrize(
    "path", ["/v2/account", "/v2/nonsense", "/v1beta3/crypto/us/latest/quotes?symbols=BTC/USD"]
)
def test_every_answer_carries_a_request_id(wire: Wire, path: str) -> None:
    ids = {wire.call("GET", path).headers["X-Request-ID"] for _ in range(2)}
    assert len(ids) == 2
    assert all(re.fullmatch("[0-9a-f]{32}", one) for one in ids)


def test_the_refusal_names_the_coin_that_is_short(wire: Wire) -> None:
    refused = wire.try_order(symbol="BTC/USDT", qty="1", limit_price="100").json()
    assert refused["symbol"] == "USDT"
    assert refused["message"] == "insufficient balance for USDT (requested: 100, available: 0)"


@pytest.mark.parametrize("number", ["1e40", 10**40, 1e300, "9" * 5000])
def test_a_number_beyond_all_amounts_is_a_bad_request(wire: Wire, number: object) -> None:
    for field in ("qty", "limit_price"):
        assert wire.try_order(**{field: number}).status_code in (400, 422)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v2/orders", b"\xff\xfe"),
        ("POST", "/v2/orders", b"[1]"),
        ("POST", "/v2/orders", b'{"qty": NaN}'),
        ("POST", "/v2/watchlists", b"5"),
        ("PATCH", "/v2/account/configurations", b'{"suspend_trade": "yes"}'),
        ("GET", "/v2/orders?limit=" + "9" * 5000 + "&direction=up", b""),
        ("GET", "/v2/account/activities?page_size=x", b""),
        ("GET", "/v2/account/portfolio/history?period=long", b""),
        ("GET", "/v2/calendar?start=soon", b""),
        ("GET", "/v1beta3/crypto/us/bars?symbols=BTC/USD&timeframe=1Eon", b""),
        ("POST", "/sim/quote", b'{"symbol": "BTC/USD", "bid": "1e40", "ask": 1}'),
        ("POST", "/sim/quote", b"[5]"),
        ("POST", "/sim/assets", b'{"symbol": "A/USD", "price": 0}'),
        ("POST", "/sim/assets", b"[5]"),
        ("POST", "/sim/burst", b'{"frame": 0}'),
        ("POST", "/sim/settings", b'{"taker_fee": -1}'),
        ("POST", "/sim/settings", b'{"taker_fee": "1e99"}'),
        ("POST", "/sim/script", b'{"steps": [{"symbol": "BTC/USD", "path": 5}]}'),
        ("POST", "/sim/faults", b'{"name": "hang", "probability": 7}'),
        ("POST", "/sim/scenario", b'{"name": "../halt"}'),
        ("POST", "/sim/release", b'{"symbol": {}}'),
        ("POST", "/sim/replay", b'{"path": "\\ud800"}'),
        ("POST", "/sim/quote", b"\xff"),
        ("POST", "/v2/orders", b"[" * 100_000),
    ],
)
def test_nonsense_is_refused_and_never_an_error_of_the_server(
    wire: Wire, method: str, path: str, body: bytes
) -> None:
    answer = wire.call(method, path, data=body)
    assert answer.status_code in (400, 422)
    assert answer.json()["message"]


@pytest.mark.parametrize("path", ["/stream", "/stream/"])
async def test_the_trading_socket_opens_with_and_without_the_last_slash(
    wire: Wire, path: str
) -> None:
    async with socket(wire.base.replace("http", "ws", 1) + path) as stream:
        await stream.listen()


@pytest.mark.parametrize(
    "path", ["/v1beta3/crypto/us-1", "/v1beta3/crypto/eu-1", "/v1beta2/crypto"]
)
def test_the_data_socket_opens_in_other_places(wire: Wire, path: str) -> None:
    async def run() -> Any:
        async with socket(wire.base.replace("http", "ws", 1) + path) as stream:
            return await stream.subscribe("BTC/USD")

    assert asyncio.run(run())[0]["quotes"] == ["BTC/USD"]


async def test_nonsense_on_the_sockets_is_answered_or_ignored_and_ends_nothing(wire: Wire) -> None:
    async with socket(wire.stream_url) as trading, socket(wire.data_url) as data:
        for text in ("{", "[5]", "[" * 100_000, '{"action": "listen", "data": {"streams": 5}}'):
            await trading.socket.send_str(text)
        refused = await trading.hear()
        assert refused["data"] == {"status": "unauthorized", "action": "listen"}
        await trading.listen()
        await data.subscribe("BTC/USD")
        for text in ("{", "[5]", "[" * 100_000, '{"action": "subscribe", "quotes": 5}'):
            await data.socket.send_str(text)
            assert (await data.hear())[0]["code"] == 400


def test_a_bearer_token_is_a_key(wire: Wire) -> None:
    answer = requests.get(
        f"{wire.base}/v2/account", headers={"Authorization": "Bearer token"}, timeout=PATIENCE
    )
    assert answer.json()["status"] == "ACTIVE"


def test_trading_is_suspended_by_the_user(wire: Wire) -> None:
    before = wire.get("/v2/account/configurations")
    assert (before["suspend_trade"], before["max_margin_multiplier"]) == (False, "4")
    changed = wire.call("PATCH", "/v2/account/configurations", json={"suspend_trade": True})
    assert changed.json() == before | {"suspend_trade": True}
    refused = wire.try_order(limit_price="50")
    assert (refused.status_code, refused.json()) == (
        403,
        {"code": 40310000, "message": "new orders are rejected by user request"},
    )
    assert wire.get("/v2/account")["trade_suspended_by_user"] is True


def test_the_calendar_has_weekdays_with_hours(wire: Wire) -> None:
    days = wire.get("/v2/calendar", start="2026-11-27", end="2026-12-01")
    assert [day["date"] for day in days] == ["2026-11-27", "2026-11-30", "2026-12-01"]
    assert (days[0]["open"], days[0]["close"]) == ("09:30", "16:00")
    assert days[0]["settlement_date"] == "2026-11-30"


def test_the_portfolio_history_ends_with_the_present_equity(wire: Wire) -> None:
    wire.control("cash", amount="-40000")
    wire.control("minute")
    found = wire.get("/v2/account/portfolio/history", period="1D", timeframe="5Min")
    assert (found["equity"][0], found["equity"][-1]) == (100_000, 60_000)
    assert (found["base_value"], found["profit_loss"][-1]) == (100_000, -40_000)
    assert len(found["timestamp"]) == len(found["equity"]) >= 288


def test_watchlists_are_kept_by_id_and_by_name(wire: Wire) -> None:
    made = wire.call("POST", "/v2/watchlists", json={"name": "mine", "symbols": ["BTC/USD"]})
    list_id = made.json()["id"]
    added = wire.call("POST", "/v2/watchlists:by_name?name=mine", json={"symbol": "ETHUSD"})
    assert [one["symbol"] for one in added.json()["assets"]] == ["BTC/USD", "ETH/USD"]
    wire.call("DELETE", f"/v2/watchlists/{list_id}/BTC%2FUSD")
    assert [one["symbol"] for one in wire.get(f"/v2/watchlists/{list_id}")["assets"]] == ["ETH/USD"]
    assert [one["name"] for one in wire.get("/v2/watchlists")] == ["mine"]
    assert wire.call("DELETE", f"/v2/watchlists/{list_id}").status_code == 204
    assert wire.call("GET", f"/v2/watchlists/{list_id}").status_code == 404


def test_a_withdrawal_needs_an_address_that_was_allowed(wire: Wire) -> None:
    wire.control("cash", currency="BTC", amount="1", price="100")
    order = {"asset": "BTC", "amount": "0.25", "address": "somewhere"}
    assert wire.get("/v2/wallets", asset="BTC")["chain"] == "BTC"
    assert wire.call("POST", "/v2/wallets/transfers", json=order).status_code == 403
    allowed = wire.call(
        "POST", "/v2/wallets/whitelists", json={"address": "somewhere", "asset": "BTC"}
    )
    assert allowed.json()["status"] == "APPROVED"
    assert wire.call("POST", "/v2/wallets/transfers", json=order).json()["status"] == "COMPLETE"
    assert wire.get("/v2/positions/BTCUSD")["qty"] == "0.75"
    assert len(wire.get("/v2/wallets/transfers")) == 1


def test_all_pairs_of_alpaca_are_there(wire: Wire, recorded: Callable[[str], Any]) -> None:
    known = {one["symbol"]: one for one in recorded("assets_crypto_2026-09.json")}
    shown = {one["symbol"]: one for one in wire.get("/v2/assets")}
    assert shown == known


def test_the_first_page_of_activities_is_found_without_reading_the_rest(wire: Wire) -> None:
    for _ in range(3):
        wire.control("trade", symbol="BTC/USD", side="buy", qty="0.001")
    pages: list[str] = []
    token = ""
    while True:
        page = wire.get("/v2/account/activities/FILL", page_size=1, page_token=token)
        if not page:
            break
        token = page[0]["id"]
        pages.append(token)
    assert pages == [one["id"] for one in wire.get("/v2/account/activities/FILL")]
    assert len(pages) == 3


def test_each_key_has_an_exchange_of_its_own_when_asked(start: Any) -> None:
    wire = start("--account-per-key")
    other = {"APCA-API-KEY-ID": "other", "APCA-API-SECRET-KEY": "x"}
    wire.control("cash", amount="-1000")
    wire.quote("99", "100")
    wire.fault("server_error", params={"path": "/v2/assets"})
    theirs = requests.get(f"{wire.base}/v2/account", headers=other, timeout=PATIENCE).json()
    assert (wire.get("/v2/account")["cash"], theirs["cash"]) == ("99000", "100000")
    assert requests.get(f"{wire.base}/v2/assets", headers=other, timeout=PATIENCE).ok

    async def run() -> None:
        async with socket(wire.stream_url) as mine, socket(wire.data_url) as data:
            await mine.listen()
            await data.subscribe("BTC/USD")
            await asyncio.to_thread(
                requests.post,
                f"{wire.base}/sim/quote",
                json={"symbol": "BTC/USD", "bid": 1, "ask": 2},
                headers=other,
                timeout=PATIENCE,
            )
            await asyncio.to_thread(wire.quote, "101", "102")
            assert (await data.hear())[0]["bp"] == 101
            await asyncio.to_thread(wire.order, limit_price="50", client_order_id="mine")
            update = await mine.hear()
            assert update["data"]["order"]["client_order_id"] == "mine"

    asyncio.run(run())
    wire.control("forget")
    assert wire.get("/v2/account")["cash"] == "100000"


def test_a_scenario_plays_its_calls(wire: Wire) -> None:
    feed = wire.control("scenario", name="lost-fill")["feed"]
    eventually(lambda: wire.get("/sim/state")["feeds"][feed]["finished"])
    assert wire.get("/sim/state")["feeds"][feed]["refused"] == []
    assert [one["name"] for one in wire.get("/sim/faults")["on"]] == ["lose_update"]


def test_every_scenario_can_be_read_and_names_calls_that_exist(wire: Wire) -> None:
    assert {"flash-crash", "lost-fill", "halt", "slow-exchange"} <= set(scenario_names())
    for name in scenario_names():
        for step in read_scenario(name).steps:
            if step.call == "faults":
                assert step.body["name"] in CATALOGUE
            answer = wire.call("POST", f"/sim/{step.call}", json=step.body)
            assert answer.status_code == 200, f"{name}: {answer.text}"
        wire.control("reset")
