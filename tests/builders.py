"""Rows and messages for tests, complete but for what a test wants to say about them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import settings

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
from dca_bot.store.memory_store import MemoryStore
from dca_bot.trading.settle import Recovered, recover
from dca_bot.trading.trader import Trader
from tests.fakes import FakeBroker

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
BTC = "BTC/USD"
STEP = Decimal("0.000000001")

# The same examples on every machine; how many of them, conftest.py says.
CHECKED = settings(derandomize=True)


def money(value: Decimal | str | int | None) -> Decimal | None:
    return None if value is None else Decimal(value)


def an_asset(**columns: Any) -> Asset:
    """The sample row of the README; numbers may be written as text."""
    row: dict[str, Any] = {
        "asset_id": 1,
        "symbol": BTC,
        "is_enabled": True,
        "base_order_amount": "20",
        "safety_order_amount": "20",
        "max_safety_orders": 5,
        "safety_order_deviation_pct": "1.5",
        "take_profit_pct": "1",
        "cooldown_seconds": 300,
        "restart_deviation_pct": "2",
        "last_sell_price": None,
    }
    return Asset(**_with_decimals(row | columns, _AMOUNTS))


def a_cycle(**columns: Any) -> Cycle:
    """A watching cycle that holds nothing."""
    row: dict[str, Any] = {"cycle_id": 1, "asset_id": 1, "status": CycleStatus.WATCHING}
    return Cycle(**_with_decimals(row | columns, _AMOUNTS))


def a_holding_cycle(**columns: Any) -> Cycle:
    """A watching cycle that bought one coin at 100."""
    row = {"quantity": "1", "average_purchase_price": "100", "last_order_fill_price": "100"}
    return a_cycle(**row | columns)


def an_order(**columns: Any) -> Order:
    """A base order for one coin at 100, open at Alpaca."""
    row: dict[str, Any] = {
        "client_order_id": "dca-1-base-1",
        "asset_id": 1,
        "cycle_id": 1,
        "kind": OrderKind.BASE,
        "rung": 0,
        "quantity": "1",
        "limit_price": "100",
        "status": OrderStatus.OPEN,
        "created_at": NOW,
    }
    return Order(**_with_decimals(row | columns, _AMOUNTS))


def an_update(order: Order, status: OrderStatus | str, **fields: Any) -> OrderUpdate:
    """What Alpaca says of `order`."""
    message: dict[str, Any] = {
        "client_order_id": order.client_order_id,
        "alpaca_order_id": "alpaca-1",
        "symbol": BTC,
        "side": order.side,
        "status": OrderStatus(status),
    }
    return OrderUpdate(**_with_decimals(message | fields, _AMOUNTS))


def a_fill(
    order: Order,
    filled: Decimal | str | int,
    price: Decimal | str | int = 100,
    *,
    status: OrderStatus | str = OrderStatus.FILLED,
    position: Decimal | str | None = None,
) -> OrderUpdate:
    """The order is filled by so much in all, at this average."""
    return an_update(
        order,
        status,
        filled_quantity=filled,
        filled_average_price=price,
        position_quantity=position,
    )


def a_quote(
    bid: Decimal | str | int, ask: Decimal | str | int | None = None, *, symbol: str = BTC
) -> Quote:
    """Bid and ask; one price alone is both."""
    return Quote(symbol, Decimal(bid), Decimal(bid if ask is None else ask), NOW)


def a_holding(quantity: Decimal | str | int, *, available: Decimal | str | None = None) -> Holding:
    free = quantity if available is None else available
    return Holding("BTC", Decimal(quantity), Decimal(free), Decimal(100))


def rules_of(
    symbol: str = BTC,
    *,
    quantity_step: Decimal | str = STEP,
    price_step: Decimal | str = STEP,
    tradable: bool = True,
) -> AssetRules:
    return AssetRules(symbol, tradable, Decimal(quantity_step), Decimal(price_step))


class TestClock:
    """A clock that a test moves."""

    __test__ = False

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class Floor:
    """One asset traded by the real trader, with books in memory, at an exchange of ours.

    What the exchange tells goes to the trader `at_once`, so before submit has returned, or waits
    in `broker.updates` until a test delivers it.
    """

    def __init__(self, *, at_once: bool = True, broker: FakeBroker | None = None, **columns: Any):
        asset = an_asset(**columns)
        self.clock = TestClock()
        self.store = MemoryStore([asset], clock=self.clock)
        self.broker = broker or FakeBroker()
        self.broker.clock = self.clock
        self.rules = {asset.symbol: rules_of(asset.symbol)}
        self.trader = Trader(self.store, self.broker, self.clock, self.rules)
        self.trader.books.open_cycle(asset.asset_id)
        self.tells_at_once(at_once)

    def tells_at_once(self, at_once: bool) -> None:
        def hear(update: OrderUpdate) -> None:
            self.hear(update)

        self.broker.listener = hear if at_once else lambda _: None

    def quote(self, bid: Decimal | str | int, ask: Decimal | str | int | None = None) -> Quote:
        """The market moves; a second later than before."""
        self.clock.pass_by(1)
        return self.broker.quote(self.asset.symbol, bid, bid if ask is None else ask)

    def see(self, bid: Decimal | str | int, ask: Decimal | str | int | None = None) -> Order | None:
        """The market moves, and the trader looks at it; the order that it placed."""
        quote = self.quote(bid, ask)
        return self.trader.on_quote(self.state, quote).order

    def hear(self, update: OrderUpdate) -> bool:
        """The exchange says something of an order; whether that changed the books."""
        entry = self.trader.books.on_update(self.asset.asset_id, update)
        return entry is not None and entry.is_news

    def settle(self, client_order_id: str) -> bool:
        """Ask about one order; whether that is settled."""
        return self.trader.books.settle(self.order(client_order_id))

    def edit(self, **columns: Any) -> None:
        """Change the asset's row as a user's SQL would."""
        self.store.put_asset(replace(self.asset, **_with_decimals(columns, _AMOUNTS)))

    def put_cycle(self, **columns: Any) -> None:
        """Change the active cycle's row as a user's SQL would."""
        changes = _with_decimals(columns, _AMOUNTS)
        with self.store.transaction(self.asset.asset_id) as tx:
            assert tx.cycle is not None
            tx.save_cycle(tx.cycle, replace(tx.cycle, **changes))

    def recover(self) -> Recovered:
        """Ask about everything under way, until nothing is in doubt."""
        for _ in range(10):
            found = recover(self.trader.books, self.store, self.broker)
            if not found.in_doubt:
                return found
            self.clock.pass_by(10)
        raise AssertionError(f"still in doubt: {found}")

    def cycle_of(self, order: Order) -> Cycle:
        """The cycle that an order belongs to, active or not."""
        with self.store.transaction(order.asset_id) as tx:
            cycle = tx.cycle_by_id(order.cycle_id)
        assert cycle is not None
        return cycle

    def order(self, client_order_id: str) -> Order:
        order = self.store.order(client_order_id)
        assert order is not None
        return order

    @property
    def held(self) -> Decimal:
        """The position at the exchange."""
        holding = self.broker.holdings().of(self.asset.coin)
        return holding.quantity if holding else Decimal(0)

    @property
    def state(self) -> AssetState:
        return self.store.assets()[0]

    @property
    def asset(self) -> Asset:
        return self.state.asset

    @property
    def cycle(self) -> Cycle:
        cycle = self.state.cycle
        assert cycle is not None
        return cycle

    @property
    def kinds_sent(self) -> list[OrderKind]:
        """What the exchange was asked for, in order."""
        return [order.kind for order in self.broker.submitted]


BUY_KINDS = (OrderKind.BASE, OrderKind.SAFETY)
SIDES = tuple(Side)

_AMOUNTS = {
    "base_order_amount",
    "safety_order_amount",
    "safety_order_deviation_pct",
    "take_profit_pct",
    "restart_deviation_pct",
    "last_sell_price",
    "safety_order_volume_scale",
    "safety_order_step_scale",
    "trailing_pct",
    "stop_loss_pct",
    "max_spread_pct",
    "min_start_price",
    "max_start_price",
    "fee_rate",
    "highest_bid",
    "quantity",
    "average_purchase_price",
    "last_order_fill_price",
    "limit_price",
    "filled_quantity",
    "filled_average_price",
    "received_quantity",
    "quantity_before",
    "average_before",
    "position_quantity",
}


def _with_decimals(row: dict[str, Any], names: set[str]) -> dict[str, Any]:
    return {name: money(value) if name in names else value for name, value in row.items()}
