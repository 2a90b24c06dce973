"""Everything of one storm, tied together: the market, the exchange, the bot, cron and the user.

Rule: one loop, one clock, one seed; what is random here is random by that seed alone.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from typing import Any

from alpaca_simulator.decimals import wire
from alpaca_simulator.exchange.orders import Order
from alpaca_simulator.exchange.updates import TradeUpdate
from dca_bot.core.model import Asset, OrderStatus
from dca_bot.program.settings import LimitSettings
from dca_bot.store.memory_store import MemoryStore
from dca_bot.trading.budget import Budget

from .auditor import Books
from .bot import Bot, Surface
from .caretakers import EVERY_MINUTES, LIMITS, Cron
from .lines import QuoteLine, TradeLine
from .mishaps import Calm
from .outside.hand import Hand
from .outside.person import Person
from .outside.upsets import Upsets
from .rules.edits import first_of
from .rules.limits import Limits
from .venue import Venue
from .virtual_time import STARTED_AT, VirtualClock, VirtualLoop
from .watched_store import Outage
from .watcher import Watcher

EVENTS_KEPT = 60
LOGGERS = ("dca_bot", "order_manager", "cooldown_manager", "consistency_checker")


@contextmanager
def on_one_core() -> Iterator[None]:
    """The threads of a world take turns: on one core the turn passes at once."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {sorted(cores)[os.getpid() % len(cores)]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


