"""Every fault by its name, as a client meets it."""

import asyncio
import inspect
import json
import select
from collections.abc import Callable
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import msgpack
import pytest
import requests

from alpaca_simulator.faults import CATALOGUE, FaultBook, UnknownFaultError
from alpaca_simulator.journal import Journal
from tests.helpers import eventually
from tests.simulator.sim_wire import HEADERS, KEY, PATIENCE, SECRET, Socket, Wire, socket

Check = Callable[[Wire], Any]
CHECKS: dict[str, Check] = {}


def fault(name: str) -> Callable[[Check], Check]:
    """Registers the check of a fault, which may be a coroutine."""

    def register(check: Check) -> Check:
        is_coroutine = inspect.iscoroutinefunction(check)
        CHECKS[name] = (lambda wire: asyncio.run(check(wire))) if is_coroutine else check
        return check

    return register


def test_every_fault_is_checked() -> None:
    assert sorted(CHECKS) == sorted(CATALOGUE)


@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_the_fault_strikes_once_as_described_and_then_all_is_well(wire: Wire, name: str) -> None:
    wire.quote("99", "100")
    CHECKS[name](wire)
    assert has_struck(wire, name)
    wire.call("DELETE", "/sim/faults")
    assert wire.get("/v2/account")["status"] == "ACTIVE"
    order = wire.order(limit_price="101", qty="0.2", client_order_id="after all")
    eventually(lambda: wire.status(order["id"]) == "filled")


def has_struck(wire: Wire, name: str) -> bool:
    return name in [one["name"] for one in wire.get("/sim/record")["faults_struck"]]


def taken(wire: Wire, client_order_id: str) -> bool:
    """Whether the exchange has an order, seen past every fault."""
    orders = wire.get("/sim/record")["orders"]
    return any(order["client_order_id"] == client_order_id for order in orders)


def post(wire: Wire, **more: Any) -> requests.Response:
    return wire.try_order(limit_price="50", client_order_id="mine", **more)


# HTTP


@fault("rate_limited")
def rate_limited(wire: Wire) -> None:
    wire.fault("rate_limited", count=1, params={"body": "text"})
    answer = post(wire)
    assert (answer.status_code, answer.text) == (429, "Too Many Requests")
    assert not taken(wire, "mine")


@fault("server_error")
def server_error(wire: Wire) -> None:
    wire.fault("server_error", count=1, params={"status": 502, "body": "html"})
    answer = post(wire)
    assert (answer.status_code, answer.headers["Content-Type"][:9]) == (502, "text/html")
    wire.fault("server_error", count=1, params={"status": 503, "body": "empty"})
    answer = post(wire)
    assert (answer.status_code, answer.content) == (503, b"")
    wire.fault("server_error", count=1)
    assert post(wire).json()["message"] == "internal server error"
    assert not taken(wire, "mine")


@fault("forbidden")
def forbidden(wire: Wire) -> None:
    wire.fault("forbidden", count=1)
    answer = wire.call("GET", "/v2/account")
    assert (answer.status_code, answer.json()) == (403, {"message": "forbidden."})


@fault("unauthorized")
def unauthorized(wire: Wire) -> None:
    wire.fault("unauthorized", count=1)
    answer = wire.call("GET", "/v2/account")
    assert (answer.status_code, answer.json()) == (401, {"message": "unauthorized."})


@fault("reset")
def reset(wire: Wire) -> None:
    wire.fault("reset", count=1, params={"method": "POST"})
    with pytest.raises(requests.ConnectionError):
        post(wire)
    assert not taken(wire, "mine")


def never_answered(wire: Wire, fault_name: str) -> None:
    """Sends an order, and gives it up a while after the fault has struck."""
    order = {
        "symbol": "BTC/USD",
        "side": "buy",
        "type": "limit",
        "time_in_force": "gtc",
        "qty": "1",
        "limit_price": "50",
        "client_order_id": "mine",
    }
    connection = HTTPConnection(urlsplit(wire.base).netloc, timeout=PATIENCE)
    connection.request("POST", "/v2/orders", json.dumps(order), HEADERS)
    eventually(lambda: has_struck(wire, fault_name))
    assert select.select([connection.sock], [], [], 0.2)[0] == []
    connection.close()


