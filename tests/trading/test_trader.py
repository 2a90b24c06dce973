"""What the trader does about quotes and news of orders, with real books and a fake exchange."""

import logging
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from dca_bot.core.holdings import Holdings
from dca_bot.core.model import AssetState, CycleStatus, Order, OrderKind, OrderStatus, OrderUpdate
from dca_bot.program.errors import (
    BrokerUnavailable,
    CycleChanged,
    OrderOutcomeUnknown,
    OrderRefused,
)
from dca_bot.store.memory_store import MemoryStore, MemoryTransaction
from dca_bot.trading.books import Books
from dca_bot.trading.trader import Trader
from tests.builders import (
    BTC,
    NOW,
    Floor,
    TestClock,
    a_cycle,
    a_fill,
    a_holding_cycle,
    an_order,
    rules_of,
)
from tests.fakes import FakeBroker

BASE, SAFETY, TAKE_PROFIT = OrderKind.BASE, OrderKind.SAFETY, OrderKind.TAKE_PROFIT


def holding_floor(**columns: Any) -> Floor:
    """A floor whose cycle has bought its base order of 0.2 at 100."""
    floor = Floor(**columns)
    floor.see(100)
    return floor


# -- 1: cycles


def test_an_enabled_asset_gets_one_watching_cycle() -> None:
    floor = Floor()
    floor.trader.books.open_cycle(floor.asset.asset_id)
    assert floor.cycle == a_cycle(created_at=NOW)


def test_a_disabled_asset_gets_no_cycle() -> None:
    assert Floor(is_enabled=False).state.cycle is None


@pytest.mark.parametrize("price", [50, 98, 101, 200])
def test_a_disabled_asset_gets_no_orders_of_any_kind(price: int) -> None:
    floor = holding_floor()
    floor.edit(is_enabled=False)
    assert floor.see(price) is None
    assert floor.kinds_sent == [BASE]


def test_an_asset_disabled_at_the_last_moment_gets_no_order() -> None:
    floor = Floor()
    known, quote = floor.state, floor.quote(100)
    floor.edit(is_enabled=False)
    assert floor.trader.on_quote(known, quote).order is None
    assert floor.broker.submitted == []


@pytest.mark.parametrize("price", [97, 100, 102])
def test_an_asset_given_another_symbol_gets_no_order_by_the_old_ones_price(price: int) -> None:
    floor = holding_floor()
    known, quote = floor.state, floor.quote(price)
    floor.edit(symbol="ETH/USD")
    assert floor.trader.on_quote(known, quote).order is None
    assert floor.kinds_sent == [BASE]


def test_an_edited_row_counts_for_the_running_cycle() -> None:
    floor = holding_floor(safety_order_deviation_pct="1.5")
    floor.edit(safety_order_deviation_pct="5")
    assert floor.see("98") is None
    assert floor.see("95") is not None


# -- 2: base orders


def test_the_intent_is_in_the_books_before_the_request_and_the_order_after_it() -> None:
    class Witness(FakeBroker):
        def submit(self, order: Order, symbol: str) -> OrderUpdate:
            seen.append((floor.order(order.client_order_id).status, floor.cycle.status))
            return super().submit(order, symbol)

    seen: list[tuple[OrderStatus, CycleStatus]] = []
    floor = Floor(broker=Witness())
    floor.broker.holds_fills = True
    order = floor.see(99, 100)
    assert order is not None
    assert seen == [(OrderStatus.INTENDED, CycleStatus.BUYING)]
    assert (order.kind, order.quantity, order.limit_price) == (BASE, Decimal("0.2"), Decimal(100))
    assert floor.order(order.client_order_id).status is OrderStatus.OPEN
    assert floor.cycle.status is CycleStatus.BUYING
    assert floor.cycle.latest_order_id == f"alpaca-{order.client_order_id}"


def test_an_order_is_not_sent_when_time_stood_still_after_its_intent() -> None:
    class SlowStore(MemoryStore):
        @contextmanager
        def transaction(self, asset_id: int) -> Iterator[MemoryTransaction]:
            with super().transaction(asset_id) as tx:
                yield tx
            floor.clock.pass_by(seconds)

    floor = Floor()
    slow = SlowStore([floor.asset], clock=floor.clock)
    trader = Trader(slow, floor.broker, floor.clock, floor.rules)
    seconds = 0
    trader.books.open_cycle(floor.asset.asset_id)
    [state] = slow.assets()
    seconds = 6
    with pytest.raises(BrokerUnavailable, match="not sent"):
        trader.on_quote(state, floor.quote(100))
    assert floor.broker.submitted == []
    assert slow.live_orders() == []
    [state] = slow.assets()
    assert state.cycle is not None
    assert state.cycle.status is CycleStatus.WATCHING
    seconds = 4
    assert trader.on_quote(state, floor.quote(100)).order is not None


def test_a_position_that_the_bot_does_not_own_blocks_the_base_order() -> None:
    floor = Floor()
    floor.broker.hold("BTC/USD", "0.5", 90)
    with pytest.raises(OrderRefused, match="did not buy"):
        floor.see(100)
    assert floor.broker.submitted == []
    assert floor.cycle == a_cycle(created_at=NOW)


