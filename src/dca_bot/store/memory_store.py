"""The store without a database: the same contract, for backtests and tests.

Rule: whatever the database refuses is refused here too, so that nothing works only in memory.
What it can't show is locking between processes; tests/store shows that on a real server.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal

from dca_bot.core.model import Allowed, Asset, AssetState, Cycle, Order
from dca_bot.core.records import CycleResult, Event
from dca_bot.core.transition import whole_second
from dca_bot.program.clock import Clock, utc_now
from dca_bot.program.errors import AssetDeleted, CycleChanged, StoreUnavailable
from dca_bot.store.memory_shelf import Shelf, latest_completed
from dca_bot.store.values import (
    PRICE,
    cycle_values,
    event_values,
    exact,
    new_order_values,
    order_values,
    result_values,
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
        self._shelves: dict[int, Shelf] = {}
        self._owners: dict[str, int] = {}  # whose order it is, by client order id
        self._left_behind: dict[str, Order] = {}  # orders whose asset's row is gone
        # what outlives the asset's row, as in the database
        self.events: list[tuple[str, Event]] = []  # with the asset's symbol
        self.results: dict[int, CycleResult] = {}
        self._cycle_ids = itertools.count(1)
        # held for moments only, so that a commit is seen whole or not at all
        self._books = threading.Lock()
        for asset in assets:
            self.put_asset(asset)

    def put_asset(self, asset: Asset) -> None:
        """Insert the asset or replace its configuration, as a user's SQL would."""
        with self._books:
            shelf = self._shelves.setdefault(asset.asset_id, Shelf(asset))
            shelf.asset = asset

    def delete_asset(self, asset_id: int) -> None:
        """Delete the asset with its cycles, as a user's SQL would; its orders stay."""
        with self._shelves[asset_id].lock, self._books:
            self._left_behind |= self._shelves.pop(asset_id).orders

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
            if client_order_id in self._left_behind:
                return self._left_behind[client_order_id]
            owner = self._owners.get(client_order_id)
            return None if owner is None else self._shelves[owner].orders[client_order_id]

    def live_orders(self) -> Sequence[Order]:
        """Every intended or open order, oldest first."""
        with self._books:
            orders = [shelf.live_order for shelf in self._shelves.values()]
            left = [each for each in self._left_behind.values() if not each.status.is_finished]
        found = left + [order for order in orders if order]
        return sorted(found, key=lambda order: order.created_at)

    def keep_order(self, before: Order, after: Order) -> None:
        """Write `after` for an order whose asset is gone, if the row still is `before`."""
        order_values(after)
        key = before.client_order_id
        with self._books:
            if self._left_behind.get(key) != before:
                raise CycleChanged(f"order {key} is no longer as it was read: reload it")
            self._left_behind[key] = after

    def _commit(self, shelf: Shelf, transaction: MemoryTransaction) -> None:
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
            self.events += [(shelf.asset.symbol, event) for event in transaction.events]
            self.results |= transaction.results
            if transaction.allowed is not None:
                shelf.asset = replace(shelf.asset, allowed=transaction.allowed)


def _deleted(asset_id: int) -> AssetDeleted:
    return AssetDeleted(f"asset {asset_id} was deleted: read the rows again")


class MemoryTransaction:
    """Implements `ports.Transaction`: collects what is written until the store commits it."""

    def __init__(self, shelf: Shelf, cycle_ids: Iterator[int], clock: Clock) -> None:
        self._shelf = shelf
        self._cycle_ids = cycle_ids  # as the database's: never twice, also not after a rollback
        self._clock = clock
        self.asset = shelf.asset
        self.cycle = shelf.active_cycle
        self.cycles: dict[int, Cycle] = {}
        self.orders: dict[str, Order] = {}
        self.last_sell_price: Decimal | None = None
        self.events: list[Event] = []
        self.results: dict[int, CycleResult] = {}
        self.allowed: Allowed | None = None

    @property
    def has_written(self) -> bool:
        told = self.events or self.results or self.allowed or self.last_sell_price is not None
        return bool(self.cycles or self.orders or told)

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

    def orders_of_cycle(self, cycle_id: int) -> Sequence[Order]:
        """All orders of a cycle of this asset, oldest first."""
        mine = {key: order for key, order in self.orders.items() if order.cycle_id == cycle_id}
        return list({**self._shelf.of_cycle.get(cycle_id, {}), **mine}.values())

    def last_order(self) -> Order | None:
        """The order of this asset that was intended last."""
        orders = {**self._shelf.orders, **self.orders}.values()
        return max(reversed(orders), key=lambda order: order.created_at, default=None)

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
            name = before.client_order_id
            raise CycleChanged(f"order {name} is no longer as it was read: reload it")
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
                fee=after.fee,
            )
        )

    def set_last_sell_price(self, price: Decimal) -> None:
        """The price of the last take profit of this asset."""
        self.last_sell_price = exact(price, PRICE)

    def add_event(self, event: Event) -> None:
        """Record what happened."""
        event_values(event)
        self.events.append(event)

    def put_result(self, result: CycleResult) -> None:
        """Record what a finished cycle came to, in place of what was known before."""
        self._check_owner(result.asset_id)
        result_values(result)
        self.results[result.cycle_id] = result

    def set_allowed(self, allowed: Allowed) -> None:
        """How far the asset may go from now on."""
        self.allowed = allowed

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