@fault("hang")
def hang(wire: Wire) -> None:
    wire.fault("hang", count=1)
    never_answered(wire, "hang")
    assert not taken(wire, "mine")


@fault("accept_late")
def accept_late(wire: Wire) -> None:
    wire.fault("accept_late", count=1, params={"seconds": 0.3})
    never_answered(wire, "accept_late")
    eventually(lambda: taken(wire, "mine"))
    record = wire.get("/sim/record")
    sent, done = record["requests"][-1], record["events"][0]
    assert done["told_monotonic"] - sent["arrived_monotonic"] >= 0.3


@fault("timeout_after_accepting")
def timeout_after_accepting(wire: Wire) -> None:
    wire.fault("timeout_after_accepting", count=1, params={"method": "POST"})
    assert post(wire).status_code == 504
    assert taken(wire, "mine")
    assert post(wire).json()["message"] == "client_order_id must be unique"


@fault("error_after_accepting")
def error_after_accepting(wire: Wire) -> None:
    wire.fault("error_after_accepting", count=1)
    assert post(wire).status_code == 500
    assert taken(wire, "mine")


@fault("hang_after_accepting")
def hang_after_accepting(wire: Wire) -> None:
    wire.fault("hang_after_accepting", count=1)
    never_answered(wire, "hang_after_accepting")
    assert taken(wire, "mine")
    wire.call("DELETE", "/sim/faults")
    request = wire.get("/sim/record")["requests"][-1]
    assert (request["status"], request["outcome"]) == (None, 200)


@fault("reset_after_accepting")
def reset_after_accepting(wire: Wire) -> None:
    wire.fault("reset_after_accepting", count=1)
    with pytest.raises(requests.ConnectionError):
        post(wire)
    assert taken(wire, "mine")


@fault("garbled_answer")
def garbled_answer(wire: Wire) -> None:
    for kind in ("html", "empty", "half"):
        wire.fault("garbled_answer", count=1, params={"body": kind})
        answer = wire.call("GET", "/v2/account")
        assert answer.status_code == 200
        with pytest.raises(requests.JSONDecodeError):
            answer.json()


@fault("slow_answer")
def slow_answer(wire: Wire) -> None:
    wire.fault("slow_answer", count=1, params={"seconds": 0.2})
    assert post(wire).status_code == 200
    request = wire.get("/sim/record")["requests"][-1]
    assert request["answered_monotonic"] - request["arrived_monotonic"] >= 0.2


@fault("slow_request")
def slow_request(wire: Wire) -> None:
    orders = {"method": "POST", "path": "/v2/orders"}
    wire.fault("slow_request", count=1, params=orders | {"seconds": 0.2})
    order = post(wire).json()
    request = wire.get("/sim/record")["requests"][-1]
    assert request["answered_monotonic"] - request["arrived_monotonic"] >= 0.2
    assert order["created_at"] > request["arrived_at"]


# Orders


@fault("reject_order")
def reject_order(wire: Wire) -> None:
    params = {"status": 422, "code": 42210000, "message": "not today"}
    wire.fault("reject_order", count=1, params=params | {"side": "buy"})
    answer = post(wire)
    assert (answer.status_code, answer.json()) == (422, {"code": 42210000, "message": "not today"})
    assert not taken(wire, "mine")


@fault("reject_later")
def reject_later(wire: Wire) -> None:
    wire.fault("reject_later", count=1)
    order = wire.order()
    assert order["status"] == "pending_new"
    eventually(lambda: wire.status(order["id"]) == "rejected")
    assert wire.get("/v2/account")["non_marginable_buying_power"] == "100000"


