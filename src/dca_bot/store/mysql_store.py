"""The store on MySQL or MariaDB: every transaction locks its asset's row first.

Rule: reads and writes only; what they mean is decided elsewhere.  On repeating: a lock that isn't
granted in time, a deadlock or a dead connection at the first statement is repeated inside the
pool.  A `with` block cannot be run again from inside, so whatever fails later surfaces, with
nothing committed, for the caller to redo the whole piece of work: CycleChanged after a deadlock
(somebody else has just moved the rows: reload), StoreUnavailable for everything else.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from types import TracebackType
from typing import Self

from dca_bot.core.model import Asset, AssetState, Cycle, Order
from dca_bot.program.errors import CycleChanged, IllegalTransition
from dca_bot.program.settings import DatabaseSettings
from dca_bot.store import statements
from dca_bot.store.connection import LOCK_WAIT_SECONDS, Session
from dca_bot.store.failures import DEADLOCK, DUPLICATE_KEY, NO_PARENT_ROW, Failure
from dca_bot.store.pool import Pool
from dca_bot.store.rows import (
    PRICE,
    Row,
    Value,
    cycle_values,
    exact,
    new_order_values,
    order_values,
    read_active_cycle,
    read_asset,
    read_cycle,
    read_order,
    read_state,
    second_or_null,
)

log = logging.getLogger(__name__)

POOL_SIZE = 8


class MySqlStore:
    """Implements `ports.Store`.  Connects when first used; thread-safe; close it at the end."""

    def __init__(
        self,
        settings: DatabaseSettings,
        *,
        pool_size: int = POOL_SIZE,
        lock_wait_seconds: int = LOCK_WAIT_SECONDS,
    ) -> None:
        self._pool = Pool(settings, size=pool_size, lock_wait_seconds=lock_wait_seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close every idle connection."""
        self._pool.close()

    @contextmanager
    def transaction(self, asset_id: int) -> Iterator[MySqlTransaction]:
        """Lock the asset's row; commit at the end of the block, roll back on an exception.

        Raises CycleChanged when the asset was deleted, IllegalTransition when its row can't be
        read, and both CycleChanged and StoreUnavailable as the module says.  When the connection is
        lost during the commit itself, StoreUnavailable leaves open whether it was done: reload.
        """
        session, rows = self._pool.begin(statements.LOCK_ASSET, (asset_id,))
        try:
            if not rows:
                raise CycleChanged(f"asset {asset_id} was deleted: read the rows again")
            transaction = MySqlTransaction(session, rows[0])
            yield transaction
            transaction.commit()
        except Failure as failure:
            if failure.number == DEADLOCK:
                raise CycleChanged(str(failure)) from failure
            raise
        finally:
            self._pool.end(session)

    def assets(self) -> Sequence[AssetState]:
        """Every asset with its active cycle; unreadable rows say so in `problem`."""
        return [read_state(row) for row in self._read(statements.ALL_ASSETS)]

    def order(self, client_order_id: str) -> Order | None:
        """Without a lock."""
        rows = self._read(statements.ORDER_BY_CLIENT_ID, (client_order_id,))
        return read_order(rows[0]) if rows else None

    def live_orders(self) -> Sequence[Order]:
        """Every intended or open order, oldest first; one that can't be read is reported."""
        orders = []
        for row in self._read(statements.LIVE_ORDERS):
            try:
                orders.append(read_order(row))
            except IllegalTransition as error:
                # one asset's trouble must not hide the orders of all others
                log.error("an order is left alone: %s", error)
        return orders

    def _read(self, sql: str, params: Sequence[Value] = ()) -> list[Row]:
        session, rows = self._pool.begin(sql, params)
        self._pool.end(session)
        return rows


@dataclass(frozen=True, slots=True)
class _Write:
    """A statement that waits to be sent.

    `taken` is told when a key or a foreign key refuses its row, `moved` when it must find one row
    and doesn't.  A sure one can't miss it: the row is locked, and is as it was read.
    """

    sql: str
    params: Sequence[Value]
    taken: str = ""
    moved: str = ""
    is_sure: bool = True


