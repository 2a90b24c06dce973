"""Both streams and the broker together on the simulated exchange."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest

from dca_bot.broker import translate
from dca_bot.broker.rate_limit import RateLimiter
from dca_bot.broker.rest import AlpacaBroker
from dca_bot.broker.streams import QuoteStream, TradeStream
from dca_bot.core.model import OrderStatus, OrderUpdate, Quote
from dca_bot.program.errors import OrderOutcomeUnknown
from dca_bot.program.settings import AlpacaSettings
from tests.broker.broker_contract import BTC, buy
from tests.broker.streams.scripted_alpaca import EVENTUALLY_SECONDS, QUICK, ended, eventually
from tests.helpers import Simulator


class BothStreams:
    """Both streams; it keeps everything that they report."""

    def __init__(self, exchange: Simulator, *symbols: str) -> None:
        self.settings = AlpacaSettings(
            exchange.key_id,
            exchange.secret_key,
            exchange.base_url,
            exchange.base_url,
            exchange.base_url.replace("http", "ws", 1),
        )
        self.symbols = symbols
        self.raw_quotes: list[dict[str, Any]] = []
        self.raw_updates: list[dict[str, Any]] = []
        self.connected: list[str] = []
        self.troubles: list[str] = []
        self.quote_stream = QuoteStream(
            self.settings,
            on_quotes=self.raw_quotes.extend,
            on_connected=lambda: self.connected.append("quotes"),
            on_trouble=self.troubles.append,
            pace=QUICK,
        )
        self.trade_stream = TradeStream(
            self.settings,
            on_update=self.raw_updates.append,
            on_connected=lambda: self.connected.append("trades"),
            on_trouble=self.troubles.append,
            pace=QUICK,
        )

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[BothStreams]:
        """Connected and subscribed inside, closed afterwards."""
        await self.quote_stream.watch(self.symbols)
        running = self.start()
        try:
            # one of them may have had to connect again before the other was there
            await eventually(lambda: set(self.connected) == {"quotes", "trades"})
            yield self
        finally:
            await self.stop(running)

    def start(self) -> list[asyncio.Task[None]]:
        """Let both run; the quote stream only once it knows what to watch."""
        return [asyncio.create_task(each.run()) for each in (self.quote_stream, self.trade_stream)]

    async def stop(self, running: list[asyncio.Task[None]]) -> None:
        await asyncio.gather(*map(ended, running))

    def quotes(self) -> list[Quote]:
        return [quote for raw in self.raw_quotes if (quote := translate.quote(raw))]

    def updates(self) -> list[OrderUpdate]:
        return [update for raw in self.raw_updates if (update := translate.trade_update(raw))]


@pytest.fixture
def exchange(still_exchange: Simulator) -> Simulator:
    still_exchange.post("/sim/reset", {"walk": False})
    still_exchange.post("/sim/release", {})
    push(still_exchange, "64000")
    return still_exchange


def push(exchange: Simulator, bid: str) -> None:
    exchange.post("/sim/quote", {"symbol": BTC, "bid": bid, "ask": str(Decimal(bid) + 100)})


def fault(exchange: Simulator, name: str, count: int = 1, **params: Any) -> None:
    exchange.post("/sim/faults", {"name": name, "count": count, "params": params})


async def heard(exchange: Simulator, streams: BothStreams, bid: str) -> None:
    """Quotes of this price come again and again until one arrives, as a market sends them."""
    give_up_at = time.monotonic() + EVENTUALLY_SECONDS
    while not any(quote.bid == Decimal(bid) for quote in streams.quotes()):
        assert time.monotonic() < give_up_at, f"{bid} was not heard"
        await asyncio.to_thread(push, exchange, bid)
        await asyncio.sleep(0.02)


async def test_quotes_arrive_exactly(exchange: Simulator) -> None:
    async with BothStreams(exchange, BTC).at_work() as streams:
        await heard(exchange, streams, "64123.45")


async def test_an_orders_life_arrives_with_the_position_net_of_the_fee(exchange: Simulator) -> None:
    async with BothStreams(exchange, BTC).at_work() as streams:
        broker = AlpacaBroker(streams.settings, RateLimiter(6000))
        order = buy("0.001", limit="65000")
        await asyncio.to_thread(broker.submit, order, BTC)
        await eventually(lambda: streams.updates() and streams.updates()[-1].status.is_finished)
        last = streams.updates()[-1]
        assert last.client_order_id == order.client_order_id
        assert (last.status, last.filled_quantity) == (OrderStatus.FILLED, Decimal("0.001"))
        assert last.position_quantity == Decimal("0.0009975")
        broker.close()


@pytest.mark.parametrize("clean", [True, False])
async def test_dropped_streams_come_back_and_go_on(exchange: Simulator, clean: bool) -> None:
    async with BothStreams(exchange, BTC).at_work() as streams:
        for name in ("drop_data_stream", "drop_trade_stream"):
            await asyncio.to_thread(fault, exchange, name, clean=clean)
        await eventually(lambda: len(streams.connected) >= 4)
        await heard(exchange, streams, "64222")


@pytest.mark.parametrize(
    ("name", "stream", "words"),
    [
        ("refuse_data_stream", "quote stream", "another program"),
        ("connection_limit", "quote stream", "another program"),
        ("unauthorized_data_stream", "quote stream", "refuses the keys"),
        ("refuse_trade_stream", "trade stream", "another program"),
        ("unauthorized_trade_stream", "trade stream", "refuses the keys"),
    ],
)
async def test_a_hindered_connect_is_said_once_and_overcome(
    exchange: Simulator, name: str, stream: str, words: str
) -> None:
    fault(exchange, name, count=3)
    async with BothStreams(exchange, BTC).at_work() as streams:
        assert len(streams.troubles) == 1
        assert stream in streams.troubles[0]
        assert words in streams.troubles[0]


async def test_a_second_program_with_the_same_keys_is_told_so(exchange: Simulator) -> None:
    second = BothStreams(exchange, BTC)
    async with BothStreams(exchange, BTC).at_work():
        await second.quote_stream.watch([BTC])
        running = second.start()
        await eventually(lambda: len(second.troubles) == 2)
        assert all("another program uses these keys" in text for text in second.troubles)
    await eventually(lambda: len(second.connected) == 2)
    await second.stop(running)


async def test_a_mute_socket_is_replaced(exchange: Simulator) -> None:
    async with BothStreams(exchange, BTC).at_work() as streams:
        await asyncio.to_thread(fault, exchange, "mute_data_stream")
        count = len(streams.connected)
        streams.quote_stream.call_silent(BTC)
        await eventually(lambda: len(streams.connected) > count)
        await heard(exchange, streams, "64333")


@pytest.mark.parametrize("simulator", [("--no-walk", "--symbol-limit", "5")], indirect=True)
async def test_more_symbols_than_the_plan_allows(simulator: Simulator) -> None:
    assets = simulator.get("/v2/assets?asset_class=crypto")
    wanted = sorted(asset["symbol"] for asset in assets)[:8]
    async with BothStreams(simulator, *wanted).at_work() as streams:
        assert streams.quote_stream.subscribed == set(wanted[:5])
        assert all(symbol in streams.troubles[0] for symbol in wanted[5:])


async def test_strange_updates_are_read_or_lead_to_a_question(exchange: Simulator) -> None:
    async with BothStreams(exchange, BTC).at_work() as streams:
        broker = AlpacaBroker(streams.settings, RateLimiter(6000))
        fault(exchange, "unknown_event", count=1)
        fault(exchange, "null_update", count=1)
        await asyncio.to_thread(broker.submit, buy("0.001", limit="65000"), BTC)
        await eventually(lambda: any(each.status.is_finished for each in streams.updates()))
        fault(exchange, "unknown_status", count=10)
        streams.raw_updates.clear()
        order = buy("0.001", limit="65000")
        with pytest.raises(OrderOutcomeUnknown):
            await asyncio.to_thread(broker.submit, order, BTC)
        raw = await eventually(lambda: streams.raw_updates and streams.raw_updates[-1])
        with pytest.raises(translate.Unreadable) as caught:
            translate.trade_update(raw)
        assert caught.value.client_order_id == order.client_order_id
        broker.close()
