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
from dca_bot.store import assets, orders
from dca_bot.store.assets import ASSETS, CYCLES, read_active_cycle, read_exposure
from dca_bot.store.connection import Session
from dca_bot.store.failures import DUPLICATE_KEY, NO_PARENT_ROW, Failure
from dca_bot.store.orders import EVENTS, ORDERS, RESULTS
from dca_bot.store.values import PRICE, QUANTITY, SECOND, Row, Value


@dataclass(frozen=True, slots=True)
class _Write:
    """A statement that waits to be sent.

    `taken` is raised when a key or a foreign key refuses its row, `moved` when it must find one row
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
        self.asset: Asset = ASSETS.read(locked)
        self.cycle: Cycle | None = read_active_cycle(locked)
        self._writes: list[_Write] = []
        self._has_written = False
        self._has_moved_cycle = False

    def commit(self) -> None:
        """Commit what was written; does nothing where nothing was.

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
        rows = self._rows(assets.CYCLE_BY_ID, (cycle_id, self.asset.asset_id))
        return CYCLES.read(rows[0]) if rows else None

    def previous_cycle(self) -> Cycle | None:
        """The completed cycle with the latest `completed_at`."""
        rows = self._rows(assets.PREVIOUS_CYCLE, (self.asset.asset_id,))
        return CYCLES.read(rows[0]) if rows else None

    def order(self, client_order_id: str) -> Order | None:
        """An order of this asset."""
        params = (client_order_id, self.asset.asset_id)
        rows = self._rows(orders.ORDER_OF_ASSET, params)
        return ORDERS.read(rows[0]) if rows else None

    def orders_of_cycle(self, cycle_id: int) -> Sequence[Order]:
        """All orders of a cycle of this asset, oldest first."""
        rows = self._rows(orders.ORDERS_OF_CYCLE, (cycle_id, self.asset.asset_id))
        return [ORDERS.read(row) for row in rows]

    def last_order(self) -> Order | None:
        """The order of this asset that was intended last."""
        rows = self._rows(orders.LAST_ORDER, (self.asset.asset_id,))
        return ORDERS.read(rows[0]) if rows else None

    def live_order(self) -> Order | None:
        """The one order of this asset that is intended or open."""
        rows = self._rows(orders.LIVE_ORDER, (self.asset.asset_id,))
        return ORDERS.read(rows[0]) if rows else None

    def add_cycle(self, cycle: Cycle) -> Cycle:
        """Insert the cycle and return it as stored."""
        self._check_owner(cycle.asset_id)
        created_at = cycle.created_at and SECOND.write(cycle.created_at)
        params = (cycle.asset_id, created_at, *CYCLES.changing_values(cycle))
        taken = f"{self.asset.symbol} has an active cycle already"
        self._send()  # a write before this one that lost must not use up an id
        self._write(_Write(assets.INSERT_CYCLE, params, taken))
        key = (self._send(), self.asset.asset_id)
        return CYCLES.read(self._rows(assets.CYCLE_BY_ID, key)[0])

    def save_cycle(self, before: Cycle, after: Cycle) -> None:
        """Write `after` if the row still is `before`."""
        self._check_owner(after.asset_id)
        old, new = CYCLES.changing_values(before), CYCLES.changing_values(after)
        if old == new:
            return
        moved = f"cycle {before.cycle_id} of {self.asset.symbol} is no longer as it was read"
        params = (*new, before.cycle_id, self.asset.asset_id)
        is_sure = before == self.cycle and not self._has_moved_cycle
        self._has_moved_cycle = True
        if is_sure:
            self._write(_Write(assets.SAVE_LOCKED_CYCLE, params, moved, moved))
        else:
            params += old
            self._write(_Write(assets.SAVE_CYCLE, params, moved, moved, is_sure=False))

    def add_order(self, order: Order) -> None:
        """Record an intent."""
        self._check_owner(order.asset_id)
        params = (self.asset.symbol, *ORDERS.values(order))
        key = (order.cycle_id, order.asset_id)
        is_locked = self.cycle is not None and self.cycle.cycle_id == order.cycle_id
        if not is_locked and not self._rows(assets.LOCK_CYCLE, key):
            raise CycleChanged(f"cycle {order.cycle_id} is gone: reload it and decide again")
        taken = f"{self.asset.symbol} has a live order already"
        self._write(_Write(orders.INSERT_ORDER, params, taken))

    def save_order(self, before: Order, after: Order) -> None:
        """Write `after` if status and filled quantity of the row still are those of `before`."""
        self._check_owner(after.asset_id)
        old, new = ORDERS.changing_values(before), ORDERS.changing_values(after)
        if old == new:
            return
        moved = f"order {before.client_order_id} is no longer as it was read"
        key = (before.client_order_id, self.asset.asset_id)
        params = (*new, *key, before.status.value, before.filled_quantity)
        self._write(_Write(orders.SAVE_ORDER, params, moved, moved, is_sure=False))

    def set_last_sell_price(self, price: Decimal) -> None:
        """The price of the last take profit of this asset."""
        params = (PRICE.write(price), self.asset.asset_id)
        self._write(_Write(assets.SET_LAST_SELL_PRICE, params))

    def exposure(self, since: datetime) -> Exposure:
        """All assets together; the row that is locked for it keeps others from asking."""
        self._send()
        self._session.write(assets.LOCK_BUDGET)
        [row] = self._session.rows(assets.EXPOSURE, (SECOND.write(since),))
        return read_exposure(row)

    def left_behind(self) -> Decimal:
        """What orders of deleted rows have bought of this symbol, and not sold."""
        [(left,)] = self._rows(assets.LEFT_BEHIND, (self.asset.symbol,))
        coins: Decimal = QUANTITY.read(left)
        return coins

    def count_losses_from(self, at: datetime) -> None:
        """What has ended until then counts no more in `realised`."""
        self._write(_Write(assets.LOCK_BUDGET, ()))
        self._write(_Write(assets.COUNT_LOSSES_FROM, (SECOND.write(at),)))

    def set_allowed(self, allowed: Allowed, before: Allowed | None = None) -> None:
        """How far the asset may go from now on, and again after the pause of all."""
        words = (allowed.value, None if before is None else before.value)
        self._write(_Write(assets.SET_ALLOWED, (*words, self.asset.asset_id)))

    def add_event(self, event: Event) -> None:
        """Record what happened."""
        key = (self.asset.asset_id, self.asset.symbol)
        self._write(_Write(orders.INSERT_EVENT, (*key, *EVENTS.values(event))))

    def put_result(self, result: CycleResult) -> None:
        """Record what a finished cycle came to, in place of what was known before."""
        self._check_owner(result.asset_id)
        self._write(_Write(orders.PUT_RESULT, RESULTS.values(result)))

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
        statements = [(write.sql, write.params) for write in writes]
        answers = self._session.write_all(statements, then_commit=then_commit)
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
