"""The trading websocket, /stream (docs/alpaca.md 3): who listens, and how updates reach them."""

import asyncio
import contextlib
import json
from dataclasses import dataclass
from typing import Any

from aiohttp import WSMsgType, web

from alpaca_simulator.exchange.updates import TradeUpdate
from alpaca_simulator.faults import UNKNOWN_WORD, Fault, FaultBook
from alpaca_simulator.journal import Journal
from alpaca_simulator.keys import Keys
from alpaca_simulator.streams.frames import garbled
from alpaca_simulator.streams.outbox import Outbox
from alpaca_simulator.streams.slots import Slot

DEPRECATED = (
    "this authentication format is being deprecated. Please use the format: "
    '{"action": "auth", "key": "x", "secret": "x"}'
)
REORDER_PATIENCE = 1.0  # seconds that an update waits for the one to be sent before it


@dataclass(slots=True, eq=False)
class Listener:
    """One open connection."""

    outbox: Outbox
    entry: dict[str, Any]
    authorized: bool = False
    listening: bool = False
    starved: bool = False
    silent: bool = False


class TradeStream:
    """The endpoint and its connections."""

    def __init__(self, faults: FaultBook, journal: Journal, keys: Keys, slot: Slot) -> None:
        self._faults = faults
        self._journal = journal
        self._keys = keys
        self.slot = slot
        self._listeners: list[Listener] = []
        self._kept: list[tuple[bytes, dict[str, Any]]] = []

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Serves one connection from its upgrade to its end."""
        if refusal := self.refusal():
            return refusal
        who = object()
        if not self.slot.take(who):
            return web.Response(status=429, text="Too Many Requests")
        socket = web.WebSocketResponse(compress=False)
        return await self._serve(socket, request, who)

    async def serve_open(
        self, socket: web.WebSocketResponse, request: web.Request, first: str | bytes
    ) -> None:
        """Serves a connection that is open and has said something, if the place is free."""
        who = object()
        if self.slot.take(who):
            await self._serve(socket, request, who, first)

    def refusal(self) -> web.Response | None:
        """What an upgrade is answered when a fault refuses it."""
        fault = self._faults.take("refuse_trade_stream")
        if fault is None:
            return None
        return web.Response(status=int(fault.params.get("status", 429)))

    async def _serve(
        self,
        socket: web.WebSocketResponse,
        request: web.Request,
        who: object,
        first: str | bytes | None = None,
    ) -> web.WebSocketResponse:
        clean = False
        try:
            if not socket.prepared:
                await socket.prepare(request)
            clean = await self._converse(socket, request, first)
        finally:
            self.slot.leave(who, clean=clean)
        return socket

    async def _converse(
        self, socket: web.WebSocketResponse, request: web.Request, first: str | bytes | None
    ) -> bool:
        outbox = Outbox(socket, request)
        listener = Listener(outbox, self._journal.connection("trade", request.remote or ""))
        listener.silent = self._faults.take("silent_trade_stream") is not None
        self._listeners.append(listener)
        writer = asyncio.create_task(outbox.run())
        try:
            if first is not None and not listener.silent:
                self._hear(listener, first)
            async for message in socket:
                if message.type in (WSMsgType.TEXT, WSMsgType.BINARY) and not listener.silent:
                    self._hear(listener, message.data)
        finally:
            self._listeners.remove(listener)
            writer.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await writer
            clean = socket.close_code not in (None, 1006) and not outbox.cut
            self._journal.closed(listener.entry, "closed" if clean else "lost")
        return clean

    def _hear(self, listener: Listener, data: str | bytes) -> None:
        try:
            message = json.loads(data)
        except (ValueError, RecursionError):
            return
        action = message.get("action") if isinstance(message, dict) else None
        if action in ("authenticate", "auth"):
            self._authenticate(listener, message)
        if action == "listen":
            self._listen(listener, message)

    def _authenticate(self, listener: Listener, message: dict[str, Any]) -> None:
        old_form = message["action"] == "authenticate"
        data = message.get("data") if old_form else message
        given = data if isinstance(data, dict) else {}
        key, secret = ("key_id", "secret_key") if old_form else ("key", "secret")
        refused = self._faults.take("unauthorized_trade_stream") is not None
        if refused or not self._keys.accept(given.get(key), given.get(secret)):
            answer = {"message": "code=401, message=Unauthorized", "status": "unauthorized"}
            _put(listener, "authorization", answer)
            listener.outbox.end(clean=True)
            return
        listener.authorized = True
        answer = {"action": "authenticate", "status": "authorized"}
        _put(listener, "authorization", answer | ({"message": DEPRECATED} if old_form else {}))

    def _listen(self, listener: Listener, message: dict[str, Any]) -> None:
        if not listener.authorized:
            _put(listener, "authorization", {"status": "unauthorized", "action": "listen"})
            return
        data = message.get("data")
        named = data.get("streams") if isinstance(data, dict) else None
        asked = named if isinstance(named, list) else []
        streams = [stream for stream in asked if stream == "trade_updates"]
        listener.listening = bool(streams)
        listener.entry["listening"] = listener.listening
        _put(listener, "listening", {"streams": streams})

    def publish(self, update: TradeUpdate) -> None:
        """Given an update, sends it to every listener, as far as faults allow."""
        data = update.to_wire()
        subject = {
            "event": update.event,
            "symbol": update.order.symbol,
            "side": update.order.terms.side.value,
            "client_order_id": update.order.terms.client_order_id,
        }
        self._garble(data, subject)
        self._strike_sockets(subject)
        if self._faults.take("lose_update", **subject):
            self._journal.event("lost", 0, data)
            return
        if self._faults.take("null_instead", **subject):
            self._journal.event("nulled", 0, data)
            self._send(_frame("trade_updates", None), "null", None)
            return
        self._route(data, subject)

    def _garble(self, data: dict[str, Any], subject: dict[str, str]) -> None:
        if fault := self._faults.take("unknown_event", **subject):
            data["event"] = fault.params.get("word", UNKNOWN_WORD)
        if fault := self._faults.take("unknown_status", **subject):
            data["order"]["status"] = fault.params.get("word", UNKNOWN_WORD)

    def _strike_sockets(self, subject: dict[str, str]) -> None:
        if self._faults.take("starve_trade_stream", **subject):
            self.starve()
        if fault := self._faults.take("drop_trade_stream", **subject):
            self.drop(clean=bool(fault.params.get("clean", False)))

    def _route(self, data: dict[str, Any], subject: dict[str, str]) -> None:
        frame = _frame("trade_updates", data)
        if fault := self._faults.take("garbled_update", **subject):
            self._send(garbled(frame, fault.params.get("body")), "garbled", data)
            return
        loop = asyncio.get_running_loop()
        if fault := self._faults.take("delay_update", **subject):
            loop.call_later(fault.seconds(2), self._send, frame, "delayed", data)
            return
        if self._faults.take("reorder_updates", **subject):
            self._kept.append((frame, data))
            loop.call_later(REORDER_PATIENCE, self._send_kept)
            return
        self._send(frame, "sent", data)
        if fault := self._faults.take("repeat_update", **subject):
            for _ in range(int(fault.params.get("times", 1))):
                self._send(frame, "repeated", data)
        if self._faults.take("null_update", **subject):
            self._send(_frame("trade_updates", None), "null", None)
        self._send_kept()

    def _send_kept(self) -> None:
        kept, self._kept = self._kept, []
        for frame, data in kept:
            self._send(frame, "reordered", data)

    def _send(self, frame: bytes, how: str, data: dict[str, Any] | None) -> None:
        hearing = [one for one in self._listeners if one.listening and not one.starved]
        for listener in hearing:
            listener.outbox.put(frame)
        self._journal.event(how, len(hearing), data)

    def starve(self) -> None:
        """The open connections get no more updates, though they stay open."""
        for listener in self._listeners:
            listener.starved = True

    def drop(self, *, clean: bool) -> None:
        """Ends the open connections, with a close frame or without."""
        for listener in list(self._listeners):
            listener.outbox.end(clean=clean)

    def apply(self, fault: Fault) -> None:
        """Given a fault that concerns open connections, lets it strike them at once."""
        if fault.name == "starve_trade_stream" and self._faults.strike_now(fault):
            self.starve()
        if fault.name == "drop_trade_stream" and self._faults.strike_now(fault):
            self.drop(clean=bool(fault.params.get("clean", False)))

    def state(self) -> list[dict[str, Any]]:
        """The open connections, for the control API."""
        return [
            {"listening": one.listening, "starved": one.starved, "silent": one.silent}
            for one in self._listeners
        ]


def _frame(stream: str, data: object) -> bytes:
    # Paper sends binary frames that hold JSON (docs/alpaca.md 3.1).
    return json.dumps({"stream": stream, "data": data}, separators=(",", ":")).encode()


def _put(listener: Listener, stream: str, data: object) -> None:
    listener.outbox.put(_frame(stream, data))
