"""The unmodified SDK over real sockets cannot tell."""

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from alpaca.common.exceptions import APIError
from alpaca.data.historical import CryptoHistoricalDataClient
from alpaca.data.requests import (
    CryptoBarsRequest,
    CryptoLatestOrderbookRequest,
    CryptoLatestQuoteRequest,
    CryptoSnapshotRequest,
)
from alpaca.data.timeframe import TimeFrame
from alpaca.trading.enums import OrderSide, OrderStatus, QueryOrderStatus, TimeInForce
from alpaca.trading.requests import (
    ClosePositionRequest,
    GetOrdersRequest,
    LimitOrderRequest,
    MarketOrderRequest,
    ReplaceOrderRequest,
)

from tests.helpers import eventually
from tests.simulator.sim_builders import BTC_ID
from tests.simulator.sim_wire import KEY, SECRET, Wire, sdk_streams, socket, soon

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)  # at midnight there may be no bars from today on


def limit_buy(qty: float = 1, price: float = 100, **more: Any) -> LimitOrderRequest:
    return LimitOrderRequest(
        symbol="BTC/USD",
        qty=qty,
        limit_price=price,
        side=OrderSide.BUY,
        time_in_force=TimeInForce.GTC,
        **more,
    )


def filled(wire: Wire, order_id: object) -> None:
    eventually(lambda: wire.sdk.get_order_by_id(str(order_id)).status is OrderStatus.FILLED)


def test_a_round_trip_with_the_sdks_objects(wire: Wire) -> None:
    wire.quote("99", "100")
    order = wire.sdk.submit_order(limit_buy(0.5, 101, client_order_id="mine"))
    assert order.status is OrderStatus.PENDING_NEW
    filled(wire, order.id)
    found = wire.sdk.get_order_by_client_id("mine")
    assert (found.filled_qty, found.filled_avg_price) == ("0.5", "100")
    position = wire.sdk.get_open_position("BTCUSD")
    assert (position.qty, position.avg_entry_price) == ("0.49875", "100")
    assert wire.sdk.get_open_position(BTC_ID) == position
    closed = wire.sdk.close_position("BTCUSD", ClosePositionRequest(percentage="50"))
    filled(wire, closed.id)
    assert wire.sdk.get_open_position("BTCUSD").qty == "0.249375"
    assert wire.sdk.get_account().cash == "99974.618125"


def test_a_float_quantity_of_the_sdk_is_taken_exactly(wire: Wire) -> None:
    wire.quote("1900000", "2000000")
    order = wire.sdk.submit_order(limit_buy(1.2345e-05, 2_000_000))
    assert order.qty == "0.000012345"


def test_assets_by_symbol_compact_spelling_and_id(wire: Wire) -> None:
    assert wire.sdk.get_asset("BTCUSD").id == UUID(BTC_ID)
    assert wire.sdk.get_asset(BTC_ID).symbol == "BTC/USD"
    assert wire.get("/v2/assets/BTC%2FUSD")["id"] == BTC_ID
    assert {asset.symbol for asset in wire.sdk.get_all_assets()} >= {"BTC/USD", "ETH/BTC"}
    assert wire.call("GET", "/v2/assets/NOPEUSD").status_code == 404


def test_the_silent_failures_of_spelling_are_kept(wire: Wire) -> None:
    wire.control("trade", symbol="BTC/USD", side="buy", qty="0.001")
    wire.order(symbol="BTC/USD", limit_price="50")
    assert wire.get("/v2/orders", symbols="BTCUSD") == []
    assert len(wire.get("/v2/orders", symbols="BTC/USD,ETH/USD")) == 1
    for name in ("BTC/USD", "BTC%2FUSD"):
        answer = wire.call("GET", f"/v2/positions/{name}")
        assert answer.status_code == 404
        assert answer.json() == {"code": 40410000, "message": "position does not exist"}
    with pytest.raises(APIError):
        wire.sdk.get_open_position("BTC/USD")
    assert wire.get("/v2/positions")[0]["symbol"] == "BTCUSD"
    assert wire.get("/v2/orders")[0]["symbol"] == "BTC/USD"


