"""Against recordings of the real Alpaca: the same keys, the same types, the same words."""

import asyncio
import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.helpers import eventually
from tests.simulator.sim_builders import BTC_ID
from tests.simulator.sim_wire import HEADERS, KEY, SECRET, Wire, socket

Recorded = Callable[[str], Any]


def shape(value: Any) -> Any:
    """Keys and JSON types of a payload; every null fits, as most fields can be null."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return None if value is None else "number" if isinstance(value, int | float) else type(value)


def differences(ours: Any, real: Any, path: str = "") -> list[str]:
    """Where two payloads have not the same keys, or not the same types."""
    if isinstance(ours, dict) and isinstance(real, dict):
        found = [f"{path}.{key}: only in one" for key in ours.keys() ^ real.keys()]
        for key in ours.keys() & real.keys():
            found += differences(ours[key], real[key], f"{path}.{key}")
        return found
    if ours is None or real is None or ours == real or shape(ours) == shape(real):
        return []
    return [f"{path}: {ours!r} is not like {real!r}"]


def looks_like(ours: str, real: str) -> bool:
    """Whether two texts have the same letters and signs, digits aside."""
    return re.sub(r"\d+", "0", ours) == re.sub(r"\d+", "0", real)


def test_the_account_has_the_recorded_keys_and_types(wire: Wire, recorded: Recorded) -> None:
    ours = wire.get("/v2/account")
    real = recorded("account_paper_2026-07.json")
    assert differences(ours, real) == []
    money = ("cash", "equity", "buying_power", "non_marginable_buying_power", "regt_buying_power")
    assert {name: ours[name] for name in money} == {name: real[name] for name in money}


def test_a_posted_order_has_the_recorded_keys_in_the_recorded_order(
    wire: Wire, recorded: Recorded
) -> None:
    real = recorded("orders_post_btc_2024.json")[3]["body"]
    ours = wire.order(type="market", qty=None, limit_price=None, notional=20)
    assert list(ours) == list(real)
    assert differences(ours, real) == []
    assert {key for key in real if real[key] is None} == {key for key in ours if ours[key] is None}
    for key in ("symbol", "asset_id", "asset_class", "status", "position_intent", "order_class"):
        assert ours[key] == real[key]


@pytest.mark.parametrize("number", range(6))
def test_every_recorded_order_can_be_sent_and_is_answered_alike(
    wire: Wire, recorded: Recorded, number: int
) -> None:
    real = recorded("orders_post_btc_2024.json")[number]["body"]
    wire.control("settings", minimum_usd_buy=1)
    sent = ("symbol", "side", "type", "time_in_force", "qty", "notional", "limit_price")
    ours = wire.order(**{name: real[name] for name in sent})
    for name in (*sent, "status", "filled_qty", "filled_avg_price", "extended_hours"):
        assert ours[name] == real[name]


def test_assets_are_the_recorded_ones_with_the_same_values(wire: Wire, recorded: Recorded) -> None:
    real = {asset["symbol"]: asset for asset in recorded("assets_crypto_2026-09.json")}
    ours = wire.get("/v2/assets", status="active", asset_class="crypto")
    assert len(ours) >= 12
    for asset in ours:
        assert asset == real[asset["symbol"]]
        assert list(asset) == list(real[asset["symbol"]])


def test_a_position_has_the_recorded_keys_and_types(wire: Wire, recorded: Recorded) -> None:
    wire.control("trade", symbol="BTC/USD", side="buy", qty="0.001")
    real = recorded("position_crypto_docs_2022.json")
    ours = wire.get("/v2/positions/BTCUSD")
    # younger than the recording: docs/alpaca.md 2.7 and the official description have it
    assert ours.pop("asset_marginable") is False
    assert differences(ours, real) == []
    assert ours["asset_id"] == BTC_ID


def test_fill_and_fee_activities_have_the_recorded_keys(wire: Wire, recorded: Recorded) -> None:
    real = recorded("activities.json")
    wire.control("trade", symbol="BTC/USD", side="buy", qty="0.01")
    wire.control("trade", symbol="BTC/USD", side="sell", qty="0.005")
    wire.control("fees")
    fill = wire.get("/v2/account/activities/FILL")[0]
    assert differences(fill, real["fill_live_2022-12-28"]) == []
    assert re.fullmatch(r"\d{17}::[0-9a-f-]{36}", fill["id"])
    usd, coin = wire.get("/v2/account/activities/CFEE")
    if "symbol" in usd:
        usd, coin = coin, usd
    recorded_coin = next(row for name, row in real.items() if name.startswith("cfee_coin"))
    recorded_usd = next(row for name, row in real.items() if name.startswith("cfee_usd"))
    assert differences(coin, recorded_coin) == []
    assert differences(usd, recorded_usd) == []
    assert (coin["description"], usd["description"]) == (
        recorded_coin["description"],
        recorded_usd["description"],
    )


def test_the_market_data_has_the_recorded_shapes(wire: Wire, recorded: Recorded) -> None:
    real = recorded("market_data_rest_2024.json")
    wire.control("trade", symbol="BTC/USD", side="buy", qty="0.001")
    root, start = "/v1beta3/crypto/us", "2000-01-01"  # not today's: it may become tomorrow
    trades = wire.get(f"{root}/trades", symbols="BTC/USD", start=start)
    books = wire.get(f"{root}/latest/orderbooks", symbols="BTC/USD")
    snapshots = wire.get(f"{root}/snapshots", symbols="BTC/USD")
    bars = wire.get(f"{root}/bars", symbols="BTC/USD", timeframe="1Min", start=start, limit=1)
    assert differences(trades["trades"]["BTC/USD"][0], real["trades"]["trades"]["BTC/USD"][0]) == []
    assert differences(books["orderbooks"], real["orderbooks"]["orderbooks"]) == []
    assert differences(bars["bars"]["BTC/USD"][0], real["bars"]["bars"]["BTC/USD"][0]) == []
    recorded_snapshot = real["snapshots"]["snapshots"]["BTC/USD"]
    assert differences(snapshots["snapshots"]["BTC/USD"], recorded_snapshot) == []
    assert differences(wire.get("/v2/clock"), real["clock"]) == []


def test_a_page_token_reads_like_the_recorded_one(wire: Wire, recorded: Recorded) -> None:
    real = recorded("market_data_rest_2024.json")
    token = real["latest_bars_2026-09-01 (daily, keyless curl)"]["next_page_token"]
    ours = wire.get(
        "/v1beta3/crypto/us/bars",
        symbols="BTC/USD",
        timeframe="1Min",
        limit=1,
        start="2000-01-01",
    )["next_page_token"]
    assert len(ours) == len(token)
    assert ours[:12] == token[:12]


def refusals(wire: Wire) -> list[Any]:
    """Answers to everything that is refused in the recordings, each as (status, body)."""
    wire.quote("99", "100")
    bought = wire.order(qty="1", limit_price="101")
    eventually(lambda: wire.status(bought["id"]) == "filled")
    wire.control("assets", symbol="LTC/USD", tradable=False)
    resting = wire.order(qty="1", limit_price="50", client_order_id="resting")
    wire.control("hold")
    wire.order(symbol="ETH/USD", type="market", limit_price=None, client_order_id="held")
    answers = [
        wire.try_order(qty=None, notional=150_000, limit_price="100000"),
        wire.try_order(side="sell", qty="2.157603065", limit_price="200"),
        wire.try_order(qty="0.01"),
        wire.try_order(symbol="ETH/USD", side="sell", qty="0.1", limit_price="1"),
        wire.try_order(side="sell", type="market", qty="0.5", limit_price=None),
        wire.try_order(client_order_id="resting"),
        wire.try_order(time_in_force="day"),
        wire.try_order(type="stop", stop_price="3"),
        wire.call("GET", "/v2/orders/nonsense"),
        wire.call("GET", "/v2/orders/3333f957-aebe-48f5-a196-720794644ca2"),
        wire.call("GET", "/v2/positions/DOGEUSD"),
        wire.call("DELETE", f"/v2/orders/{bought['id']}"),
        wire.try_order(symbol="LTC/USD"),
        wire.call("GET", "/v2/account", headers=HEADERS | {"APCA-API-KEY-ID": ""}),
        wire.call("GET", "/v1beta3/crypto/us/latest/quotes?symbols=BTCUSD"),
        wire.call("GET", "/v1beta3/crypto/us/bars?symbols=BTC/USD&timeframe=1Min&limit=10001"),
    ]
    wire.fault("rate_limited", count=1)
    answers.append(wire.call("GET", "/v2/account"))
    assert resting["status"] == "pending_new"
    return answers


def test_every_recorded_refusal_is_met_word_for_word(wire: Wire, recorded: Recorded) -> None:
    real = recorded("errors.json")
    wire.control("cash", currency="ETH", amount="1", price="2000")
    ours = [(answer.status_code, answer.json()) for answer in refusals(wire)]
    for entry in real:
        status, body = entry["http"], entry["body"]
        assert any(
            status == our_status
            and our_body.keys() == body.keys()
            and our_body.get("code") == body.get("code")
            and our_body.get("reject_reason") == body.get("reject_reason")
            and same_message(our_body["message"], body["message"])
            for our_status, our_body in ours
        ), f"not met: {status} {body}"


def same_message(ours: str, real: str) -> bool:
    """Equal but for numbers, ids and the asset's name."""

    def plain(text: str) -> str:
        text = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "<id>", text)
        text = re.sub(r"\b(MKR|LTC)/USD", "<pair>", text)
        return re.sub(r"\d+(\.\d+)?", "0", text)

    return plain(ours) == plain(real)


