"""The books as one process sees them: its steps have names, and each statement may fail.

Rule: what is stored is the real store's business; here are the interruptions.  Nothing rests
inside a transaction, since the row lock keeps everybody else out anyway.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from dca_bot.core.model import Allowed, Asset, AssetState, Cycle, CycleStatus, Exposure, Order
from dca_bot.core.records import CycleResult, Event
from dca_bot.program.errors import CycleChanged, StoreUnavailable
from dca_bot.trading.ports import Store, Transaction

from .mishaps import Calm
from .process import Process

REST_SECONDS = 0.001
# What a transaction was about, the weightiest first; the names of the steps are made of these.
DEEDS = ("completion", "intent", "fill", "outcome", "end of a cooldown", "new cycle", "correction")


class Outage:
    """The database server, as far as all processes share it."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._back_at = 0.0

    def begin(self, seconds: float) -> None:
        self._back_at = self._now() + seconds

    @property
    def is_on(self) -> bool:
        return self._now() < self._back_at


@dataclass(frozen=True, slots=True)
class Written:
    """What a transaction has put into the books; `by` is the process.

    `is_allowed`: how far the asset may go was set.  `losses_from`: what has ended until then counts
    as no loss any more.
    """

    by: str
    asset_id: int
    cycles: Sequence[Cycle]
    orders: Sequence[Order]
    is_allowed: bool
    losses_from: datetime | None


Committed = Callable[[Written], None]


class WatchedStore:
    """ports.Store for one process; `committed` is told what was written, once it is."""

    def __init__(
        self,
        store: Store,
        process: Process,
        outage: Outage,
        committed: Committed,
    ) -> None:
        self._store = store
        self._process = process
        self._outage = outage
        self._committed = committed

    @contextmanager
    def transaction(self, asset_id: int) -> Iterator[WatchedTransaction]:
        self._process.rest(REST_SECONDS)
        self._query("lock")
        with self._store.transaction(asset_id) as tx:
            watched = WatchedTransaction(tx, self._statement)
            yield watched
            if watched.deed:
                self._statement("commit")
                self._process.step(f"{watched.deed} about to be written")
        if not watched.deed:
            return
        self._committed(watched.written(self._process.name, asset_id))
        self._process.step_alone(f"{watched.deed} written")
        if self._process.mishaps.strikes("answer to commit lost", watched.deed):
            raise StoreUnavailable("the connection was lost during the commit")

    def assets(self) -> Sequence[AssetState]:
        self._read("assets")
        return self._store.assets()

    def order(self, client_order_id: str) -> Order | None:
        self._read("order")
        return self._store.order(client_order_id)

    def live_orders(self) -> Sequence[Order]:
        self._read("live orders")
        return self._store.live_orders()

    def keep_order(self, before: Order, after: Order) -> None:
        self._read("order left behind")
        self._store.keep_order(before, after)

    def _read(self, what: str) -> None:
        self._process.rest(REST_SECONDS)
        self._query(what)

    def _statement(self, what: str) -> None:
        """One statement inside a transaction; a deadlock at the first is the pool's to repeat."""
        self._query(what)
        if self._process.mishaps.strikes("deadlock", what):
            raise CycleChanged("deadlock found")

    def _query(self, what: str) -> None:
        mishaps: Calm = self._process.mishaps
        if mishaps.strikes("database away", what):
            self._outage.begin(90)
        if self._outage.is_on or mishaps.strikes("statement fails", what):
            raise StoreUnavailable("the database is away")


class WatchedTransaction:
    """ports.Transaction that remembers what it was about."""

    def __init__(self, tx: Transaction, statement: Callable[[str], None]) -> None:
        self._tx = tx
        self._statement = statement
        self._deeds: set[str] = set()
        self._cycles: list[Cycle] = []
        self._orders: list[Order] = []
        self._is_allowed = False
        self._losses_from: datetime | None = None

    def written(self, by: str, asset_id: int) -> Written:
        """All of it, for whoever looks."""
        cycles, orders = self._cycles, self._orders
        return Written(by, asset_id, cycles, orders, self._is_allowed, self._losses_from)

    @property
    def deed(self) -> str:
        """What is being written, in a word; "" when nothing is."""
        return next((deed for deed in DEEDS if deed in self._deeds), "")

    @property
    def asset(self) -> Asset:
        return self._tx.asset

    @property
    def cycle(self) -> Cycle | None:
        return self._tx.cycle

    def cycle_by_id(self, cycle_id: int) -> Cycle | None:
        self._statement("cycle")
        return self._tx.cycle_by_id(cycle_id)

    def previous_cycle(self) -> Cycle | None:
        self._statement("previous cycle")
        return self._tx.previous_cycle()

    def order(self, client_order_id: str) -> Order | None:
        self._statement("order of asset")
        return self._tx.order(client_order_id)

    def last_order(self) -> Order | None:
        self._statement("last order")
        return self._tx.last_order()

    def live_order(self) -> Order | None:
        self._statement("live order")
        return self._tx.live_order()

    def add_cycle(self, cycle: Cycle) -> Cycle:
        is_next = cycle.status is CycleStatus.COOLDOWN
        self._note("completion" if is_next else "new cycle")
        stored = self._tx.add_cycle(cycle)
        self._cycles.append(stored)
        return stored

    def save_cycle(self, before: Cycle, after: Cycle) -> None:
        if before == after:
            return
        is_end = (before.status, after.status) == (CycleStatus.COOLDOWN, CycleStatus.WATCHING)
        self._note("end of a cooldown" if is_end else "correction")
        self._tx.save_cycle(before, after)
        self._cycles.append(after)

    def add_order(self, order: Order) -> None:
        self._note("intent")
        self._tx.add_order(order)
        self._orders.append(order)

    def save_order(self, before: Order, after: Order) -> None:
        if before == after:
            return
        self._note("fill" if after.filled_quantity > before.filled_quantity else "outcome")
        self._tx.save_order(before, after)
        self._orders.append(after)

    def set_last_sell_price(self, price: Decimal) -> None:
        self._note("completion")
        self._tx.set_last_sell_price(price)

    def exposure(self, since: datetime) -> Exposure:
        self._statement("exposure")
        return self._tx.exposure(since)

    def left_behind(self) -> Decimal:
        self._statement("left behind")
        return self._tx.left_behind()

    def count_losses_from(self, at: datetime) -> None:
        self._note("correction")
        self._tx.count_losses_from(at)
        self._losses_from = at

    def set_allowed(self, allowed: Allowed, before: Allowed | None = None) -> None:
        self._note("correction")
        self._tx.set_allowed(allowed, before)
        self._is_allowed = True

    def orders_of_cycle(self, cycle_id: int) -> Sequence[Order]:
        self._statement("orders of cycle")
        return self._tx.orders_of_cycle(cycle_id)

    def add_event(self, event: Event) -> None:
        self._statement("event")
        self._tx.add_event(event)

    def put_result(self, result: CycleResult) -> None:
        self._statement("result")
        self._tx.put_result(result)

    def _note(self, deed: str) -> None:
        self._statement(f"write of {deed}")
        self._deeds.add(deed)
