"""The books of the exchange: its account, its orders and executions, and updates about them.

Rule of this file: whatever happens to an order goes through `_put`, `_execute` or `_end`, so that
money on hold, the ledger and the trade updates always agree with it. What happens, and when, is
decided in exchange.py.
"""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

from alpaca_simulator.clock import Clock
from alpaca_simulator.decimals import ZERO
from alpaca_simulator.exchange.account import CASH, Account, Configuration
from alpaca_simulator.exchange.assets import Asset, AssetBook
from alpaca_simulator.exchange.ledger import Place
from alpaca_simulator.exchange.matching import Match, Rules, fee
from alpaca_simulator.exchange.order_store import OrderStore
from alpaca_simulator.exchange.orders import Liquidity, Order, Status
from alpaca_simulator.exchange.rejections import order_not_found
from alpaca_simulator.exchange.settlement import settle
from alpaca_simulator.exchange.updates import Execution, Executions, Ids, TradeUpdate
from alpaca_simulator.prices.quotes import Quote


class Books:
    """One account's orders and money, and the updates about them."""

    def __init__(self, rules: Rules, clock: Clock, *, seed: int, assets: list[Asset]) -> None:
        self.rules = rules
        self.clock = clock
        self.ids = Ids(seed)
        self.assets = AssetBook(assets)
        self.account_id = self.ids.uuid()
        self.account = Account(clock.now(), rules.starting_cash)
        self.account.ledger.move(CASH, rules.starting_cash, Place.OUTSIDE, Place.FREE)
        self.orders = OrderStore()
        self.executions = Executions()
        self.configuration = Configuration()
        self.quotes: dict[str, Quote] = {}
        self.listeners: list[Callable[[TradeUpdate], None]] = []

    def order(self, order_id: str) -> Order:
        """Given an id, returns the order; raises Rejection when there is none."""
        order = self.orders.get(order_id)
        if order is None:
            raise order_not_found(order_id)
        return order

    def usd_price(self, currency: str) -> Decimal:
        """What a unit of a currency is worth in USD; 1 without a quote."""
        quote = self.quotes.get(f"{currency}/{CASH}")
        return quote.mid if quote is not None and currency != CASH else Decimal(1)

    def coin_price(self, asset: Asset) -> Decimal:
        """What an asset's coin is worth in USD; 0 without a quote."""
        quote = self.quotes.get(asset.symbol)
        return ZERO if quote is None else quote.mid * self.usd_price(asset.quote)

    def held_assets(self, at: int | None = None) -> list[Asset]:
        """The assets that stand for what is, or was, held."""
        found = (self.assets.of_coin(coin) for coin in self.account.coins(at))
        return [asset for asset in found if asset is not None]

    def market_value(self) -> Decimal:
        """What all coins together are worth in USD, at the middle of their quotes."""
        holding = self.account.holding
        return sum(
            (holding(one.base).qty * self.coin_price(one) for one in self.held_assets()), ZERO
        )

    def equity(self) -> Decimal:
        """Cash and coins."""
        return self.account.ledger.owned(CASH) + self.market_value()

    def _arrived(self, order: Order) -> Order:
        if order.status is not Status.PENDING_NEW:
            return order
        order = self._put(replace(order, status=Status.NEW, updated_at=self.clock.now()))
        self._tell("new", order)
        return order

    def _execute(self, order: Order, qty: Decimal, found: Match, quote: Quote | None) -> Order:
        at = self.clock.now()
        maker = found.liquidity is Liquidity.MAKER
        rate = self.rules.maker_fee if maker else self.rules.taker_fee
        currency, amount = fee(order, qty, found.price, rate)
        used = settle(
            self.account, order, qty, found.price, fee=amount, at=at, usd_price=self.usd_price
        )
        order = replace(order.filled(qty, found.price, at), held=order.held - used)
        order = self._put(order)
        execution = Execution(
            id=self.ids.uuid(),
            order=order,
            qty=qty,
            price=found.price,
            fee_currency=currency,
            fee=amount,
            liquidity=found.liquidity,
            position_qty=self.account.ledger.owned(order.terms.asset.base),
            quote=quote,
            at=at,
        )
        self.executions.append(execution)
        self._tell(execution.event, order, execution)
        return order

    def _end(self, order: Order, status: Status) -> Order:
        now = self.clock.now()
        ended = replace(order, status=status, updated_at=now)
        if status is Status.CANCELED:
            ended = replace(ended, canceled_at=now)
        elif status is Status.EXPIRED:
            ended = replace(ended, expired_at=now)
        else:
            ended = replace(ended, failed_at=now)
        order = self._put(ended)
        self._tell(status.value, order)
        return order

    def _put(self, order: Order) -> Order:
        """Stores an order, with exactly what it needs on hold."""
        ledger, currency = self.account.ledger, order.terms.held_currency
        missing = order.hold_needed() - order.held
        if missing > 0:
            missing = min(missing, ledger.free(currency))
            ledger.move(currency, missing, Place.FREE, Place.HELD)
        else:
            ledger.move(currency, -missing, Place.HELD, Place.FREE)
        if missing:
            order = replace(order, held=order.held + missing)
        self.orders.put(order)
        return order

    def _tell(self, event: str, order: Order, execution: Execution | None = None) -> None:
        at = self.clock.now()
        # Present on new and on fills, absent on pending_new (docs/alpaca.md 3.2).
        execution_id = None if event == "pending_new" else self.ids.uuid()
        if execution is not None:
            execution_id = execution.id
        update = TradeUpdate(event, order, at, self.ids.ulid(at), execution_id, execution)
        for listener in self.listeners:
            listener(update)
