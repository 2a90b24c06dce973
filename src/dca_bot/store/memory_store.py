"""The store without a database: the same contract, for backtests and tests.

Rule: whatever the database refuses is refused here too, so that nothing works only in memory.
What it can't show is locking between processes; tests/store shows that on a real server.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal

from dca_bot.core.model import Asset, AssetState, Cycle, CycleStatus, Order
from dca_bot.core.transition import whole_second
from dca_bot.program.clock import Clock, utc_now
from dca_bot.program.errors import CycleChanged, StoreUnavailable
from dca_bot.store.rows import (
    PRICE,
    cycle_values,
    exact,
    new_order_values,
    order_values,
    second_or_null,
)

LOCK_WAIT_SECONDS = 5


class MemoryStore:
    """Implements `ports.Store`; thread-safe.  `clock` fills `created_at` where a cycle has none."""

    def __init__(
        self,
        assets: Iterable[Asset] = (),
        *,
        clock: Clock = utc_now,
        lock_wait_seconds: float = LOCK_WAIT_SECONDS,
    ) -> None:
        self._clock = clock
        self._lock_wait_seconds = lock_wait_seconds
        self._shelves: dict[int, _Shelf] = {}
        self._owners: dict[str, int] = {}  # whose order it is, by client order id
        self._cycle_ids = itertools.count(1)
        # held for moments only, so that a commit is seen whole or not at all
        self._books = threading.Lock()
        for asset in assets:
            self.put_asset(asset)

    def put_asset(self, asset: Asset) -> None:
        """Insert the asset or replace its configuration, as a user's SQL would."""
        with self._books:
            shelf = self._shelves.setdefault(asset.asset_id, _Shelf(asset))
            shelf.asset = asset

    def delete_asset(self, asset_id: int) -> None:
        """Delete the asset with its cycles and orders, as a user's SQL would."""
        with self._shelves[asset_id].lock, self._books:
            for client_order_id in self._shelves.pop(asset_id).orders:
                del self._owners[client_order_id]

    @contextmanager
    def transaction(self, asset_id: int) -> Iterator[MemoryTransaction]:
        """Lock the asset; keep what the block wrote, or nothing of it after an exception."""
        shelf = self._shelves.get(asset_id)
        if shelf is None:
            raise _deleted(asset_id)
        if not shelf.lock.acquire(timeout=self._lock_wait_seconds):
            raise StoreUnavailable(f"{shelf.asset.symbol} stays locked: it is tried again")
        try:
            if self._shelves.get(asset_id) is not shelf:
                raise _deleted(asset_id)
            transaction = MemoryTransaction(shelf, self._cycle_ids, self._clock)
            yield transaction
            if transaction.has_written:
                self._commit(shelf, transaction)
        finally:
            shelf.lock.release()

    def assets(self) -> Sequence[AssetState]:
        """Every asset with its active cycle."""
        with self._books:
            shelves = sorted(self._shelves.items())
            return [AssetState(shelf.asset, shelf.active_cycle) for _, shelf in shelves]

    def order(self, client_order_id: str) -> Order | None:
        """Without a lock."""
        with self._books:
            owner = self._owners.get(client_order_id)
            return None if owner is None else self._shelves[owner].orders[client_order_id]

    def live_orders(self) -> Sequence[Order]:
        """Every intended or open order, oldest first."""
        with self._books:
            orders = [shelf.live_order for shelf in self._shelves.values()]
        return sorted((order for order in orders if order), key=lambda order: order.created_at)

    def _commit(self, shelf: _Shelf, transaction: MemoryTransaction) -> None:
        asset_id = shelf.asset.asset_id
        with self._books:
            for client_order_id in transaction.orders:
                if self._owners.get(client_order_id, asset_id) != asset_id:
                    raise CycleChanged(f"{client_order_id} was used before: decide again")
            for order in transaction.orders.values():
                self._owners[order.client_order_id] = asset_id
                shelf.put_order(order)
            # the finished cycle first: it makes room for the active one
            for cycle in sorted(transaction.cycles.values(), key=lambda c: c.status.is_active):
                shelf.put_cycle(cycle)
            if transaction.last_sell_price is not None:
                shelf.asset = replace(shelf.asset, last_sell_price=transaction.last_sell_price)


def _deleted(asset_id: int) -> CycleChanged:
    return CycleChanged(f"asset {asset_id} was deleted: read the rows again")


@dataclass(slots=True)
class _Shelf:
    """All rows of one asset, and the three that are asked for most."""

    asset: Asset
    lock: threading.Lock = field(default_factory=threading.Lock)
    cycles: dict[int, Cycle] = field(default_factory=dict)
    orders: dict[str, Order] = field(default_factory=dict)
    active_cycle: Cycle | None = None
    previous_cycle: Cycle | None = None
    live_order: Order | None = None

    def put_cycle(self, cycle: Cycle) -> None:
        self.cycles[cycle.cycle_id] = cycle
        if cycle.status.is_active:
            self.active_cycle = cycle
        elif self.active_cycle and self.active_cycle.cycle_id == cycle.cycle_id:
            self.active_cycle = None
        if self.previous_cycle and self.previous_cycle.cycle_id == cycle.cycle_id:
            self.previous_cycle = latest_completed(self.cycles.values())
        else:
            self.previous_cycle = latest_completed(filter(None, (self.previous_cycle, cycle)))

    def put_order(self, order: Order) -> None:
        self.orders[order.client_order_id] = order
        if not order.status.is_finished:
            self.live_order = order
        elif self.live_order and self.live_order.client_order_id == order.client_order_id:
            self.live_order = None


