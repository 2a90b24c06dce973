"""The crypto data websocket, /v1beta3/crypto/us (docs/alpaca.md 4): msgpack or JSON by header."""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from aiohttp import WSMsgType, web

from alpaca_simulator.faults import Fault, FaultBook
from alpaca_simulator.journal import Journal
from alpaca_simulator.keys import Keys
from alpaca_simulator.prices.quotes import Quote
from alpaca_simulator.streams.frames import (
    Message,
    encode_json,
    encode_msgpack,
    encode_quotes,
    garbled,
)
from alpaca_simulator.streams.outbox import LIMIT, Outbox
from alpaca_simulator.streams.slots import Slot
from alpaca_simulator.streams.subscriber import CHANNELS, Subscriber, decode

GREETING = {"T": "success", "msg": "connected"}
SOCKET_FAULTS = ("mute_data_stream", "drop_data_stream", "data_error")


class DataStream:
    """The endpoint and its connections."""

    def __init__(
        self,
        faults: FaultBook,
        journal: Journal,
        keys: Keys,
        slot: Slot,
        *,
        symbol_limit: int,
        auth_seconds: float,
    ) -> None:
        self._faults = faults
        self._journal = journal
        self._keys = keys
        self.slot = slot
        self.symbol_limit = symbol_limit
        self._auth_seconds = auth_seconds
        self._subscribers: list[Subscriber] = []
        self.on_subscribe: Callable[[], None] = lambda: None

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Serves one connection from its upgrade to its end."""
        if refusal := self.refusal():
            return refusal
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        await self.serve_open(socket, request)
        return socket

    def refusal(self) -> web.Response | None:
        """What an upgrade is answered when a fault refuses it."""
        fault = self._faults.take("refuse_data_stream")
        if fault is None:
            return None
        return web.Response(status=int(fault.params.get("status", 429)))

    async def serve_open(
        self,
        socket: web.WebSocketResponse,
        request: web.Request,
        first: str | bytes | None = None,
    ) -> None:
        """Serves a connection that is open; one that has said something was greeted before."""
        packed = "msgpack" in request.headers.get("Content-Type", "")
        entry = self._journal.connection("data", request.remote or "")
        encode = encode_msgpack if packed else encode_json
        subscriber = Subscriber(Outbox(socket, request), entry, packed, encode)
        subscriber.silent = self._faults.take("silent_data_stream") is not None
        self._subscribers.append(subscriber)
        if subscriber.silent:
            pass
        elif first is not None:
            self._hear(subscriber, first)
        else:
            subscriber.put([GREETING])
            self._authenticate_by_headers(subscriber, request)
        await self._converse(subscriber, socket)

    async def _converse(self, subscriber: Subscriber, socket: web.WebSocketResponse) -> None:
        writer = asyncio.create_task(subscriber.outbox.run())
        loop = asyncio.get_running_loop()
        timer = loop.call_later(self._auth_seconds, self._auth_timeout, subscriber)
        try:
            async for message in socket:
                if message.type in (WSMsgType.TEXT, WSMsgType.BINARY) and not subscriber.silent:
                    self._hear(subscriber, message.data)
        finally:
            timer.cancel()
            self._subscribers.remove(subscriber)
            writer.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await writer
            clean = socket.close_code not in (None, 1006) and not subscriber.outbox.cut
            self.slot.leave(subscriber, clean=clean)
            self._journal.closed(subscriber.entry, "closed" if clean else "lost")

    def _auth_timeout(self, subscriber: Subscriber) -> None:
        if not subscriber.authenticated and not subscriber.silent:
            subscriber.error(404)
            subscriber.outbox.end(clean=True)

    def _hear(self, subscriber: Subscriber, data: str | bytes) -> None:
        message = decode(data)
        action = message.get("action") if isinstance(message, dict) else None
        if not isinstance(message, dict) or action not in ("auth", "subscribe", "unsubscribe"):
            subscriber.error(400)
        elif action == "auth":
            self._authenticate(subscriber, message.get("key"), message.get("secret"))
        elif not subscriber.authenticated:
            subscriber.error(401)
        else:
            self._subscribe(subscriber, message, add=action == "subscribe")

    def _authenticate_by_headers(self, subscriber: Subscriber, request: web.Request) -> None:
        key = request.headers.get("APCA-API-KEY-ID")
        if key is not None:
            self._authenticate(subscriber, key, request.headers.get("APCA-API-SECRET-KEY"))

    def _authenticate(self, subscriber: Subscriber, key: object, secret: object) -> None:
        if subscriber.authenticated:
            subscriber.error(403)
        elif self._faults.take("unauthorized_data_stream") or not self._keys.accept(key, secret):
            subscriber.error(402)
        elif self._faults.take("connection_limit") or not self.slot.take(subscriber):
            # The socket stays open: the Go client tries again on it (docs/alpaca.md 4).
            subscriber.error(406)
        else:
            subscriber.authenticated = True
            subscriber.put([{"T": "success", "msg": "authenticated"}])

    def _subscribe(self, subscriber: Subscriber, message: Message, *, add: bool) -> None:
        wanted = {name: set(subscriber.symbols[name]) for name in CHANNELS}
        for name in CHANNELS:
            named = message.get(name) or []
            if not isinstance(named, list):
                subscriber.error(400)
                return
            symbols = {symbol for symbol in named if isinstance(symbol, str)}
            wanted[name] = wanted[name] | symbols if add else wanted[name] - symbols
        counted = wanted["trades"] | wanted["quotes"]
        if add and self.symbol_limit and len(counted) > self.symbol_limit:
            subscriber.error(405)
            return
        subscriber.symbols = wanted
        echo = {name: sorted(wanted[name]) for name in CHANNELS}
        subscriber.entry["subscription"] = echo
        subscriber.put([{"T": "subscription"} | echo])
        self.on_subscribe()

    def publish_quotes(self, quotes: Sequence[Quote]) -> None:
        """Given quotes, sends each subscriber those that it wants, in one frame."""
        self._strike_sockets()
        # Encoded once for all who want the whole of it: the way of a burst.
        whole: dict[bool, str | bytes] = {}
        for subscriber in self._subscribers:
            if subscriber.mute or not subscriber.authenticated:
                continue
            wanted = subscriber.wanted(quotes)
            if not wanted:
                continue
            packed = subscriber.msgpack
            if len(wanted) < len(quotes):
                frame = encode_quotes(wanted, packed=packed)
            else:
                frame = whole.get(packed) or encode_quotes(wanted, packed=packed)
                whole[packed] = frame
            fault = self._faults.take("garbled_quotes", symbol=wanted[0].symbol)
            subscriber.outbox.put(garbled(frame, fault.params.get("body")) if fault else frame)
            if len(subscriber.outbox) > LIMIT:
                subscriber.error(407)
                subscriber.outbox.end(clean=True)

    def publish(self, channel: str, messages: list[Message]) -> None:
        """Given messages of another channel, sends each subscriber those that it wants."""
        for subscriber in self._subscribers:
            if subscriber.mute or not subscriber.authenticated:
                continue
            wanted = [message for message in messages if subscriber.wants(channel, message["S"])]
            if wanted:
                subscriber.put(wanted)

    def _strike_sockets(self) -> None:
        for name in SOCKET_FAULTS:
            if fault := self._faults.take(name):
                self._strike(fault)

    def apply(self, fault: Fault) -> None:
        """Given a fault that concerns open connections, lets it strike them at once."""
        if fault.name in SOCKET_FAULTS and self._faults.strike_now(fault):
            self._strike(fault)

    def _strike(self, fault: Fault) -> None:
        for subscriber in list(self._subscribers):
            if fault.name == "mute_data_stream":
                subscriber.mute = True
            elif fault.name == "data_error":
                subscriber.error(int(fault.params.get("code", 500)))
            else:
                subscriber.outbox.end(clean=bool(fault.params.get("clean", False)))

    def drop(self, *, clean: bool) -> None:
        """Ends the open connections, with a close frame or without."""
        for subscriber in list(self._subscribers):
            subscriber.outbox.end(clean=clean)

    async def wait_for_readers(self, frames: int) -> None:
        """Waits until every subscriber has taken all but so many frames."""
        for subscriber in list(self._subscribers):
            await subscriber.outbox.wait_for_room(frames)

    def wants_anything_of(self, symbol: str) -> bool:
        """Whether anybody subscribed to a symbol in any channel."""
        return any(one.wants(channel, symbol) for one in self._subscribers for channel in CHANNELS)

    def wanted_in(self, channel: str, known: Iterable[str]) -> list[str]:
        """Those of the known symbols that anybody wants in a channel."""
        wanted = {symbol for one in self._subscribers for symbol in one.symbols[channel]}
        return [symbol for symbol in known if symbol in wanted or "*" in wanted]

    @property
    def wants_books(self) -> bool:
        """Whether anybody wants order books."""
        return any(one.symbols["orderbooks"] for one in self._subscribers)

    def state(self) -> list[dict[str, Any]]:
        """The open connections, for the control API."""
        return [
            {
                "authenticated": one.authenticated,
                "mute": one.mute,
                "silent": one.silent,
                "frames_sent": one.outbox.sent,
                "frames_waiting": len(one.outbox),
                "subscription": {name: sorted(symbols) for name, symbols in one.symbols.items()},
            }
            for one in self._subscribers
        ]

    def subscribed(self, symbol: str) -> bool:
        """Whether anybody wants the quotes of a symbol."""
        return any(one.authenticated and one.wants("quotes", symbol) for one in self._subscribers)