def test_orders_are_listed_by_status_side_time_and_cursor(wire: Wire) -> None:
    wire.quote("99", "100")
    orders = [wire.order(limit_price=str(price)) for price in (50, 51, 52, 53)]
    wire.call("DELETE", f"/v2/orders/{orders[0]['id']}")
    eventually(lambda: wire.status(orders[0]["id"]) == "canceled")

    def ids(**query: Any) -> list[int]:
        return [
            next(n for n, order in enumerate(orders) if order["id"] == found["id"])
            for found in wire.get("/v2/orders", **query)
        ]

    assert ids() == [3, 2, 1]
    assert ids(status="closed") == [0]
    assert ids(status="all", direction="asc") == [0, 1, 2, 3]
    assert ids(status="all", limit=2) == [3, 2]
    assert ids(status="all", after=orders[1]["submitted_at"]) == [3, 2]
    assert ids(status="all", until=orders[1]["submitted_at"]) == [0]
    assert ids(status="all", before_order_id=orders[2]["id"]) == [1, 0]
    assert ids(status="all", after_order_id=orders[2]["id"], direction="asc") == [3]
    assert ids(status="all", side="sell") == []
    request = GetOrdersRequest(status=QueryOrderStatus.OPEN, symbols=["BTC/USD"], nested=False)
    assert len(wire.sdk.get_orders(request)) == 3


def test_cancel_is_a_request_and_an_end_that_comes_later(wire: Wire) -> None:
    order = wire.order(limit_price="50")
    answer = wire.call("DELETE", f"/v2/orders/{order['id']}")
    assert (answer.status_code, answer.content) == (204, b"")
    eventually(lambda: wire.status(order["id"]) == "canceled")
    again = wire.call("DELETE", f"/v2/orders/{order['id']}")
    assert again.status_code == 422
    assert again.json()["message"] == 'order is already in "canceled" state'


def test_canceling_all_answers_207_for_each(wire: Wire) -> None:
    wire.order(limit_price="50")
    wire.order(limit_price="51")
    statuses = wire.sdk.cancel_orders()
    assert [one.status for one in statuses] == [200, 200]
    eventually(lambda: wire.sdk.get_orders() == [])


def test_an_order_is_replaced_by_a_new_one(wire: Wire) -> None:
    order = wire.order(limit_price="50")
    eventually(lambda: wire.status(order["id"]) == "new")
    new = wire.sdk.replace_order_by_id(order["id"], ReplaceOrderRequest(limit_price=60))
    assert (str(new.replaces), new.limit_price) == (order["id"], "60")
    assert wire.status(order["id"]) == "replaced"


def test_a_position_cannot_be_closed_while_a_sell_rests(wire: Wire) -> None:
    wire.quote("99", "100")
    wire.control("trade", symbol="BTC/USD", side="buy", qty="1")
    resting = wire.order(side="sell", qty="0.5", limit_price="200")
    position = wire.get("/v2/positions/BTCUSD")
    assert (position["qty"], position["qty_available"]) == ("0.9975", "0.4975")
    refused = wire.call("DELETE", "/v2/positions/BTCUSD")
    assert refused.status_code == 403
    assert refused.json()["related_orders"] == [resting["id"]]
    wire.call("DELETE", f"/v2/orders/{resting['id']}")
    eventually(lambda: wire.status(resting["id"]) == "canceled")
    assert wire.call("DELETE", "/v2/positions/BTCUSD").status_code == 200
    eventually(lambda: wire.get("/v2/positions") == [])


def test_activities_page_by_the_last_id(wire: Wire) -> None:
    for _ in range(3):
        wire.control("trade", symbol="BTC/USD", side="buy", qty="0.001")
    first = wire.get("/v2/account/activities/FILL", page_size=2)
    rest = wire.get("/v2/account/activities/FILL", page_size=2, page_token=first[-1]["id"])
    assert (len(first), len(rest)) == (2, 1)
    whole = wire.get("/v2/account/activities", direction="asc", category="trade_activity")
    assert whole == [*rest, *first[::-1]]
    assert wire.get("/v2/account/activities/CFEE") == []
    assert wire.get("/v2/account/activities/FILL", order_id=rest[0]["order_id"]) == rest


def test_the_historical_client_reads_quotes_bars_books_and_snapshots(wire: Wire) -> None:
    client = CryptoHistoricalDataClient(url_override=wire.base)
    both = ["BTC/USD", "ETH/USD"]
    wire.quote("99", "100")
    quotes = client.get_crypto_latest_quote(CryptoLatestQuoteRequest(symbol_or_symbols=both))
    assert quotes["BTC/USD"].ask_price == 100
    bars = client.get_crypto_bars(
        CryptoBarsRequest(
            symbol_or_symbols=both, timeframe=TimeFrame.Day, start=LONG_AGO, limit=1000
        )
    )
    assert bars.data["ETH/USD"]
    assert bars.data["BTC/USD"][0].volume > 0
    books = client.get_crypto_latest_orderbook(
        CryptoLatestOrderbookRequest(symbol_or_symbols="BTC/USD")
    )
    assert books["BTC/USD"].asks[0].price == 100
    snapshot = client.get_crypto_snapshot(CryptoSnapshotRequest(symbol_or_symbols="BTC/USD"))
    assert snapshot["BTC/USD"].latest_quote.bid_price == 99
    client._session.close()


