"""A small exchange inside the benchmark's own process: it knows to the microsecond when a quote
left and when an order arrived.

It speaks as much of Alpaca's REST API and of both streams as `main_app.py` needs; every order is
filled at once and in full.  One blocking thread per connection: nothing of it is ever awaited.
"""

from __future__ import annotations

import json
import socket
import threading
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from queue import SimpleQueue
from typing import Any

import msgpack  # type: ignore[import-untyped]
from common import eventually
from frames import TEXT, Channel, accept_line, frame

LISTEN_BACKLOG = 64
BOT_PREFIX = "dca-"
NS = 1_000_000_000


def quote(symbol: str, bid: float, ask: float, at_ns: int | None = None) -> dict[str, Any]:
    """A quote as Alpaca's stream packs it, "t" being a msgpack Timestamp."""
    at = msgpack.Timestamp(*divmod(time.time_ns() if at_ns is None else at_ns, NS))
    return {"T": "q", "S": symbol, "bp": bid, "bs": 1.5, "ap": ask, "as": 2.25, "t": at}


def quote_frame(quotes: Sequence[dict[str, Any]]) -> bytes:
    """Quotes as one websocket frame."""
    return frame(msgpack.packb(quotes))


@dataclass(frozen=True, slots=True)
class Arrival:
    """An order's POST, and when its last byte was read (time.perf_counter_ns)."""

    at_ns: int
    body: dict[str, Any]


@dataclass(eq=False, slots=True)
class Feed:
    """One client's quote stream; `path` is the beginning of its URL."""

    channel: Channel
    path: str
    key: str = ""
    symbols: list[str] = field(default_factory=list)