def test_a_position_that_a_deleted_row_left_is_known_to_be_the_bots() -> None:
    floor = Floor()
    assert floor.see(100) is not None
    again = replace(floor.asset, asset_id=2)
    floor.store.delete_asset(1)
    floor.store.put_asset(again)
    floor.trader.books.open_cycle(2)
    [state] = floor.store.assets()
    with pytest.raises(OrderRefused, match="the bot bought it for a row that was deleted"):
        floor.trader.on_quote(state, floor.quote(90))


@pytest.mark.parametrize("dust", ["0.000000001", "0.009"])
def test_dust_does_not_block_the_base_order(dust: str) -> None:
    floor = Floor()
    floor.broker.hold("BTC/USD", dust, 100)
    assert floor.see(100) is not None


def test_an_order_below_the_minimum_is_refused_before_anything_is_sent() -> None:
    floor = Floor(base_order_amount="11")
    floor.rules[BTC] = rules_of(BTC, quantity_step="0.1")  # 9.02 after rounding
    with pytest.raises(OrderRefused, match="base_order_amount"):
        floor.see("30.07")
    assert floor.broker.submitted == []
    assert floor.cycle == a_cycle(created_at=NOW)


def test_nothing_is_sent_when_the_position_cannot_be_asked_for() -> None:
    floor = Floor()
    floor.broker.fail("holdings", BrokerUnavailable("down"))
    with pytest.raises(BrokerUnavailable):
        floor.see(100)
    assert floor.broker.submitted == []
    assert floor.cycle.status is CycleStatus.WATCHING


def test_ten_thousand_quotes_at_once_make_one_request() -> None:
    class SlowExchange(FakeBroker):
        def submit(self, order: Order, symbol: str) -> OrderUpdate:
            assert may_answer.wait(60)
            return super().submit(order, symbol)

    def look() -> None:
        for _ in quotes:
            floor.trader.on_quote(known, quote)
        done.release()

    may_answer, done = threading.Event(), threading.Semaphore(0)
    floor = Floor(broker=SlowExchange())
    known, quote = floor.state, floor.quote(100)
    quotes = iter(range(10_000))
    with ThreadPoolExecutor(8) as pool:
        futures = [pool.submit(look) for _ in range(8)]
        for _ in range(7):  # the eighth waits for its answer all the time
            assert done.acquire(timeout=60)
        may_answer.set()
        for future in futures:
            future.result(timeout=60)
    assert len(floor.broker.submitted) == 1


# -- 3: what a BUY leaves


def test_a_filled_base_order_leaves_a_watching_cycle_with_what_was_received() -> None:
    floor = holding_floor()
    assert floor.cycle == a_cycle(
        quantity="0.1995",
        average_purchase_price="100",
        last_order_fill_price="100",
        created_at=NOW,
    )


def test_partial_fills_count_as_they_come() -> None:
    floor = Floor()
    floor.broker.holds_fills = True
    order = floor.see(100)
    assert order is not None
    floor.broker.fill(order.client_order_id, "0.1")
    assert floor.cycle.quantity == Decimal("0.09975")
    assert floor.cycle.status is CycleStatus.BUYING
    floor.broker.fill(order.client_order_id)
    assert floor.cycle.quantity == Decimal("0.1995")
    assert floor.cycle.status is CycleStatus.WATCHING
    assert floor.cycle.latest_order_id is None


def test_a_buy_canceled_after_a_partial_fill_keeps_the_part_and_counts_as_the_rung() -> None:
    floor = holding_floor()
    floor.broker.holds_fills = True
    order = floor.see(98)
    assert order is not None
    floor.broker.fill(order.client_order_id, order.quantity * Decimal("0.3"))
    floor.broker.cancel(f"alpaca-{order.client_order_id}")
    assert floor.cycle.status is CycleStatus.WATCHING
    assert floor.cycle.safety_orders == 1
    assert floor.cycle.quantity == floor.held
    assert floor.cycle.last_order_fill_price == 98


def test_a_fill_that_comes_after_the_cancel_is_not_lost() -> None:
    floor = Floor()
    floor.broker.holds_fills = True
    order = floor.see(100)
    assert order is not None
    floor.broker.cancel(f"alpaca-{order.client_order_id}")
    assert floor.cycle.quantity == 0
    floor.broker.fill(order.client_order_id)
    assert floor.cycle.quantity == floor.held == Decimal("0.1995")


def test_a_cancel_of_an_order_that_is_filled_already_is_a_fill() -> None:
    floor = holding_floor()
    order = floor.broker.submitted[0]
    floor.broker.cancel(f"alpaca-{order.client_order_id}")
    assert floor.order(order.client_order_id).status is OrderStatus.FILLED
    assert floor.cycle.quantity == floor.held


@pytest.mark.parametrize(
    "status", [OrderStatus.CANCELED, OrderStatus.EXPIRED, OrderStatus.REJECTED]
)
def test_an_order_that_ends_unfilled_leaves_the_cycle_watching(status: OrderStatus) -> None:
    floor = Floor()
    floor.broker.holds_fills = True
    order = floor.see(100)
    assert order is not None
    floor.broker.end(order.client_order_id, status)
    assert floor.cycle == a_cycle(created_at=NOW)


