"""The one door by which what Alpaca says of an order enters the books.

Rule: the cycle, its order, what it came to and the event that tells of it change in one
transaction, or not at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from dca_bot.core import story
from dca_bot.core.earnings import result_of, seen_fee_rate
from dca_bot.core.model import Asset, Cycle, CycleStatus, Order, OrderUpdate, Side
from dca_bot.core.transition import Booked, apply_alone, apply_update
from dca_bot.program.clock import Clock
from dca_bot.program.errors import AssetDeleted, CycleChanged
from dca_bot.trading.ports import Store, Transaction

BOOK_TRIES = 3


class Books:
    """Safe to call from several threads."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def book(self, update: OrderUpdate) -> tuple[Asset, Cycle, Order, Booked] | None:
        """The one door for fills; None: not our order.

        A row edited by hand at the same moment, or a deadlock, is no reason to lose a fill: the
        books are read again, and what Alpaca said is applied to what they say now.  Of an asset
        that was deleted the order alone remembers what was traded.
        """
        try:
            for _ in range(BOOK_TRIES - 1):
                with suppress(CycleChanged):
                    return self._book_once(update)
            return self._book_once(update)
        except AssetDeleted:
            order = self._store.order(update.client_order_id)
            if order is not None and (after := apply_alone(order, update)) != order:
                self._store.keep_order(order, after)
            return None

    def _book_once(self, update: OrderUpdate) -> tuple[Asset, Cycle, Order, Booked] | None:
        """Lock, load, apply, save, commit."""
        known = self._store.order(update.client_order_id)
        if known is None:
            return None
        with self._store.transaction(known.asset_id) as tx:
            order = tx.order(update.client_order_id)
            cycle = tx.cycle_by_id(known.cycle_id)
            if order is None:  # deleted by hand in between
                return None
            if cycle is None:
                tx.save_order(order, apply_alone(order, update))
                return None
            now, orders = self._clock(), _orders_that_matter(tx, cycle, order)
            rate = seen_fee_rate(orders)
            booked = apply_update(tx.asset, cycle, order, update, now, fee_rate=rate)
            tx.save_order(order, booked.order)
            tx.save_cycle(cycle, booked.cycle)
            for event in story.booked(tx.asset, order, booked, update, now):
                tx.add_event(event)
            if booked.order != order and not booked.cycle.status.is_active:
                ours = [each for each in orders if each.client_order_id != order.client_order_id]
                tx.put_result(result_of(tx.asset, booked.cycle, [*ours, booked.order]))
            if booked.sold_at is not None:
                tx.set_last_sell_price(booked.sold_at)
                tx.add_cycle(Cycle(0, tx.asset.asset_id, CycleStatus.COOLDOWN))
            return tx.asset, cycle, order, booked


def _orders_that_matter(tx: Transaction, cycle: Cycle, order: Order) -> Sequence[Order]:
    # What a SELL costs, and what a cycle came to, follows from all its orders; a BUY needs none.
    if order.side is Side.BUY and cycle.status.is_active:
        return ()
    return tx.orders_of_cycle(cycle.cycle_id)