def test_without_keys_the_proxy_answers_in_html(wire: Wire) -> None:
    answer = wire.call(
        "GET", "/v2/account", headers={"APCA-API-KEY-ID": None, "APCA-API-SECRET-KEY": None}
    )
    assert (answer.status_code, answer.headers["Content-Type"][:9]) == (401, "text/html")
    assert "<center>nginx</center>" in answer.text


def test_trade_updates_are_the_recorded_ones_key_for_key(wire: Wire, recorded: Recorded) -> None:
    real = recorded("trade_updates_2026-09-18_doge_market_sell.json")

    async def ours() -> list[Any]:
        async with socket(wire.stream_url) as stream:
            sent = real["_sent"]
            sent[0]["data"] = {"key_id": KEY, "secret_key": SECRET}
            heard = []
            for message in sent:
                await stream.say(**message)
                heard.append(await stream.hear())
            await asyncio.to_thread(sell_doge, wire)
            heard += [await stream.hear() for _ in range(3)]
            return heard

    heard = asyncio.run(ours())
    assert heard[:2] == real["_received"][:2]
    for our_update, real_update in zip(heard[2:], real["_received"][2:], strict=True):
        assert differences(our_update, real_update) == []
        assert list(our_update["data"]) == list(real_update["data"])
        assert list(our_update["data"]["order"]) == list(real_update["data"]["order"])
        for name in ("event", "qty", "price", "position_qty", "swap_rate"):
            assert our_update["data"].get(name) == real_update["data"].get(name)
        assert looks_like(our_update["data"]["at"][:20], real_update["data"]["at"][:20])
        our_order, real_order = our_update["data"]["order"], real_update["data"]["order"]
        for name in ("status", "filled_qty", "filled_avg_price", "position_intent", "asset_id"):
            assert our_order[name] == real_order[name]


