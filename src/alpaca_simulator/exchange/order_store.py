"""The orders of the account, found by id, by client id, by symbol, or by a list query."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from alpaca_simulator.decimals import ZERO
from alpaca_simulator.exchange.orders import Order

FINISHED_KEPT = 20_000


@dataclass(frozen=True, slots=True)
class OrderQuery:
    """The parameters of GET /v2/orders (docs/alpaca.md 2.3)."""

    state: str = "open"
    limit: int = 50
    after: int | None = None  # exclusive, both
    until: int | None = None
    after_id: str | None = None
    before_id: str | None = None
    ascending: bool = False
    symbols: frozenset[str] = frozenset()
    side: str | None = None

    def accepts(self, order: Order) -> bool:
        """Whether an order belongs to the answer; `BTCUSD` finds nothing (docs/alpaca.md 1.4)."""
        submitted = order.terms.created_at
        return (
            (self.state == "all" or (self.state == "open") == order.is_open)
            and (self.after is None or submitted > self.after)
            and (self.until is None or submitted < self.until)
            and (not self.symbols or order.symbol in self.symbols)
            and (self.side is None or order.terms.side.value == self.side)
        )


class OrderStore:
    """The orders in the order of their submission.

    Of those that are over, the latest are kept; the names that clients gave are never forgotten.
    """

    def __init__(self) -> None:
        self._orders: dict[str, Order] = {}
        self._rank: dict[str, int] = {}
        self._submitted = 0
        self._by_client_id: dict[str, str] = {}
        self._open: dict[str, dict[str, None]] = {}
        self._finished: deque[str] = deque()

    def put(self, order: Order) -> None:
        """Stores a new order, or the next moment of a known one."""
        if order.id not in self._orders:
            self._rank[order.id] = self._submitted
            self._submitted += 1
            self._by_client_id[order.terms.client_order_id] = order.id
        self._orders[order.id] = order
        of_symbol = self._open.setdefault(order.symbol, {})
        if order.is_open:
            of_symbol[order.id] = None
        elif order.id in of_symbol:
            del of_symbol[order.id]
            self._finished.append(order.id)
            if len(self._finished) > FINISHED_KEPT:
                oldest = self._finished.popleft()
                del self._orders[oldest], self._rank[oldest]

    def is_taken(self, client_order_id: str) -> bool:
        """Whether an order ever had this name."""
        return client_order_id in self._by_client_id

    def get(self, order_id: str) -> Order | None:
        """Given an id, returns the order."""
        return self._orders.get(order_id)

    def by_client_id(self, client_order_id: str) -> Order | None:
        """Given a client's id, returns the order."""
        order_id = self._by_client_id.get(client_order_id)
        return None if order_id is None else self._orders.get(order_id)

    def open_of(self, symbol: str) -> list[Order]:
        """The open orders of a symbol, oldest first."""
        ids = self._open.get(symbol)
        return [self._orders[order_id] for order_id in ids] if ids else []

    def all_open(self) -> list[Order]:
        """Every open order, oldest first within its symbol."""
        return [order for symbol in self._open for order in self.open_of(symbol)]

    def all(self) -> list[Order]:
        """Every order there ever was, oldest first."""
        return list(self._orders.values())

    def held(self, currency: str) -> Decimal:
        """What the open orders together reserve of a currency."""
        return sum(
            (o.held for o in self.all_open() if o.terms.held_currency == currency), start=ZERO
        )

    def query(self, query: OrderQuery) -> list[Order]:
        """Given a list query, returns its page."""
        page: list[Order] = []
        for order in self._candidates(query):
            if len(page) == query.limit:
                break
            if query.accepts(order):
                page.append(order)
        return page

    def _candidates(self, query: OrderQuery) -> Iterator[Order]:
        low = -1 if query.after_id is None else self._rank.get(query.after_id, self._submitted)
        high = self._submitted
        if query.before_id is not None:
            high = self._rank.get(query.before_id, -1)
        found: Iterable[Order]
        if query.state == "open":
            by_rank = sorted(self.all_open(), key=lambda order: self._rank[order.id])
            found = by_rank if query.ascending else reversed(by_rank)
        else:
            orders = self._orders.values()
            found = orders if query.ascending else reversed(orders)
        for order in found:
            if low < self._rank[order.id] < high:
                yield order