class Exchange:
    """Listens on a free port of its own until the process ends."""

    def __init__(self, symbols: Sequence[str]) -> None:
        self._symbols = {symbol: str(uuid.uuid4()) for symbol in symbols}
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=LISTEN_BACKLOG)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.arrivals: SimpleQueue[Arrival] = SimpleQueue()
        self.prices: dict[str, Decimal] = {}  # where market orders fill
        self._feeds: list[Feed] = []
        self._trade_streams: list[Channel] = []
        self._orders: dict[str, dict[str, Any]] = {}
        self._held: dict[str, Decimal] = {}
        threading.Thread(target=self._accept, daemon=True).start()

    def feed(self, key: str) -> Feed:
        """The subscribed quote stream of the client with this key; waits for it."""
        return eventually(
            lambda: next((f for f in self._feeds if f.key == key and f.symbols), None)
        )

    def await_trade_stream(self) -> None:
        """Wait until somebody listens to the trade updates."""
        eventually(lambda: self._trade_streams)

    def _accept(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(ConnectionError, OSError), connection:
            unread = b""
            while received := connection.recv(65536):
                at_ns = time.perf_counter_ns()
                unread += received
                head, end, body = unread.partition(b"\r\n\r\n")
                if not end:
                    continue
                first, *lines = head.decode().split("\r\n")
                method, target, _ = first.split(" ")
                headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in lines)}
                if "sec-websocket-key" in headers:
                    connection.sendall(accept_line(headers["sec-websocket-key"]))
                    self._converse(Channel(connection), target)
                    return
                if len(body) < int(headers.get("content-length", 0)):
                    continue
                unread = b""
                self._answer(connection, method, target, body, at_ns)

    def _answer(
        self, connection: socket.socket, method: str, target: str, body: bytes, at_ns: int
    ) -> None:
        path, _, parameters = target.partition("?")
        order = None
        if method == "POST":
            order = self._take(json.loads(body), at_ns)
        answer = json.dumps(order or self._read(path, parameters)).encode()
        connection.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
            b"X-RateLimit-Limit: 100000000\r\nContent-Length: %d\r\n\r\n" % len(answer) + answer
        )
        if order is not None and order["client_order_id"].startswith(BOT_PREFIX):
            self._fill(order)

    def _take(self, body: dict[str, Any], at_ns: int) -> dict[str, Any]:
        self.arrivals.put(Arrival(at_ns, body))
        order = {
            **{"id": str(uuid.uuid4()), "status": "pending_new", "asset_class": "crypto"},
            **{"filled_qty": "0", "filled_avg_price": None, "created_at": _now()},
            **{"submitted_at": _now(), "limit_price": None},
            **body,
        }
        self._orders[order["client_order_id"]] = order
        return order

    def _fill(self, order: dict[str, Any]) -> None:
        """Tell `new` and `fill`; a limit order fills at its limit, a market order at the price."""
        self._tell("new", {**order, "status": "new"})
        symbol, quantity = order["symbol"], Decimal(order["qty"])
        price = order["limit_price"] or str(self.prices[symbol])
        sign = 1 if order["side"] == "buy" else -1
        held = self._held[symbol] = self._held.get(symbol, Decimal(0)) + sign * quantity
        order |= {"status": "filled", "filled_qty": order["qty"], "filled_avg_price": price}
        self._tell("fill", order, price=price, qty=order["qty"], position_qty=f"{held:f}")

    def _tell(self, event: str, order: dict[str, Any], **fill: str) -> None:
        data = {"event": event, "timestamp": _now(), "order": order, **fill}
        payload = json.dumps({"stream": "trade_updates", "data": data}).encode()
        for channel in list(self._trade_streams):
            channel.send(frame(payload))

    def _read(self, path: str, parameters: str) -> Any:
        if path == "/v2/account":
            money = {"cash": "100000000", "non_marginable_buying_power": "100000000"}
            return {"account_number": "1", "status": "ACTIVE", "crypto_status": "ACTIVE", **money}
        if path == "/v2/assets":
            return [self._asset(symbol) for symbol in self._symbols]
        if path == "/v2/positions":
            return [self._position(symbol) for symbol, held in self._held.items() if held]
        if path == "/v2/orders:by_client_order_id":
            return self._orders[parameters.partition("=")[2]]
        return {"quotes": {}} if path.startswith("/v1beta3/") else []

    def _asset(self, symbol: str) -> dict[str, Any]:
        steps = dict.fromkeys(("min_order_size", "min_trade_increment"), "0.000000001")
        named = {"id": self._symbols[symbol], "symbol": symbol, "class": "crypto"}
        return {**named, "status": "active", "tradable": True, "price_increment": "0.01", **steps}

    def _position(self, symbol: str) -> dict[str, Any]:
        quantity = f"{self._held[symbol]:f}"
        named = {"asset_id": self._symbols[symbol], "symbol": symbol.replace("/", "")}
        amounts = {"qty": quantity, "qty_available": quantity, "avg_entry_price": "1"}
        return {**named, "asset_class": "crypto", **amounts}

    def _converse(self, channel: Channel, target: str) -> None:
        if target == "/stream":
            self._serve_trades(channel)
        else:
            self._serve_quotes(channel, target)

    def _serve_trades(self, channel: Channel) -> None:
        try:
            for message in channel.messages():
                if json.loads(message)["action"] == "listen":
                    reply: Any = {"stream": "listening", "data": {"streams": ["trade_updates"]}}
                else:
                    status = {"status": "authorized", "action": "authenticate"}
                    reply = {"stream": "authorization", "data": status}
                channel.send(frame(json.dumps(reply).encode(), TEXT))
                if reply["stream"] == "listening":
                    self._trade_streams.append(channel)
        finally:
            with suppress(ValueError):
                self._trade_streams.remove(channel)

    def _serve_quotes(self, channel: Channel, target: str) -> None:
        feed = Feed(channel, target)
        self._feeds.append(feed)
        channel.send(_packed({"T": "success", "msg": "connected"}))
        try:
            for raw in channel.messages():
                message = msgpack.unpackb(raw)
                if message["action"] == "auth":
                    feed.key = message["key"]
                    channel.send(_packed({"T": "success", "msg": "authenticated"}))
                else:
                    channel.send(_packed({"T": "subscription", "quotes": message["quotes"]}))
                    feed.symbols = message["quotes"]
        finally:
            self._feeds.remove(feed)


def _packed(message: dict[str, Any]) -> bytes:
    return frame(msgpack.packb([message]))


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