class MemoryTransaction:
    """Implements `ports.Transaction`: collects what is written until the store commits it."""

    def __init__(self, shelf: _Shelf, cycle_ids: Iterator[int], clock: Clock) -> None:
        self._shelf = shelf
        self._cycle_ids = cycle_ids  # as the database's: never twice, also not after a rollback
        self._clock = clock
        self.asset = shelf.asset
        self.cycle = shelf.active_cycle
        self.cycles: dict[int, Cycle] = {}
        self.orders: dict[str, Order] = {}
        self.last_sell_price: Decimal | None = None

    @property
    def has_written(self) -> bool:
        return bool(self.cycles or self.orders or self.last_sell_price is not None)

    def cycle_by_id(self, cycle_id: int) -> Cycle | None:
        """Any cycle of this asset, active or not."""
        return self.cycles.get(cycle_id) or self._shelf.cycles.get(cycle_id)

    def previous_cycle(self) -> Cycle | None:
        """The completed cycle with the latest `completed_at`."""
        if not self.cycles:
            return self._shelf.previous_cycle
        return latest_completed({**self._shelf.cycles, **self.cycles}.values())

    def order(self, client_order_id: str) -> Order | None:
        """An order of this asset."""
        return self.orders.get(client_order_id) or self._shelf.orders.get(client_order_id)

    def live_order(self) -> Order | None:
        """The one order of this asset that is intended or open."""
        before = self._shelf.live_order
        rest = [] if before is None or before.client_order_id in self.orders else [before]
        return next((o for o in [*self.orders.values(), *rest] if not o.status.is_finished), None)

    def add_cycle(self, cycle: Cycle) -> Cycle:
        """Insert the cycle and return it as stored."""
        self._check_owner(cycle.asset_id)
        cycle_values(cycle)
        second_or_null(cycle.created_at)
        created_at = cycle.created_at or whole_second(self._clock())
        stored = replace(cycle, cycle_id=next(self._cycle_ids), created_at=created_at)
        self._put_cycle(stored)
        return stored

    def save_cycle(self, before: Cycle, after: Cycle) -> None:
        """Write `after` if the row still is `before`."""
        self._check_owner(after.asset_id)
        old, new = cycle_values(before), cycle_values(after)
        if old == new:
            return
        stored = self.cycle_by_id(before.cycle_id)
        if stored is None or (stored is not before and cycle_values(stored) != old):
            raise CycleChanged(
                f"cycle {before.cycle_id} of {self.asset.symbol} is no longer as it was read: "
                "reload it and decide again"
            )
        self._put_cycle(
            replace(after, cycle_id=before.cycle_id, created_at=stored.created_at),
        )

    def add_order(self, order: Order) -> None:
        """Record an intent."""
        self._check_owner(order.asset_id)
        new_order_values(order)
        if self.order(order.client_order_id) or self.cycle_by_id(order.cycle_id) is None:
            raise CycleChanged(
                f"{order.client_order_id} was used before, or its cycle is gone: decide again"
            )
        self._put_order(order)

    def save_order(self, before: Order, after: Order) -> None:
        """Write `after` if status and filled quantity of the row still are those of `before`."""
        self._check_owner(after.asset_id)
        if order_values(before) == order_values(after):
            return
        stored = self.order(before.client_order_id)
        if stored is None or (stored.status, stored.filled_quantity) != (
            before.status,
            before.filled_quantity,
        ):
            raise CycleChanged(
                f"order {before.client_order_id} is no longer as it was read: "
                "reload it and decide again"
            )
        self._put_order(
            replace(
                stored,
                status=after.status,
                alpaca_order_id=after.alpaca_order_id,
                filled_quantity=after.filled_quantity,
                filled_average_price=after.filled_average_price,
                received_quantity=after.received_quantity,
                quantity_before=after.quantity_before,
                average_before=after.average_before,
            )
        )

    def set_last_sell_price(self, price: Decimal) -> None:
        """The price of the last take profit of this asset."""
        self.last_sell_price = exact(price, PRICE)

    def _put_cycle(self, cycle: Cycle) -> None:
        active = self._active_cycle()
        if cycle.status.is_active and active and active.cycle_id != cycle.cycle_id:
            raise CycleChanged(
                f"{self.asset.symbol} has an active cycle already: reload it and decide again"
            )
        self.cycles[cycle.cycle_id] = cycle

    def _put_order(self, order: Order) -> None:
        live = self.live_order()
        if not order.status.is_finished and live and live.client_order_id != order.client_order_id:
            raise CycleChanged(
                f"{self.asset.symbol} has a live order already: reload it and decide again"
            )
        self.orders[order.client_order_id] = order

    def _active_cycle(self) -> Cycle | None:
        before = self._shelf.active_cycle
        rest = [] if before is None or before.cycle_id in self.cycles else [before]
        return next((c for c in [*self.cycles.values(), *rest] if c.status.is_active), None)

    def _check_owner(self, asset_id: int) -> None:
        # the lock covers this asset alone
        assert asset_id == self.asset.asset_id, f"{asset_id} is not {self.asset.asset_id}"  # noqa: S101


def latest_completed(cycles: Iterable[Cycle]) -> Cycle | None:
    """What ORDER BY completed_at DESC, id DESC finds first among the completed cycles."""
    done = [
        (cycle.completed_at, cycle.cycle_id, cycle)
        for cycle in cycles
        if cycle.status is CycleStatus.COMPLETE and cycle.completed_at is not None
    ]
    return max(done, default=(None, 0, None))[2]
