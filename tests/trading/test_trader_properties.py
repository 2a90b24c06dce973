"""No sequence of quotes, news and mishaps makes the trader break its promises.

A machine invents the sequences: quotes at any price, orders that fill in parts or end, news that is
lost, repeated, late and out of order, answers that never come, refusals, restarts.  An auditor
follows every fill at the exchange and keeps books of his own.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from decimal import ROUND_DOWN, ROUND_UP, Decimal

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from dca_bot.core.decide import triggers
from dca_bot.core.model import (
    ZERO,
    Cycle,
    CycleStatus,
    Order,
    OrderKind,
    OrderStatus,
    OrderUpdate,
    Side,
)
from dca_bot.core.transition import end_cooldown
from dca_bot.program.errors import BrokerUnavailable, DcaError
from dca_bot.trading.trader import Trader
from tests.builders import CHECKED, Floor
from tests.fakes import FakeBroker

MAX_SAFETY_ORDERS = 2
AMOUNTS = {OrderKind.BASE: Decimal(20), OrderKind.SAFETY: Decimal(30)}
# A rounding of the average to ten digits, and of each fee to nine, may differ in the last ones.
CRUMB = Decimal("0.00000001")
CENT = Decimal("0.01")

PRICES = st.one_of(
    st.integers(9_000, 11_000),  # near enough for the next trigger
    st.integers(1_000, 30_000),
).map(lambda cents: Decimal(cents) / 100)
PARTS = st.sampled_from([Decimal("0.1"), Decimal("0.37"), Decimal("0.9"), Decimal(1)])
MISHAPS: list[Callable[[FakeBroker], None]] = [
    lambda broker: broker.lose_answer(taken=True),
    lambda broker: broker.lose_answer(taken=False),
    lambda broker: broker.refuse("no"),
    lambda broker: broker.refuse("no cash", needs_cash=True),
    lambda broker: broker.fail("submit", BrokerUnavailable("down")),
    lambda broker: broker.fail("holdings", BrokerUnavailable("down")),
    lambda broker: broker.fail("order", BrokerUnavailable("down")),
]


class Auditor:
    """Books of one's own, from what truly happened at the exchange."""

    def __init__(self) -> None:
        self.news: dict[str, OrderUpdate] = {}  # the newest of every order
        self.cycle_id = 0
        self.dust = self.held = self.own = self.average = ZERO

    @property
    def open_names(self) -> list[str]:
        return [name for name, update in self.news.items() if not update.status.is_finished]

    def filled(self, name: str) -> Decimal:
        return self.news[name].filled_quantity

    def hear(self, update: OrderUpdate, cycle_id: int) -> None:
        before = self.news.get(update.client_order_id, replace(update, filled_quantity=ZERO))
        self.news[update.client_order_id] = update
        quantity = update.filled_quantity - before.filled_quantity
        if not quantity:
            return
        if cycle_id != self.cycle_id:
            self.cycle_id, self.dust, self.own = cycle_id, self.held, ZERO
        assert update.position_quantity is not None
        received = update.position_quantity - self.held
        self.held = update.position_quantity
        if update.side is Side.BUY:
            cost = cost_of(update) - cost_of(before)
            self.average = (self.own * self.average + received * cost / quantity) / (
                self.own + received
            )
        self.own = max(ZERO, self.own + received)


def cost_of(update: OrderUpdate) -> Decimal:
    return update.filled_quantity * (update.filled_average_price or ZERO)


class TraderMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.floor = Floor(
            at_once=False,
            base_order_amount=AMOUNTS[OrderKind.BASE],
            safety_order_amount=AMOUNTS[OrderKind.SAFETY],
            max_safety_orders=MAX_SAFETY_ORDERS,
        )
        self.broker.holds_fills = True
        self.price = Decimal(100)
        self.auditor = Auditor()
        self.broker.listener = lambda update: self.auditor.hear(
            update, self.floor.order(update.client_order_id).cycle_id
        )

    @property
    def broker(self) -> FakeBroker:
        return self.floor.broker

    # -- what happens

    @initialize(filled=st.integers(0, MAX_SAFETY_ORDERS + 1))
    def some_orders_were_filled_before(self, filled: int) -> None:
        for _ in range(filled):
            self.the_price_falls_to_the_next_order(0, Decimal(1), heard=True)

    @rule(beyond=st.integers(0, 30), part=st.one_of(st.none(), PARTS), heard=st.booleans())
    def the_price_falls_to_the_next_order(
        self, beyond: int, part: Decimal | None, heard: bool
    ) -> None:
        at = triggers(self.floor.asset, self.floor.cycle).buy_at_or_below
        if at is not None:
            price = min(at, Decimal(100)).quantize(CENT, ROUND_DOWN)
            self.see(max(CENT, price - beyond * CENT))
            self.an_order_fills(part, 0, heard)

    @rule(beyond=st.integers(0, 30), part=st.one_of(st.none(), PARTS), heard=st.booleans())
    def the_price_rises_to_the_take_profit(
        self, beyond: int, part: Decimal | None, heard: bool
    ) -> None:
        at = triggers(self.floor.asset, self.floor.cycle).sell_at_or_above
        if at is not None:
            self.see(at.quantize(CENT, ROUND_UP) + beyond * CENT)
            self.an_order_fills(part, 0, heard)

    @rule(price=PRICES, spread=st.integers(0, 50))
    def the_price_is_anywhere(self, price: Decimal, spread: int) -> None:
        self.see(price, price + spread * CENT)

    @rule(price=PRICES)
    def an_old_view_of_the_cycle_meets_a_quote(self, price: Decimal) -> None:
        stale = replace(self.floor.state, cycle=Cycle(1, 1, CycleStatus.WATCHING))
        with suppress(DcaError):
            self.floor.trader.on_quote(stale, self.floor.quote(price))

    @precondition(lambda self: self.open_orders)
    @rule(part=PARTS, slip=st.integers(0, 20), heard=st.booleans())
    def an_order_fills_further(self, part: Decimal, slip: int, heard: bool) -> None:
        self.an_order_fills(part, slip, heard)

    @precondition(lambda self: self.open_orders)
    @rule(status=st.sampled_from([OrderStatus.CANCELED, OrderStatus.EXPIRED]))
    def an_order_ends(self, status: OrderStatus) -> None:
        self.broker.end(self.open_orders[0].client_order_id, status)

    @precondition(lambda self: self.broker.updates)
    @rule(data=st.data())
    def some_news_is_heard_in_some_order(self, data: st.DataObject) -> None:
        news = st.lists(st.sampled_from(self.broker.updates), min_size=1, max_size=4)
        for update in data.draw(news):
            self.floor.hear(update)

    @rule(seconds=st.sampled_from([1, 15, 31]))
    def time_passes_and_alpaca_is_asked(self, seconds: int) -> None:
        self.floor.clock.pass_by(seconds)
        with suppress(BrokerUnavailable):
            self.floor.recover()

    @rule(mishap=st.sampled_from(MISHAPS))
    def something_will_go_wrong(self, mishap: Callable[[FakeBroker], None]) -> None:
        mishap(self.broker)

    @precondition(lambda self: self.floor.cycle.status is CycleStatus.COOLDOWN)
    @rule()
    def the_cooldown_ends(self) -> None:
        with self.floor.store.transaction(1) as tx:
            assert tx.cycle is not None
            tx.save_cycle(tx.cycle, end_cooldown(tx.cycle))

    @rule()
    def the_bot_starts_anew(self) -> None:
        floor = self.floor
        floor.trader = Trader(floor.store, floor.broker, floor.clock, floor.rules)

    def an_order_fills(self, part: Decimal | None, slip: int, heard: bool) -> None:
        if part is None or not self.open_orders:
            return
        order = self.open_orders[0]
        rest = order.quantity - self.auditor.filled(order.client_order_id)
        quantity = rest if part == 1 else (rest * part).quantize(CRUMB)
        limit = order.limit_price or self.price
        if quantity:
            self.broker.fill(order.client_order_id, quantity, max(CENT, limit - slip * CENT))
        if heard:
            self.floor.hear(self.broker.updates[-1])

    def see(self, bid: Decimal, ask: Decimal | None = None) -> None:
        self.price = bid
        with suppress(DcaError):
            self.floor.see(bid, ask)

    # -- what must be so at any time

    @invariant()
    def there_is_one_open_order_at_most(self) -> None:
        assert len(self.open_orders) <= 1

    @invariant()
    def no_quantity_is_negative_and_no_purchase_above_its_amount(self) -> None:
        assert self.floor.cycle.quantity >= 0
        for order in self.broker.submitted:
            assert order.quantity > 0
            if order.limit_price is not None:
                assert order.quantity * order.limit_price <= AMOUNTS[order.kind]

    @invariant()
    def no_cycle_has_more_buys_than_rungs(self) -> None:
        filled = [self.floor.order(name) for name in self.auditor.news if self.auditor.filled(name)]
        buys = Counter(order.cycle_id for order in filled if order.side is Side.BUY)
        assert all(count <= 1 + MAX_SAFETY_ORDERS for count in buys.values())
        assert self.floor.cycle.safety_orders <= MAX_SAFETY_ORDERS

    @invariant()
    def nothing_is_sold_that_was_not_held(self) -> None:
        assert self.auditor.held >= 0

    # -- and what must be so when the sea is quiet again

    def teardown(self) -> None:
        for _ in range(100):
            with suppress(BrokerUnavailable):
                self.floor.recover()
                break
        self.every_order_is_in_the_books_as_it_is_at_the_exchange()
        self.the_cycle_holds_what_was_bought()

    def every_order_is_in_the_books_as_it_is_at_the_exchange(self) -> None:
        for name, update in self.auditor.news.items():
            order = self.floor.order(name)
            assert (order.status, order.filled_quantity) == (update.status, update.filled_quantity)
        under_way = self.floor.cycle.status in (CycleStatus.BUYING, CycleStatus.SELLING)
        assert under_way == bool(self.open_orders)

    def the_cycle_holds_what_was_bought(self) -> None:
        cycle, auditor = self.floor.cycle, self.auditor
        if cycle.cycle_id != auditor.cycle_id:
            assert cycle.quantity == 0
            return
        # Dust of earlier cycles may be taken for a smaller fee.
        assert abs(cycle.quantity - auditor.own) <= auditor.dust + CRUMB
        if auditor.own and not auditor.dust:
            assert abs(cycle.average_purchase_price - auditor.average) <= CENT / 1000

    @property
    def open_orders(self) -> Sequence[Order]:
        return [self.floor.order(name) for name in self.auditor.open_names]


TestTrader = TraderMachine.TestCase
TestTrader.settings = settings(
    CHECKED, max_examples=CHECKED.max_examples // 2, stateful_step_count=80
)
