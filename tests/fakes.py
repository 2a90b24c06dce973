"""Fakes with behaviour, for tests of whoever uses a port.

Rule: a fake behaves like the real thing as far as broker_contract.py can tell; its mishaps are
asked for by name, and happen at once, so that no test has to wait.
"""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import ROUND_CEILING, Decimal

from dca_bot.core.holdings import Holdings
from dca_bot.core.model import (
    ZERO,
    Account,
    AssetRules,
    Holding,
    Order,
    OrderStatus,
    OrderUpdate,
    Quote,
    Side,
)
from dca_bot.program.clock import Clock
from dca_bot.program.errors import OrderOutcomeUnknown, OrderRefused

STEP = Decimal("0.000000001")
CENT = Decimal("0.01")
MIN_BUY_USD = Decimal(10)
MAX_ORDER_USD = Decimal(200_000)


def coin_of(symbol: str) -> str:
    return symbol.partition("/")[0]


def money_of(symbol: str) -> str:
    return symbol.partition("/")[2]


@dataclass(slots=True)
class _Working:
    """An order as the fake exchange has it."""

    order: Order
    update: OrderUpdate
    replaced: tuple[OrderUpdate, ...] = ()  # what hands have put this one in the place of

    @property
    def name(self) -> str:
        """The client order id under which it is listed: Alpaca gives a successor one of its own."""
        own = self.update.alpaca_order_id or ""
        return f"by-hand-{own}" if self.replaced else self.order.client_order_id

    @property
    def rest(self) -> Decimal:
        return self.order.quantity - self.update.filled_quantity

    @property
    def is_open(self) -> bool:
        return not self.update.status.is_finished


