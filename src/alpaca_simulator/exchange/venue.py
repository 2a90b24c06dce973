"""The exchange: takes orders, matches them against quotes, publishes what happened.

Synchronous and without input or output: time comes from the clock that it is given, and what is to
happen later waits in an agenda until `run_due` is called. So a test can walk it step by step.
"""

import random
from dataclasses import replace
from decimal import Decimal

from alpaca_simulator.clock import Clock
from alpaca_simulator.exchange.admission import Admission
from alpaca_simulator.exchange.agenda import Agenda, Due
from alpaca_simulator.exchange.assets import Asset
from alpaca_simulator.exchange.books import Books
from alpaca_simulator.exchange.drafts import Draft
from alpaca_simulator.exchange.matching import Match, Rules, match, part_of, reaches_stop
from alpaca_simulator.exchange.orders import Liquidity, Order, OrderType, Side, Status, TimeInForce
from alpaca_simulator.exchange.plans import AfterPart, Plan
from alpaca_simulator.exchange.rejections import Rejection, unprocessable
from alpaca_simulator.prices.quotes import Quote

ORDINARY = Plan()
AGENDA_SPARE = 1000


class Exchange(Books):
    """One account on one exchange: what becomes of its orders, and when."""

    def __init__(self, rules: Rules, clock: Clock, *, seed: int, assets: list[Asset]) -> None:
        super().__init__(rules, clock, seed=seed, assets=assets)
        self.agenda = Agenda()
        self.hold_all = False
        self.held_symbols: set[str] = set()
        self._random = random.Random(f"exchange:{seed}")  # noqa: S311
        self._plans: dict[str, Plan] = {}
        self._arrival_quotes: dict[str, Quote | None] = {}

    # What clients ask for

    def submit(self, draft: Draft, plan: Plan | None = None) -> Order:
        """Given a draft, takes it as a pending order; raises Rejection when it may not enter."""
        order = self._admit(draft, plan or self.ordinary_plan())
        self._begin(order)
        return order

    def ordinary_plan(self) -> Plan:
        """The plan of an order without faults: one in ten fills in parts (docs/alpaca.md 1.9)."""
        if self._random.random() >= self.rules.partial_fill_chance:
            return ORDINARY
        return Plan(part=Decimal(self._random.randint(10, 90)) / 100)

    def cancel(self, order_id: str) -> Order:
        """Given an order, requests its cancel, which ends later; raises Rejection if it is over."""
        order = self.order(order_id)
        if not order.is_open:
            raise unprocessable(f'order is already in "{order.status.value}" state')
        if order.status is Status.PENDING_CANCEL:
            raise unprocessable("order pending cancel")
        now = self.clock.now()
        order = self._put(
            replace(order, status=Status.PENDING_CANCEL, cancel_requested_at=now, updated_at=now)
        )
        plan = self._plan(order)
        if plan.fill_on_cancel:
            self._fill_anyway(order)
        latency = plan.cancel_latency
        self._later(self.rules.cancel_latency if latency is None else latency, Due.CANCEL, order)
        return self.order(order_id)

    def replace_order(self, order_id: str, draft: Draft) -> Order:
        """Given an order and its successor, swaps them; raises Rejection and changes nothing."""
        old = self.order(order_id)
        if old.status not in (Status.NEW, Status.PARTIALLY_FILLED):
            raise unprocessable(f"cannot replace order in {old.status.value} status")
        if old.terms.notional is not None:
            raise unprocessable("cannot replace notional order")
        now = self.clock.now()
        gone = self._put(replace(old, status=Status.REPLACED, replaced_at=now, updated_at=now))
        try:
            new = self._admit(draft, self.ordinary_plan(), replaces=old.id)
        except Rejection:
            self._put(replace(old, held=gone.held))
            raise
        gone = self._put(replace(gone, replaced_by=new.id))
        self._tell("replaced", gone)
        self._begin(new)
        return new

    def plan_cancel(self, order_id: str, *, latency: int | None, fill: bool) -> None:
        """Given an order, decides how a cancel of it will go."""
        plan = self._plan(self.order(order_id))
        self._plans[order_id] = replace(plan, cancel_latency=latency, fill_on_cancel=fill)

    # What the market and time do

    def set_quote(self, quote: Quote) -> None:
        """Given a quote, puts it in force and meets the open orders of its symbol with it."""
        self.quotes[quote.symbol] = quote
        for order in self.orders.open_of(quote.symbol):
            if order.status is not Status.PENDING_NEW:
                self._meet(order, quote)

    def run_due(self) -> None:
        """Does everything whose time has come."""
        now = self.clock.timer()
        while entry := self.agenda.pop_due(now):
            what, order_id = entry
            order = self.orders.get(order_id)
            if order is not None and order.is_open:
                self._do(what, order)
        open_orders = self.orders.all_open()
        if len(self.agenda) > AGENDA_SPARE + 4 * len(open_orders):
            # Most of it are the ends, months ahead, of orders that are over.
            self.agenda.keep({order.id for order in open_orders})

    def release(self, symbol: str | None = None) -> None:
        """Meets the open orders of a symbol, or all, with the quote in force after a hold."""
        for order in self.orders.all_open() if symbol is None else self.orders.open_of(symbol):
            quote = self.quotes.get(order.symbol)
            if quote is not None and order.status is not Status.PENDING_NEW:
                self._plans[order.id] = ORDINARY
                self._meet(order, quote)

    # What the control API does

    def fill_by_hand(self, order_id: str, qty: Decimal | None, price: Decimal | None) -> Order:
        """Given an open order, fills an amount of it (all by default) at a price (its own)."""
        order = self.order(order_id)
        if not order.is_open:
            raise unprocessable(f'order is already in "{order.status.value}" state')
        order = self._arrived(order)
        quote = self.quotes.get(order.symbol)
        found = None if quote is None else match(order, quote)
        price = price or (found.price if found else order.terms.limit_price)
        if price is None:
            raise unprocessable("a price is needed")
        amount = min(qty or order.remaining, order.remaining)
        return self._execute(order, amount, Match(price, Liquidity.TAKER), None)

    def finish(self, order_id: str, status: Status) -> Order:
        """Given an open order, ends it now: canceled, expired or rejected."""
        order = self.order(order_id)
        if not order.is_open:
            raise unprocessable(f'order is already in "{order.status.value}" state')
        return self._end(order, status)

    # The life of an order

    def _admit(self, draft: Draft, plan: Plan, *, replaces: str | None = None) -> Order:
        gate = Admission(self.rules, self.orders, self.account.ledger)
        quote = self.quotes.get(draft.asset.symbol)
        terms = gate.admit(
            draft,
            quote,
            order_id=self.ids.uuid(),
            fallback_id=self.ids.uuid(),
            now=self.clock.now(),
        )
        terms = replace(terms, replaces=replaces)
        self._plans[terms.id] = plan
        # It fills against the quote in force when the request came, unless its plan delays it.
        if not plan.latency:
            self._arrival_quotes[terms.id] = quote
        return self._put(Order(terms, Status.PENDING_NEW, updated_at=self.clock.now()))

    def _begin(self, order: Order) -> None:
        self._tell("pending_new", order)
        latency = self._plan(order).latency
        self._later(self.rules.fill_latency if latency is None else latency, Due.ARRIVE, order)
        self.agenda.add(order.terms.expires_at, Due.EXPIRE, order.id)

    def _do(self, what: Due, order: Order) -> None:
        match what:
            case Due.ARRIVE:
                self._arrive(order)
            case Due.REMAINDER:
                if order.filled_qty and (quote := self.quotes.get(order.symbol)):
                    self._meet(order, quote)
            case Due.CANCEL:
                self._end(order, Status.CANCELED)
            case Due.EXPIRE:
                self._end(order, Status.EXPIRED)

    def _arrive(self, order: Order) -> None:
        present = self.quotes.get(order.symbol)
        quote = self._arrival_quotes.pop(order.id, present)
        plan = self._plan(order)
        if plan.reject is not None:
            self._end(order, Status.REJECTED)
            return
        order = self._arrived(order)
        if self._is_held(order):
            return
        for one in dict.fromkeys((quote, present)):
            order = self.order(order.id)
            if one is not None and order.is_open and not order.filled_qty:
                self._meet(order, one)
        order = self.order(order.id)
        at_once = order.terms.time_in_force is TimeInForce.IOC
        if order.is_open and (plan.band_cancel or at_once):
            self._end(order, Status.CANCELED)

    def _is_held(self, order: Order) -> bool:
        return self.hold_all or order.symbol in self.held_symbols

    def _meet(self, order: Order, quote: Quote) -> None:
        if self._is_held(order):
            return
        plan = self._plan(order)
        if order.filled_qty and plan.after_part is AfterPart.REST and plan.part is not None:
            return
        if not order.triggered and reaches_stop(order, quote):
            order = self._put(replace(order, triggered=True))
        found = match(order, quote)
        if found is None:
            if order.terms.type is not OrderType.STOP_LIMIT or order.triggered:
                self._put(replace(order, resting=True))
            return
        part = plan.part if not order.filled_qty else None
        if plan.band_cancel and part is None:
            return
        qty = order.remaining if part is None else part_of(order, part)
        if not self._affordable(order, qty * found.price):
            self._end(order, Status.CANCELED)
            return
        order = self._execute(order, qty, found, quote)
        if order.is_open and plan.after_part is AfterPart.CANCEL:
            self._end(order, Status.CANCELED)
        elif order.is_open and plan.after_part is AfterPart.FILL:
            self._later(self.rules.remainder_latency, Due.REMAINDER, order)

    def _affordable(self, order: Order, cost: Decimal) -> bool:
        # The rest of a market buy can meet a price above what it reserved.
        ledger = self.account.ledger
        if order.terms.side is Side.SELL:
            return True
        return cost <= order.held + ledger.free(order.terms.asset.quote)

    def _fill_anyway(self, order: Order) -> None:
        quote = self.quotes.get(order.symbol)
        found = None if quote is None else match(order, quote)
        price = found.price if found is not None else order.terms.limit_price
        if price is not None:
            self._execute(order, order.remaining, Match(price, Liquidity.MAKER), quote)

    def _end(self, order: Order, status: Status) -> Order:
        self._forget_plan(order)
        return super()._end(order, status)

    def _execute(self, order: Order, qty: Decimal, found: Match, quote: Quote | None) -> Order:
        order = super()._execute(order, qty, found, quote)
        if not order.is_open:
            self._forget_plan(order)
        return order

    def _forget_plan(self, order: Order) -> None:
        self._plans.pop(order.id, None)
        self._arrival_quotes.pop(order.id, None)

    def _plan(self, order: Order) -> Plan:
        return self._plans.get(order.id, ORDINARY)

    def _later(self, latency: int, what: Due, order: Order) -> None:
        self.agenda.add(self.clock.timer() + latency, what, order.id)
