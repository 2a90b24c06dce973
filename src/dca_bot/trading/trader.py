"""The only code that joins core, store and broker: load, decide, persist the intent, act,
persist the outcome.

Rules: the intent is committed before the request; no lock is held while Alpaca is asked; whatever
Alpaca says of an order enters the books through `on_update`, from wherever it was heard.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import assert_never

from dca_bot.core import story
from dca_bot.core.decide import (
    Buy,
    Decision,
    Hold,
    Restart,
    Sell,
    blocks_base_order,
    decide,
    order_kind,
    size_sell,
    why_blocked,
    why_nothing_to_sell,
)
from dca_bot.core.model import (
    Asset,
    AssetRules,
    AssetState,
    Cycle,
    CycleStatus,
    Holding,
    Order,
    OrderKind,
    OrderStatus,
    OrderUpdate,
    Quote,
    Side,
)
from dca_bot.core.order_ids import client_order_id
from dca_bot.core.transition import (
    conclude,
    end_cooldown,
    start_order,
)
from dca_bot.program.clock import Clock
from dca_bot.program.errors import (
    BrokerUnavailable,
    OrderOutcomeUnknown,
    OrderRefused,
)
from dca_bot.trading import log_lines
from dca_bot.trading.books import Books
from dca_bot.trading.cash import Cash
from dca_bot.trading.ports import Broker, Store, Transaction

# How long an order that Alpaca doesn't know may still be on its way there, so that no second one
# is placed for the same intent: longer than a request may wait for its turn (10 s), connect (3 s)
# and be answered (10 s), with room for Alpaca to find what it has taken.
GIVE_UP_AFTER = timedelta(seconds=30)
# How old an intent may be when its request begins.  A process that stood still after the commit (a
# suspended machine, SIGSTOP) wakes up when others may have given its order up, and bought.
SEND_WITHIN = timedelta(seconds=5)


class Trader:
    """Trades one asset at a time; safe to call from several threads, one per asset."""

    def __init__(
        self,
        store: Store,
        broker: Broker,
        clock: Clock,
        rules: Mapping[str, AssetRules],
        *,
        quote_age_max: timedelta = timedelta(seconds=10),
    ) -> None:
        self._store = store
        self._broker = broker
        self._clock = clock
        self.rules = rules
        self.quote_age_max = quote_age_max
        self._cash = Cash(broker)
        self._books = Books(store, clock)

    def on_quote(self, known: AssetState, quote: Quote) -> Order | None:
        """Act on a quote that seems to trigger something; return the order placed, if any.

        1. Decide on what is known; ask Alpaca for the position where the order depends on it.
        2. Lock the asset, decide again on what is locked, write the intent, commit; unless the
           quote has become too old meanwhile.
        3. Send the order, and book what Alpaca says of it.
        Raises OrderRefused (also when we refuse it ourselves), BrokerUnavailable (nothing was
        sent) and OrderOutcomeUnknown (`settle` it); the books are in order in each case.
        """
        if self._is_too_old(quote):
            return None
        rules = self.rules[known.asset.symbol]
        known = self._restart_if_fallen(known, quote, rules)
        if known.cycle is None:
            return None
        expected = decide(known.asset, known.cycle, quote, rules)
        if isinstance(expected, Hold):
            _refuse_if_reported(expected)
            return None
        holding = self._look_before_leaping(known.asset, expected)
        with self._store.transaction(known.asset.asset_id) as tx:
            intended = self._intend(tx, expected, quote, holding)
            asset = tx.asset
        if intended is None:
            return None
        cycle, order = intended
        try:
            update = self._submit(asset, order)
        except OrderOutcomeUnknown as unknown:
            log_lines.decided(asset, cycle, order, quote, in_doubt=unknown)
            raise
        log_lines.decided(asset, cycle, order, quote, alpaca_order_id=update.alpaca_order_id)
        self.on_update(update)
        return order

    def on_update(self, update: OrderUpdate) -> bool:
        """Book what Alpaca says of an order; whether that changed anything in the books."""
        found = self._books.book(update)
        if found is None:  # not our order
            return False
        asset, cycle, order, booked = found
        log_lines.updated(asset, cycle, order, booked, update)
        return (cycle, order) != (booked.cycle, booked.order)

    def settle(self, client_id: str) -> bool:
        """Ask Alpaca what became of an order and book it; False while that is still in doubt.

        An order that Alpaca doesn't know is given up if it couldn't be on its way any more when
        Alpaca was asked; the answer itself may come much later.
        """
        order = self._store.order(client_id)
        if order is None or order.status.is_finished:
            return True
        asked_at = self._clock()
        update = self._broker.order(client_id)
        if update is None:
            if asked_at - order.created_at < GIVE_UP_AFTER:
                return False
            update = conclude(order, OrderStatus.LOST, "Alpaca has never heard of it")
        elif order.side is Side.BUY and update.filled_quantity > order.filled_quantity:
            update = self._with_position(update)
        self.on_update(update)
        return True

    def open_cycle(self, asset_id: int) -> None:
        """Give an asset without an active cycle a watching one (behaviour 1)."""
        with self._store.transaction(asset_id) as tx:
            if tx.cycle is not None or not tx.asset.is_enabled:
                return
            cycle = tx.add_cycle(Cycle(0, asset_id, CycleStatus.WATCHING))
            tx.add_event(story.began(cycle, self._clock()))
            asset = tx.asset
        log_lines.status_changed(asset, cycle, cycle.status, "new cycle")

    def _is_too_old(self, quote: Quote) -> bool:
        return self._clock() - quote.at > self.quote_age_max

    def _restart_if_fallen(self, known: AssetState, quote: Quote, rules: AssetRules) -> AssetState:
        """End a cooldown that the price cuts short (behaviour 7); what is known afterwards."""
        if known.cycle is None or not isinstance(
            decide(known.asset, known.cycle, quote, rules), Restart
        ):
            return known
        with self._store.transaction(known.asset.asset_id) as tx:
            asset, cycle = tx.asset, tx.cycle
            decision = decide(asset, cycle, quote, rules) if cycle else None
            if cycle is None or not isinstance(decision, Restart):
                return AssetState(asset, cycle)
            watching = end_cooldown(cycle)
            tx.save_cycle(cycle, watching)
            tx.add_event(story.cut_short(asset, cycle, quote, decision.trigger_price))
        log_lines.restarted(asset, cycle, quote, decision.trigger_price)
        return AssetState(asset, watching)

    def _look_before_leaping(self, asset: Asset, expected: Decision) -> Holding | None:
        """Ask Alpaca, without a lock, what must be known before the expected order is sent."""
        if isinstance(expected, Buy):
            self._cash.check(asset, expected.quantity * expected.limit_price)
        if order_kind(expected) in (OrderKind.BASE, OrderKind.TAKE_PROFIT):
            return self._broker.holdings().of(asset.coin)
        return None

    def _intend(
        self, tx: Transaction, expected: Decision, quote: Quote, holding: Holding | None
    ) -> tuple[Cycle, Order] | None:
        """Decide on what is locked and record the intent; the cycle is as it was before it.

        Raises OrderRefused when the position forbids what was decided.
        """
        cycle, rules = tx.cycle, self.rules[quote.symbol]
        if cycle is None or self._is_too_old(quote):
            return None
        decision = decide(tx.asset, cycle, quote, rules)
        if order_kind(decision) is not order_kind(expected):
            return None  # the cycle has moved, and Alpaca was asked for something else
        match decision:
            case Buy(kind, rung, quantity, limit_price):
                if kind is OrderKind.BASE and blocks_base_order(tx.asset, holding, quote):
                    raise OrderRefused(why_blocked(tx.asset, holding))
                order = self._order(cycle, kind, rung, quantity=quantity, limit_price=limit_price)
            case Sell():
                quantity = size_sell(tx.asset, cycle, holding, quote, rules)
                if not quantity:
                    raise OrderRefused(why_nothing_to_sell(cycle, holding))
                order = self._order(cycle, OrderKind.TAKE_PROFIT, quantity=quantity)
            case Hold() | Restart():
                return None
            case _:
                assert_never(decision)
        tx.add_order(order)  # the database lets an asset have one live order
        tx.save_cycle(cycle, start_order(cycle, order.side))
        tx.add_event(story.ordered(tx.asset, cycle, order, quote))
        return cycle, order

    def _order(
        self,
        cycle: Cycle,
        kind: OrderKind,
        rung: int = 0,
        *,
        quantity: Decimal,
        limit_price: Decimal | None = None,
    ) -> Order:
        now = self._clock()
        return Order(
            client_order_id=client_order_id(cycle.cycle_id, kind, rung, now),
            asset_id=cycle.asset_id,
            cycle_id=cycle.cycle_id,
            kind=kind,
            rung=rung,
            quantity=quantity,
            limit_price=limit_price,
            status=OrderStatus.INTENDED,
            created_at=now,
        )

    def _submit(self, asset: Asset, order: Order) -> OrderUpdate:
        """Send the order; when it was refused or can't have been sent, put the books right."""
        try:
            if (age := self._clock() - order.created_at) > SEND_WITHIN:
                raise BrokerUnavailable(
                    f"order not sent: {age.total_seconds():.0f} s went by after it was decided"
                )
            update = self._broker.submit(order, asset.symbol)
        except OrderRefused as refusal:
            if refusal.needs_cash:
                self._cash.is_short(asset)
            self._books.book(conclude(order, OrderStatus.REJECTED, str(refusal)))
            raise
        except BrokerUnavailable as error:
            self._books.book(conclude(order, OrderStatus.LOST, str(error)))
            raise
        self._cash.sufficed(asset)
        return update

    def _with_position(self, update: OrderUpdate) -> OrderUpdate:
        # An order over REST tells the gross fill only; the position tells what the fee has left.
        try:
            holding = self._broker.holdings().of(update.symbol.partition("/")[0])
        except BrokerUnavailable:
            return update  # then the fee is estimated
        return replace(update, position_quantity=holding.quantity if holding else None)


def _refuse_if_reported(hold: Hold) -> None:
    if hold.reported:
        raise OrderRefused(hold.reason)