class FakeBroker:
    """An exchange in memory behind ports.Broker.

    Marketable orders fill as soon as they are sent or a quote makes them so, unless
    `holds_fills`; the fee of a BUY leaves in coin, rounded up per fill (docs/alpaca.md 1.5).  The
    answer to a submit still says "open", as Alpaca's does, unless `answer_shows_fill`.  Each
    news of an order goes to `updates`, and to `listener` the moment it happens: so also before
    submit has returned.

    Mishaps: `refuse`, `lose_answer`, `fail`, `ignores_cancels`, `unseen`, `end`, `edit`.
    """

    def __init__(
        self,
        *symbols: str,
        cash: Decimal | int = 100_000,
        fee_rate: Decimal | str = "0.0025",
        clock: Clock = lambda: datetime(2026, 1, 1, tzinfo=UTC),
    ) -> None:
        self.money = {"USD": Decimal(cash)}  # dollars; other money is a position
        self.fee_rate = Decimal(fee_rate)
        self.asset_rules = {each: AssetRules(each, True, STEP, STEP) for each in symbols}
        self.account_problem = ""
        self.holds_fills = False
        self.answer_shows_fill = False
        self.ignores_cancels = False
        self.unseen: set[str] = set()  # ids of both kinds under which it finds no order
        self.listener: Callable[[OrderUpdate], None] = lambda _: None
        self.updates: list[OrderUpdate] = []
        self.calls: list[str] = []  # the verbs, in the order in which they were used
        self.submitted: list[Order] = []  # every order that a request was made for, refused or not
        self.clock = clock
        self._lock = threading.RLock()
        self._quotes: dict[str, Quote] = {}
        self._orders: dict[str, _Working] = {}
        self._holdings: dict[str, Holding] = {}  # by coin
        self._late_view: Holdings | None = None
        self.clock_offset = timedelta(0)
        self.unreadable: dict[str, str] = {}  # by coin, why its position can't be read
        self._failures: dict[str, deque[Exception]] = defaultdict(deque)
        self._refusals: deque[tuple[str, bool]] = deque()  # and whether cash is missing
        self._lost_answers: deque[bool] = deque()

    # -- the world, as tests shape it

    def quote(self, symbol: str, bid: Decimal | str | int, ask: Decimal | str | int) -> Quote:
        """Set the quote, fill what it makes marketable, and return it."""
        with self._lock:
            self._quotes[symbol] = Quote(symbol, Decimal(bid), Decimal(ask), self.clock())
            self.asset_rules.setdefault(symbol, AssetRules(symbol, True, STEP, STEP))
            self._match()
            return self._quotes[symbol]

    def hold(self, symbol: str, quantity: Decimal | str, average: Decimal | str) -> None:
        """Put a position into the account, as a trade by hand would; zero takes it away.

        `symbol` is the coin, or any pair of it.
        """
        with self._lock:
            self._set_holding(coin_of(symbol), Decimal(quantity), Decimal(average))

    def let_positions_lag(self) -> None:
        """Show the positions of now, whatever is traded, until they may `catch_up`."""
        with self._lock:
            self._late_view = self._view()

    def lose_positions(self) -> None:
        """Answer with an empty list, until it may `catch_up`."""
        self._late_view = Holdings()

    def catch_up(self) -> None:
        """Show the positions as they are."""
        self._late_view = None

    def release_fills(self) -> None:
        """Fill, from now on and at once, what is marketable."""
        with self._lock:
            self.holds_fills = False
            self._match()

    def fill(
        self,
        client_order_id: str,
        quantity: Decimal | str | None = None,
        price: Decimal | str | None = None,
    ) -> OrderUpdate:
        """Fill `quantity` (all that is left) at `price` (limit or quote), even if canceled."""
        with self._lock:
            working = self._orders[client_order_id]
            quantity = working.rest if quantity is None else Decimal(quantity)
            at = self._price(working) if price is None else Decimal(price)
            assert at is not None, f"no quote for {working.update.symbol}"
            return self._fill(working, quantity, at)

    def end(self, client_order_id: str, status: OrderStatus, reason: str = "") -> OrderUpdate:
        """Let the exchange end an order: canceled, expired or rejected."""
        with self._lock:
            working = self._orders[client_order_id]
            return self._tell(working, replace(working.update, status=status, reason=reason))

    def edit(self, client_order_id: str, limit: Decimal | str) -> None:
        """Replace an order, as Alpaca's dashboard does: the stream tells nothing that we hear."""
        with self._lock:
            working = self._orders[client_order_id]
            name = f"{working.update.alpaca_order_id}-edited"
            working.replaced += (replace(working.update, replaced_by=name),)
            working.order = replace(working.order, limit_price=Decimal(limit))
            working.update = replace(working.update, alpaca_order_id=name)
            self._match()

    def refuse(self, message: str, *, needs_cash: bool = False) -> None:
        """Refuse the next order."""
        self._refusals.append((message, needs_cash))

    def lose_answer(self, *, taken: bool) -> None:
        """Let the next submit end in doubt, with or without the order at the exchange."""
        self._lost_answers.append(taken)

    def fail(self, verb: str, error: Exception, times: int = 1) -> None:
        """Raise `error` from the next `times` uses of a verb, before anything happens."""
        self._failures[verb].extend([error] * times)

    # -- ports.Broker

    def submit(self, order: Order, symbol: str) -> OrderUpdate:
        with self._lock:
            self._called("submit")
            self.submitted.append(order)
            if order.client_order_id in self._orders:
                return self._without_position(order.client_order_id)
            is_lost = bool(self._lost_answers)
            if is_lost and not self._lost_answers.popleft():
                raise OrderOutcomeUnknown(f"{order.client_order_id}: no answer")
            answer = self._take(order, symbol)
            self._match()
            if is_lost:
                raise OrderOutcomeUnknown(f"{order.client_order_id}: no answer")
            if self.answer_shows_fill:
                return self._without_position(order.client_order_id)
            return answer

    def cancel(self, alpaca_order_id: str) -> None:
        with self._lock:
            self._called("cancel")
            for working in self._orders.values():
                is_meant = working.update.alpaca_order_id == alpaca_order_id
                if is_meant and working.is_open and not self.ignores_cancels:
                    canceled = replace(working.update, status=OrderStatus.CANCELED)
                    self._tell(working, replace(canceled, position_quantity=None))

    def order(self, client_order_id: str) -> OrderUpdate | None:
        with self._lock:
            self._called("order")
            if client_order_id not in self._orders.keys() - self.unseen:
                return None
            return self._without_position(client_order_id)

    def order_by_id(self, alpaca_order_id: str) -> OrderUpdate | None:
        with self._lock:
            self._called("order_by_id")
            for client_order_id, working in self._orders.items():
                update = self._without_position(client_order_id)
                if alpaca_order_id in self.unseen:
                    continue
                if alpaca_order_id == update.alpaca_order_id:
                    return replace(update, client_order_id=working.name)
                if alpaca_order_id in {each.alpaca_order_id for each in working.replaced}:
                    return update
            return None

    def open_orders(self) -> Sequence[OrderUpdate]:
        with self._lock:
            self._called("open_orders")
            return [
                replace(working.update, client_order_id=working.name, position_quantity=None)
                for name, working in self._orders.items()
                if name not in self.unseen and working.is_open
            ]

    def closed_orders(self, since: datetime) -> Sequence[OrderUpdate]:
        with self._lock:
            self._called("closed_orders")
            orders = [
                working
                for working in self._orders.values()
                if (working.update.created_at or since) > since
            ]
            return [
                *(each for working in orders for each in working.replaced),
                *(
                    replace(working.update, client_order_id=working.name, position_quantity=None)
                    for working in orders
                    if not working.is_open
                ),
            ]

    def holdings(self, *, urgent: bool = False) -> Holdings:
        with self._lock:
            self._called("holdings")
            return self._view() if self._late_view is None else self._late_view

    def _view(self) -> Holdings:
        with self._lock:
            held = {
                coin: replace(held, available=held.quantity - self._held_back(coin))
                for coin, held in self._holdings.items()
            }
            readable = {coin: each for coin, each in held.items() if coin not in self.unreadable}
            return Holdings(readable, dict(self.unreadable))

    def cash(self, currency: str) -> Decimal:
        if currency == "USD":
            return self.account().cash_available
        held = self.holdings().of(currency)
        return held.available if held else ZERO

    def account(self) -> Account:
        with self._lock:
            self._called("account")
            return Account(self._available("USD"), self.account_problem)

    def rules(self) -> Mapping[str, AssetRules]:
        with self._lock:
            self._called("rules")
            return dict(self.asset_rules)

    def latest_quotes(self, symbols: Iterable[str]) -> Mapping[str, Quote]:
        with self._lock:
            self._called("latest_quotes")
            return {each: self._quotes[each] for each in symbols if each in self._quotes}

    # -- how it works

    def _called(self, verb: str) -> None:
        self.calls.append(verb)
        if self._failures[verb]:
            raise self._failures[verb].popleft()

    def _take(self, order: Order, symbol: str) -> OrderUpdate:
        if self._refusals:
            message, needs_cash = self._refusals.popleft()
            raise OrderRefused(message, side=order.side, needs_cash=needs_cash)
        self._refuse_if_against_the_rules(order, symbol)
        update = OrderUpdate(
            client_order_id=order.client_order_id,
            alpaca_order_id=f"alpaca-{order.client_order_id}",
            symbol=symbol,
            side=order.side,
            status=OrderStatus.OPEN,
            created_at=self.clock(),
        )
        self._orders[order.client_order_id] = _Working(order, update)
        return self._tell(self._orders[order.client_order_id], update)

    def _refuse_if_against_the_rules(self, order: Order, symbol: str) -> None:
        rules, quote = self.asset_rules.get(symbol), self._quotes.get(symbol)
        if rules is None or not rules.tradable:
            raise OrderRefused(f"asset {symbol} is not active", side=order.side)
        if order.side is Side.SELL:
            if order.quantity * (quote.bid if quote else ZERO) > MAX_ORDER_USD:
                raise OrderRefused("notional value above the maximum of 200000", side=order.side)
            if order.quantity > self._available(coin_of(symbol)):
                raise OrderRefused(f"insufficient balance for {coin_of(symbol)}", side=order.side)
            return
        price = order.limit_price or (quote.ask if quote else ZERO)
        if order.quantity * price > MAX_ORDER_USD:
            raise OrderRefused("notional value above the maximum of 200000", side=order.side)
        if symbol.endswith("/USD") and order.quantity * price < MIN_BUY_USD:
            raise OrderRefused("cost basis must be >= minimal amount of order 10", side=order.side)
        currency = money_of(symbol)
        if order.quantity * price > self._available(currency):
            raise OrderRefused(
                f"insufficient balance for {currency}", side=order.side, needs_cash=True
            )

    def _match(self) -> None:
        if self.holds_fills:
            return
        for working in list(self._orders.values()):
            price = self._price(working) if working.is_open else None
            limit = working.order.limit_price
            if price is None:
                continue
            is_buy = working.order.side is Side.BUY
            if limit is None or (price <= limit if is_buy else price >= limit):
                self._fill(working, working.rest, price)

    def _price(self, working: _Working) -> Decimal | None:
        quote = self._quotes.get(working.update.symbol)
        if quote is None:
            return working.order.limit_price
        return quote.ask if working.order.side is Side.BUY else quote.bid

    def _fill(self, working: _Working, quantity: Decimal, price: Decimal) -> OrderUpdate:
        before, symbol = working.update, working.update.symbol
        coin, currency = coin_of(symbol), money_of(symbol)
        held = self._holdings.get(coin, Holding(coin, ZERO, ZERO, price))
        cost = quantity * price
        if working.order.side is Side.BUY:
            self._pay(currency, -cost)
            net = quantity - (quantity * self.fee_rate).quantize(STEP, ROUND_CEILING)
            average = (held.quantity * held.average_entry_price + net * price) / (
                held.quantity + net
            )
            self._set_holding(coin, held.quantity + net, average)
        else:
            self._pay(currency, cost - (cost * self.fee_rate).quantize(CENT, ROUND_CEILING))
            self._set_holding(coin, held.quantity - quantity, held.average_entry_price)
        filled = before.filled_quantity + quantity
        old_cost = before.filled_quantity * (before.filled_average_price or ZERO)
        is_done = filled >= working.order.quantity
        after = self._holdings.get(coin)
        update = replace(
            before,
            status=OrderStatus.FILLED if is_done else before.status,
            filled_quantity=filled,
            filled_average_price=(old_cost + cost) / filled,
            position_quantity=after.quantity if after else ZERO,
        )
        return self._tell(working, update)

    def _tell(self, working: _Working, update: OrderUpdate) -> OrderUpdate:
        if update.status.is_finished and working.is_open:
            update = replace(update, ended_at=self.clock())
        working.update = update
        self.updates.append(update)
        if not working.replaced:  # the stream names a successor by an id that is not ours
            self.listener(update)
        return update

    def _without_position(self, client_order_id: str) -> OrderUpdate:
        # only the stream tells the position along with a fill
        return replace(self._orders[client_order_id].update, position_quantity=None)

    def _pay(self, currency: str, amount: Decimal) -> None:
        if currency in self.money:
            self.money[currency] += amount
        else:
            held = self._holdings.get(currency, Holding(currency, ZERO, ZERO, Decimal(1)))
            self._set_holding(currency, held.quantity + amount, held.average_entry_price)

    def _set_holding(self, coin: str, quantity: Decimal, average: Decimal) -> None:
        if quantity > 0:
            self._holdings[coin] = Holding(coin, quantity, quantity, average)
        else:
            self._holdings.pop(coin, None)

    def _available(self, coin: str) -> Decimal:
        """What is there of a coin or of dollars, less what open orders hold back."""
        held = self._holdings.get(coin)
        owned = self.money.get(coin, held.quantity if held else ZERO)
        return owned - self._held_back(coin)

    def _held_back(self, coin: str) -> Decimal:
        """What open SELLs of the coin and open BUYs that pay with it need."""
        working = [each for each in self._orders.values() if each.is_open]
        needed = ZERO
        for each in working:
            if each.order.side is Side.SELL and coin_of(each.update.symbol) == coin:
                needed += each.rest
            elif each.order.side is Side.BUY and money_of(each.update.symbol) == coin:
                needed += each.rest * (each.order.limit_price or self._price(each) or ZERO)
        return needed
