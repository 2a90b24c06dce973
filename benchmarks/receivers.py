"""What takes the quotes in benchmarks/quotes.py, each in a process of its own.

bare      only receives and decodes: the client of `websockets` and msgpack with datetimes, which
          is what the bot uses
bare-ts   the same with msgpack's default, its own Timestamp objects
bare-old  the first with `websockets.legacy`, which Alpaca's SDK uses
sdk       alpaca-py's stream as it comes, with a handler that does nothing
bot       the bot's QuoteStream and Assets, on a store in memory
"""

from __future__ import annotations

import argparse
import asyncio
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any, cast

import msgpack  # type: ignore[import-untyped]
import websockets.asyncio.client
import websockets.legacy.client
from alpaca.data.live.crypto import CryptoDataStream
from common import SECRET_KEY, symbols

from dca_bot.broker.streams import AS_DATETIME, QuoteStream
from dca_bot.core.model import Asset, AssetRules, Cycle, CycleStatus
from dca_bot.live.assets import Assets
from dca_bot.live.prices import LivePrices
from dca_bot.live.worker import WorkerContext
from dca_bot.program.clock import utc_now
from dca_bot.program.settings import AlpacaSettings
from dca_bot.store.memory_store import MemoryStore
from dca_bot.trading.trader import Trader

PATH = "/v1beta3/crypto/us"
QUEUE = 1024  # frames, as the SDK has it
STEP = Decimal("0.000000001")


async def bare(kind: str, url: str, names: list[str]) -> None:
    connect: Any = websockets.asyncio.client.connect
    if kind == "bare-old":
        connect = websockets.legacy.client.connect
    timestamp = 0 if kind == "bare-ts" else AS_DATETIME
    options = {"ping_interval": None, "compression": None, "max_queue": QUEUE}
    async with connect(url + PATH, **options) as ws:
        await ws.recv()
        auth = {"action": "auth", "key": f"{kind}/{len(names)}", "secret": SECRET_KEY}
        await ws.send(msgpack.packb(auth))
        await ws.recv()
        await ws.send(msgpack.packb({"action": "subscribe", "quotes": names}))
        await ws.recv()
        receive, unpack = ws.recv, msgpack.unpackb
        while True:
            unpack(await receive(), timestamp=timestamp)


def sdk(url: str, names: list[str]) -> None:
    key = f"sdk/{len(names)}"
    stream = CryptoDataStream(key, SECRET_KEY, raw_data=True, url_override=url + PATH)

    async def ignore(quote: Any) -> None: ...

    stream.subscribe_quotes(ignore, *names)
    stream.run()


async def bot(url: str, names: list[str]) -> None:
    """As `App` puts them together; no quote triggers, so there is no broker."""
    settings = AlpacaSettings(f"bot/{len(names)}", SECRET_KEY, "http://none", "http://none", url)
    store = MemoryStore(asset(number, name) for number, name in enumerate(names, 1))
    for number in range(1, len(names) + 1):
        with store.transaction(number) as tx:
            tx.add_cycle(holding(number))
    rules = {name: AssetRules(name, True, STEP, STEP) for name in names}
    context = WorkerContext(
        trader=Trader(store, cast(Any, None), utc_now, rules),
        store=store,
        pool=ThreadPoolExecutor(1),
        loop=asyncio.get_running_loop(),
        on_store_trouble=lambda: None,
        on_refusal=lambda: None,
    )
    prices = LivePrices()
    assets = Assets(context, prices, on_gap=lambda: None)
    stream = QuoteStream(
        settings,
        on_quotes=prices.on_quotes,
        on_connected=lambda: None,
        on_trouble=print,
    )
    await assets.refresh()
    await stream.watch(assets.wanted_symbols())
    await stream.run()


def asset(number: int, name: str) -> Asset:
    ten = Decimal(10)
    return Asset(number, name, True, 2 * ten, 2 * ten, 5, ten, ten, 60, Decimal(1), None)


def holding(number: int) -> Cycle:
    price = Decimal(100)
    return Cycle(
        0,
        number,
        CycleStatus.WATCHING,
        quantity=Decimal(1),
        average_purchase_price=price,
        last_order_fill_price=price,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=("bare", "bare-ts", "bare-old", "sdk", "bot"))
    parser.add_argument("url")
    parser.add_argument("assets", type=int)
    given = parser.parse_args()
    names = symbols(given.assets)
    if given.kind == "sdk":
        sdk(given.url, names)
    elif given.kind == "bot":
        asyncio.run(bot(given.url, names))
    else:
        asyncio.run(bare(given.kind, given.url, names))


if __name__ == "__main__":
    main()
