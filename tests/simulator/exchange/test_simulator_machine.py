"""Whatever clients, quotes, time and fate do to the exchange, its books agree.

An independent audit recomputes the balances from the executions alone.
"""

from decimal import Decimal
from typing import Any

from hypothesis import event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from alpaca_simulator.exchange.ledger import OWN, OverdrawnError, Place
from alpaca_simulator.exchange.orders import FINISHED, Order, Side, Status
from alpaca_simulator.exchange.plans import AfterPart, Plan
from alpaca_simulator.exchange.rejections import Rejection
from alpaca_simulator.exchange.settlement import transfer
from tests.builders import CHECKED
from tests.simulator.sim_builders import Bench, market

SYMBOLS = ("BTC/USD", "ETH/USD", "ETH/BTC", "SHIB/USD")
START_PRICES = {"BTC/USD": 70_000, "ETH/USD": 2_500, "ETH/BTC": "0.035", "SHIB/USD": "0.0000052"}
RANK = {
    Status.PENDING_NEW: 0,
    Status.NEW: 1,
    Status.PARTIALLY_FILLED: 2,
    Status.PENDING_CANCEL: 3,
} | dict.fromkeys(FINISHED, 4)

plans = st.builds(
    Plan,
    latency=st.sampled_from([None, 0, 10**9]),
    part=st.sampled_from([None, None, Decimal("0.1"), Decimal("0.5")]),
    after_part=st.sampled_from(list(AfterPart)),
    reject=st.sampled_from([None, None, None, "no"]),
    band_cancel=st.sampled_from([False, False, True]),
    cancel_latency=st.sampled_from([None, 10**9]),
    fill_on_cancel=st.booleans(),
)
moves = st.integers(min_value=-300, max_value=300)


