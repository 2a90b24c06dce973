"""The only code that joins core, store and broker: load, decide, persist the intent, act,
persist the outcome.

Rules: the intent is committed before the request; no lock is held while Alpaca is asked; what
Alpaca says of an order is for the books (`books.py`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import assert_never

from dca_bot.core import story
from dca_bot.core.asset_row import buying_problem
from dca_bot.core.decide import (
    Buy,
    Decision,
    Hold,
    Remember,
    Restart,
    Sell,
    Withdraw,
    decide,
    order_kind,
)
from dca_bot.core.ladder import watched
from dca_bot.core.model import (
    Asset,
    AssetRules,
    AssetState,
    Cycle,
    CycleStatus,
    Holding,
    Order,
    OrderKind,
    Quote,
    Side,
)
from dca_bot.core.order_ids import new_order
from dca_bot.core.position import (
    blocks_base_order,
    other_holder,
    why_blocked,
    why_nothing_to_sell,
)
from dca_bot.core.transition import end_cooldown, start_order
from dca_bot.program.clock import OFFSET_MAX, Clock
from dca_bot.program.errors import (
    LossLimitReached,
    OrderOutcomeUnknown,
    OrderWithheld,
)
from dca_bot.trading import log_lines
from dca_bot.trading.books import Books
from dca_bot.trading.budget import NO_LIMITS, Budget, pause_for_losses
from dca_bot.trading.cash import Cash
from dca_bot.trading.ports import Broker, Store, Transaction
from dca_bot.trading.sale import size_of_sale
from dca_bot.trading.sending import Sender


@dataclass(frozen=True, slots=True)
class Acted:
    """What a quote has led to: the asset with its active cycle as they are now, and the order that
    was placed, if any; `withdrawn`: Alpaca was asked to cancel the BUY that rests."""

    state: AssetState
    order: Order | None = None
    withdrawn: bool = False


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
        budget: Budget = NO_LIMITS,
    ) -> None:
        self._store = store
        self._broker = broker
        self._clock = clock
        self.rules = rules
        self.quote_age_max = quote_age_max
        self._budget = budget
        self.books = Books(store, broker, clock, budget.minding_losses(store, clock))
        self._cash = Cash(broker.cash, clock)
        self._sender = Sender(broker, self.books.conclude, self._cash, clock)

    def on_quote(self, known: AssetState, quote: Quote, *, paused: Collection[Side] = ()) -> Acted:
        """Act on a quote that seems to trigger something, without orders of the `paused` sides.

        1. Decide on what is known.  What the cycle must remember of the quote is committed first:
           the order that follows may be refused.
        2. Ask Alpaca for the position where the order depends on it.
        3. Lock the asset, decide again on what is locked, write the intent, commit; unless the
           quote has become too old meanwhile.
        4. Send the order, and book what Alpaca says of it.
        Raises OrderRefused (also when we refuse it ourselves), BrokerUnavailable (nothing was
        sent) and OrderOutcomeUnknown (`Books.settle` it); the books are in order in each case.
        """
        if self._is_too_old(quote):
            return Acted(known)
        decision = self._decide(known, quote, paused)
        if isinstance(decision, Remember):
            known = self._remember(known.asset.asset_id, quote, paused)
            decision = self._decide(known, quote, paused)
        match decision:
            case Buy() | Sell():
                return self._place(known, decision, quote, paused)
            case Withdraw():
                return self._withdraw(known.asset.asset_id, quote, paused)
            case Hold() | Restart() | Remember():
                return Acted(known)
            case _:
                assert_never(decision)

    def _decide(self, known: AssetState, quote: Quote, paused: Collection[Side]) -> Decision:
        """What to do; where the price cuts a cooldown short, the base order that follows from it.

        Raises OrderWithheld where the log must say why there is no order.
        """
        cycle, rules = known.cycle, self.rules.get(quote.symbol)
        if cycle is None or rules is None:
            return Hold("no active cycle, or Alpaca lists the symbol no more")
        decision = decide(known.asset, cycle, quote, rules, paused=paused)
        if isinstance(decision, Restart):
            decision = decide(known.asset, end_cooldown(cycle), quote, rules, paused=paused)
        if isinstance(decision, Hold) and decision.reported:
            raise OrderWithheld(decision.reason, side=Side.BUY)
        return decision

    def _is_too_old(self, quote: Quote) -> bool:
        """By Alpaca's clock; ours can't be trusted with any order when it is far from that."""
        ahead = self._broker.clock_offset
        return abs(ahead) > OFFSET_MAX or self._clock() + ahead - quote.at > self.quote_age_max

    def _withdraw(self, asset_id: int, quote: Quote, paused: Collection[Side]) -> Acted:
        """Ask for the cancel of a BUY that keeps the coins from being sold (behaviour 5).

        A cancel is a request: the take profit follows once Alpaca says that the BUY has ended.
        Raises BrokerUnavailable.
        """
        with self._store.transaction(asset_id) as tx:
            state, live = AssetState(tx.asset, tx.cycle), tx.live_order()
            decision = self._decide(state, quote, paused)
        resting = live.alpaca_order_id if live else state.cycle and state.cycle.latest_order_id
        if state.cycle is None or not isinstance(decision, Withdraw) or not resting:
            return Acted(state)
        self._broker.cancel(resting)
        log_lines.withdrawn(state.asset, state.cycle, quote, decision.trigger_price)
        return Acted(state, withdrawn=True)

    def _place(
        self, known: AssetState, expected: Buy | Sell, quote: Quote, paused: Collection[Side]
    ) -> Acted:
        """From the decision on what is known to the order, or to nothing where it was overtaken."""
        holding = self._look_before_leaping(known, expected)
        holder = None  # looked up without a lock, and only where it will be told
        if isinstance(expected, Buy) and blocks_base_order(known.asset, holding, quote):
            holder = other_holder(known.asset, self._store.assets())
        try:
            with self._store.transaction(known.asset.asset_id) as tx:
                asset = tx.asset
                intended = self._intend(tx, expected, quote, holding, paused, holder=holder)
                if intended is None:
                    return Acted(AssetState(asset, tx.cycle))
        except LossLimitReached as reached:
            pause_for_losses(self._store, self._clock, known.asset.asset_id, str(reached))
            raise
        return self._send(asset, *intended, quote)

    def _look_before_leaping(self, known: AssetState, expected: Buy | Sell) -> Holding | None:
        """Ask Alpaca, without a lock, what must be known before the expected order is sent."""
        asset = known.asset
        if isinstance(expected, Buy):
            # A refusal by Alpaca would leave a cooldown ended, and its price be forgotten.
            is_cut_short = known.cycle is not None and known.cycle.status is CycleStatus.COOLDOWN
            cost = expected.quantity * expected.limit_price
            self._cash.check(asset, cost, is_sure=is_cut_short)
        if isinstance(expected, Sell) or order_kind(expected) is OrderKind.BASE:
            return self._broker.holdings(urgent=isinstance(expected, Sell)).of(asset.coin)
        return None

    def _intend(
        self,
        tx: Transaction,
        expected: Buy | Sell,
        quote: Quote,
        holding: Holding | None,
        paused: Collection[Side],
        *,
        holder: AssetState | None,
    ) -> tuple[Cycle, Order] | None:
        """Decide on what is locked and record the intent; the cycle is as it was before it.

        A cooldown that the price cuts short ends with the intent of its base order, or not at all.
        Raises OrderWithheld when the position, the row or the budget forbids what was decided.
        """
        cycle, now = tx.cycle, self._clock()
        if cycle is None or self._is_too_old(quote):
            return None
        decision = self._decide(AssetState(tx.asset, cycle), quote, paused)
        if order_kind(decision) is not order_kind(expected):
            return None  # the cycle has moved, and Alpaca was asked for something else
        match decision:
            case Buy(kind, rung, quantity, limit_price):
                if problem := buying_problem(tx.asset):
                    raise OrderWithheld(problem, side=Side.BUY)
                if kind is OrderKind.BASE and blocks_base_order(tx.asset, holding, quote):
                    why = why_blocked(tx.asset, holding, tx.left_behind(), holder)
                    raise OrderWithheld(why, side=Side.BUY)
                self._budget.check(tx, kind, quantity * limit_price, now)
                order = new_order(
                    cycle, kind, rung, quantity=quantity, limit_price=limit_price, now=now
                )
            case Sell(_, kind):
                quantity = size_of_sale(tx, cycle, holding, quote, self.rules[quote.symbol])
                if not quantity:
                    raise OrderWithheld(why_nothing_to_sell(cycle, holding), side=Side.SELL)
                order = new_order(cycle, kind, quantity=quantity, now=now)
            case Hold() | Restart() | Remember() | Withdraw():
                return None
            case _:
                assert_never(decision)
        tx.add_order(order)  # the database lets an asset have one live order
        begun = cycle
        if cycle.status is CycleStatus.COOLDOWN:
            begun = end_cooldown(cycle)
            tx.add_event(story.cut_short(tx.asset, cycle, quote))
        tx.save_cycle(cycle, start_order(watched(tx.asset, begun, quote), order.side))
        tx.add_event(story.ordered(tx.asset, cycle, order, quote))
        return cycle, order

    def _send(self, asset: Asset, cycle: Cycle, order: Order, quote: Quote) -> Acted:
        """Send the order whose intent is committed; `cycle` is as it was before that."""
        if cycle.status is CycleStatus.COOLDOWN:
            log_lines.restarted(asset, cycle, quote)
        try:
            update = self._sender.send(asset, order)
        except OrderOutcomeUnknown as unknown:
            log_lines.decided(asset, cycle, order, quote, in_doubt=unknown)
            raise
        log_lines.decided(asset, cycle, order, quote, alpaca_order_id=update.alpaca_order_id)
        entry = self.books.on_update(asset.asset_id, update)
        return Acted(entry.state if entry else AssetState(asset, cycle), order)

    def _remember(self, asset_id: int, quote: Quote, paused: Collection[Side]) -> AssetState:
        """Keep in the cycle what this quote means to a trailing take profit or a stop loss."""
        with self._store.transaction(asset_id) as tx:
            asset, cycle = tx.asset, tx.cycle
            decision = self._decide(AssetState(asset, cycle), quote, paused)
            if cycle is None or not isinstance(decision, Remember):
                return AssetState(asset, cycle)
            after = watched(asset, cycle, quote)
            tx.save_cycle(cycle, after)
        log_lines.remembered(asset, cycle, after, quote)
        return AssetState(asset, after)
