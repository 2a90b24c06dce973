"""The books and their one door: whatever Alpaca says of an order, from wherever it was heard,
enters through `on_update`.

Rule: each piece of work is one transaction on the locked asset; no lock is held while Alpaca is
asked.  The books ask what became of an order; they never place one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from dca_bot.core import story
from dca_bot.core.booking import apply_alone, apply_update, complete, conclude
from dca_bot.core.earnings import result_of
from dca_bot.core.fees import seen_fee_rate
from dca_bot.core.model import (
    ZERO,
    Asset,
    AssetState,
    Cycle,
    CycleStatus,
    Order,
    OrderStatus,
    OrderUpdate,
    Side,
    new_cycle,
)
from dca_bot.core.position import is_one_of_several
from dca_bot.core.records import Booked
from dca_bot.program.clock import Clock
from dca_bot.program.errors import (
    AssetDeleted,
    BrokerUnavailable,
    CycleChanged,
    StoreUnavailable,
    UnreadableRow,
)
from dca_bot.trading import log_lines
from dca_bot.trading.ports import Broker, Store, Transaction

# How long an order that Alpaca doesn't know may still be on its way there, so that no second one
# is placed for the same intent: longer than a request may wait for its turn (10 s), connect (3 s)
# and be answered (10 s), with room for Alpaca to find what it has taken.
GIVE_UP_AFTER = timedelta(seconds=30)
# How long Alpaca must not find an order that it has acknowledged, until nobody follows it any more:
# such an order exists, and an answer that doesn't know it is a hole in Alpaca's view before it is
# anything else.
MISSED_FOR = timedelta(seconds=60)
BOOK_TRIES = 3


@dataclass(frozen=True, slots=True)
class Entry:
    """What an update has changed: asset, cycle and order as they were before it, what became of
    them, and `state`, the asset with its active cycle as they are now.  `net`: what the cycle came
    to, where it has ended and that is known."""

    asset: Asset
    cycle: Cycle
    order: Order
    booked: Booked
    state: AssetState
    net: Decimal | None = None

    @property
    def is_news(self) -> bool:
        """Whether the update changed anything."""
        return (self.cycle, self.order) != (self.booked.cycle, self.booked.order)

    @property
    def leaves_a_rest(self) -> bool:
        """Whether a completely filled SELL that was to take all has not ended its cycle.

        One of several is to leave the others' coins: a list without them would be in error, and
        ending the cycle would make them nobody's.  consistency_checker.py looks at it twice.
        """
        order, cycle = self.booked.order, self.booked.cycle
        is_sold = order.side is Side.SELL and order.status is OrderStatus.FILLED
        return (
            is_sold and cycle.status.is_active and not is_one_of_several(self.asset, cycle, order)
        )


class Books:
    """Safe to call from several threads and processes: the asset's row is the lock.

    `on_end` is called with each cycle that has just ended.  `missed_for`: how long Alpaca must not
    find an order that it has acknowledged.
    """

    def __init__(
        self,
        store: Store,
        broker: Broker,
        clock: Clock,
        on_end: Callable[[Cycle], None] = lambda _: None,
        *,
        missed_for: timedelta = MISSED_FOR,
    ) -> None:
        self._store = store
        self._broker = broker
        self._clock = clock
        self._on_end = on_end
        self._missed_for = missed_for
        self._missed_since: dict[str, datetime] = {}  # by client order id

    def on_update(self, asset_id: int, update: OrderUpdate) -> Entry | None:
        """Book what Alpaca says of an order of this asset; None: the books have no such order.

        Raises CycleChanged when somebody else moves the rows at every try, and StoreUnavailable;
        then nothing was booked, and Alpaca has to be asked again.
        """
        entry = self._book(asset_id, update)
        if entry is None and (known := self._store.order(update.client_order_id)):
            # the symbol belongs to another row by now than when the order was placed
            entry = self._book(known.asset_id, update)
        if entry is not None:
            log_lines.updated(
                entry.asset, entry.cycle, entry.order, entry.booked, update, net=entry.net
            )
            if entry.is_news and not entry.booked.cycle.status.is_active:
                self._tell_end(entry.booked.cycle)
        return entry

    def conclude(self, order: Order, status: OrderStatus, reason: str) -> None:
        """Book that an order was refused or never sent; why is for the caller to say."""
        self._book(order.asset_id, conclude(order, status, reason))

    def settle(self, order: Order, ended: OrderUpdate | None = None) -> bool:
        """Ask Alpaca what became of an order and book it; False while that is still in doubt.

        `ended` is how it stands in Alpaca's list of closed orders, if that was asked for.
        An order that Alpaca doesn't know is given up if it couldn't be on its way any more when
        Alpaca was asked; the answer itself may come much later.  One that Alpaca has acknowledged
        is given up when it, or what a hand has put in its place, has not been found for a while.
        """
        asked_at = self._clock()
        update = ended or self.look_up(order)
        if update and order.side is Side.BUY and update.filled_quantity > order.filled_quantity:
            update = self._with_position(update)  # what the fee has left of it
        if update and update.replaced_by:  # by an order that Alpaca doesn't find
            self.on_update(order.asset_id, update)  # for what it had filled itself
            order, update = replace(order, alpaca_order_id=update.replaced_by), None
        if update is None:
            if self._may_turn_up(order, asked_at):
                return False
            why = "finds it no more" if order.alpaca_order_id else "has never heard of it"
            update = conclude(order, OrderStatus.LOST, f"Alpaca {why}")
        self._missed_since.pop(order.client_order_id, None)  # found, asked for alone
        entry = self.on_update(order.asset_id, update)
        if entry is not None and entry.leaves_a_rest:
            self.on_update(order.asset_id, self._with_position(update))  # or was that the fee?
        return True

    def look_up(self, order: Order) -> OrderUpdate | None:
        """What Alpaca says of an order by our id, or by its own where it has given one."""
        update = self._broker.order(order.client_order_id)
        if update is None and order.alpaca_order_id:
            update = self._broker.order_by_id(order.alpaca_order_id)
            # the id can be that of an order which a hand has put in its place, by another name
            return update and replace(update, client_order_id=order.client_order_id)
        return update

    def settle_from_list(
        self, order: Order, listed: OrderUpdate | None, ended: OrderUpdate | None = None
    ) -> bool:
        """Settle an order; `listed` is how it stands among Alpaca's open ones, if it does.

        What is open and unchanged needs no second question.
        """
        if listed is not None and listed.filled_quantity == order.filled_quantity:
            self._missed_since.pop(order.client_order_id, None)
            self.on_update(order.asset_id, listed)
            return True
        return self.settle(order, ended)

    def complete(self, cycle: Cycle, order: Order) -> None:
        """End a cycle whose last SELL was filled, and of whose coin Alpaca holds nothing more
        (behaviour 6).  Raises CycleChanged when either has moved."""
        with self._store.transaction(cycle.asset_id) as tx:
            if tx.cycle != cycle or tx.last_order() != order:
                raise CycleChanged("its cycle has just moved")
            booked = complete(tx.asset, cycle, order, self._clock())
            tx.save_cycle(cycle, booked.cycle)
            tx.add_event(story.sold_out(booked, self._clock()))
            result = result_of(tx.asset, booked.cycle, tx.orders_of_cycle(cycle.cycle_id))
            tx.put_result(result)
            _afterwards(tx, cycle, booked)
            asset = tx.asset
        log_lines.sold_out(asset, cycle, booked, result.net)
        self._tell_end(booked.cycle)

    def open_cycle(self, asset_id: int) -> None:
        """Give an asset without an active cycle a watching one (behaviour 1)."""
        with self._store.transaction(asset_id) as tx:
            if tx.cycle is not None or not tx.asset.is_enabled:
                return
            cycle = tx.add_cycle(new_cycle(asset_id))
            tx.add_event(story.began(cycle, self._clock()))
            asset = tx.asset
        log_lines.status_changed(asset, cycle, cycle.status, "new cycle")

    def _book(self, asset_id: int, update: OrderUpdate) -> Entry | None:
        """A row edited by hand at the same moment, or a deadlock, is no reason to lose a fill: the
        books are read again, and what Alpaca said is applied to what they say now.  Of an asset
        that was deleted the order alone remembers what was traded."""
        try:
            for _ in range(BOOK_TRIES - 1):
                with suppress(CycleChanged):
                    return self._book_once(asset_id, update)
            return self._book_once(asset_id, update)
        except AssetDeleted:
            order = self._store.order(update.client_order_id)
            if order is not None and order.asset_id == asset_id:
                self._store.keep_order(order, apply_alone(order, update))
            return None

    def _book_once(self, asset_id: int, update: OrderUpdate) -> Entry | None:
        """Lock, load, apply, save, commit."""
        with self._store.transaction(asset_id) as tx:
            order = tx.order(update.client_order_id)
            if order is None:
                return None
            cycle = tx.cycle_by_id(order.cycle_id)
            if cycle is None:  # deleted by hand
                tx.save_order(order, apply_alone(order, update))
                return None
            now, orders = self._clock(), _orders_that_matter(tx, cycle, order)
            rate = seen_fee_rate(orders)
            is_last = bool(orders) and orders[-1].client_order_id == order.client_order_id
            booked = apply_update(
                tx.asset, cycle, order, update, now, fee_rate=rate, is_last=is_last
            )
            tx.save_order(order, booked.order)
            tx.save_cycle(cycle, booked.cycle)
            for event in story.booked(tx.asset, order, booked, update, now):
                tx.add_event(event)
            net = None
            is_news = (booked.cycle, booked.order) != (cycle, order)
            if is_news and not booked.cycle.status.is_active:
                ours = [each for each in orders if each.client_order_id != order.client_order_id]
                result = result_of(tx.asset, booked.cycle, [*ours, booked.order])
                tx.put_result(result)
                net = result.net
            return Entry(tx.asset, cycle, order, booked, _afterwards(tx, cycle, booked), net)

    def _tell_end(self, ended: Cycle) -> None:
        # what was booked stays so, whatever others make of it
        with suppress(StoreUnavailable, CycleChanged, UnreadableRow):
            self._on_end(ended)

    def _may_turn_up(self, order: Order, asked_at: datetime) -> bool:
        """Whether it is too early to give up an order that Alpaca doesn't find."""
        age = asked_at - order.created_at
        if asked_at < order.created_at:  # the clock was set back since: its age is not known
            age = self._missed(order, asked_at)
        if age < GIVE_UP_AFTER:
            return True
        is_acknowledged = order.alpaca_order_id is not None
        return is_acknowledged and self._missed(order, asked_at) < self._missed_for

    def _missed(self, order: Order, asked_at: datetime) -> timedelta:
        """For how long Alpaca has not found an order; a clock that was set back begins anew."""
        since = min(asked_at, self._missed_since.get(order.client_order_id, asked_at))
        self._missed_since[order.client_order_id] = since
        return asked_at - since

    def _with_position(self, update: OrderUpdate) -> OrderUpdate:
        try:
            holding = self._broker.holdings().of(update.symbol.partition("/")[0])
        except BrokerUnavailable:
            return update  # then a fee is estimated, and consistency_checker.py finds what is left
        return replace(update, position_quantity=holding.quantity if holding else ZERO)


def _orders_that_matter(tx: Transaction, cycle: Cycle, order: Order) -> Sequence[Order]:
    # What a SELL costs, and what a cycle came to, follows from all its orders; a BUY needs none.
    if order.side is Side.BUY and cycle.status.is_active:
        return ()
    return tx.orders_of_cycle(cycle.cycle_id)


def _afterwards(tx: Transaction, cycle: Cycle, booked: Booked) -> AssetState:
    """The asset with its active cycle as they are now; after a take profit a new one cools down."""
    if booked.sold_at is None:
        is_active = tx.cycle is not None and tx.cycle.cycle_id == cycle.cycle_id
        return AssetState(tx.asset, booked.cycle if is_active else tx.cycle)
    tx.set_last_sell_price(booked.sold_at)
    cooling = tx.add_cycle(new_cycle(tx.asset.asset_id, CycleStatus.COOLDOWN))
    asset = replace(tx.asset, last_sell_price=booked.sold_at)
    if booked.allowed is not None:
        tx.set_allowed(booked.allowed)
        asset = replace(asset, allowed=booked.allowed, allowed_before=None)
    return AssetState(asset, cooling)