def test_bars_page_across_symbols_without_a_gap(wire: Wire) -> None:
    query = {"symbols": "BTC/USD,ETH/USD", "timeframe": "1Day", "start": "2026-01-01"}
    whole = wire.get("/v1beta3/crypto/us/bars", **query)["bars"]
    found: dict[str, list[Any]] = {"BTC/USD": [], "ETH/USD": []}
    token: str | None = ""
    while token is not None:
        page = wire.get("/v1beta3/crypto/us/bars", **query, limit=37, page_token=token)
        for symbol, rows in page["bars"].items():
            found[symbol] += rows
        token = page["next_page_token"]
    assert {symbol: len(rows) for symbol, rows in found.items()} == {
        symbol: len(rows) for symbol, rows in whole.items()
    }
    assert found["ETH/USD"][:-1] == whole["ETH/USD"][:-1]


def test_an_unknown_symbol_is_simply_missing(wire: Wire) -> None:
    assert wire.get("/v1beta3/crypto/us/latest/quotes", symbols="NOPE/USD") == {"quotes": {}}


def test_the_sdks_streams_hear_an_order_from_beginning_to_end(wire: Wire) -> None:
    async def run() -> None:
        async with sdk_streams(wire) as streams:
            await asyncio.to_thread(wire.quote, "99", "100")
            await soon(lambda: streams.quotes)
            assert (streams.quotes[0].bid_price, streams.quotes[0].ask_price) == (99, 100)
            await asyncio.to_thread(wire.order, limit_price="101", client_order_id="heard")
            await soon(lambda: len(streams.updates) == 3)
            assert streams.events() == ["pending_new", "new", "fill"]
            fill = streams.updates[-1]["data"]
            assert fill["order"]["client_order_id"] == "heard"
            assert (fill["qty"], fill["position_qty"]) == ("1", "0.9975")

    asyncio.run(run())
    eventually(lambda: wire.get("/sim/state")["streams"] == {"trade": [], "data": []})
    left = [one["state"] for one in wire.get("/sim/record")["connections"][-2:]]
    assert left == ["closed", "closed"]


def test_a_fill_can_be_reported_before_the_post_answers(start: Any) -> None:
    wire = start("--early-fills", "1")
    wire.quote("99", "100")
    order = wire.order(limit_price="101")
    assert order["status"] == "pending_new"
    events = wire.get("/sim/record")["events"]
    request = wire.get("/sim/record")["requests"][-1]
    assert [event["data"]["event"] for event in events] == ["pending_new", "new", "fill"]
    assert all(event["told_monotonic"] < request["answered_monotonic"] for event in events)


async def test_only_one_trading_stream_and_one_data_stream_at_a_time(wire: Wire) -> None:
    async with socket(wire.stream_url) as first, socket(wire.data_url) as data:
        await first.listen()
        await data.subscribe("BTC/USD")
        with pytest.raises(Exception, match="429"):
            async with socket(wire.stream_url):
                pass
        async with socket(wire.data_url) as second:
            assert (await second.hear())[0]["msg"] == "connected"
            for _ in range(2):  # the socket stays open for another try
                await second.say(action="auth", key=KEY, secret=SECRET)
                assert (await second.hear())[0]["code"] == 406
    async with socket(wire.stream_url) as again, socket(wire.data_url) as data:
        await again.listen()
        await data.subscribe("BTC/USD")


async def test_a_slot_that_was_lost_uncleanly_stays_taken_for_a_while(wire: Wire) -> None:
    wire.control("settings", stale_slot_seconds=90)
    async with socket(wire.data_url) as data:
        await data.subscribe("BTC/USD")
        await asyncio.to_thread(wire.fault, "drop_data_stream", count=1)
        assert await data.hear() is None
    async with socket(wire.data_url) as second:
        await second.hear()
        await second.say(action="auth", key=KEY, secret=SECRET)
        assert (await second.hear())[0]["code"] == 406
        await asyncio.to_thread(wire.control, "settings", stale_slot_seconds=0)
        await second.say(action="auth", key=KEY, secret=SECRET)
        assert (await second.hear())[0]["msg"] == "authenticated"


