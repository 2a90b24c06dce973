"""One transaction of `MySqlStore`, from the lock on the asset's row to the commit.

Rule: compare-and-set guards what a hand may have edited; writes travel together.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from dca_bot.core.model import Allowed, Asset, Cycle, Exposure, Order
from dca_bot.core.records import CycleResult, Event
from dca_bot.program.errors import CycleChanged
from dca_bot.store import statements
from dca_bot.store.connection import Session
from dca_bot.store.failures import DUPLICATE_KEY, NO_PARENT_ROW, Failure
from dca_bot.store.rows import (
    read_active_cycle,
    read_asset,
    read_cycle,
    read_exposure,
    read_left_behind,
    read_order,
)
from dca_bot.store.statements import Row, Value
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

    def orders_of_cycle(self, cycle_id: int) -> Sequence[Order]:
        """All orders of a cycle of this asset, oldest first."""
        rows = self._rows(statements.ORDERS_OF_CYCLE, (cycle_id, self.asset.asset_id))
        return [read_order(row) for row in rows]

    def last_order(self) -> Order | None:
        """The order of this asset that was intended last."""
        rows = self._rows(statements.LAST_ORDER, (self.asset.asset_id,))
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
        key = (order.cycle_id, order.asset_id)
        params = (*new_order_values(order), self.asset.symbol, *key)
        is_sure = self.cycle is not None and self.cycle.cycle_id == order.cycle_id
        self._write(_Write(statements.INSERT_ORDER, params, trouble, trouble, is_sure))

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

    def exposure(self, since: datetime) -> Exposure:
        """All assets together; the row that is locked for it keeps others from asking."""
        self._send()
        self._session.write(statements.LOCK_BUDGET)
        [row] = self._session.rows(statements.EXPOSURE, (second_or_null(since),))
        return read_exposure(row)

    def left_behind(self) -> Decimal:
        """What orders of deleted rows have bought of this symbol, and not sold."""
        [row] = self._rows(statements.LEFT_BEHIND, (self.asset.symbol,))
        return read_left_behind(row)

    def count_losses_from(self, at: datetime) -> None:
        """What has ended until then counts no more in `realised`."""
        self._write(_Write(statements.LOCK_BUDGET, ()))
        self._write(_Write(statements.COUNT_LOSSES_FROM, (second_or_null(at),)))

    def set_allowed(self, allowed: Allowed, before: Allowed | None = None) -> None:
        """How far the asset may go from now on, and again after the pause of all."""
        words = (allowed.value, None if before is None else before.value)
        self._write(_Write(statements.SET_ALLOWED, (*words, self.asset.asset_id)))

    def add_event(self, event: Event) -> None:
        """Record what happened."""
        key = (self.asset.asset_id, self.asset.symbol)
        self._write(_Write(statements.INSERT_EVENT, (*key, *event_values(event))))

    def put_result(self, result: CycleResult) -> None:
        """Record what a finished cycle came to, in place of what was known before."""
        self._check_owner(result.asset_id)
        self._write(_Write(statements.PUT_RESULT, result_values(result)))

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