@fault("partial_fill")
def partial_fill(wire: Wire) -> None:
    wire.fault("partial_fill", count=1, params={"fraction": "0.25", "then": "rest"})
    order = wire.order()
    eventually(lambda: wire.status(order["id"]) == "partially_filled")
    assert wire.get(f"/v2/orders/{order['id']}")["filled_qty"] == "0.25"
    wire.control(f"orders/{order['id']}/fill", qty="0.25")
    assert wire.get(f"/v2/orders/{order['id']}")["filled_qty"] == "0.5"
    wire.control("release")
    assert wire.status(order["id"]) == "filled"
    wire.fault("partial_fill", count=1, params={"fraction": "0.25", "then": "cancel"})
    order = wire.order()
    eventually(lambda: wire.status(order["id"]) == "canceled")
    wire.fault("partial_fill", count=1, params={"fraction": "0.25", "then": "fill"})
    order = wire.order()
    eventually(lambda: wire.status(order["id"]) == "filled")


@fault("price_band_cancel")
def price_band_cancel(wire: Wire) -> None:
    wire.fault("price_band_cancel", count=1)
    order = wire.order()
    eventually(lambda: wire.status(order["id"]) == "canceled")
    assert wire.get(f"/v2/orders/{order['id']}")["filled_qty"] == "0"
    wire.fault("price_band_cancel", count=1, params={"fraction": "0.5"})
    order = wire.order(type="market", limit_price=None)
    eventually(lambda: wire.status(order["id"]) == "canceled")
    assert wire.get(f"/v2/orders/{order['id']}")["filled_qty"] == "0.5"


@fault("slow_fill")
def slow_fill(wire: Wire) -> None:
    wire.fault("slow_fill", count=1, params={"seconds": 0.3})
    order = wire.order()
    assert order["status"] == "pending_new"
    eventually(lambda: wire.status(order["id"]) == "filled")
    pending, _, filled = wire.get("/sim/record")["events"]
    assert filled["told_monotonic"] - pending["told_monotonic"] >= 0.3


@fault("slow_cancel")
def slow_cancel(wire: Wire) -> None:
    wire.fault("slow_cancel", count=1, params={"seconds": 3600})
    order = wire.order(limit_price="50")
    wire.call("DELETE", f"/v2/orders/{order['id']}")
    assert wire.status(order["id"]) == "pending_cancel"
    again = wire.call("DELETE", f"/v2/orders/{order['id']}")
    assert again.json()["message"] == "order pending cancel"
    wire.fault("slow_cancel", count=1, params={"seconds": 0.3})
    order = wire.order(limit_price="50")
    wire.call("DELETE", f"/v2/orders/{order['id']}")
    asked = next(
        one for one in wire.get("/sim/record")["requests"] if one["path"].endswith(order["id"])
    )
    eventually(lambda: wire.status(order["id"]) == "canceled")
    canceled = wire.get("/sim/record")["events"][-1]
    assert canceled["data"]["event"] == "canceled"
    assert canceled["told_monotonic"] - asked["arrived_monotonic"] >= 0.3


@fault("fill_before_cancel")
def fill_before_cancel(wire: Wire) -> None:
    wire.fault("fill_before_cancel", count=1)
    order = wire.order(limit_price="50")
    assert wire.call("DELETE", f"/v2/orders/{order['id']}").status_code == 204
    assert wire.status(order["id"]) == "filled"


# The trade stream


def hearing(wire: Wire, before: Callable[[], None], wanted: int) -> list[Any]:
    """What a listener hears after `before`: (event, status), or None for null data."""

    async def run() -> list[Any]:
        async with socket(wire.stream_url) as stream:
            await stream.listen()
            await asyncio.to_thread(before)
            return [_without_times(await stream.hear()) for _ in range(wanted)]

    return asyncio.run(run())


