"""The store without a database: the same contract, for tests and benchmarks.

Rule: whatever the database refuses is refused here too, so that nothing works only in memory.
What it can't show is locking between processes; tests/store shows that on a real server.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from dca_bot.core.model import ZERO, Asset, AssetState, CycleStatus, Exposure, Order, Side
from dca_bot.core.records import CycleResult, Event
from dca_bot.program.clock import Clock, utc_now
from dca_bot.program.errors import AssetDeleted, CycleChanged, RowLocked
from dca_bot.store.memory_transaction import AssetRows, MemoryTransaction
from dca_bot.store.orders import ORDERS

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
        self._budget = threading.Lock()
        self._all_rows: dict[int, AssetRows] = {}
        self._owners: dict[str, int] = {}  # whose order it is, by client order id
        self._left_behind: dict[str, Order] = {}  # orders whose asset's row is gone
        self._symbols_left: dict[str, str] = {}  # what they were of
        # what outlives the asset's row, as in the database
        self.events: list[tuple[str, Event]] = []  # with the asset's symbol
        self.results: dict[int, CycleResult] = {}
        self._losses_from: datetime | None = None
        self._cycle_ids = itertools.count(1)
        # held for moments only, so that a commit is seen whole or not at all
        self._books = threading.Lock()
        for asset in assets:
            self.put_asset(asset)

    def put_asset(self, asset: Asset) -> None:
        """Insert the asset or replace its configuration, as a user's SQL would."""
        with self._books:
            rows = self._all_rows.setdefault(asset.asset_id, AssetRows(asset))
            rows.asset = asset

    def delete_asset(self, asset_id: int) -> None:
        """Delete the asset with its cycles, as a user's SQL would; its orders stay."""
        with self._all_rows[asset_id].lock, self._books:
            rows = self._all_rows.pop(asset_id)
            self._left_behind |= rows.orders
            self._symbols_left |= rows.symbols

    @contextmanager
    def transaction(self, asset_id: int) -> Iterator[MemoryTransaction]:
        """Lock the asset; keep what the block wrote, or nothing of it after an exception."""
        rows = self._all_rows.get(asset_id)
        if rows is None:
            raise _deleted(asset_id)
        if not rows.lock.acquire(timeout=self._lock_wait_seconds):
            raise RowLocked(f"{rows.asset.symbol} stays locked: it is tried again")
        try:
            if self._all_rows.get(asset_id) is not rows:
                raise _deleted(asset_id)
            with ExitStack() as locks:

                def expose(since: datetime) -> Exposure:
                    locks.enter_context(self._budget)
                    return self._exposure(since)

                transaction = MemoryTransaction(
                    rows, self._cycle_ids, self._clock, expose, self._coins_left
                )
                yield transaction
                if transaction.has_written:
                    self._commit(rows, transaction)
        finally:
            rows.lock.release()

    def _coins_left(self, symbol: str) -> Decimal:
        with self._books:
            left = [
                each
                for each in self._left_behind.values()
                if self._symbols_left[each.client_order_id] == symbol
            ]
        sold = [each.filled_quantity for each in left if each.side is Side.SELL]
        return sum((each.received_quantity for each in left), ZERO) - sum(sold, ZERO)

    def _exposure(self, since: datetime) -> Exposure:
        with self._books:
            all_rows = list(self._all_rows.values())
            cycles = [rows.active_cycle for rows in all_rows if rows.active_cycle]
            orders = self._live_orders()
            results = list(self.results.values())
        waiting = (CycleStatus.BUYING, CycleStatus.SELLING)
        held = sum((each.quantity * each.average_purchase_price for each in cycles), ZERO)
        resting = [
            (order.quantity - order.filled_quantity) * order.limit_price
            for order in orders
            if order.limit_price is not None
        ]
        earned = [
            each.net
            for each in results
            if each.net
            and each.completed_at >= since
            and (self._losses_from is None or each.completed_at > self._losses_from)
        ]
        return Exposure(
            sum(each.quantity > 0 or each.status in waiting for each in cycles),
            held + sum(resting, ZERO),
            sum(earned, ZERO),
        )

    def assets(self) -> Sequence[AssetState]:
        """Every asset with its active cycle."""
        with self._books:
            all_rows = sorted(self._all_rows.items())
            return [rows.state for _, rows in all_rows]

    def order(self, client_order_id: str) -> Order | None:
        """Without a lock."""
        with self._books:
            if client_order_id in self._left_behind:
                return self._left_behind[client_order_id]
            owner = self._owners.get(client_order_id)
            return None if owner is None else self._all_rows[owner].orders[client_order_id]

    def live_orders(self) -> Sequence[Order]:
        """Every intended or open order, oldest first."""
        with self._books:
            return sorted(self._live_orders(), key=lambda order: order.created_at)

    def _live_orders(self) -> list[Order]:
        orders = [rows.live_order for rows in self._all_rows.values()]
        left = [each for each in self._left_behind.values() if not each.status.is_finished]
        return left + [order for order in orders if order]

    def sells_of_estimated_fee(self, since: datetime) -> Sequence[Order]:
        """SELLs that have ended and whose fee Alpaca has not reported, oldest first."""
        with self._books:
            orders = [each for rows in self._all_rows.values() for each in rows.orders.values()]
        found = [
            each
            for each in orders
            if each.side is Side.SELL
            and each.status.is_finished
            and each.filled_quantity > 0
            and not each.fee_is_known
            and each.created_at >= since
        ]
        return sorted(found, key=lambda order: order.created_at)

    def keep_order(self, before: Order, after: Order) -> None:
        """Write `after` for an order whose asset is gone, if the row still is `before`."""
        ORDERS.changing_values(after)
        key = before.client_order_id
        with self._books:
            if self._left_behind.get(key) != before:
                raise CycleChanged(f"order {key} is no longer as it was read: reload it")
            self._left_behind[key] = after

    def _commit(self, rows: AssetRows, transaction: MemoryTransaction) -> None:
        asset_id = rows.asset.asset_id
        with self._books:
            for client_order_id in transaction.orders:
                if self._owners.get(client_order_id, asset_id) != asset_id:
                    raise CycleChanged(f"{client_order_id} was used before: decide again")
            for order in transaction.orders.values():
                self._owners[order.client_order_id] = asset_id
                rows.put_order(order, transaction.asset.symbol)
            # the finished cycle first: it makes room for the active one
            for cycle in sorted(transaction.cycles.values(), key=lambda c: c.status.is_active):
                rows.put_cycle(cycle)
            if transaction.last_sell_price is not None:
                rows.asset = replace(rows.asset, last_sell_price=transaction.last_sell_price)
            self.events += [(rows.asset.symbol, event) for event in transaction.events]
            self.results |= transaction.results
            if transaction.allowed is not None:
                allowed, before = transaction.allowed
                rows.asset = replace(rows.asset, allowed=allowed, allowed_before=before)
            if transaction.losses_from is not None:
                ended = (result.completed_at for result in self.results.values())
                self._losses_from = max([transaction.losses_from, *ended])


def _deleted(asset_id: int) -> AssetDeleted:
    return AssetDeleted(f"asset {asset_id} was deleted: read the rows again")
