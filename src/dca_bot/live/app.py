"""One trading process: the streams, the assets and the loops beside them, from start to clean end.

Rule: every task belongs to the TaskGroup; an unexpected exception in one ends the process, and
the watchdog starts a new one.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime

from dca_bot.broker.streams import QuoteStream, TradeStream
from dca_bot.live.assets import Assets
from dca_bot.live.loops import (
    follow_database,
    follow_rules,
    keep_orders_settled,
    watch_clock,
)
from dca_bot.live.prices import LivePrices
from dca_bot.live.problems import Problems
from dca_bot.live.quiet import QuietSymbols, look_after_quotes
from dca_bot.live.sight_writer import write_sights
from dca_bot.live.worker import WorkerContext
from dca_bot.program.clock import utc_now
from dca_bot.program.errors import StoreUnavailable
from dca_bot.program.setting_groups import Settings
from dca_bot.store.instance_lock import InstanceLock
from dca_bot.trading.ports import Broker, Store
from dca_bot.trading.trader import Trader
from dca_bot.watchdog import heartbeat

log = logging.getLogger(__name__)

WORKERS = 16  # how many assets may wait for the database or for Alpaca at the same time
HEARTBEAT_SECONDS = 2.0
LOCK_SECONDS = 5.0
STOP_SECONDS = 2.5  # of the 5 s that the end may take; closing the sockets needs the rest


class App:
    """Everything that lives while `main_app.py` trades."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        broker: Broker,
        trader: Trader,
        lock: InstanceLock,
        problems: Problems,
    ) -> None:
        self._settings = settings
        self._store = store
        self._broker = broker
        self._trader = trader
        self._lock = lock
        self._problems = problems
        self._started_at = utc_now()
        self._gap = asyncio.Event()
        self._refusal = asyncio.Event()
        self._quotes_connected = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="worker")
        context = WorkerContext(
            trader=trader,
            store=store,
            pool=self._pool,
            loop=self._loop,
            on_store_trouble=self._on_store_trouble,
            on_refusal=self._on_refusal,
        )
        self._prices = LivePrices()
        self._assets = Assets(context, self._prices, on_gap=self._gap.set)
        self._quotes = QuoteStream(
            settings.alpaca,
            on_quotes=self._prices.on_quotes,
            on_connected=self._quotes_connected.set,
            on_trouble=log.warning,
        )
        self._trades = TradeStream(
            settings.alpaca,
            on_update=self._assets.on_trade_update,
            on_connected=self._gap.set,
            on_trouble=log.warning,
        )

    async def run(self) -> None:
        """Trade until SIGTERM or SIGINT; what is under way then is ended or left as an intent."""
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, stop.set)
        trader, store, broker, assets = self._trader, self._store, self._broker, self._assets
        refresh_seconds = self._settings.limits.asset_refresh_seconds
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(each)
                for each in (
                    self._quotes.run(),
                    self._trades.run(),
                    self._beat(),
                    self._keep_lock(),
                    keep_orders_settled(trader.books, store, broker, utc_now, self._gap),
                    follow_database(
                        assets.refresh, assets.wanted_symbols, self._quotes.watch, refresh_seconds
                    ),
                    follow_rules(trader, broker, assets.symbols_not_traded, self._refusal),
                    write_sights(
                        assets.snapshots,
                        assets.seen,
                        broker,
                        utc_now,
                        mode=self._settings.alpaca.mode,
                        directory=self._settings.log.dir,
                    ),
                    look_after_quotes(self._quiet(), self._late, self._quotes_connected),
                    watch_clock(broker),
                )
            ]
            await stop.wait()
            log.info("stopping: no new orders, waiting for what is under way")
            assets.stop()
            await self._until_idle()
            for task in tasks:
                task.cancel()
        heartbeat.remove(self._settings.log.dir)
        log.info("stopped")
        # A thread can't be cancelled, and waiting for one that waits for Alpaca could take longer
        # than the 5 s we have; what it was doing stands in the database as an intent.
        logging.shutdown()
        os._exit(0)

    def _quiet(self) -> QuietSymbols:
        return QuietSymbols(
            self._prices,
            self._broker,
            self._alpacas_now,
            self._quotes,
            wanted=self._assets.wanted_symbols,
            holds_coins=self._assets.holds_coins,
        )

    def _late(self) -> set[str]:
        symbols, age_max = self._assets.wanted_symbols(), self._trader.quote_age_max
        return self._prices.late(symbols, self._alpacas_now(), age_max)

    def _alpacas_now(self) -> datetime:
        return utc_now() + self._broker.clock_offset

    def _on_store_trouble(self) -> None:
        # Called from a worker's thread: an update may not have been booked, so Alpaca is asked.
        self._loop.call_soon_threadsafe(self._gap.set)

    def _on_refusal(self) -> None:
        self._loop.call_soon_threadsafe(self._refusal.set)

    async def _until_idle(self) -> None:
        deadline = time.monotonic() + STOP_SECONDS
        while self._assets.is_busy and time.monotonic() < deadline:  # noqa: ASYNC110 - threads, no event
            await asyncio.sleep(0.02)

    async def _beat(self) -> None:
        first, logged = heartbeat.first(self._started_at), ""
        while True:
            beat = replace(
                first,
                at=utc_now(),
                quote_age_seconds=_age(self._prices.known_at),
                trade_stream_age_seconds=_age(self._trades.last_sign_of_life),
                symbols=len(self._assets.wanted_symbols()),
                problems=self._problems.now(
                    self._assets.database_trouble, self._assets.snapshots()
                ),
            )
            try:
                heartbeat.write(beat, self._settings.log.dir)
                logged = ""
            except OSError as error:  # a full disk: trading goes on
                if str(error) != logged:
                    log.error("no heartbeat can be written, make room on the disk: %s", error)
                logged = str(error)
            await asyncio.sleep(HEARTBEAT_SECONDS)

    async def _keep_lock(self) -> None:
        """Take the lock again when it went with its connection; end when another bot has it."""
        while True:
            await asyncio.sleep(LOCK_SECONDS)
            # nobody can tell: then there are no orders either, without the database; or the server
            # takes the lost connection for alive, and would let nobody else have the lock either
            with contextlib.suppress(StoreUnavailable):
                await asyncio.to_thread(self._lock.acquire)


def _age(at: float | None) -> float | None:
    return None if at is None else round(time.monotonic() - at, 1)