def _without_times(message: Any) -> Any:
    if message is None:
        return "the end"
    data = message["data"]
    return None if data is None else (data["event"], data["order"]["status"])


PENDING, NEW, FILL = ("pending_new", "pending_new"), ("new", "new"), ("fill", "filled")


def with_fault(wire: Wire, name: str, **more: Any) -> Callable[[], None]:
    def act() -> None:
        wire.fault(name, **({"count": 1} | more))
        wire.order()

    return act


def struck_upgrade(wire: Wire, url: str, status: int) -> None:
    async def run() -> None:
        async with socket(url):
            pass

    with pytest.raises(Exception, match=str(status)):
        asyncio.run(run())


@fault("refuse_trade_stream")
def refuse_trade_stream(wire: Wire) -> None:
    wire.fault("refuse_trade_stream", count=1)
    struck_upgrade(wire, wire.stream_url, 429)


@fault("unauthorized_trade_stream")
async def unauthorized_trade_stream(wire: Wire) -> None:
    wire.fault("unauthorized_trade_stream", count=1)
    async with socket(wire.stream_url) as stream:
        await stream.say(action="auth", key=KEY, secret=SECRET)
        assert (await stream.hear())["data"]["status"] == "unauthorized"
        assert await stream.hear() is None


async def nothing_comes(stream: Socket) -> bool:
    with pytest.raises(TimeoutError):
        await stream.socket.receive(timeout=0.1)
    return True


@fault("silent_trade_stream")
async def silent_trade_stream(wire: Wire) -> None:
    wire.fault("silent_trade_stream", count=1)
    async with socket(wire.stream_url) as stream:
        await stream.say(action="auth", key=KEY, secret=SECRET)
        assert await nothing_comes(stream)


@fault("drop_trade_stream")
def drop_trade_stream(wire: Wire) -> None:
    for clean, how in ((True, "closed"), (False, "lost")):
        dropped = with_fault(wire, "drop_trade_stream", params={"clean": clean})
        assert hearing(wire, dropped, 1) == ["the end"]
        eventually(lambda: wire.get("/v2/orders") == [])
        last = wire.get("/sim/record")["connections"][-1]
        assert last["state"] == how


@fault("starve_trade_stream")
def starve_trade_stream(wire: Wire) -> None:
    async def run() -> None:
        async with socket(wire.stream_url) as stream:
            await stream.listen()
            await asyncio.to_thread(with_fault(wire, "starve_trade_stream"))
            assert await nothing_comes(stream)
            await stream.socket.ping()

    asyncio.run(run())
    assert hearing(wire, wire.order, 1) == [PENDING]


def is_unreadable(frame: bytes) -> bool:
    for read in (json.loads, msgpack.unpackb):
        with pytest.raises(ValueError):  # noqa: PT011 - each says it in its own way
            read(frame)
    return True


@fault("lose_update")
def lose_update(wire: Wire) -> None:
    lost = with_fault(wire, "lose_update", params={"event": "new"})
    assert hearing(wire, lost, 2) == [PENDING, FILL]


@fault("repeat_update")
def repeat_update(wire: Wire) -> None:
    repeated = with_fault(wire, "repeat_update", params={"event": "fill", "times": 2})
    assert hearing(wire, repeated, 5) == [PENDING, NEW, FILL, FILL, FILL]


@fault("delay_update")
def delay_update(wire: Wire) -> None:
    delayed = with_fault(wire, "delay_update", params={"event": "new", "seconds": 0.2})
    assert hearing(wire, delayed, 3) == [PENDING, FILL, NEW]


@fault("reorder_updates")
def reorder_updates(wire: Wire) -> None:
    reordered = with_fault(wire, "reorder_updates", params={"event": "new"})
    assert hearing(wire, reordered, 3) == [PENDING, FILL, NEW]


@fault("null_update")
def null_update(wire: Wire) -> None:
    assert hearing(wire, with_fault(wire, "null_update"), 4) == [PENDING, None, NEW, FILL]


