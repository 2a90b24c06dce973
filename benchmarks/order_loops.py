"""The bare loops of benchmarks/tick_to_order.py: every quote of one symbol is answered with a
POST on a kept-alive connection, without any database, decision or record.

  http.client  the least that Python's own library needs for a request
  requests     with a `requests.Session`, which is what Alpaca's SDK uses
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import itertools
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import msgpack  # type: ignore[import-untyped]
import requests
import websockets.asyncio.client
from common import SECRET_KEY, symbols

PATH = "/v1beta3/crypto/us"
ORDERS = "/v2/orders"
Post = Callable[[dict[str, str]], object]


def by_http_client(url: str) -> Post:
    connection = http.client.HTTPConnection(urlsplit(url).netloc)
    headers = {"Content-Type": "application/json", "APCA-API-KEY-ID": "bare"}

    def post(order: dict[str, str]) -> object:
        connection.request("POST", ORDERS, json.dumps(order), headers)
        return json.loads(connection.getresponse().read())

    return post


def by_requests(url: str) -> Post:
    session = requests.Session()
    session.trust_env = False
    session.headers["APCA-API-KEY-ID"] = "bare"
    return lambda order: session.post(url + ORDERS, json=order).json()


async def loop(url: str, kind: str, post: Post, symbol: str) -> None:
    stream = url.replace("http", "ws", 1) + PATH
    options: dict[str, Any] = {"ping_interval": None, "compression": None, "max_queue": 1024}
    async with websockets.asyncio.client.connect(stream, **options) as ws:
        await ws.recv()
        await ws.send(msgpack.packb({"action": "auth", "key": kind, "secret": SECRET_KEY}))
        await ws.recv()
        await ws.send(msgpack.packb({"action": "subscribe", "quotes": [symbol]}))
        await ws.recv()
        number = itertools.count()
        while True:
            for quote in msgpack.unpackb(await ws.recv(), timestamp=3):
                if quote["S"] == symbol:
                    order = {"symbol": symbol, "side": "buy", "type": "limit", "qty": "0.001"}
                    order |= {"time_in_force": "gtc", "limit_price": str(quote["ap"])}
                    post({**order, "client_order_id": f"bare-{next(number)}"})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=("http.client", "requests"))
    parser.add_argument("url")
    given = parser.parse_args()
    make = by_requests if given.kind == "requests" else by_http_client
    asyncio.run(loop(given.url, given.kind, make(given.url), symbols(1)[0]))


if __name__ == "__main__":
    main()
