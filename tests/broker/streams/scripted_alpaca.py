"""Both of Alpaca's websockets as tiny servers that misbehave on demand, and a wire to cut.

Rule: they speak as the recordings do (docs/alpaca.md 3.1, 4), and judge nothing.
"""

from __future__ import annotations

import asyncio
import json
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from contextlib import suppress
from http import HTTPStatus
from typing import Any

import msgpack
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from dca_bot.broker.reconnect import Pace
from dca_bot.program.settings import AlpacaSettings

EVENTUALLY_SECONDS = 30.0
CHANNELS = ("trades", "quotes", "orderbooks", "bars", "updatedBars", "dailyBars")
# The times of a stream for tests: as short as a loaded machine allows, long where they must not
# strike by accident, on a machine that stands still for some seconds either.
QUICK = Pace(
    open=30.0, reply=30.0, ping=0.05, pong=30.0, close=0.5, pause_min=0.002, pause_max=0.01,
    crowded_first=0.002, crowded=0.004,
)  # fmt: skip


async def eventually(condition: Callable[[], Any]) -> Any:
    """Let the loop run until what `condition` returns is true, and return that."""
    give_up_at = time.monotonic() + EVENTUALLY_SECONDS
    while not (found := condition()):
        assert time.monotonic() < give_up_at, "still not so"
        await asyncio.sleep(0.002)
    return found


async def felt_seconds(work: Awaitable[object]) -> float:
    """How long `work` took on a clock that stands still whenever this process does."""
    tick, felt = 0.02, 0.0
    working = asyncio.ensure_future(work)
    while not working.done():
        await asyncio.wait([working], timeout=tick)
        felt += tick
    await working
    return felt


def settings_for(stream_url: str = "ws://127.0.0.1:9", base_url: str = "http://127.0.0.1:9") -> Any:
    return AlpacaSettings("key-id-for-tests", "secret-for-tests", base_url, base_url, stream_url)


async def ended(running: asyncio.Task[None]) -> None:
    """Let a running stream end, as its owner does."""
    running.cancel()
    await asyncio.wait([running])


