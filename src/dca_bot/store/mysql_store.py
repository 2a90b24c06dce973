"""The store on MySQL or MariaDB: every transaction locks its asset's row first.

Rule: reads and writes only; what they mean is decided elsewhere.  On repeating: a lock that isn't
granted in time, a deadlock or a dead connection at the first statement is repeated inside the
pool.  A `with` block cannot be run again from inside, so whatever fails later surfaces, with
nothing committed, for the caller to redo the whole piece of work: CycleChanged after a deadlock
(somebody else has just moved the rows: reload), StoreUnavailable for everything else.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Self

from dca_bot.core.model import AssetState, Order
from dca_bot.program.errors import AssetDeleted, CycleChanged, UnreadableRow
from dca_bot.program.setting_groups import DatabaseSettings
from dca_bot.store import assets, orders
from dca_bot.store.assets import read_state
from dca_bot.store.connection import LOCK_WAIT_SECONDS
from dca_bot.store.failures import DEADLOCK, Failure
from dca_bot.store.mysql_transaction import MySqlTransaction
from dca_bot.store.orders import ORDERS
from dca_bot.store.pool import Pool
from dca_bot.store.values import SECOND, Row, Value

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

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every idle connection."""
        self._pool.close()

    @contextmanager
    def transaction(self, asset_id: int) -> Iterator[MySqlTransaction]:
        """Lock the asset's row; commit at the end of the block, roll back on an exception.

        Raises AssetDeleted when the asset was deleted, UnreadableRow when its row can't be
        read, and both CycleChanged and StoreUnavailable as the module says.  When the connection is
        lost during the commit itself, StoreUnavailable leaves open whether it was done: reload.
        """
        session, rows = self._pool.begin(assets.LOCK_ASSET, (asset_id,))
        try:
            if not rows:
                raise AssetDeleted(f"asset {asset_id} was deleted: read the rows again")
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
        return [read_state(row) for row in self._read(assets.ALL_ASSETS)]

    def order(self, client_order_id: str) -> Order | None:
        """Without a lock."""
        rows = self._read(orders.ORDER_BY_CLIENT_ID, (client_order_id,))
        return ORDERS.read(rows[0]) if rows else None

    def keep_order(self, before: Order, after: Order) -> None:
        """Write `after` for an order whose asset is gone, if the row still is `before`."""
        key = before.client_order_id
        was = (before.asset_id, before.status.value, before.filled_quantity)
        params = (*ORDERS.changing_values(after), key, *was)
        session, _ = self._pool.begin(orders.LOCK_ORDER, (key,))
        try:
            if session.write(orders.SAVE_ORDER, params).matched != 1:
                raise CycleChanged(f"order {key} is no longer as it was read: reload it")
            session.commit()
        finally:
            self._pool.end(session)

    def live_orders(self) -> Sequence[Order]:
        """Every intended or open order, oldest first; one that can't be read is reported."""
        return self._readable(self._read(orders.LIVE_ORDERS))

    def sells_of_estimated_fee(self, since: datetime) -> Sequence[Order]:
        """SELLs that have ended and whose fee Alpaca has not reported, oldest first."""
        params = (SECOND.write(since.replace(microsecond=0)),)
        return self._readable(self._read(orders.SELLS_OF_ESTIMATED_FEE, params))

    def _readable(self, rows: list[Row]) -> list[Order]:
        """One asset's trouble must not hide the orders of all others."""
        found = []
        for row in rows:
            try:
                found.append(ORDERS.read(row))
            except UnreadableRow as error:
                log.error("an order is left alone: %s", error)
        return found

    def _read(self, sql: str, params: Sequence[Value] = ()) -> list[Row]:
        session, rows = self._pool.begin(sql, params)
        self._pool.end(session)
        return rows
