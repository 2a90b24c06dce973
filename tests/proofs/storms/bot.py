"""One life of main_app.py: the real trader, desk, workers and loops, on virtual time.

Rule: what main_app.py and live/app.py tie together with sockets and signals is tied together here
with lines and lives; nothing between them is replaced.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Any

from dca_bot.broker.alpaca_clock import AlpacaClock
from dca_bot.broker.rate_limit import RateLimiter
from dca_bot.broker.rest import AlpacaBroker, KeysRefused
from dca_bot.live.assets import Assets
from dca_bot.live.loops import (
    follow_database,
    follow_rules,
    keep_orders_settled,
)
from dca_bot.live.prices import LivePrices
from dca_bot.live.quiet import QuietSymbols, look_after_quotes
from dca_bot.live.sight_writer import CASH_SECONDS
from dca_bot.live.worker import WorkerContext
from dca_bot.program.errors import BrokerUnavailable, StoreUnavailable
from dca_bot.program.settings import AlpacaSettings
from dca_bot.trading.budget import Budget
from dca_bot.trading.ports import Store
from dca_bot.trading.settle import recover
from dca_bot.trading.trader import Trader

from .lines import QuoteLine, TradeLine, Wire
from .mishaps import Calm
from .process import Process
from .venue import Venue
from .virtual_time import PowerCut, VirtualClock, VirtualLoop
from .watched_store import Committed, Outage, WatchedStore

NOWHERE = AlpacaSettings("key", "secret", "https://the-exchange", "https://data", "wss://data")
REFRESH_SECONDS = 10.0
AGAIN_SECONDS = 5.0


async def _ask_for_the_cash(broker: AlpacaBroker) -> None:
    """As live/sight_writer.py does; its answers tell Alpaca's time where nothing else is asked."""
    while True:
        with suppress(BrokerUnavailable):
            await asyncio.to_thread(broker.account)
        await asyncio.sleep(CASH_SECONDS)


class Surface:
    """What a process of ours can touch: the books and the exchange."""

    def __init__(
        self,
        *,
        loop: VirtualLoop,
        clock: VirtualClock,
        store: Store,
        venue: Venue,
        outage: Outage,
        mishaps: Calm,
        seed: int,
        committed: Committed,
        complain: Callable[[str], None],
        budget: Budget,
    ) -> None:
        self.loop = loop
        self.clock = clock
        self.mishaps = mishaps
        self.seed = seed
        self.complain = complain
        self.budget = budget
        self._store = store
        self._venue = venue
        self._outage = outage
        self._committed = committed

    def store(self, process: Process) -> WatchedStore:
        return WatchedStore(self._store, process, self._outage, self._committed)

    def broker(self, process: Process) -> AlpacaBroker:
        def transport(*_: Any, clock: AlpacaClock | None = None, **__: Any) -> Wire:
            return Wire(process, self._venue, self.loop, self.seed, clock)

        # in virtual time one thread runs at a time, and none may wait for another's lock
        return AlpacaBroker(
            NOWHERE,
            RateLimiter(200),
            clock=self.clock.utc,
            transport=transport,  # type: ignore[arg-type]
            sharing=lambda ask: ask,
        )


class Bot:
    def __init__(self, number: int, surface: Surface, trades: TradeLine, quotes: QuoteLine) -> None:
        self.process = Process(
            surface.loop,
            f"main_app {number}",
            surface.mishaps,
            "power cut",
            seed=surface.seed,
        )
        self._surface = surface
        self._trades = trades
        self._quotes = quotes
        self._store = surface.store(self.process)
        self._broker = surface.broker(self.process)
        self._tasks: list[asyncio.Task[None]] = []
        self._assets: Assets | None = None
        surface.loop.start_work = self.process.start
        self.process.start(self._begin)

    def end(self) -> None:
        """SIGKILL, or what is left after a power cut."""
        if not self.process.is_over:
            self.process.end()
        for task in self._tasks:
            task.cancel()
        self._trades.close()
        self._quotes.close()

    def _begin(self) -> None:
        """As main_app.py does: nothing is traded before everything under way was asked about."""
        try:
            self._until_answered(self._broker.account)
            rules = self._until_answered(self._broker.rules)
            clock, budget = self._surface.clock.utc, self._surface.budget
            trader = Trader(self._store, self._broker, clock, rules, budget=budget)
            self._until_answered(lambda: recover(trader.books, self._store, self._broker))
        except (StoreUnavailable, KeysRefused):
            self.process.end()  # main_app.py ends with status 1; the watchdog starts it again
            return
        self._surface.loop.call_soon(self._live, trader)

    def _until_answered(self, ask: Callable[[], Any]) -> Any:
        while True:
            try:
                return ask()
            except KeysRefused:
                raise
            except BrokerUnavailable:
                self.process.rest(AGAIN_SECONDS)

    def _live(self, trader: Trader) -> None:
        if self.process.is_over:
            return
        loop, clock, store, broker = (
            self._surface.loop,
            self._surface.clock.utc,
            self._store,
            self._broker,
        )
        gap, refusal, quotes_connected = asyncio.Event(), asyncio.Event(), asyncio.Event()
        context = WorkerContext(
            trader=trader,
            store=store,
            pool=self.process,  # type: ignore[arg-type]
            loop=loop,
            on_store_trouble=lambda: loop.call_soon_threadsafe(gap.set),  # type: ignore[arg-type]
            on_refusal=lambda: loop.call_soon_threadsafe(refusal.set),  # type: ignore[arg-type]
        )
        prices = LivePrices()
        self._assets = assets = Assets(context, prices, on_gap=gap.set)
        quotes: Any = self._quotes

        def alpacas_now() -> datetime:
            return clock() + broker.clock_offset

        quiet = QuietSymbols(
            prices,
            broker,
            alpacas_now,
            quotes,
            wanted=assets.wanted_symbols,
            holds_coins=assets.holds_coins,
        )
        work = (
            keep_orders_settled(trader.books, store, broker, clock, gap),
            follow_database(assets.refresh, assets.wanted_symbols, quotes.watch, REFRESH_SECONDS),
            follow_rules(trader, broker, assets.symbols_not_traded, refusal),
            look_after_quotes(
                quiet,
                lambda: prices.late(assets.wanted_symbols(), alpacas_now(), trader.quote_age_max),
                quotes_connected,
            ),
            _ask_for_the_cash(broker),
        )
        self._tasks = [loop.create_task(each) for each in work]
        for task in self._tasks:
            task.add_done_callback(self._ended)
        self._trades.open(gap.set, self._hear)
        self._quotes.open(quotes_connected.set, prices.on_quotes)

    def _hear(self, message: dict[str, Any]) -> None:
        assert self._assets is not None
        try:
            self.process.step("update heard")
        except PowerCut:
            return
        self._assets.on_trade_update(message)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and not self.process.is_over:
            self._surface.complain(f"a task of main_app.py has ended: {task!r}")