def test_an_update_heard_twice_late_and_in_any_order_changes_nothing_more() -> None:
    floor = Floor(at_once=False)
    floor.broker.holds_fills = True
    order = floor.see(100)
    assert order is not None
    floor.broker.fill(order.client_order_id, "0.05", 99)
    floor.broker.fill(order.client_order_id, "0.05", 98)
    floor.broker.fill(order.client_order_id, price=100)
    for update in (*reversed(floor.broker.updates), *floor.broker.updates):
        floor.hear(update)
    assert floor.cycle.quantity == floor.held
    assert floor.cycle.average_purchase_price == Decimal("99.25")
    assert floor.hear(floor.broker.updates[-1]) is False


def test_news_of_orders_that_are_not_ours_is_passed_over() -> None:
    floor = Floor()
    stranger = a_fill(replace(an_order_of(floor), client_order_id="somebody-elses"), 1)
    assert floor.hear(stranger) is False
    assert floor.cycle.quantity == 0


def an_order_of(floor: Floor) -> Order:
    order = floor.see(100)
    assert order is not None
    floor.put_cycle(quantity="0", average_purchase_price="0", last_order_fill_price=None)
    return order


# -- 4: safety orders


def test_a_safety_order_buys_its_amount_at_the_ask() -> None:
    floor = holding_floor(safety_order_amount="40")
    order = floor.see(97, 98)
    assert order is not None
    assert (order.kind, order.rung, order.limit_price) == (SAFETY, 1, Decimal(98))
    assert order.quantity == Decimal("0.408163265")
    assert floor.cycle.safety_orders == 1


def test_a_fall_through_five_rungs_buys_one() -> None:
    floor = holding_floor(max_safety_orders=5)
    assert floor.see(90) is not None
    assert floor.see(90) is None
    assert floor.kinds_sent == [BASE, SAFETY]


def test_no_more_safety_orders_than_configured() -> None:
    floor = holding_floor(max_safety_orders=2)
    for price in (98, 96, 94, 92):
        floor.see(price)
    assert floor.kinds_sent == [BASE, SAFETY, SAFETY]


def test_a_hand_made_cycle_is_traded_from_its_columns_alone() -> None:
    floor = Floor()
    floor.broker.hold("BTC/USD", 1, 100)
    floor.put_cycle(quantity="1", average_purchase_price="100", last_order_fill_price="100")
    order = floor.see(101)
    assert order is not None
    assert (order.kind, order.quantity) == (TAKE_PROFIT, Decimal(1))


# -- 5 and 6: take profit


def test_a_take_profit_sells_at_the_market_what_the_exchange_lets_go() -> None:
    floor = holding_floor()
    floor.broker.holds_fills = True
    order = floor.see(101, 102)
    assert order is not None
    assert (order.kind, order.limit_price, order.quantity) == (TAKE_PROFIT, None, Decimal("0.1995"))
    assert floor.cycle.status is CycleStatus.SELLING


def test_a_sale_completes_the_cycle_and_begins_a_cooldown() -> None:
    floor = holding_floor()
    order = floor.see(101)
    assert order is not None
    done = floor.cycle_of(order)
    assert (done.status, done.quantity) == (CycleStatus.COMPLETE, 0)
    assert done.completed_at == floor.clock.now
    assert floor.asset.last_sell_price == Decimal(101)
    assert floor.cycle.status is CycleStatus.COOLDOWN
    assert floor.cycle.cycle_id != done.cycle_id
    assert floor.held == 0


def test_all_that_a_sale_changes_is_changed_at_once_or_not_at_all() -> None:
    class BrokenTransaction(MemoryTransaction):
        def add_cycle(self, cycle: object) -> object:
            raise BrokerUnavailable("the last of the three writes fails")

    floor = holding_floor()
    floor.broker.holds_fills = True
    order = floor.see(101)
    assert order is not None
    before = (floor.state, floor.order(order.client_order_id))
    floor.tells_at_once(False)
    sold = floor.broker.fill(order.client_order_id)
    broken = BrokenStore(floor.store, BrokenTransaction)
    with pytest.raises(BrokerUnavailable):
        Books(broken, floor.broker, floor.clock).on_update(1, sold)
    assert (floor.state, floor.order(order.client_order_id)) == before
    floor.hear(sold)
    assert floor.cycle.status is CycleStatus.COOLDOWN


class BrokenStore:
    """A MemoryStore whose transactions are of another kind."""

    def __init__(self, store: MemoryStore, kind: type[MemoryTransaction]) -> None:
        self._store, self._kind = store, kind
        self.assets, self.order, self.live_orders = store.assets, store.order, store.live_orders

    @contextmanager
    def transaction(self, asset_id: int) -> Iterator[MemoryTransaction]:
        with self._store.transaction(asset_id) as tx:
            tx.__class__ = self._kind
            yield tx


@pytest.mark.parametrize("price", ["97.123456789012345", "101.33602015315269"])
def test_a_price_with_more_digits_than_the_books_keep_still_trades(price: str) -> None:
    floor = holding_floor()
    assert floor.see(Decimal(price)) is not None