@fault("null_instead")
def null_instead(wire: Wire) -> None:
    nulled = with_fault(wire, "null_instead", params={"event": "fill"})
    assert hearing(wire, nulled, 3) == [PENDING, NEW, None]


@fault("garbled_update")
async def garbled_update(wire: Wire) -> None:
    async with socket(wire.stream_url) as stream:
        await stream.listen()
        for body in ("half", "nonsense"):
            params = {"event": "new", "body": body}
            await asyncio.to_thread(with_fault(wire, "garbled_update", params=params))
            assert _without_times(await stream.hear()) == PENDING
            assert is_unreadable((await stream.socket.receive(timeout=PATIENCE)).data)
            assert _without_times(await stream.hear()) == FILL


@fault("unknown_event")
def unknown_event(wire: Wire) -> None:
    assert hearing(wire, with_fault(wire, "unknown_event"), 2) == [
        ("frobnicated", "pending_new"),
        NEW,
    ]


@fault("unknown_status")
def unknown_status(wire: Wire) -> None:
    odd = with_fault(wire, "unknown_status", params={"word": "odd"}, count=2)
    assert hearing(wire, odd, 2) == [("pending_new", "odd"), NEW]


# The data stream


def data_hearing(wire: Wire, before: Callable[[], None], wanted: int = 1) -> list[Any]:
    async def run() -> list[Any]:
        async with socket(wire.data_url) as stream:
            await stream.subscribe("BTC/USD")
            await asyncio.to_thread(before)
            return [await stream.hear() for _ in range(wanted)]

    return asyncio.run(run())


def quote_with(wire: Wire, name: str, **params: Any) -> Callable[[], None]:
    def act() -> None:
        wire.fault(name, count=1, params=params)
        wire.quote("99", "100")

    return act


@fault("refuse_data_stream")
def refuse_data_stream(wire: Wire) -> None:
    wire.fault("refuse_data_stream", count=1, params={"status": 503})
    struck_upgrade(wire, wire.data_url, 503)


def refused_auth(wire: Wire, name: str, code: int) -> None:
    wire.fault(name, count=1)

    async def run() -> None:
        async with socket(wire.data_url) as stream:
            await stream.hear()
            await stream.say(action="auth", key=KEY, secret=SECRET)
            assert (await stream.hear())[0]["code"] == code

    asyncio.run(run())


@fault("unauthorized_data_stream")
def unauthorized_data_stream(wire: Wire) -> None:
    refused_auth(wire, "unauthorized_data_stream", 402)


@fault("connection_limit")
def connection_limit(wire: Wire) -> None:
    refused_auth(wire, "connection_limit", 406)


@fault("silent_data_stream")
async def silent_data_stream(wire: Wire) -> None:
    wire.fault("silent_data_stream", count=1)
    async with socket(wire.data_url) as stream:
        assert await nothing_comes(stream)


@fault("drop_data_stream")
def drop_data_stream(wire: Wire) -> None:
    assert data_hearing(wire, quote_with(wire, "drop_data_stream")) == [None]


@fault("mute_data_stream")
def mute_data_stream(wire: Wire) -> None:
    async def run() -> None:
        async with socket(wire.data_url) as stream:
            await stream.subscribe("BTC/USD")
            await asyncio.to_thread(quote_with(wire, "mute_data_stream"))
            assert await nothing_comes(stream)

    asyncio.run(run())
    assert data_hearing(wire, lambda: wire.quote("99", "100"))[0][0]["bp"] == 99


@fault("data_error")
def data_error(wire: Wire) -> None:
    heard = data_hearing(wire, quote_with(wire, "data_error", code=407))
    assert heard == [[{"T": "error", "code": 407, "msg": "slow client"}]]


@fault("stale_quotes")
def stale_quotes(wire: Wire) -> None:
    heard = data_hearing(wire, quote_with(wire, "stale_quotes", seconds=3600))
    fresh = wire.get("/v1beta3/crypto/us/latest/quotes", symbols="BTC/USD")["quotes"]
    assert heard[0][0]["t"] < fresh["BTC/USD"]["t"]