class LastEvents(logging.Handler):
    """The newest log lines, for whoever has to find out why a seed failed."""

    def __init__(self, now: Callable[[], float]) -> None:
        super().__init__()
        self._now = now
        self.lines: deque[str] = deque(maxlen=EVENTS_KEPT)

    def emit(self, record: logging.LogRecord) -> None:
        subject = getattr(record, "subject", record.name)
        self.note(f"{record.levelname} {subject} {record.getMessage()}")

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Hear the bot and the scripts meanwhile, from INFO on, and let nobody else hear them."""
        loggers = [logging.getLogger(name) for name in LOGGERS]
        before = [(log.level, log.propagate) for log in loggers]
        for log in loggers:
            log.addHandler(self)
            log.setLevel(logging.INFO)
            log.propagate = False
        try:
            yield
        finally:
            for log, (level, propagate) in zip(loggers, before, strict=True):
                log.removeHandler(self)
                log.setLevel(level)
                log.propagate = propagate

    def note(self, line: str) -> None:
        self.lines.append(f"{self._now():10.3f} {line}")


class World:
    """`assets` as they are at the start; `spare` ones may be inserted by the user."""

    def __init__(
        self,
        seed: int,
        mishaps: Calm,
        assets: list[Asset],
        *,
        spare: list[Asset] | None = None,
        watchdog_seconds: tuple[float, float] = (1.0, 300.0),
        limits: LimitSettings = LIMITS,
        every_minutes: Mapping[str, int] = EVERY_MINUTES,
        started_at: datetime = STARTED_AT,
    ) -> None:
        self.seed = seed
        self._watchdog_seconds = watchdog_seconds
        self.mishaps = mishaps
        self.loop = VirtualLoop()
        self.clock = VirtualClock(self.loop, started_at)
        self.complaints: list[str] = []
        self.events = LastEvents(self.loop.time)
        self.store = MemoryStore(assets, clock=self.clock.utc)
        self.venue = Venue(self.loop, self.clock, mishaps, seed)
        self.limits = Limits(self.store, limits, self.complain)
        self.watcher = Watcher(self.store, self.venue, self.limits, self.loop.time, self.complain)
        self.trades = TradeLine(self.loop, mishaps, seed)
        self.quotes = QuoteLine(self.loop, mishaps, seed)
        self.venue.admitted = self.watcher.admitted
        self.venue.exchange.listeners.append(self._tell)
        self.surface = Surface(
            loop=self.loop,
            clock=self.clock,
            store=self.store,
            venue=self.venue,
            outage=Outage(self.loop.time),
            mishaps=mishaps,
            seed=seed,
            committed=self.watcher.committed,
            complain=self.complain,
            budget=Budget.of(limits),
        )
        self.cron = Cron(self.surface, limits, every_minutes)
        self.hand = Hand(
            self.loop, self.store, self.venue, self.watcher, mishaps, seed=seed, spare=spare or []
        )
        self.loop.set_exception_handler(self._unexpected)
        self.upsets = Upsets(self.loop, self.clock, self.venue, mishaps, seed)
        self.person = Person(self.surface, self.store, self.watcher)
        self._dice = random.Random(f"world:{seed}")
        self.lives = 0
        self.bot: Bot | None = None

    # -- time

    def run(self, seconds: float) -> None:
        """Let so much time pass, or less when something turns out to be wrong."""
        if self.complaints:
            return
        with on_one_core(), self.events.listening():
            self.loop.run_until_complete(self._pass(seconds))

    async def _pass(self, seconds: float) -> None:
        until = self.loop.time() + seconds
        while self.loop.time() < until and not self.complaints:
            await asyncio.sleep(min(1.0, until - self.loop.time()))
            self._look_after_bot()
            self.limits.look()

    def close(self) -> None:
        """End every thread and the loop."""
        if self.bot is not None:
            self.bot.end()
        self.loop.close()

    def complain(self, complaint: str) -> None:
        self.events.note(f"*** {complaint}")
        self.complaints.append(complaint)

    def _unexpected(self, _: object, context: dict[str, Any]) -> None:
        self.complain(f"unexpected: {context.get('exception')!r} ({context.get('message')})")

    # -- the bot and its watchdog

    def start_bot(self) -> None:
        self.lives += 1
        self.events.note(f"main_app.py starts, life {self.lives}")
        self.bot = Bot(self.lives, self.surface, self.trades, self.quotes)

    def _look_after_bot(self) -> None:
        if self.bot is None:
            return
        if not self.bot.process.is_over and self.mishaps.strikes("stopped"):
            self.bot.process.end()
        if self.bot.process.is_over:
            self.events.note("main_app.py is gone")
            self.bot.end()
            self.bot = None
            self.loop.call_later(self._dice.uniform(*self._watchdog_seconds), self.start_bot)

    # -- prices

    def quote(self, symbol: str, bid: Decimal, ask: Decimal) -> None:
        """The market moves."""
        self.watcher.quoted(symbol, bid, ask)
        quote = self.venue.quote(symbol, bid, ask)
        self.quotes.publish(symbol, bid, ask, quote.at)

    def leaps(self, symbol: str) -> bool:
        """Whether the price leaps now, as it does while an order of the symbol is open."""
        is_open = bool(self.venue.exchange.orders.open_of(symbol))
        return is_open and self.mishaps.strikes("price leaps while an order is open")

    def _tell(self, update: TradeUpdate) -> None:
        self.events.note(
            f"exchange: {update.event} {update.order.terms.client_order_id} "
            f"{update.order.filled_qty}/{update.order.terms.working_qty}"
        )
        self.trades.publish(update)
        first = first_of(self.venue.exchange, update.order)
        is_nobodys = first.terms.client_order_id in self.watcher.disowned
        if is_nobodys and update.event.endswith("fill"):
            cycles = {state.asset.symbol: state.cycle for state in self.store.assets()}
            cycle = cycles.get(update.order.symbol)
            self.watcher.traded_by_hand(update.order.symbol, cycle and cycle.cycle_id)

    # -- what is to be seen

    def books(self) -> Books:
        """Both sides as the auditor wants them."""
        exchange, watcher = self.venue.exchange, self.watcher
        states = self.store.assets()
        coins = exchange.account.ledger.currencies()

        def is_nobodys(order: Order) -> bool:
            return first_of(exchange, order).terms.client_order_id in watcher.disowned

        return Books(
            assets=[
                _asset_row(state.asset, watcher.configured[state.asset.asset_id])
                for state in states
            ],
            cycles=[row for state in states for row in self._cycle_rows(state.asset.asset_id)],
            orders=[self._order_row(name) for name in watcher.order_ids],
            record={
                "orders": [o.to_wire() for o in exchange.orders.all() if not is_nobodys(o)],
                "fills": [e.record() for e in exchange.executions if not is_nobodys(e.order)],
            },
            coins={coin: Decimal(wire(exchange.account.ledger.owned(coin))) for coin in coins},
            touched=frozenset(watcher.touched),
        )

    def _cycle_rows(self, asset_id: int) -> list[dict[str, Any]]:
        with self.store.transaction(asset_id) as tx:
            found = [tx.cycle_by_id(cycle_id) for cycle_id in self.watcher.cycle_ids]
        return [
            {
                "id": cycle.cycle_id,
                "asset_id": cycle.asset_id,
                "status": cycle.status.value,
                "quantity": cycle.quantity,
                "average_purchase_price": cycle.average_purchase_price,
                "safety_orders": cycle.safety_orders,
                "last_order_fill_price": cycle.last_order_fill_price,
            }
            for cycle in found
            if cycle is not None
        ]

    def _order_row(self, client_order_id: str) -> dict[str, Any]:
        order = self.store.order(client_order_id)
        assert order is not None
        return {
            "client_order_id": order.client_order_id,
            "asset_id": order.asset_id,
            "cycle_id": order.cycle_id,
            "rung": order.rung,
            "kind": order.kind.value,
            "status": order.status.value,
            "filled_quantity": order.filled_quantity,
            "received_quantity": order.received_quantity,
        }

    def in_doubt(self) -> list[str]:
        """Orders of which nobody can say whether they work."""
        return [
            order.client_order_id
            for order in self.store.live_orders()
            if order.status is OrderStatus.INTENDED
        ]


def _asset_row(asset: Asset, configured: list[Asset]) -> dict[str, Any]:
    """The row; where it was edited, with the most that it allowed when an order was intended."""
    rows = [asset, *configured]
    return {
        "id": asset.asset_id,
        "asset_symbol": asset.symbol,
        "base_order_amount": max(row.base_order_amount for row in rows),
        "safety_order_amount": max(row.safety_order_amount for row in rows),
        "safety_order_volume_scale": max(row.safety_order_volume_scale for row in rows),
        "max_safety_orders": max(row.max_safety_orders for row in rows),
        "last_sell_price": asset.last_sell_price,
    }