def test_a_part_filled_sell_that_was_canceled_leaves_the_rest_to_be_sold_once() -> None:
    floor = holding_floor()
    floor.broker.holds_fills = True
    first = floor.see(101)
    assert first is not None
    floor.broker.fill(first.client_order_id, "0.1")
    floor.broker.cancel(f"alpaca-{first.client_order_id}")
    assert floor.cycle.status is CycleStatus.WATCHING
    floor.broker.release_fills()
    second = floor.see(102)
    assert second is not None
    assert second.quantity == Decimal("0.0995")
    assert floor.cycle.status is CycleStatus.COOLDOWN
    assert floor.asset.last_sell_price == 102
    assert floor.held == 0


def test_a_sell_filled_but_for_dust_completes_the_cycle() -> None:
    floor = holding_floor()
    floor.broker.holds_fills = True
    order = floor.see(101)
    assert order is not None
    floor.broker.fill(order.client_order_id, order.quantity * Decimal("0.999"))
    floor.broker.cancel(f"alpaca-{order.client_order_id}")
    assert floor.cycle.status is CycleStatus.COOLDOWN


def test_fees_of_six_buys_end_in_one_sell_that_is_accepted() -> None:
    floor = holding_floor(max_safety_orders=5)
    for price in (98, 96, 94, 92, 90):
        floor.see(price)
    order = floor.see(120)
    assert order is not None
    assert floor.kinds_sent == [BASE, *[SAFETY] * 5, TAKE_PROFIT]
    assert floor.cycle_of(order).status is CycleStatus.COMPLETE
    assert floor.held == 0


@pytest.mark.parametrize("fee_rate", ["0", "0.0015", "0.0022", "0.0025"])
def test_the_fee_of_any_tier_leaves_nothing_unsold(fee_rate: str) -> None:
    floor = Floor(broker=FakeBroker(fee_rate=fee_rate))
    for price in (100, 98, 120):
        floor.see(price)
    assert floor.held == 0
    assert floor.cycle.status is CycleStatus.COOLDOWN


def large_floor_with_an_assumed_fee() -> Floor:
    """A floor whose cycle has bought 1000 at 100 without a fee, and the books think of the usual
    one: Alpaca told no position, and its update was lost."""
    floor = Floor(
        at_once=False, broker=FakeBroker(fee_rate="0"), base_order_amount=Decimal(100_000)
    )
    order = floor.see(100)
    assert order is not None
    floor.broker.fail("holdings", BrokerUnavailable("down"))
    floor.settle(order.client_order_id)
    assert (floor.cycle.quantity, floor.held) == (Decimal("997.5"), Decimal(1000))
    return floor


def test_a_fee_that_the_books_only_assumed_leaves_nothing_unsold() -> None:
    floor = large_floor_with_an_assumed_fee()
    order = floor.see(101)
    assert order is not None
    assert order.quantity == 1000
    floor.settle(order.client_order_id)
    assert floor.cycle.status is CycleStatus.COOLDOWN
    assert floor.held == 0


def test_coins_beyond_the_assumed_fee_are_somebody_elses() -> None:
    floor = large_floor_with_an_assumed_fee()
    floor.broker.hold("BTC/USD", "1000.1", 100)
    order = floor.see(101)
    assert order is not None
    assert order.quantity == Decimal("997.5")


@pytest.mark.parametrize("dust", ["0.000000001", "0.009"])
def test_dust_is_sold_along_with_the_next_cycle(dust: str) -> None:
    floor = Floor()
    floor.broker.hold("BTC/USD", dust, 100)
    floor.see(100)
    floor.see(101)
    assert floor.held == 0


def test_what_another_order_holds_back_is_waited_for_and_not_sent_again() -> None:
    floor = holding_floor()
    by_hand = replace(floor.broker.submitted[0], client_order_id="by-hand", kind=TAKE_PROFIT)
    floor.broker.holds_fills = True
    floor.broker.submit(replace(by_hand, quantity=floor.held, limit_price=Decimal(500)), "BTC/USD")
    for _ in range(5):
        with pytest.raises(OrderRefused, match="holds the rest back"):
            floor.see(101)
    assert floor.kinds_sent == [BASE, TAKE_PROFIT]  # the one by hand
    assert floor.cycle.status is CycleStatus.WATCHING


def test_a_position_that_is_gone_is_reported_and_nothing_is_sent() -> None:
    floor = holding_floor()
    floor.broker.hold("BTC/USD", "0", 0)
    with pytest.raises(OrderRefused, match=r"consistency_checker\.py"):
        floor.see(101)
    assert floor.kinds_sent == [BASE]


# -- 7: cooldown


def test_during_a_cooldown_nothing_is_bought() -> None:
    floor = holding_floor()
    floor.see(101)
    assert floor.see("98.99") is None
    assert floor.cycle.status is CycleStatus.COOLDOWN


def test_a_price_far_enough_below_the_last_sale_ends_the_cooldown_and_buys() -> None:
    floor = holding_floor(restart_deviation_pct="2")
    floor.see(101)
    order = floor.see("98.98")
    assert order is not None
    assert order.kind is BASE
    assert floor.cycle.status is CycleStatus.WATCHING
    assert floor.cycle.quantity == floor.held


