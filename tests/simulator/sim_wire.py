"""A plain client of the simulated exchange, and the SDK's streams collecting what they get."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgpack
import requests
from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType
from alpaca.data.live import CryptoDataStream
from alpaca.trading.client import TradingClient
from alpaca.trading.stream import TradingStream

KEY, SECRET = "any-key", "any-secret"
HEADERS = {"APCA-API-KEY-ID": KEY, "APCA-API-SECRET-KEY": SECRET}
PATIENCE = 30  # seconds; a machine may stand still for some of them
logging.getLogger("alpaca").setLevel(logging.CRITICAL)


class Wire:
    """HTTP as anyone could speak it."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.stream_url = base.replace("http", "ws", 1) + "/stream"
        self.data_url = base.replace("http", "ws", 1) + "/v1beta3/crypto/us"
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers.update(HEADERS)
        self._sdk: TradingClient | None = None

    def close(self) -> None:
        self._session.close()
        if self._sdk is not None:
            self._sdk._session.close()

    def call(self, method: str, path: str, **arguments: Any) -> requests.Response:
        return self._session.request(
            method,
            self.base + path,
            **({"timeout": PATIENCE, "allow_redirects": False} | arguments),
        )

    def get(self, path: str, /, **query: Any) -> Any:
        """The body of a GET that succeeds."""
        return self._body(self.call("GET", path, params=query))

    def control(self, path: str, /, **body: Any) -> Any:
        """The body of a POST to the control API that succeeds."""
        return self._body(self.call("POST", f"/sim/{path}", json=body))

    def order(self, **fields: Any) -> Any:
        """The body of an order that is taken."""
        return self._body(self.try_order(**fields))

    def try_order(self, **fields: Any) -> requests.Response:
        body = {
            "symbol": "BTC/USD",
            "side": "buy",
            "type": "limit",
            "time_in_force": "gtc",
            "qty": "1",
            "limit_price": "100",
        } | fields
        given = {name: value for name, value in body.items() if value is not None}
        return self.call("POST", "/v2/orders", json=given)

    def quote(self, bid: str, ask: str, symbol: str = "BTC/USD") -> None:
        self.control("quote", symbol=symbol, bid=bid, ask=ask)

    def fault(self, name: str, /, **more: Any) -> None:
        """Turns a fault on; count, probability and params as given."""
        self.control("faults", name=name, **more)

    def status(self, order_id: str) -> str:
        return str(self.get(f"/v2/orders/{order_id}")["status"])

    @property
    def sdk(self) -> TradingClient:
        """The unmodified SDK's client, without its own retries."""
        if self._sdk is None:
            self._sdk = TradingClient(KEY, SECRET, url_override=self.base)
            self._sdk._retry = 0
        return self._sdk

    @staticmethod
    def _body(response: requests.Response) -> Any:
        assert response.ok, f"{response.status_code}: {response.text}"
        return response.json() if response.content else None


class SdkStreams:
    """The SDK's two streams, in this loop."""

    def __init__(self, wire: Wire) -> None:
        self.trading = TradingStream(KEY, SECRET, raw_data=True, url_override=wire.stream_url)
        self.data = CryptoDataStream(KEY, SECRET, url_override=wire.data_url)
        self.updates: list[dict[str, Any]] = []
        self.quotes: list[Any] = []

    def events(self) -> list[str]:
        return [update["data"]["event"] for update in self.updates]

    async def keep_update(self, update: dict[str, Any]) -> None:
        self.updates.append(update)

    async def keep_quote(self, quote: Any) -> None:
        self.quotes.append(quote)


@asynccontextmanager
async def sdk_streams(wire: Wire, *symbols: str) -> AsyncIterator[SdkStreams]:
    """Runs the SDK's streams until the end of the block; ready when both are subscribed."""
    streams = SdkStreams(wire)
    streams.trading.subscribe_trade_updates(streams.keep_update)
    streams.data.subscribe_quotes(streams.keep_quote, *(symbols or ("BTC/USD",)))
    tasks = [
        asyncio.create_task(streams.trading._run_forever()),
        asyncio.create_task(streams.data._run_forever()),
    ]
    await soon(lambda: is_subscribed(wire))
    try:
        yield streams
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await streams.trading.close()
        await streams.data.close()


def is_subscribed(wire: Wire) -> bool:
    """Whether both streams of somebody are ready to get something."""
    open_ = wire.get("/sim/state")["streams"]
    return any(one["listening"] for one in open_["trade"]) and any(
        one["subscription"]["quotes"] for one in open_["data"]
    )


async def soon(condition: Any) -> Any:
    """Asks until what comes back is true, on the running loop; fails when patience ends."""
    async with asyncio.timeout(PATIENCE):
        while True:
            found = await asyncio.to_thread(condition)
            if found:
                return found
            await asyncio.sleep(0.01)


class Socket:
    """A bare websocket, for what the SDK hides."""

    def __init__(self, socket: ClientWebSocketResponse) -> None:
        self.socket = socket

    async def say(self, **message: Any) -> None:
        await self.socket.send_str(json.dumps(message))

    async def hear(self) -> Any:
        """The next message, decoded; None when the connection has ended."""
        frame = await self.socket.receive(timeout=PATIENCE)
        if frame.type is WSMsgType.TEXT:
            return json.loads(frame.data)
        if frame.type is WSMsgType.BINARY:
            try:
                return json.loads(frame.data)
            except ValueError:
                return msgpack.unpackb(frame.data)
        return None

    async def listen(self) -> None:
        """Authenticates and listens on the trading stream."""
        await self.say(action="auth", key=KEY, secret=SECRET)
        assert (await self.hear())["data"]["status"] == "authorized"
        await self.say(action="listen", data={"streams": ["trade_updates"]})
        assert (await self.hear())["data"] == {"streams": ["trade_updates"]}

    async def subscribe(self, *symbols: str, **channels: list[str]) -> Any:
        """Authenticates and subscribes on the data stream; returns the answer."""
        assert await self.hear() == [{"T": "success", "msg": "connected"}]
        await self.say(action="auth", key=KEY, secret=SECRET)
        assert await self.hear() == [{"T": "success", "msg": "authenticated"}]
        await self.say(action="subscribe", quotes=list(symbols), **channels)
        return await self.hear()


@asynccontextmanager
async def socket(url: str, **headers: str) -> AsyncIterator[Socket]:
    """Opens a bare websocket."""
    async with ClientSession(headers=headers) as session:
        connection = await session.ws_connect(url)
        try:
            yield Socket(connection)
        finally:
            await connection.close()