class Books(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.bench = Bench(starting_cash=Decimal(5_000))
        self.prices = {symbol: Decimal(price) for symbol, price in START_PRICES.items()}
        self.seen: dict[str, Order] = {}
        self.transferred = {"USD": Decimal(5_000)}
        for symbol in SYMBOLS:
            self.move(symbol, 0)

    @property
    def exchange(self) -> Any:
        return self.bench.exchange

    @rule(symbol=st.sampled_from(SYMBOLS), basis_points=moves)
    def move(self, symbol: str, basis_points: int) -> None:
        self.prices[symbol] *= 1 + Decimal(basis_points) / 10_000
        tick = Decimal("0.000000001")
        bid = self.prices[symbol].quantize(tick)
        self.bench.quote(str(bid), str(bid + max(tick, bid / 2000).quantize(tick)), symbol)

    @rule(
        symbol=st.sampled_from(SYMBOLS),
        side=st.sampled_from(["buy", "sell"]),
        dollars=st.integers(min_value=1, max_value=3_000),
        off=st.integers(min_value=-200, max_value=200),
        kind=st.sampled_from(["limit", "market", "notional", "stop_limit"]),
        ioc=st.booleans(),
        plan=plans,
    )
    def order(
        self, symbol: str, side: str, dollars: int, off: int, kind: str, ioc: bool, plan: Plan
    ) -> None:
        price = self.prices[symbol]
        limit = (price * (1 + Decimal(off) / 10_000)).quantize(Decimal("0.000000001"))
        qty = (dollars / price / (70_000 if symbol == "ETH/BTC" else 1)).quantize(
            Decimal("0.000000001")
        )
        fields: dict[str, Any] = {"symbol": symbol, "side": side, "qty": str(qty)}
        if kind == "market":
            fields = market(**fields)
        elif kind == "notional":
            fields = market(**(fields | {"qty": None, "notional": str(dollars)}))
        else:
            fields |= {"type": kind, "limit_price": str(limit)}
        if kind == "stop_limit":
            fields["stop_price"] = str(limit)
        fields["time_in_force"] = "ioc" if ioc else "gtc"
        try:
            self.bench.send(plan, **fields)
        except Rejection as rejection:
            event(f"refused: {rejection.body['message'][:20]!s}")

    @rule(milliseconds=st.sampled_from([1, 10, 100, 2_000]))
    def wait(self, milliseconds: int) -> None:
        self.bench.wait(milliseconds)

    @rule()
    def wait_for_months(self) -> None:
        self.bench.wait(91 * 24 * 3_600_000)

    @precondition(lambda self: self.exchange.orders.all_open())
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        order = data.draw(st.sampled_from(self.exchange.orders.all_open()))
        try:
            self.exchange.cancel(order.id)
        except Rejection:
            assert order.status is Status.PENDING_CANCEL

    @precondition(lambda self: self.exchange.orders.all_open())
    @rule(data=st.data(), tenths=st.integers(min_value=1, max_value=10))
    def fill_by_hand(self, data: st.DataObject, tenths: int) -> None:
        order = data.draw(st.sampled_from(self.exchange.orders.all_open()))
        part = (order.remaining * tenths / 10).quantize(Decimal("0.000000001"))
        if part > 0:
            try:
                self.exchange.fill_by_hand(order.id, part, None)
            except (Rejection, OverdrawnError):
                assert order.terms.limit_price is None

    @rule(on=st.booleans())
    def hold(self, on: bool) -> None:
        self.exchange.hold_all = on
        if not on:
            self.exchange.release()

    @rule(amount=st.integers(min_value=-2_000, max_value=2_000))
    def transfer(self, amount: int) -> None:
        try:
            transfer(
                self.exchange.account,
                "USD",
                Decimal(amount),
                price=Decimal(1),
                at=self.bench.clock.now(),
            )
        except OverdrawnError:
            return
        self.transferred["USD"] += amount

    @invariant()
    def every_currency_adds_up_to_zero(self) -> None:
        balances = self.exchange.account.ledger.balances()
        for currency in self.exchange.account.ledger.currencies():
            assert sum(balances[place][currency] for place in Place) == 0

    @invariant()
    def nothing_of_ours_is_negative(self) -> None:
        balances = self.exchange.account.ledger.balances()
        assert all(amount >= 0 for place in OWN for amount in balances[place].values())

    @invariant()
    def what_is_held_is_what_open_orders_hold(self) -> None:
        ledger = self.exchange.account.ledger
        for currency in ledger.currencies():
            assert ledger.held(currency) == self.exchange.orders.held(currency)

    @invariant()
    def balances_follow_from_the_executions(self) -> None:
        expected = dict(self.transferred)
        for execution in self.exchange.executions:
            asset = execution.order.terms.asset
            sign = 1 if execution.order.terms.side is Side.BUY else -1
            changes = (
                (asset.base, sign * execution.qty),
                (asset.quote, -sign * execution.qty * execution.price),
                (execution.fee_currency, -execution.fee),
            )
            for currency, amount in changes:
                expected[currency] = expected.get(currency, Decimal(0)) + amount
        ledger = self.exchange.account.ledger
        for currency, amount in expected.items():
            assert ledger.owned(currency) == amount
            if currency != "USD":
                assert self.exchange.account.holding(currency).qty == amount

    @invariant()
    def orders_add_up_and_only_go_forward(self) -> None:
        for order in self.exchange.orders.all():
            assert 0 <= order.filled_qty <= order.terms.working_qty
            assert (order.status is Status.FILLED) == (not order.remaining)
            assert order.is_open or not order.held
            before = self.seen.get(order.id, order)
            assert RANK[before.status] <= RANK[order.status]
            assert before.filled_qty <= order.filled_qty
            assert before.status not in FINISHED or before.status is order.status
            self.seen[order.id] = order

    @invariant()
    def no_update_follows_the_end_of_an_order(self) -> None:
        over: set[str] = set()
        for update in self.bench.updates:
            assert update.order.id not in over
            if not update.order.is_open:
                over.add(update.order.id)


Books.TestCase.settings = settings(
    CHECKED, max_examples=CHECKED.max_examples // 3, stateful_step_count=40
)
TestBooks = Books.TestCase