def test_a_cooldown_goes_on_when_a_foreign_position_blocks_its_restart() -> None:
    floor = holding_floor()
    floor.see(101)
    floor.broker.hold("BTC/USD", 1, 100)
    with pytest.raises(OrderRefused, match="did not buy"):
        floor.see(90)
    assert floor.cycle.status is CycleStatus.COOLDOWN
    floor.broker.hold("BTC/USD", 0, 0)
    assert floor.see(100) is None


def test_coins_of_a_disabled_rows_cycle_are_named_as_that_rows() -> None:
    floor = holding_floor()  # BTC/USD holds coins, is disabled, and another pair takes its place
    first = floor.asset
    floor.store.put_asset(replace(first, is_enabled=False))
    second = replace(first, asset_id=2, symbol="BTC/USDC")
    floor.store.put_asset(second)
    floor.rules[second.symbol] = floor.rules[first.symbol]
    floor.broker.money["USDC"] = Decimal(1000)
    floor.broker.hold("BTC/USD", floor.cycle.quantity, 100)
    floor.trader.books.open_cycle(2)
    [state] = [each for each in floor.store.assets() if each.asset.asset_id == 2]
    floor.clock.pass_by(1)
    with pytest.raises(OrderRefused, match="cycle 1 of BTC/USD holds .* `dca close BTC/USD` sells"):
        floor.trader.on_quote(state, floor.broker.quote("BTC/USDC", 100, 100))


def test_a_cooldown_goes_on_when_the_cash_for_its_restart_is_missing() -> None:
    floor = holding_floor(broker=FakeBroker(cash=21))
    floor.see(101)
    floor.broker.money["USD"] = Decimal(19)
    with pytest.raises(OrderRefused, match="waiting for .*, available 19") as refused:
        floor.see(90)
    assert refused.value.needs_cash
    assert floor.cycle.status is CycleStatus.COOLDOWN
    assert floor.kinds_sent == [BASE, TAKE_PROFIT]


def test_a_cooldown_that_ended_by_itself_meanwhile_is_bought_as_any_cycle() -> None:
    floor = holding_floor()
    floor.see(101)
    known = floor.state
    floor.put_cycle(status=CycleStatus.WATCHING)
    assert floor.trader.on_quote(known, floor.quote(90)).order is not None


# -- 8: refusals


def test_a_refused_order_puts_the_cycle_back_as_it_was() -> None:
    floor = Floor()
    floor.broker.refuse("asset is not active")
    with pytest.raises(OrderRefused):
        floor.see(100)
    assert floor.cycle == a_cycle(created_at=NOW)
    assert floor.order(floor.broker.submitted[0].client_order_id).status is OrderStatus.REJECTED


def test_after_a_refusal_the_next_try_is_another_order() -> None:
    floor = Floor()
    floor.broker.refuse("try again")
    with pytest.raises(OrderRefused):
        floor.see(100)
    assert floor.see(100) is not None
    assert len({order.client_order_id for order in floor.broker.submitted}) == 2


def test_an_order_that_could_not_be_sent_puts_the_cycle_back_as_it_was() -> None:
    floor = Floor()
    floor.broker.fail("submit", BrokerUnavailable("429"))
    with pytest.raises(BrokerUnavailable):
        floor.see(100)
    assert floor.cycle == a_cycle(created_at=NOW)
    assert floor.see(100) is not None


def test_while_cash_is_short_the_account_is_asked_and_no_order_is_sent() -> None:
    floor = Floor(broker=FakeBroker(cash=15))
    for _ in range(50):
        with pytest.raises(OrderRefused) as refused:
            floor.see(100)
        assert refused.value.needs_cash
    assert len(floor.broker.submitted) == 1
    floor.broker.money["USD"] = Decimal(40)
    assert floor.see(100) is not None
    floor.broker.calls.clear()
    assert floor.see(98) is not None  # the shortage is over, and not asked about any more
    assert "account" not in floor.broker.calls


def test_lack_of_cash_does_not_keep_a_profit_from_being_taken() -> None:
    floor = Floor(broker=FakeBroker(cash=25))
    floor.see(100)
    with pytest.raises(OrderRefused):
        floor.see(98)
    assert floor.see(101) is not None
    assert floor.cycle.status is CycleStatus.COOLDOWN


def test_lack_of_another_currency_is_asked_for_as_a_position() -> None:
    floor = Floor(symbol="SOL/USDT")
    floor.broker.refuse("insufficient balance for USDT", needs_cash=True)
    for held in ("0", "19.99"):
        floor.broker.hold("USDT/USD", held, 1)
        with pytest.raises(OrderRefused):
            floor.see(100)
    assert len(floor.broker.submitted) == 1
    floor.broker.hold("USDT/USD", 20, 1)
    assert floor.see(100) is not None


# -- 12: what can happen in between


def test_a_fill_that_is_heard_before_the_answer_counts_once() -> None:
    floor = Floor(at_once=True)
    floor.see(100)
    assert floor.cycle.quantity == floor.held == Decimal("0.1995")
    assert floor.cycle.status is CycleStatus.WATCHING