def test_a_data_stream_speaks_json_or_msgpack_as_the_header_says(wire: Wire) -> None:
    async def run(**headers: str) -> Any:
        async with socket(wire.data_url, **headers) as data:
            await data.subscribe("BTC/USD")
            await asyncio.to_thread(wire.quote, "99.5", "100.25")
            return (await data.hear())[0]

    plain = asyncio.run(run())
    packed = asyncio.run(run(**{"Content-Type": "application/msgpack"}))
    assert plain["t"].endswith("Z")
    assert packed["t"].to_unix_nano() > 0
    assert plain | {"t": 0} == packed | {"t": 0}
    assert (plain["bp"], plain["ap"]) == (99.5, 100.25)


async def test_too_many_symbols_are_refused_and_a_star_takes_all(wire: Wire) -> None:
    async with socket(wire.data_url) as data:
        answer = await data.subscribe(*[f"C{number}/USD" for number in range(31)])
        assert answer == [{"T": "error", "code": 405, "msg": "symbol limit exceeded"}]
        await data.say(action="subscribe", quotes=["*"])
        assert (await data.hear())[0]["quotes"] == ["*"]
        await asyncio.to_thread(wire.quote, "1", "2", "DOT/USD")
        assert (await data.hear())[0]["S"] == "DOT/USD"
        await data.say(action="unsubscribe", quotes=["*"])
        assert (await data.hear())[0]["quotes"] == []


async def test_trades_and_order_books_have_channels_too(wire: Wire) -> None:
    async with socket(wire.data_url) as data:
        await data.subscribe("X/Y", trades=["BTC/USD"], orderbooks=["BTC/USD"])
        await asyncio.to_thread(wire.quote, "99", "100")
        assert (await data.hear())[0]["T"] == "o"
        await asyncio.to_thread(wire.control, "trade", symbol="BTC/USD", side="buy", qty="1")
        trade = (await data.hear())[0]
        assert (trade["T"], trade["p"], trade["s"], trade["tks"]) == ("t", 100, 1, "B")


async def test_who_does_not_authenticate_in_time_is_told_and_dropped(start: Any) -> None:
    wire = start("--auth-seconds", "0.05")
    async with socket(wire.data_url) as data:
        await data.hear()
        assert (await data.hear())[0]["code"] == 404
        assert await data.hear() is None


async def test_keys_can_be_demanded(start: Any) -> None:
    wire = start("--key", "K", "--secret", "S")
    answer = wire.call("GET", "/v2/account")
    assert (answer.status_code, answer.json()) == (401, {"message": "unauthorized."})
    right = {"APCA-API-KEY-ID": "K", "APCA-API-SECRET-KEY": "S"}
    assert wire.call("GET", "/v2/account", headers=right).status_code == 200
    quotes = "/v1beta3/crypto/us/latest/quotes?symbols=BTC/USD"
    without = {"APCA-API-KEY-ID": None, "APCA-API-SECRET-KEY": None}
    assert wire.call("GET", quotes).status_code == 401
    assert wire.call("GET", quotes, headers=without).status_code == 200
    async with socket(wire.data_url) as data:
        await data.hear()
        await data.say(action="auth", key=KEY, secret=SECRET)
        assert (await data.hear())[0]["code"] == 402


def test_the_rate_limit_answers_429_and_says_when_it_ends(start: Any) -> None:
    wire = start("--rate-limit", "3")
    answers = [wire.call("GET", "/v2/account")]
    # Twice as many as it takes: the minute may turn in between; the limit then starts anew.
    while answers[-1].status_code == 200 and len(answers) < 8:
        answers.append(wire.call("GET", "/v2/account"))
    assert answers[-1].status_code == 429
    assert answers[-1].json() == {"code": 42910000, "message": "rate limit exceeded"}
    assert answers[0].headers["X-RateLimit-Limit"] == "3"
    assert answers[0].headers["X-RateLimit-Remaining"] == "2"
    assert int(answers[0].headers["X-RateLimit-Reset"]) % 60 == 0


def test_a_market_order_with_a_notional(wire: Wire) -> None:
    order = wire.sdk.submit_order(
        MarketOrderRequest(
            symbol="ETH/USD", notional=25, side=OrderSide.BUY, time_in_force=TimeInForce.GTC
        )
    )
    assert (order.qty, order.notional) == (None, "25")
    filled(wire, order.id)
    assert wire.sdk.get_order_by_id(order.id).qty is None