class ScriptedServer(ABC):
    """A websocket server; each connect first takes the next of `mishaps`, if one is left."""

    def __init__(self) -> None:
        self.mishaps: list[str] = []
        self.connects = 0
        self.connections: list[ServerConnection] = []
        self.heard: list[dict[str, Any]] = []
        self._server: Server | None = None

    async def __aenter__(self) -> ScriptedServer:
        self._server = await serve(
            self._serve, "127.0.0.1", 0, process_request=self._upgrade, close_timeout=0.2
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        for connection in self.connections:
            connection.transport.abort()
        self._server.close()
        await self._server.wait_closed()

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(next(iter(self._server.sockets)).getsockname()[1])

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def drop(self) -> None:
        """Cut every connection without a close frame."""
        for connection in self.connections:
            connection.transport.abort()

    async def say(self, frame: str | bytes) -> None:
        """Send a frame to whoever is connected."""
        for connection in self.connections:
            await connection.send(frame)

    def _upgrade(self, connection: ServerConnection, _request: Request) -> Response | None:
        self.connects += 1
        if self.mishaps and self.mishaps[0].isdigit():
            return connection.respond(HTTPStatus(int(self.mishaps.pop(0))), "no\n")
        return None

    async def _serve(self, connection: ServerConnection) -> None:
        self.connections.append(connection)
        mishap = self.mishaps.pop(0) if self.mishaps else ""
        try:
            if mishap == "silent":
                await connection.wait_closed()
            else:
                await self.converse(connection, mishap)
        except ConnectionClosed:
            pass
        finally:
            self.connections.remove(connection)

    @abstractmethod
    async def converse(self, connection: ServerConnection, mishap: str) -> None:
        """Play the server's part until the connection ends."""


class DataServer(ScriptedServer):
    """Quotes.  `symbol_limit` answers 405; `unreadable` symbols answer 400.  `in_json`: it speaks
    JSON whatever the client asked for."""

    def __init__(
        self,
        symbol_limit: int = 1000,
        unreadable: tuple[str, ...] = (),
        *,
        in_json: bool = False,
    ) -> None:
        super().__init__()
        self.symbol_limit, self.unreadable = symbol_limit, unreadable
        self.subscribed: list[str] = []
        self._read = json.loads if in_json else msgpack.unpackb
        self._write = in_text if in_json else packed

    async def __aenter__(self) -> DataServer:
        await super().__aenter__()
        return self

    async def converse(self, connection: ServerConnection, mishap: str) -> None:
        self.subscribed = []
        await connection.send(self._write({"T": "success", "msg": "connected"}))
        async for raw in connection:
            message = self._read(raw)
            self.heard.append(message)
            await connection.send(self._write(self._answer(message, mishap)))

    def _answer(self, message: dict[str, Any], mishap: str) -> dict[str, Any]:
        if message["action"] == "auth":
            codes = {"402": "auth failed", "406": "connection limit exceeded"}
            if mishap.startswith("auth "):
                code = mishap.removeprefix("auth ")
                return {"T": "error", "code": int(code), "msg": codes[code]}
            return {"T": "success", "msg": "authenticated"}
        if mishap == "subscription 409":
            return {"T": "error", "code": 409, "msg": "insufficient subscription"}
        return self._subscription(message["action"], message["quotes"])

    def _subscription(self, action: str, symbols: list[str]) -> dict[str, Any]:
        if action == "unsubscribe":
            self.subscribed = [each for each in self.subscribed if each not in symbols]
        elif set(symbols) & set(self.unreadable):
            return {"T": "error", "code": 400, "msg": "invalid syntax"}
        elif len(self.subscribed) + len(symbols) > self.symbol_limit:
            return {"T": "error", "code": 405, "msg": "symbol limit exceeded"}
        else:
            self.subscribed += symbols
        return {"T": "subscription"} | dict.fromkeys(CHANNELS, []) | {"quotes": self.subscribed}


class TradeServer(ScriptedServer):
    """Trade updates: binary frames that hold JSON, as paper sends them."""

    async def __aenter__(self) -> TradeServer:
        await super().__aenter__()
        return self

    async def converse(self, connection: ServerConnection, mishap: str) -> None:
        async for raw in connection:
            message = json.loads(raw)
            self.heard.append(message)
            if message["action"] == "auth":
                await self._authorize(connection, mishap)
            elif mishap != "deaf":
                streams = {"streams": message["data"]["streams"]}
                await connection.send(json.dumps({"stream": "listening", "data": streams}).encode())

    async def _authorize(self, connection: ServerConnection, mishap: str) -> None:
        answer = {"status": "authorized", "action": "authenticate"}
        if mishap == "unauthorized":
            answer = {"message": "code=401, message=Unauthorized", "status": "unauthorized"}
        await connection.send(json.dumps({"stream": "authorization", "data": answer}).encode())


class CuttableWire:
    """A TCP relay that can turn into a black hole: open on both sides, and nothing passes."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._passes = asyncio.Event()
        self._passes.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.cut_connections = 0

    async def __aenter__(self) -> CuttableWire:
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def cut(self) -> None:
        """From now on what is connected hears nothing any more; new connections work."""
        self._passes.clear()
        self._passes = asyncio.Event()
        self._passes.set()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._target)
        passes = self._passes
        ways = [self._pass(reader, back, passes), self._pass(there, writer, passes)]
        tasks = [asyncio.create_task(_quietly(way)) for way in ways]
        self._tasks.update(tasks)
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, passes: asyncio.Event
    ) -> None:
        try:
            while content := await reader.read(65536):
                await passes.wait()
                writer.write(content)
                await writer.drain()
        finally:
            writer.close()


async def _quietly(way: Awaitable[None]) -> None:
    with suppress(OSError):  # whoever is at the other end went away
        await way


def packed(*messages: dict[str, Any]) -> bytes:
    return bytes(msgpack.packb(list(messages)))


def in_text(*messages: dict[str, Any]) -> str:
    return json.dumps(messages)


def quote_frame(symbol: str = "BTC/USD", bid: float = 64709.3, count: int = 1) -> bytes:
    at = msgpack.Timestamp(1_710_239_383, 111_588_173)
    raw = {"T": "q", "S": symbol, "bp": bid, "bs": 1.5, "ap": bid + 1, "as": 2.5, "t": at}
    return packed(*[raw] * count)
