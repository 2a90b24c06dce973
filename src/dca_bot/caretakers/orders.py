"""How the caretakers bring orders under way to their end in the books.

Rule: Alpaca is asked, and what it says enters the books by their one door; what Alpaca does not say
changes nothing.  Used by order_manager.py and consistency_checker.py.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

from dca_bot.caretakers.closed_orders import LISTED
from dca_bot.caretakers.run import Run
from dca_bot.core import story
from dca_bot.core.model import (
    Asset,
    AssetState,
    Cycle,
    Order,
    OrderStatus,
    OrderUpdate,
)
from dca_bot.core.overdue import WAITING_FOR_ORDER, Tracking, is_awaited
from dca_bot.core.transition import let_go
from dca_bot.program.clock import OFFSET_MAX, Clock
from dca_bot.program.errors import BrokerUnavailable
from dca_bot.program.log_text import asset_log, event
from dca_bot.trading.books import GIVE_UP_AFTER, MISSED_FOR, Books
from dca_bot.trading.budget import NO_LIMITS, Budget
from dca_bot.trading.ports import Broker, Store
from dca_bot.trading.unlisted import give_row, is_new_and_fits

log = logging.getLogger(__name__)

LIST_FROM = 3  # orders: below, a question for each is the shorter way
LOOKS_AFTER_CANCEL = (0.2, 0.8, 2.0, 3.0)  # seconds; what has not ended by then is the next run's


class Settler:
    """Settles orders for one run of a caretaker; a dry run asks and tells, and books nothing."""

    def __init__(
        self,
        store: Store,
        broker: Broker,
        clock: Clock,
        this_run: Run,
        budget: Budget = NO_LIMITS,
        *,
        missed_for: timedelta = MISSED_FOR,
    ) -> None:
        self._store = store
        self._broker = broker
        self._clock = clock
        self._run = this_run
        self._books = Books(
            store, broker, clock, budget.minding_losses(store, clock), missed_for=missed_for
        )
        self._missed: list[tuple[Asset, Order]] = []  # acknowledged by Alpaca, and not found there

    def is_awaited(self, row: Order) -> bool:
        """Whether main_app.py may still be waiting for the answer to this order."""
        return is_awaited(row, self._clock(), GIVE_UP_AFTER)

    def settle_all(
        self, states: Sequence[AssetState], live: Sequence[Order], listed: Sequence[OrderUpdate]
    ) -> None:
        """Ask what became of every live order; `listed` are Alpaca's open ones."""
        assets = {state.asset.asset_id: state.asset for state in states}
        open_orders = {order.client_order_id: order for order in listed}
        rows = [row for row in live if not self.is_awaited(row)]
        ended = self._ended([row for row in rows if row.client_order_id not in open_orders])
        for row in rows:
            asset, name = assets.get(row.asset_id), row.client_order_id
            if asset is not None:  # not deleted in between
                with self._run.contain(asset.symbol):
                    self._settle(asset, row, open_orders.get(name), ended.get(name))

    @property
    def needs_second_look(self) -> bool:
        """Whether Alpaca did not find an order that it had acknowledged."""
        return bool(self._missed)

    def look_again(self) -> None:
        """Settle what was not found before, some time later."""
        missed, self._missed = self._missed, []
        for asset, row in missed:
            with self._run.contain(asset.symbol):
                self._settle(asset, row, None, None)

    def see_end(
        self,
        asked: Sequence[OrderUpdate],
        states: Sequence[AssetState],
        sleep: Callable[[float], None],
    ) -> None:
        """Wait a little for cancelled orders to end, and book how they did."""
        by_symbol = {state.asset.symbol: state for state in states}
        waiting = {order.client_order_id: order for order in asked}
        for pause in LOOKS_AFTER_CANCEL:
            if not waiting:
                return
            sleep(pause)
            still_open = {order.client_order_id for order in self._broker.open_orders()}
            gone = [waiting.pop(client_id) for client_id in sorted(set(waiting) - still_open)]
            ended = self._ended(gone)
            for order in gone:
                with self._run.contain(order.symbol):
                    state = by_symbol.get(order.symbol)
                    self._book_end(order, state, ended.get(order.client_order_id))
        for order in waiting.values():
            asset_log(log, order.symbol).warning(
                event("not ended yet, the next run looks again", **order_facts(order))
            )

    def _ended(self, orders: Sequence[Order | OrderUpdate]) -> Mapping[str, OrderUpdate]:
        """How orders that are open no more have ended, by client order id.

        One list for all of the last day; what it doesn't tell is asked for one by one.
        """
        if len(orders) < LIST_FROM:
            return {}
        now = self._clock()
        began_at = min(order.created_at or now for order in orders)
        since = max(began_at - OFFSET_MAX, now - LISTED)
        try:
            closed = self._broker.closed_orders(since)
        except BrokerUnavailable:
            return {}
        return {order.client_order_id: order for order in closed if order.status.is_finished}

    def _settle(
        self, asset: Asset, row: Order, listed: OrderUpdate | None, ended: OrderUpdate | None
    ) -> None:
        """Book what Alpaca says of a live order, as it stands among the open or the closed ones."""
        is_known = row.status is OrderStatus.OPEN
        if is_known and listed and listed.filled_quantity == row.filled_quantity:
            return
        if self._run.is_dry_run:
            update = listed or ended or self._books.look_up(row)
            self._tell(asset, row.cycle_id, update)
        elif not self._books.settle_from_list(row, listed, ended):
            if row.alpaca_order_id:
                self._missed.append((asset, row))
            return  # too young to be given up
        self._run.count(settled=1)

    def _book_end(
        self, order: OrderUpdate, state: AssetState | None, ended: OrderUpdate | None
    ) -> None:
        """Book how an order ended that is no longer among the open ones."""
        row = self._store.order(order.client_order_id)
        if row is None and (replaced := self._replaced_by(order)):
            self._books.settle(replaced)
        elif row is not None and not row.status.is_finished:
            self._books.settle(row, ended)
        elif row is None and state and state.cycle and _waits_for(state.cycle, order):
            self.settle_without_row(state)
        elif update := ended or self._broker.order(order.client_order_id):
            if row is not None:
                self._books.on_update(row.asset_id, update)
            asset_log(log, order.symbol).info(
                event(f"{update.side} order {update.status}", **order_facts(update))
            )

    def _replaced_by(self, order: OrderUpdate) -> Order | None:
        """The bot's order in whose place a hand has put this one, under another name."""
        rows = self._store.live_orders()
        return next((each for each in rows if each.alpaca_order_id == order.alpaca_order_id), None)

    def open_cycle(self, asset: Asset) -> None:
        """Give an enabled asset without an active cycle a watching one (behaviour 1)."""
        if self._run.is_dry_run:
            asset_log(log, asset.symbol).info(self._run.said("new cycle"))
        else:
            self._books.open_cycle(asset.asset_id)
        self._run.count(opened=1)

    def settle_without_row(self, state: AssetState) -> None:
        """Settle a `buying` or `selling` cycle whose order has no live row in `dca_orders`.

        1. Alpaca is asked by `latest_order_id`; while the order is open, everything stays.
        2. An order that ended, and fits the cycle, gets its row, and then enters by the one door.
        3. Anything else (unknown there, booked before, another symbol): the cycle watches again,
           and the position tells its quantity.
        """
        asset, cycle = state.asset, state.cycle
        if cycle is None:
            return
        update = self._broker.order_by_id(cycle.latest_order_id) if cycle.latest_order_id else None
        if update is not None and not update.status.is_finished:
            return
        self._run.count(settled=1)
        if self._run.is_dry_run:
            self._tell(asset, cycle.cycle_id, update)
        elif update is not None and is_new_and_fits(self._store, asset, cycle, update):
            self._books.settle(give_row(self._store, asset, cycle, update, self._clock))
        else:
            self._let_go(asset, cycle)

    def _let_go(self, asset: Asset, cycle: Cycle) -> None:
        with self._store.transaction(asset.asset_id) as tx:
            if tx.cycle != cycle or tx.live_order() is not None:
                return  # somebody has moved it meanwhile
            watching = let_go(cycle)
            tx.save_cycle(cycle, watching)
            tx.add_event(story.let_go(cycle, self._clock()))
        asset_log(log, asset.symbol, cycle.cycle_id).warning(
            event(
                "Alpaca knows no order that this cycle waits for",
                was=cycle.status,
                status=watching.status,
                order=cycle.latest_order_id,
            )
        )

    def _tell(self, asset: Asset, cycle_id: int, update: OrderUpdate | None) -> None:
        sentence = self._run.said("book what Alpaca says")
        facts = order_facts(update) if update else {"order": None, "why": "unknown to Alpaca"}
        status = {"status": update.status} if update else {}
        asset_log(log, asset.symbol, cycle_id).info(event(sentence, **status, **facts))


def tracking_of(states: Sequence[AssetState], live: Sequence[Order]) -> Tracking:
    """Which orders the books know, as they were read."""
    return Tracking(
        symbols=frozenset(state.asset.symbol for state in states if state.asset.is_enabled),
        unreadable=frozenset(state.asset.symbol for state in states if state.problem),
        cycles={state.asset.symbol: state.cycle for state in states if state.cycle},
        live={order.client_order_id: order for order in live},
    )


def order_facts(update: OrderUpdate) -> dict[str, object]:
    """What a log line says of an order."""
    return {
        "filled": update.filled_quantity,
        "order": update.alpaca_order_id,
        "client_id": update.client_order_id,
    }


def _waits_for(cycle: Cycle, order: OrderUpdate) -> bool:
    return cycle.status in WAITING_FOR_ORDER and cycle.latest_order_id == order.alpaca_order_id