def test_an_answer_that_already_tells_the_fill_counts_once() -> None:
    floor = Floor(at_once=False)
    floor.broker.answer_shows_fill = True
    floor.see(100)
    for update in floor.broker.updates:
        floor.hear(update)
    assert floor.cycle.quantity == floor.held


def test_an_order_in_doubt_stays_under_way_and_is_not_sent_again() -> None:
    floor = Floor(at_once=False)
    floor.broker.lose_answer(taken=True)
    with pytest.raises(OrderOutcomeUnknown):
        floor.see(100)
    assert floor.cycle.status is CycleStatus.BUYING
    for _ in range(10):
        assert floor.see(90) is None
    assert len(floor.broker.submitted) == 1


def test_an_order_in_doubt_that_exists_is_adopted_when_asked_for() -> None:
    floor = Floor(at_once=False)
    floor.broker.lose_answer(taken=True)
    with pytest.raises(OrderOutcomeUnknown):
        floor.see(100)
    assert floor.settle(floor.broker.submitted[0].client_order_id) is True
    assert floor.cycle.quantity == floor.held == Decimal("0.1995")
    assert floor.cycle.status is CycleStatus.WATCHING


def test_an_order_in_doubt_that_does_not_exist_is_given_up_only_after_a_while() -> None:
    floor = Floor()
    floor.broker.lose_answer(taken=False)
    with pytest.raises(OrderOutcomeUnknown):
        floor.see(100)
    name = floor.broker.submitted[0].client_order_id
    floor.clock.pass_by(29)
    assert floor.settle(name) is False
    assert floor.cycle.status is CycleStatus.BUYING
    floor.clock.pass_by(1)
    assert floor.settle(name) is True
    assert floor.cycle == a_cycle(created_at=NOW)
    again = floor.see(100)
    assert again is not None
    assert again.client_order_id != name


class SlowToAnswer(FakeBroker):
    """What it says of an order arrives twenty seconds later."""

    def order(self, client_order_id: str) -> OrderUpdate | None:
        answer = super().order(client_order_id)
        self.clock.pass_by(20)
        return answer


def test_an_answer_of_long_ago_gives_up_no_order_that_may_have_arrived_since() -> None:
    floor = Floor(broker=SlowToAnswer())
    floor.broker.lose_answer(taken=False)
    with pytest.raises(OrderOutcomeUnknown):
        floor.see(100)
    name = floor.broker.submitted[0].client_order_id
    floor.clock.pass_by(15)
    assert floor.settle(name) is False
    assert floor.cycle.status is CycleStatus.BUYING


def test_the_fill_reported_by_rest_is_booked_with_the_fee_that_the_position_shows() -> None:
    floor = Floor(at_once=False, broker=FakeBroker(fee_rate="0.0015"))
    order = floor.see(100)
    assert order is not None
    floor.settle(order.client_order_id)
    assert floor.cycle.quantity == floor.held == Decimal("0.1997")


def test_without_an_answer_about_the_position_the_fee_is_estimated_until_it_is_reported() -> None:
    floor = Floor(at_once=False, broker=FakeBroker(fee_rate="0.0015"))
    order = floor.see(100)
    assert order is not None
    floor.broker.fail("holdings", BrokerUnavailable("down"))
    floor.settle(order.client_order_id)
    assert floor.cycle.quantity == Decimal("0.1995")
    floor.hear(floor.broker.updates[-1])
    assert floor.cycle.quantity == floor.held == Decimal("0.1997")


def test_a_fill_is_not_lost_to_an_edit_by_hand_at_the_same_moment() -> None:
    class Meddled(MemoryTransaction):
        def save_cycle(self, before: object, after: object) -> None:
            if meddlings:
                meddlings.pop()
                raise CycleChanged("somebody was faster")
            super().save_cycle(before, after)

    meddlings = [1, 1]
    floor = Floor(at_once=False)
    order = floor.see(100)
    assert order is not None
    meddled = BrokenStore(floor.store, Meddled)
    Books(meddled, floor.broker, floor.clock).on_update(1, floor.broker.updates[-1])
    assert floor.cycle.quantity == floor.held


def test_an_old_view_of_the_cycle_places_no_order() -> None:
    floor = Floor()
    known, quote = floor.state, floor.quote(100)
    floor.trader.on_quote(known, quote)
    assert floor.trader.on_quote(known, quote).order is None
    assert floor.kinds_sent == [BASE]


def test_an_old_view_never_places_an_order_that_was_not_looked_into() -> None:
    """A safety order needs no look at the position; a base order does."""
    floor = Floor()
    floor.broker.hold("BTC/USD", 1, 100)
    stale = replace(floor.state, cycle=a_holding_cycle())
    assert floor.trader.on_quote(stale, floor.quote(90)).order is None
    assert floor.broker.submitted == []


def test_a_cycle_whose_row_was_reset_by_hand_gets_no_second_order_beside_the_first() -> None:
    floor = Floor()
    floor.broker.holds_fills = True
    floor.see(100)
    floor.put_cycle(status=CycleStatus.WATCHING, latest_order_id=None)
    with pytest.raises(CycleChanged):
        floor.see(100)
    floor.broker.release_fills()
    assert floor.cycle.quantity == floor.held
    assert len(floor.broker.submitted) == 1


