"""Websockets before authentication, when each key has an exchange of its own."""

import json
from collections.abc import Callable, Iterable
from typing import Any

from aiohttp import WSMsgType, web

from alpaca_simulator.streams.data import GREETING, DataStream
from alpaca_simulator.streams.frames import encode_json, encode_msgpack
from alpaca_simulator.streams.subscriber import decode
from alpaca_simulator.streams.trade import TradeStream

KEY_HEADER = "APCA-API-KEY-ID"


class Lobby:
    """Takes the connection, waits for the first message, and hands both to the key's stream."""

    def __init__(
        self,
        trades_of: Callable[[str], TradeStream],
        data_of: Callable[[str], DataStream],
        *,
        patience: float,
    ) -> None:
        self._trades_of = trades_of
        self._data_of = data_of
        self._patience = patience

    async def trade(self, request: web.Request, known: Iterable[TradeStream]) -> web.StreamResponse:
        """Serves a trading websocket; as no key is known yet, any key's refusal counts."""
        if KEY_HEADER in request.headers:
            return await self._trades_of(request.headers[KEY_HEADER]).serve(request)
        for stream in known:
            if refusal := stream.refusal():
                return refusal
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        first = await self._first(socket)
        if first is not None:
            await self._trades_of(_key(_json(first))).serve_open(socket, request, first)
        await socket.close()
        return socket

    async def data(self, request: web.Request, known: Iterable[DataStream]) -> web.StreamResponse:
        """Serves a market-data websocket likewise; it greets first."""
        if KEY_HEADER in request.headers:
            return await self._data_of(request.headers[KEY_HEADER]).serve(request)
        for stream in known:
            if refusal := stream.refusal():
                return refusal
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        if "msgpack" in request.headers.get("Content-Type", ""):
            await socket.send_bytes(encode_msgpack([GREETING]))
        else:
            await socket.send_str(encode_json([GREETING]))
        first = await self._first(socket)
        if first is not None:
            await self._data_of(_key(decode(first))).serve_open(socket, request, first)
        await socket.close()
        return socket

    async def _first(self, socket: web.WebSocketResponse) -> str | bytes | None:
        try:
            message = await socket.receive(timeout=self._patience)
        except TimeoutError:
            return None
        return message.data if message.type in (WSMsgType.TEXT, WSMsgType.BINARY) else None


def _json(data: str | bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return None


def _key(message: object) -> str:
    """The key that a first message gives, in the present form or the older one."""
    if not isinstance(message, dict):
        return ""
    data = message.get("data")
    older = data.get("key_id") if isinstance(data, dict) else None
    return str(message.get("key") or older or "")