class MySqlTransaction:
    """Implements `ports.Transaction` on a session that holds the asset's row locked.

    Writes are sent together, at the end or before the next read: an order waits for them.
    """

    def __init__(self, session: Session, locked: Row) -> None:
        self._session = session
        self.asset: Asset = read_asset(locked)
        self.cycle: Cycle | None = read_active_cycle(locked)
        self._writes: list[_Write] = []
        self._has_written = False
        self._has_moved_cycle = False

    def commit(self) -> None:
        """Make everything that was written so, unless nothing was.

        COMMIT goes along with the writes when none of them can miss its row.
        """
        if self._writes and all(write.is_sure for write in self._writes):
            self._send(then_commit=True)
            return
        self._send()
        if self._has_written:
            self._session.commit()

    def cycle_by_id(self, cycle_id: int) -> Cycle | None:
        """Any cycle of this asset, active or not."""
        if self.cycle is not None and self.cycle.cycle_id == cycle_id and not self._has_written:
            return self.cycle
        rows = self._rows(statements.CYCLE_BY_ID, (cycle_id, self.asset.asset_id))
        return read_cycle(rows[0]) if rows else None

    def previous_cycle(self) -> Cycle | None:
        """The completed cycle with the latest `completed_at`."""
        rows = self._rows(statements.PREVIOUS_CYCLE, (self.asset.asset_id,))
        return read_cycle(rows[0]) if rows else None

    def order(self, client_order_id: str) -> Order | None:
        """An order of this asset."""
        params = (client_order_id, self.asset.asset_id)
        rows = self._rows(statements.ORDER_OF_ASSET, params)
        return read_order(rows[0]) if rows else None

    def live_order(self) -> Order | None:
        """The one order of this asset that is intended or open."""
        rows = self._rows(statements.LIVE_ORDER, (self.asset.asset_id,))
        return read_order(rows[0]) if rows else None

    def add_cycle(self, cycle: Cycle) -> Cycle:
        """Insert the cycle and return it as stored."""
        self._check_owner(cycle.asset_id)
        params = (cycle.asset_id, *cycle_values(cycle), second_or_null(cycle.created_at))
        taken = f"{self.asset.symbol} has an active cycle already"
        self._send()  # a write before this one that lost must not use up an id
        self._write(_Write(statements.INSERT_CYCLE, params, taken))
        key = (self._send(), self.asset.asset_id)
        return read_cycle(self._rows(statements.CYCLE_BY_ID, key)[0])

    def save_cycle(self, before: Cycle, after: Cycle) -> None:
        """Write `after` if the row still is `before`."""
        self._check_owner(after.asset_id)
        old, new = cycle_values(before), cycle_values(after)
        if old == new:
            return
        moved = f"cycle {before.cycle_id} of {self.asset.symbol} is no longer as it was read"
        params = (*new, before.cycle_id, self.asset.asset_id, *old)
        is_sure = before == self.cycle and not self._has_moved_cycle
        self._has_moved_cycle = True
        self._write(_Write(statements.SAVE_CYCLE, params, moved, moved, is_sure))

    def add_order(self, order: Order) -> None:
        """Record an intent."""
        self._check_owner(order.asset_id)
        trouble = f"{self.asset.symbol} has a live order already, or its cycle is gone"
        self._write(_Write(statements.INSERT_ORDER, new_order_values(order), trouble))

    def save_order(self, before: Order, after: Order) -> None:
        """Write `after` if status and filled quantity of the row still are those of `before`."""
        self._check_owner(after.asset_id)
        old, new = order_values(before), order_values(after)
        if old == new:
            return
        moved = f"order {before.client_order_id} is no longer as it was read"
        key = (before.client_order_id, self.asset.asset_id)
        params = (*new, *key, before.status.value, before.filled_quantity)
        self._write(_Write(statements.SAVE_ORDER, params, moved, moved, is_sure=False))

    def set_last_sell_price(self, price: Decimal) -> None:
        """The price of the last take profit of this asset."""
        params = (exact(price, PRICE), self.asset.asset_id)
        self._write(_Write(statements.SET_LAST_SELL_PRICE, params))

    def _check_owner(self, asset_id: int) -> None:
        # the lock covers this asset alone
        assert asset_id == self.asset.asset_id, f"{asset_id} is not {self.asset.asset_id}"  # noqa: S101

    def _write(self, write: _Write) -> None:
        self._writes.append(write)
        self._has_written = True

    def _rows(self, sql: str, params: Sequence[Value]) -> list[Row]:
        self._send()
        return self._session.rows(sql, params)

    def _send(self, *, then_commit: bool = False) -> int:
        """Send what waits, and return the id of the last row that it inserted.

        What a key refuses, or what finds its row changed, is somebody else's change.
        """
        writes, self._writes = self._writes, []
        if not writes:
            return 0
        told = [(write.sql, write.params) for write in writes]
        answers = self._session.write_all(told, then_commit=then_commit)
        moved = []
        write, insert_id = writes[0], 0
        try:
            for write in writes:
                written = next(answers)
                insert_id = written.insert_id
                if write.moved and written.matched != 1:
                    moved.append(write.moved)
            deque(answers, maxlen=0)
        except Failure as failure:
            if failure.number in (DUPLICATE_KEY, NO_PARENT_ROW):
                raise CycleChanged(f"{write.taken}: reload it and decide again") from failure
            raise
        if moved:
            raise CycleChanged(f"{moved[0]}: reload it and decide again")
        return insert_id