def test_an_asset_without_an_active_cycle_is_left_alone() -> None:
    floor = Floor()
    quote = floor.quote(100)
    assert floor.trader.on_quote(AssetState(floor.asset, None), quote).order is None


def test_two_refused_orders_in_a_row_never_leave_two_live_ones() -> None:
    floor = Floor()
    for _ in range(3):
        floor.broker.refuse("no")
        with suppress(OrderRefused):
            floor.see(100)
    assert list(floor.store.live_orders()) == []
    assert floor.clock.now - NOW == timedelta(seconds=3)


class SlowPositions(FakeBroker):
    """Alpaca takes its time to list the positions."""

    clock_of_the_test: TestClock
    seconds = 0

    def holdings(self, *, urgent: bool = False) -> Holdings:
        self.clock_of_the_test.pass_by(self.seconds)
        return super().holdings(urgent=urgent)


@pytest.mark.parametrize(("seconds", "sent"), [(10, [BASE]), (11, [])])
def test_a_quote_that_became_too_old_while_alpaca_was_asked_is_not_acted_on(
    seconds: int, sent: list[OrderKind]
) -> None:
    broker = SlowPositions()
    floor = Floor(broker=broker)
    broker.clock_of_the_test, broker.seconds = floor.clock, seconds
    quote = floor.quote(100)
    quote = replace(quote, at=floor.clock())
    floor.trader.on_quote(floor.state, quote)
    assert floor.kinds_sent == sent


def test_a_quote_that_is_too_old_is_not_even_looked_into() -> None:
    floor = Floor()
    quote = replace(floor.quote(100), at=floor.clock())
    floor.clock.pass_by(11)
    assert floor.trader.on_quote(floor.state, quote).order is None
    assert floor.broker.calls == []


# -- 15: the clocks


@pytest.mark.parametrize(("ahead", "sent"), [(30, 1), (31, 0), (-30, 1), (-31, 0)])
def test_no_order_is_placed_while_the_clocks_are_far_apart(ahead: int, sent: int) -> None:
    floor = Floor()
    floor.broker.clock_offset = timedelta(seconds=ahead)
    quote = replace(floor.quote(100), at=floor.clock() + timedelta(seconds=ahead))
    floor.trader.on_quote(floor.state, quote)
    assert len(floor.broker.submitted) == sent


@pytest.mark.parametrize(
    ("ahead", "age_by_our_clock", "is_traded"),
    [
        (0, 10, True),
        (0, 11, False),
        (5, 5, True),
        (5, 6, False),  # our clock is slow: the quote is older than it seems
        (-20, 30, True),
        (-20, 31, False),  # our clock is fast: the quote is younger than it seems
    ],
)
def test_the_age_of_a_quote_is_counted_by_alpacas_clock(
    ahead: int, age_by_our_clock: int, is_traded: bool
) -> None:
    floor = Floor()
    floor.broker.clock_offset = timedelta(seconds=ahead)
    quote = replace(floor.quote(100), at=floor.clock() - timedelta(seconds=age_by_our_clock))
    floor.trader.on_quote(floor.state, quote)
    assert bool(floor.broker.submitted) is is_traded


def test_the_positions_that_a_sell_needs_are_urgent_and_those_of_a_buy_are_not() -> None:
    asked: list[bool] = []

    class Listening(FakeBroker):
        def holdings(self, *, urgent: bool = False) -> Holdings:
            asked.append(urgent)
            return super().holdings(urgent=urgent)

    floor = Floor(broker=Listening(), at_once=True)
    floor.see(100)
    assert asked == [False]
    floor.see(102)
    assert asked == [False, True]


# -- positions that lag behind fills, or are missing


def test_a_take_profit_beside_a_lagging_position_sells_what_it_shows_and_then_the_rest() -> None:
    floor = holding_floor()
    floor.broker.let_positions_lag()
    floor.see(98)
    assert floor.cycle.safety_orders == 1
    bought = floor.cycle.quantity
    assert floor.see(103) is not None
    assert floor.cycle.status is CycleStatus.WATCHING
    floor.broker.catch_up()
    assert floor.see(103) is not None
    assert floor.cycle.status is CycleStatus.COOLDOWN
    sold = [each.quantity for each in floor.broker.submitted if each.kind is TAKE_PROFIT]
    assert sum(sold) == bought


def test_a_sold_position_that_still_shows_delays_the_next_base_order_only() -> None:
    floor = holding_floor(restart_deviation_pct="0")
    floor.broker.let_positions_lag()
    floor.see(102)
    with pytest.raises(OrderRefused, match="did not buy"):
        floor.see(90)
    floor.broker.catch_up()
    assert floor.see(90) is not None
    assert floor.kinds_sent == [BASE, TAKE_PROFIT, BASE]


def test_an_empty_list_of_positions_sells_nothing_and_loses_nothing() -> None:
    floor = holding_floor()
    before = floor.cycle
    floor.broker.lose_positions()
    with pytest.raises(OrderRefused, match="consistency_checker"):
        floor.see(102)
    assert floor.cycle == before
    floor.broker.catch_up()
    assert floor.see(102) is not None