@fault("crossed_quotes")
def crossed_quotes(wire: Wire) -> None:
    heard = data_hearing(wire, quote_with(wire, "crossed_quotes"))[0][0]
    assert (heard["bp"], heard["ap"]) == (100, 99)


@fault("zero_quotes")
def zero_quotes(wire: Wire) -> None:
    heard = data_hearing(wire, quote_with(wire, "zero_quotes", side="ask"))[0][0]
    assert (heard["bp"], heard["ap"]) == (99, 0)
    heard = data_hearing(wire, quote_with(wire, "zero_quotes"))[0][0]
    assert (heard["bp"], heard["ap"]) == (0, 0)


@fault("garbled_quotes")
async def garbled_quotes(wire: Wire) -> None:
    async with socket(wire.data_url) as stream:
        await stream.subscribe("BTC/USD")
        for body in ("half", "nonsense"):
            await asyncio.to_thread(quote_with(wire, "garbled_quotes", body=body))
            frame = await stream.socket.receive(timeout=PATIENCE)
            assert is_unreadable(frame.data)
        await asyncio.to_thread(wire.quote, "99", "100")
        assert (await stream.hear())[0]["bp"] == 99


# Late or odd answers


@fault("position_lag")
def position_lag(wire: Wire) -> None:
    wire.fault("position_lag", params={"seconds": 60})
    wire.control("trade", symbol="BTC/USD", side="buy", qty="1")
    assert wire.call("GET", "/v2/positions/BTCUSD").status_code == 404
    assert len(wire.get("/v2/positions")) == 1


@fault("positions_lag")
def positions_lag(wire: Wire) -> None:
    wire.fault("positions_lag", params={"seconds": 60})
    wire.control("trade", symbol="BTC/USD", side="buy", qty="1")
    assert wire.get("/v2/positions") == []
    assert wire.get("/v2/positions/BTCUSD")["qty"] == "0.9975"


@fault("empty_positions")
def empty_positions(wire: Wire) -> None:
    wire.control("trade", symbol="BTC/USD", side="buy", qty="1")
    wire.fault("empty_positions", count=1)
    assert wire.get("/v2/positions") == []
    assert len(wire.get("/v2/positions")) == 1


@fault("unreadable_position")
def unreadable_position(wire: Wire) -> None:
    wire.control("trade", symbol="BTC/USD", side="buy", qty="0.5")
    wire.control("trade", symbol="ETH/USD", side="buy", qty="1")
    wire.fault("unreadable_position", params={"symbol": "BTC/USD"}, count=1)
    found = {one["symbol"]: one["avg_entry_price"] for one in wire.get("/v2/positions")}
    assert found["BTCUSD"] is None
    assert found["ETHUSD"] is not None
    assert wire.get("/v2/positions/BTCUSD")["avg_entry_price"] == "100"
    wire.fault("unreadable_position", params={"field": "qty", "value": "much"}, count=1)
    assert wire.get("/v2/positions/BTCUSD")["qty"] == "much"


@fault("order_lag")
def order_lag(wire: Wire) -> None:
    wire.fault("order_lag", params={"seconds": 60})
    order = wire.order(limit_price="50", client_order_id="young")
    assert wire.call("GET", f"/v2/orders/{order['id']}").status_code == 404
    lookup = "/v2/orders:by_client_order_id?client_order_id=young"
    answer = wire.call("GET", lookup)
    assert answer.json() == {"code": 40410000, "message": "order not found for young"}


@fault("late_activities")
def late_activities(wire: Wire) -> None:
    wire.fault("late_activities", count=1, params={"seconds": 60})
    wire.control("trade", symbol="BTC/USD", side="buy", qty="1")
    assert wire.get("/v2/account/activities/FILL") == []
    assert len(wire.get("/v2/account/activities/FILL")) == 1


