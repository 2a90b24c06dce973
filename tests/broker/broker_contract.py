"""What every ports.Broker does, told as tests.

Rule: a subclass brings a `world`: the broker, and an exchange that does what it is told.  What
holds for the fake holds for Alpaca as far as we know it, or a test of the trader proves nothing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count

import pytest

from dca_bot.core.holdings import Holdings
from dca_bot.core.model import Order, OrderKind, OrderStatus, OrderUpdate, Side
from dca_bot.program.errors import BrokerUnavailable, OrderOutcomeUnknown, OrderRefused
from dca_bot.trading.ports import Broker
from tests.builders import an_order
from tests.helpers import eventually

NUMBERS = count(1)
BTC = "BTC/USD"


class World(ABC):
    """An exchange at rest: 100,000 USD, no coins, BTC/USD at 64000 / 64100."""

    broker: Broker

    @abstractmethod
    def quote(self, bid: str, ask: str, symbol: str = BTC) -> None:
        """Put another quote in force."""

    @abstractmethod
    def hold_fills(self) -> None:
        """Take orders from now on, and fill none."""

    @abstractmethod
    def fill(self, client_order_id: str, quantity: str, price: str) -> None:
        """Fill a part of an open order."""

    @abstractmethod
    def expire(self, client_order_id: str) -> None:
        """End an open order."""

    @abstractmethod
    def edit(self, client_order_id: str, *, limit: str) -> str:
        """Give an open order another limit, as Alpaca's dashboard does: the order is replaced.  The
        name under which its successor can be filled."""

    @abstractmethod
    def lose_answer(self, *, taken: bool) -> None:
        """Let the next submit end without a readable answer."""

    @abstractmethod
    def break_down(self) -> None:
        """Answer one request with nothing usable."""


def buy(quantity: str = "0.001", limit: str = "64100", kind: OrderKind = OrderKind.BASE) -> Order:
    return an_order(
        client_order_id=f"dca-contract-{next(NUMBERS)}-{datetime.now(UTC).timestamp()}",
        kind=kind,
        quantity=quantity,
        limit_price=limit,
        status=OrderStatus.INTENDED,
        created_at=datetime.now(UTC),
    )


def sell(quantity: Decimal | str) -> Order:
    return replace(buy(str(quantity), kind=OrderKind.TAKE_PROFIT), limit_price=None)


def finished(world: World, order: Order) -> OrderUpdate:
    def update() -> OrderUpdate | None:
        update = world.broker.order(order.client_order_id)
        return update if update and update.status.is_finished else None

    return eventually(update)


def is_working(world: World, order: Order) -> bool:
    return order.client_order_id in {each.client_order_id for each in world.broker.open_orders()}


class BrokerContract:
    """The suite; `world` is a fixture of the subclass's module."""

    def test_a_marketable_buy_fills_at_the_ask_and_brings_less_coin(self, world: World) -> None:
        order = buy("0.001", limit="65000")
        answer = world.broker.submit(order, BTC)
        assert (answer.client_order_id, answer.symbol) == (order.client_order_id, BTC)
        assert (answer.side, answer.alpaca_order_id is not None) == (Side.BUY, True)
        update = finished(world, order)
        assert update.status is OrderStatus.FILLED
        assert update.filled_quantity == Decimal("0.001")
        assert update.filled_average_price == Decimal(64100)
        # 25 bps of the coin, rounded up per fill (docs/alpaca.md 1.5)
        assert world.broker.holdings().readable["BTC"].quantity == Decimal("0.0009975")

    def test_a_position_belongs_to_the_coin_whatever_it_was_paid_with(self, world: World) -> None:
        world.quote("1", "1", "USDC/USD")
        world.quote("64000", "64100", "BTC/USDC")
        for order, symbol in [(buy("200", limit="1"), "USDC/USD"), (buy(), "BTC/USDC")]:
            world.broker.submit(order, symbol)
            finished(world, order)
        holdings = world.broker.holdings()
        assert set(holdings.readable) == {"BTC", "USDC"}
        bought = holdings.of("BTC")
        assert bought is not None
        assert bought.quantity == Decimal("0.0009975")
        assert world.broker.cash("USDC") == Decimal("199.5") - Decimal("64.1")
        assert world.broker.cash("USDT") == 0

    def test_a_resting_buy_holds_back_the_coin_it_pays_with(self, world: World) -> None:
        world.quote("1", "1", "USDC/USD")
        world.quote("64000", "64100", "BTC/USDC")
        world.broker.submit(first := buy("200", limit="1"), "USDC/USD")
        finished(world, first)
        before = world.broker.cash("USDC")
        world.broker.submit(buy("0.001", limit="50000"), "BTC/USDC")
        eventually(lambda: world.broker.cash("USDC") == before - 50)
        with pytest.raises(OrderRefused) as caught:
            world.broker.submit(buy("0.01", limit="50000"), "BTC/USDC")
        assert caught.value.needs_cash

    def test_cash_that_a_resting_buy_needs_is_not_available(self, world: World) -> None:
        before = world.broker.account().cash_available
        order = buy("0.001", limit="50000")
        world.broker.submit(order, BTC)
        eventually(lambda: world.broker.account().cash_available == before - 50)
        assert is_working(world, order)

    def test_a_resting_buy_fills_once_the_ask_comes_down_to_it(self, world: World) -> None:
        order = buy("0.001", limit="63000")
        world.broker.submit(order, BTC)
        world.quote("62800", "62900")
        update = finished(world, order)
        assert update.status is OrderStatus.FILLED
        assert update.filled_average_price is not None
        assert update.filled_average_price <= 63000

    def test_a_market_sell_takes_the_bid_and_all_that_is_available(self, world: World) -> None:
        first = buy("0.001", limit="65000")
        world.broker.submit(first, BTC)
        finished(world, first)
        order = sell(world.broker.holdings().readable["BTC"].available)
        world.broker.submit(order, BTC)
        update = finished(world, order)
        assert (update.status, update.filled_average_price) == (OrderStatus.FILLED, Decimal(64000))
        assert eventually(lambda: world.broker.holdings().of("BTC") is None)

    def test_selling_what_was_bought_is_refused_because_of_the_fee(self, world: World) -> None:
        first = buy("0.001", limit="65000")
        world.broker.submit(first, BTC)
        finished(world, first)
        with pytest.raises(OrderRefused) as caught:
            world.broker.submit(sell("0.001"), BTC)
        assert (caught.value.side, caught.value.needs_cash) == (Side.SELL, False)

    def test_a_resting_sell_holds_the_coin_back(self, world: World) -> None:
        first = buy("0.001", limit="65000")
        world.broker.submit(first, BTC)
        finished(world, first)
        world.hold_fills()
        world.broker.submit(sell("0.0004"), BTC)
        held = eventually(lambda: world.broker.holdings().readable["BTC"])
        assert held.available == held.quantity - Decimal("0.0004")

    def test_a_part_of_an_order_counts_before_the_rest(self, world: World) -> None:
        world.hold_fills()
        order = buy("0.004", limit="64100")
        world.broker.submit(order, BTC)
        world.fill(order.client_order_id, "0.001", "64000")
        world.fill(order.client_order_id, "0.002", "64090")
        update = world.broker.order(order.client_order_id)
        assert update is not None
        assert (update.status, update.filled_quantity) == (OrderStatus.OPEN, Decimal("0.003"))
        assert update.filled_average_price == Decimal(64060)

    def test_a_canceled_order_keeps_its_part(self, world: World) -> None:
        world.hold_fills()
        order = buy("0.004", limit="64100")
        answer = world.broker.submit(order, BTC)
        world.fill(order.client_order_id, "0.001", "64100")
        world.broker.cancel(str(answer.alpaca_order_id))
        update = finished(world, order)
        assert (update.status, update.filled_quantity) == (OrderStatus.CANCELED, Decimal("0.001"))
        assert not is_working(world, order)

    def test_canceling_what_is_finished_is_fine(self, world: World) -> None:
        order = buy("0.001", limit="65000")
        answer = world.broker.submit(order, BTC)
        finished(world, order)
        world.broker.cancel(str(answer.alpaca_order_id))

    def test_canceling_what_nobody_knows_is_fine(self, world: World) -> None:
        world.broker.cancel("904837e3-3b76-47ec-b432-046db621571b")

    def test_an_expired_order_says_so(self, world: World) -> None:
        order = buy("0.001", limit="50000")
        world.broker.submit(order, BTC)
        world.expire(order.client_order_id)
        assert finished(world, order).status is OrderStatus.EXPIRED

    def test_an_order_that_a_hand_replaced_goes_on_in_its_successors(self, world: World) -> None:
        world.hold_fills()
        order = buy("0.004", limit="64100")
        answer = world.broker.submit(order, BTC)
        world.fill(order.client_order_id, "0.001", "64100")
        successor = world.edit(order.client_order_id, limit="64000")
        update = world.broker.order(order.client_order_id)
        assert update is not None
        assert (update.status, update.filled_quantity) == (OrderStatus.OPEN, Decimal("0.001"))
        assert update.alpaca_order_id != answer.alpaca_order_id
        world.fill(successor, "0.001", "64000")
        successor = world.edit(successor, limit="63990")
        world.fill(successor, "0.002", "63980")
        update = finished(world, order)
        assert (update.status, update.filled_quantity) == (OrderStatus.FILLED, Decimal("0.004"))
        assert update.filled_average_price == Decimal(64015)
        assert world.broker.order_by_id(str(answer.alpaca_order_id)) == update

    def test_the_successor_of_a_replaced_order_can_be_cancelled(self, world: World) -> None:
        order = buy("0.001", limit="50000")
        world.broker.submit(order, BTC)
        world.edit(order.client_order_id, limit="50001")
        update = world.broker.order(order.client_order_id)
        assert update is not None
        world.broker.cancel(str(update.alpaca_order_id))
        assert finished(world, order).status is OrderStatus.CANCELED

    def test_a_replaced_order_is_open_under_its_successors_name_alone(self, world: World) -> None:
        order = buy("0.001", limit="50000")
        world.broker.submit(order, BTC)
        world.edit(order.client_order_id, limit="50001")
        update = world.broker.order(order.client_order_id)
        [listed] = world.broker.open_orders()
        assert update is not None
        assert listed.alpaca_order_id == update.alpaca_order_id
        assert listed.client_order_id != order.client_order_id

    def test_the_same_order_twice_is_one_order(self, world: World) -> None:
        order = buy("0.001", limit="50000")
        first = world.broker.submit(order, BTC)
        second = world.broker.submit(order, BTC)
        assert first.alpaca_order_id == second.alpaca_order_id
        assert len(world.broker.open_orders()) == 1

    def test_an_order_whose_answer_is_lost_is_in_doubt_and_there(self, world: World) -> None:
        world.lose_answer(taken=True)
        order = buy("0.001", limit="50000")
        with pytest.raises(OrderOutcomeUnknown):
            world.broker.submit(order, BTC)
        assert world.broker.order(order.client_order_id) is not None

    def test_an_order_that_got_lost_is_in_doubt_and_not_there(self, world: World) -> None:
        world.lose_answer(taken=False)
        order = buy("0.001", limit="50000")
        with pytest.raises(OrderOutcomeUnknown):
            world.broker.submit(order, BTC)
        assert world.broker.order(order.client_order_id) is None

    def test_an_order_that_nobody_sent_is_unknown(self, world: World) -> None:
        assert world.broker.order("dca-never-sent") is None
        assert world.broker.order_by_id("904837e3-3b76-47ec-b432-046db621571b") is None

    def test_an_order_is_found_under_both_ids(self, world: World) -> None:
        order = buy("0.001", limit="50000")
        answer = world.broker.submit(order, BTC)
        update = world.broker.order_by_id(str(answer.alpaca_order_id))
        assert update is not None
        assert update.client_order_id == order.client_order_id

    @pytest.mark.parametrize(
        ("order", "needs_cash"),
        [(buy("0.0001", limit="64100"), False), (buy("2", limit="64100"), True)],
    )
    def test_too_small_and_too_dear_are_refused(
        self, world: World, order: Order, needs_cash: bool
    ) -> None:
        with pytest.raises(OrderRefused) as caught:
            world.broker.submit(order, BTC)
        assert (caught.value.side, caught.value.needs_cash) == (Side.BUY, needs_cash)
        assert world.broker.order(order.client_order_id) is None

    def test_a_symbol_that_is_not_traded_is_refused(self, world: World) -> None:
        with pytest.raises(OrderRefused):
            world.broker.submit(buy(), "NOPE/USD")

    def test_open_orders_come_oldest_first(self, world: World) -> None:
        orders = [buy("0.001", limit=str(50000 + step)) for step in range(3)]
        for order in orders:
            world.broker.submit(order, BTC)
        listed = [each.client_order_id for each in world.broker.open_orders()]
        assert listed == [order.client_order_id for order in orders]

    def test_orders_that_have_ended_are_listed_with_their_ends(self, world: World) -> None:
        filled, resting = buy("0.001", limit="65000"), buy("0.001", limit="50000")
        for order in (filled, resting):
            world.broker.submit(order, BTC)
        began_at = finished(world, filled).created_at
        assert began_at is not None
        [update] = world.broker.closed_orders(began_at - timedelta(days=1))
        assert (update.client_order_id, update.filled_quantity) == (
            filled.client_order_id,
            Decimal("0.001"),
        )
        assert update.ended_at is not None
        assert update.ended_at >= began_at
        open_one = world.broker.order(resting.client_order_id)
        assert open_one is not None
        assert open_one.ended_at is None
        assert world.broker.closed_orders(began_at + timedelta(days=1)) == []

    def test_rules_quotes_and_account_are_there(self, world: World) -> None:
        assert world.broker.rules()[BTC].tradable
        assert world.broker.rules()[BTC].min_trade_increment == Decimal("0.000000001")
        quotes = world.broker.latest_quotes([BTC, "NOPE/USD"])
        assert [(each.bid, each.ask) for each in quotes.values()] == [(64000, 64100)]
        assert world.broker.account().problem == ""
        assert world.broker.holdings() == Holdings()

    @pytest.mark.parametrize("verb", ["order", "open_orders", "holdings", "account", "rules"])
    def test_a_broken_exchange_is_not_an_empty_one(self, world: World, verb: str) -> None:
        world.break_down()
        ask = getattr(world.broker, verb)
        with pytest.raises(BrokerUnavailable):
            ask("dca-never-sent") if verb == "order" else ask()