def test_an_unreadable_position_of_another_coin_is_no_matter() -> None:
    floor = holding_floor()
    floor.broker.unreadable["ETH"] = "no average price"
    assert floor.see(102) is not None


@pytest.mark.parametrize("price", [98, 102])
def test_an_unreadable_position_of_its_own_coin_stops_what_depends_on_it(price: int) -> None:
    floor = holding_floor()
    floor.broker.unreadable["BTC"] = "no average price"
    if price == 98:  # a safety order needs no position
        assert floor.see(price) is not None
        return
    with pytest.raises(BrokerUnavailable):
        floor.see(price)


# -- a BUY that rests when the take profit is due


def test_a_buy_that_a_hand_gave_to_the_cycle_is_withdrawn_by_its_id_alone() -> None:
    floor = holding_floor()
    floor.broker.holds_fills = True
    by_hand = a_resting_order(floor)
    floor.put_cycle(status=CycleStatus.BUYING, latest_order_id=by_hand.alpaca_order_id)
    assert floor.trader.on_quote(floor.state, floor.quote(102)).withdrawn
    told = floor.broker.order("by-hand")
    assert told is not None
    assert told.status is OrderStatus.CANCELED


def a_resting_order(floor: Floor) -> OrderUpdate:
    order = an_order(client_order_id="by-hand", quantity="0.2", limit_price="98")
    return floor.broker.submit(order, BTC)


def test_a_buy_that_alpaca_has_not_named_yet_is_not_withdrawn() -> None:
    floor = holding_floor()
    floor.broker.lose_answer(taken=False)
    with pytest.raises(OrderOutcomeUnknown):
        floor.see(98)
    assert not floor.trader.on_quote(floor.state, floor.quote(102)).withdrawn
    assert "cancel" not in floor.broker.calls


def test_a_buy_that_has_ended_meanwhile_is_not_withdrawn() -> None:
    floor = holding_floor()
    floor.broker.holds_fills = True
    floor.see(98)
    known = floor.state
    floor.broker.end(floor.broker.submitted[-1].client_order_id, OrderStatus.CANCELED)
    acted = floor.trader.on_quote(known, floor.quote(102))
    assert not acted.withdrawn
    assert acted.state == floor.state
    assert "cancel" not in floor.broker.calls
    floor.put_cycle(status=CycleStatus.ERROR)
    assert floor.trader.on_quote(known, floor.quote(102)).state.cycle is None


# -- what is asked of Alpaca and the database is not asked without need


def test_the_position_is_asked_for_where_a_buy_has_grown_and_not_when_all_is_sold() -> None:
    floor = Floor(at_once=False)
    floor.broker.holds_fills = True
    base = floor.see(100)
    assert base is not None
    for part, calls in ((None, ["order"]), ("0.1", ["order", "holdings"]), (None, ["order"])):
        if part:
            floor.broker.fill(base.client_order_id, part)
        floor.broker.calls.clear()
        floor.settle(base.client_order_id)
        assert floor.broker.calls == calls
    floor.broker.release_fills()
    floor.settle(base.client_order_id)
    sale = floor.see(102)
    assert sale is not None
    floor.broker.calls.clear()
    floor.settle(sale.client_order_id)
    assert floor.broker.calls == ["order"]


def test_a_sell_of_what_the_books_say_asks_for_no_fees_that_were_assumed() -> None:
    class Counting(MemoryTransaction):
        def orders_of_cycle(self, cycle_id: int) -> Sequence[Order]:
            asked.append(cycle_id)
            return super().orders_of_cycle(cycle_id)

    asked: list[int] = []
    # once for what the answer says of the sale
    for extra, times in (("0", 1), ("0.000000001", 2)):
        floor = holding_floor()
        floor.broker.hold(BTC, floor.held + Decimal(extra), 100)
        floor.broker.holds_fills = True
        store = BrokenStore(floor.store, Counting)
        trader = Trader(store, floor.broker, floor.clock, floor.rules)
        asked.clear()
        assert trader.on_quote(floor.state, floor.quote(102)).order is not None
        assert len(asked) == times


# -- what is told


def test_a_cooldown_that_the_price_cuts_short_is_told_and_no_other_base_order(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    floor = holding_floor()
    floor.see(102)
    assert "cooldown cut short" not in caplog.text
    floor.see(90)
    assert caplog.text.count("cooldown cut short by the price") == 1


def test_news_that_the_rows_refuse_each_time_are_not_lost_but_told_to_whoever_brought_them() -> (
    None
):
    class Meddled(MemoryTransaction):
        def save_cycle(self, before: object, after: object) -> None:
            tries.append(1)
            raise CycleChanged("somebody was faster")

    tries: list[int] = []
    floor = Floor(at_once=False)
    floor.see(100)
    meddled = BrokenStore(floor.store, Meddled)
    with pytest.raises(CycleChanged):
        Books(meddled, floor.broker, floor.clock).on_update(1, floor.broker.updates[-1])
    assert len(tries) == 3