@fault("no_easy_to_borrow")
def no_easy_to_borrow(wire: Wire) -> None:
    wire.fault("no_easy_to_borrow", count=1)
    assert "easy_to_borrow" not in wire.get("/v2/assets/BTCUSD")


@fault("drifting_minimum")
def drifting_minimum(wire: Wire) -> None:
    wire.fault("drifting_minimum", count=2)
    found = {wire.get("/v2/assets/BTCUSD")["min_order_size"] for _ in range(2)}
    assert len(found | {"0.000013047"}) == 3


@fault("missing_asset")
def missing_asset(wire: Wire) -> None:
    known = wire.get("/v2/assets/BTCUSD")
    wire.fault("missing_asset", params={"symbol": "BTC/USD"})
    for name in ("BTCUSD", "BTC%2FUSD", known["id"]):
        assert wire.call("GET", f"/v2/assets/{name}").status_code == 404
    assert "BTC/USD" not in [one["symbol"] for one in wire.get("/v2/assets")]
    assert wire.get("/v2/assets/ETHUSD")["tradable"] is True


@fault("clock_skew")
def clock_skew(wire: Wire) -> None:
    before = wire.get("/sim/state")["time"]
    wire.fault("clock_skew", params={"seconds": 86_400})
    answer = wire.try_order(limit_price="50")
    tomorrow = answer.json()["created_at"]
    assert tomorrow[:10] > before[:10]
    date = parsedate_to_datetime(answer.headers["Date"])
    assert abs(date - datetime.fromisoformat(tomorrow[:19] + "+00:00")) < timedelta(minutes=1)
    wire.fault("clock_skew", on=False)
    assert wire.order(limit_price="50")["created_at"] < tomorrow


# Which fault strikes when


def test_a_probability_is_decided_by_the_seed() -> None:
    def hits(seed: int) -> list[bool]:
        book = FaultBook(Journal(), seed)
        book.turn_on("lose_update", probability=0.5)
        return [book.take("lose_update") is not None for _ in range(100)]

    assert hits(1) == hits(1)
    assert hits(1) != hits(2)
    assert 25 < sum(hits(1)) < 75


def test_a_seed_decides_the_mix(wire: Wire) -> None:
    first = wire.control("faults", seed=5)["on"]
    wire.call("DELETE", "/sim/faults")
    again = wire.control("faults", seed=5)["on"]
    other = wire.control("faults", seed=6)["on"]
    assert first == again
    assert {one["name"] for one in first} != {one["name"] for one in other}


def test_a_fault_strikes_only_what_its_parameters_name() -> None:
    book = FaultBook(Journal(), 1)
    book.turn_on("hang", {"method": "post", "path": "/v2/orders"}, count=1)
    assert book.take("hang", method="GET", path="/v2/orders") is None
    assert book.take("hang", method="POST", path="/v2/account") is None
    assert book.take("hang", method="POST", path="/v2/orders") is not None
    assert book.take("hang", method="POST", path="/v2/orders") is None


def test_a_fault_lets_so_many_chances_pass_first() -> None:
    book = FaultBook(Journal(), 1)
    book.turn_on("lose_update", {"event": "fill"}, count=1, skip=2)
    events = ["new", "fill", "fill", "new", "fill", "fill"]
    assert [book.take("lose_update", event=event) is not None for event in events] == [
        *(False, False, False, False),
        *(True, False),
    ]


def test_an_unknown_fault_is_refused(wire: Wire) -> None:
    with pytest.raises(UnknownFaultError):
        FaultBook(Journal(), 1).turn_on("nonsense")
    answer = wire.call("POST", "/sim/faults", json={"name": "nonsense"})
    assert answer.status_code == 400
    assert "GET /sim/faults lists them" in answer.json()["message"]
    assert set(wire.get("/sim/faults")["known"]) == set(CATALOGUE)