def sell_doge(wire: Wire) -> None:
    wire.quote("0.0851119", "0.0852", "DOGE/USD")
    wire.control("cash", currency="DOGE", amount="129.7", price="0.08")
    wire.order(symbol="DOGE/USD", side="sell", type="market", qty=129.7, limit_price=None)


async def test_control_frames_of_the_streams_are_the_recorded_ones(
    wire: Wire, recorded: Recorded
) -> None:
    trading = recorded("trading_ws_control.json")
    data = recorded("ws_crypto_data_docs.json")
    async with socket(wire.stream_url) as stream:
        await stream.say(action="listen", data={"streams": ["trade_updates"]})
        assert await stream.hear() == trading["listen_before_auth_docs"]
        await stream.say(action="auth", key="K", secret="S")
        assert await stream.hear() == trading["authorized_new_format_2026-09"]
    async with socket(wire.stream_url) as stream:
        await stream.say(action="auth", key="K", secret="")
        assert await stream.hear() == trading["unauthorized_recorded_2026-09"]
        assert await stream.hear() is None
    async with socket(wire.data_url) as stream:
        assert await stream.hear() == data["connected"]
        await stream.say(**data["subscribe_sent"])
        assert await stream.hear() in data["errors"]
        await stream.say(**data["auth_sent"])
        assert await stream.hear() == data["authenticated"]
        await stream.say(**data["subscribe_sent"])
        assert await stream.hear() == data["subscription"]
        await asyncio.to_thread(wire.quote, "1", "2")
        quote = await stream.hear()
        assert list(quote[0]) == list(data["quote"][0])
        assert differences(quote, data["quote"]) == []
