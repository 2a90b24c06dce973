"""What a person does with the bot's cycles, by the rules that keep the bot's own money.

Rule: each call is one short step that is decided on what is locked, and can be repeated without
harm, while main_app.py trades the same rows.  Intents are committed before they are sent, and
fills enter through the books.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from functools import partial

from dca_bot.core import story
from dca_bot.core.decide import size_buy
from dca_bot.core.earnings import result_of
from dca_bot.core.holdings import Holdings
from dca_bot.core.model import (
    ORDER_NAMES,
    Allowed,
    Asset,
    AssetRules,
    Cycle,
    CycleStatus,
    Holding,
    Order,
    OrderKind,
    OrderStatus,
    Quote,
    Side,
    new_cycle,
)
from dca_bot.core.order_ids import new_order
from dca_bot.core.position import why_nothing_to_sell
from dca_bot.core.transition import adopt, release, start_order
from dca_bot.program.clock import Clock
from dca_bot.program.errors import (
    BrokerUnavailable,
    IllegalTransition,
    OrderOutcomeUnknown,
    OrderWithheld,
)
from dca_bot.trading import log_lines
from dca_bot.trading.books import Books
from dca_bot.trading.budget import NO_LIMITS, Budget, allow
from dca_bot.trading.cash import Cash
from dca_bot.trading.ports import Broker, Store, Transaction
from dca_bot.trading.sale import size_of_sale
from dca_bot.trading.sending import Sender

# A market SELL fills at once; one that has not after so long is cancelled, and sent again.
SELL_FILLS_WITHIN = timedelta(seconds=20)


@dataclass(frozen=True, slots=True)
class Step:
    """What one step towards the end of a cycle has found, as a sentence.

    `is_over`: nothing is left to do.  `needs_others`: nothing can be done here, and why.
    """

    sentence: str
    is_over: bool = False
    needs_others: bool = False


class Hand:
    """Safe to use beside main_app.py, the caretakers and other hands: the row is the lock."""

    def __init__(
        self,
        store: Store,
        broker: Broker,
        clock: Clock,
        rules: Mapping[str, AssetRules],
        budget: Budget = NO_LIMITS,
        *,
        quote_age_max: timedelta = timedelta(seconds=10),
        positions: Callable[[], Holdings] | None = None,
    ) -> None:
        """`positions`: where one answer of Alpaca's may serve several assets."""
        self._store = store
        self._broker = broker
        self._clock = clock
        self._rules = rules
        self._budget = budget
        self._quote_age_max = quote_age_max
        self._positions = positions or partial(broker.holdings, urgent=True)
        self._books = Books(store, broker, clock, budget.minding_losses(store, clock))
        self._sender = Sender(broker, self._books.conclude, Cash(broker.cash, clock), clock)

    def allow(
        self, asset_id: int, allowed: Allowed, why: str, *, with_all: bool = False
    ) -> Allowed:
        """Set how far an asset may go, alone or with all others; what it was allowed before."""
        return allow(self._store, self._clock, asset_id, allowed, why, with_all=with_all)

    def end_buy(self, asset_id: int) -> Step:
        """One step towards the end of a BUY that is under way; what it has filled is kept."""
        with self._store.transaction(asset_id) as tx:
            live = tx.live_order()
        if live is None or live.side is Side.SELL:
            return Step("no BUY is under way", is_over=True)
        return self._end(live)

    def close(self, asset_id: int) -> Step:
        """One step towards a cycle that is sold.

        1. An order under way: a BUY is cancelled, a SELL is left a moment to fill.
        2. What the cycle holds, and never more, is sold at market.
        3. Over, once the cycle holds nothing.
        Raises BrokerUnavailable (nothing was done), OrderRefused and CycleChanged (look again).
        """
        with self._store.transaction(asset_id) as tx:
            asset, cycle, live = tx.asset, tx.cycle, tx.live_order()
        if live is not None:
            return self._end(live)
        if cycle is None or cycle.status is CycleStatus.COOLDOWN:
            return Step("nothing is held", is_over=True)
        if cycle.status is not CycleStatus.WATCHING:
            sentence = (
                f"its cycle waits for an order {cycle.latest_order_id} that the books don't know"
            )
            return Step(f"{sentence}: consistency_checker.py settles it", needs_others=True)
        if cycle.quantity <= 0:
            return Step("nothing is held", is_over=True)
        return self._sell(asset, cycle)

    def buy(self, asset_id: int, amount: Decimal, quote: Quote) -> Order:
        """One BUY beside the ladder, at the ask.

        Raises OrderRefused, BrokerUnavailable and OrderOutcomeUnknown, as Trader.on_quote does.
        """
        if problem := self._other_symbol(asset_id):
            raise OrderWithheld(problem, side=Side.BUY)
        with self._store.transaction(asset_id) as tx:
            asset, cycle = tx.asset, tx.cycle
            if cycle is None or cycle.status is not CycleStatus.WATCHING or cycle.quantity <= 0:
                status = cycle.status if cycle else "not there"
                raise OrderWithheld(
                    f"its cycle is {status}, and holds no coins to add to", side=Side.BUY
                )
            rules = self._rules.get(asset.symbol)
            if rules is None or not asset.is_enabled:
                told = "it is disabled" if rules else f"Alpaca does not list {asset.symbol}"
                raise OrderWithheld(f"{told}: nothing is bought", side=Side.BUY)
            sized = size_buy(amount, asset, quote, rules)
            if isinstance(sized, str):
                raise OrderWithheld(sized, side=Side.BUY)
            # looked at with the row locked: that may have taken long
            if too_old := self.why_too_old(quote):
                raise OrderWithheld(too_old, side=Side.BUY)
            quantity, limit = sized
            self._budget.check(tx, OrderKind.EXTRA, quantity * limit, self._clock())
            order = new_order(
                cycle, OrderKind.EXTRA, quantity=quantity, limit_price=limit, now=self._clock()
            )
            self._intend(tx, asset, cycle, order, quote)
        self._send(asset, cycle, order, quote)
        return order

    def check_limits(self, asset_id: int, cost: Decimal) -> None:
        """Raise OrderWithheld where the limits for all assets together forbid a BUY of `cost`."""
        with self._store.transaction(asset_id) as tx:
            self._budget.check(tx, OrderKind.EXTRA, cost, self._clock())

    def why_too_old(self, quote: Quote) -> str:
        """Why no BUY may follow this quote, by Alpaca's clock; "": it is fresh enough."""
        age = self._clock() + self._broker.clock_offset - quote.at
        if age <= self._quote_age_max:
            return ""
        return (
            f"Alpaca's last quote is {age.total_seconds():.0f} s old, too old by "
            "QUOTE_MAX_AGE_SECONDS: nothing was bought, try again"
        )

    def adopt(self, asset_id: int, holding: Holding) -> Cycle:
        """Make the coins that Alpaca holds the asset's cycle.  Raises IllegalTransition."""
        with self._store.transaction(asset_id) as tx:
            before = tx.cycle or tx.add_cycle(new_cycle(asset_id))
            after, now = adopt(before, holding), self._clock()
            tx.save_cycle(before, after)
            row = new_order(after, OrderKind.ADOPTED, quantity=holding.quantity, now=now)
            tx.add_order(
                replace(
                    row,
                    status=OrderStatus.FILLED,
                    filled_quantity=holding.quantity,
                    filled_average_price=after.average_purchase_price,
                    received_quantity=holding.quantity,
                )
            )
            tx.add_event(story.adopted(after, now))
        return after

    def release(self, asset_id: int) -> Cycle:
        """Let the cycle's coins go from the books; they stay at Alpaca.

        Raises IllegalTransition, also while an order is under way.
        """
        with self._store.transaction(asset_id) as tx:
            asset, cycle = tx.asset, tx.cycle
            if cycle is None or tx.live_order() is not None:
                raise IllegalTransition(
                    "it has an order under way, or no cycle: nothing is released"
                )
            after = release(cycle, self._clock())
            tx.save_cycle(cycle, after)
            tx.put_result(result_of(asset, after, tx.orders_of_cycle(cycle.cycle_id)))
            tx.add_event(story.released(cycle, self._clock()))
            if asset.is_enabled:
                tx.add_cycle(new_cycle(asset_id))
        return cycle

    def refreshed(self, order: Order) -> Order:
        """An order as Alpaca reports it now, booked.  Raises BrokerUnavailable."""
        self._books.settle(order)
        return self._store.order(order.client_order_id) or order

    def note(self, asset_id: int, sentence: str) -> None:
        """Write into the asset's story what was done to its row."""
        with self._store.transaction(asset_id) as tx:
            tx.add_event(story.changed(tx.cycle, self._clock(), sentence))

    def _end(self, live: Order) -> Step:
        """One look at an order under way, and a request for its end where it must have one."""
        name = f"{ORDER_NAMES[live.kind]} {live.client_order_id}"
        if not self._books.settle(live):
            return Step(f"{name} is in doubt, Alpaca is asked again")
        latest = self._store.order(live.client_order_id)
        if latest is None or latest.status.is_finished:
            return Step(f"{name} has ended: {latest.status if latest else 'its row was deleted'}")
        is_slow = self._clock() - live.created_at > SELL_FILLS_WITHIN
        if latest.alpaca_order_id and (live.side is Side.BUY or is_slow):
            self._broker.cancel(latest.alpaca_order_id)
            return Step(f"{name}: cancel asked for")
        return Step(f"{name} is about to fill")

    def _other_symbol(self, asset_id: int) -> str:
        """What is wrong where the cycle's coins are of another symbol than its row has now."""
        states = self._store.assets()
        found = [each.problem for each in states if each.asset.asset_id == asset_id]
        return "".join(found)

    def _sell(self, asset: Asset, cycle: Cycle) -> Step:
        if problem := self._other_symbol(asset.asset_id):
            return Step(problem, needs_others=True)
        holding = self._positions().of(asset.coin)
        quote = self._broker.latest_quotes([asset.symbol]).get(asset.symbol)
        rules = self._rules.get(asset.symbol)
        if quote is None or rules is None:
            raise BrokerUnavailable(f"Alpaca returned no price of {asset.symbol}")
        with self._store.transaction(asset.asset_id) as tx:
            if tx.cycle != cycle:
                return Step("its cycle has moved meanwhile")
            quantity = size_of_sale(tx, cycle, holding, quote, rules)
            if not quantity:
                return Step(why_nothing_to_sell(cycle, holding), needs_others=True)
            order = new_order(cycle, OrderKind.CLOSE, quantity=quantity, now=self._clock())
            self._intend(tx, asset, cycle, order, quote)
        try:
            self._send(asset, cycle, order, quote)
        except OrderOutcomeUnknown as unknown:
            return Step(f"the sale is in doubt, Alpaca is asked what became of it: {unknown}")
        return Step(f"sale of {quantity:f} sent")

    def _intend(
        self, tx: Transaction, asset: Asset, cycle: Cycle, order: Order, quote: Quote
    ) -> None:
        tx.add_order(order)  # the database lets an asset have one live order
        tx.save_cycle(cycle, start_order(cycle, order.side))
        tx.add_event(story.ordered(asset, cycle, order, quote))

    def _send(self, asset: Asset, cycle: Cycle, order: Order, quote: Quote) -> None:
        update = self._sender.send(asset, order)
        log_lines.decided(asset, cycle, order, quote, alpaca_order_id=update.alpaca_order_id)
        self._books.on_update(asset.asset_id, update)
