"""The real trader with columns turned on that are off by default: what reaches the exchange."""

from datetime import timedelta
from decimal import Decimal

import pytest

from dca_bot.core.model import Allowed, CycleStatus, OrderKind
from dca_bot.program.errors import OrderRefused
from tests.builders import NOW, Floor
from tests.fakes import FakeBroker


def holding(**columns: object) -> Floor:
    """A base order of one coin at 100 is filled."""
    floor = Floor(base_order_amount=100, max_safety_orders=0, **columns)
    floor.see(100)
    return floor


def test_a_trailing_take_profit_sells_at_the_fall_from_its_peak() -> None:
    floor = holding(take_profit_pct="1", trailing_pct="1")
    for bid in (101, 104, 103):
        assert floor.see(bid) is None
    assert floor.cycle.highest_bid == 104
    order = floor.see("102.96")
    assert order is not None
    assert order.kind is OrderKind.TAKE_PROFIT
    assert floor.cycle.status is CycleStatus.COOLDOWN
    assert floor.asset.last_sell_price == Decimal("102.96")


def test_a_restart_between_peak_and_fall_forgets_nothing() -> None:
    floor = holding(take_profit_pct="1", trailing_pct="1")
    floor.see(104)
    floor.put_cycle(latest_order_id=None)  # the row is read again, by another process
    assert floor.see("102.9") is not None


def test_a_stop_loss_sells_after_its_seconds_and_pauses_the_asset() -> None:
    floor = holding(stop_loss_pct="10", stop_loss_seconds=3)
    assert [floor.see(bid) for bid in (89, 95, 89, 88, 87)] == [None] * 5
    order = floor.see(86)
    assert order is not None
    assert order.kind is OrderKind.STOP_LOSS
    assert floor.asset.allowed is Allowed.EXIT
    assert floor.cycle.status is CycleStatus.COOLDOWN
    assert floor.see(1) is None  # far below the last sale, and yet no cycle begins


def test_a_stop_loss_that_sells_a_part_sells_the_rest() -> None:
    floor = holding(stop_loss_pct="10")
    floor.broker.holds_fills = True
    order = floor.see(89)
    assert order is not None
    floor.broker.fill(order.client_order_id, order.quantity / 2)
    floor.broker.end(order.client_order_id, floor.order(order.client_order_id).status.CANCELED)
    assert floor.cycle.status is CycleStatus.WATCHING
    floor.broker.holds_fills = False
    assert floor.see(88) is not None
    assert floor.held < Decimal("0.000001")
    assert floor.asset.allowed is Allowed.EXIT


def test_a_stop_loss_counts_while_its_safety_order_is_refused() -> None:
    """A crash with rungs left, and Alpaca says no to each: the loss stops all the same."""
    floor = Floor(safety_order_deviation_pct="5", stop_loss_pct="10", stop_loss_seconds=60)
    floor.see(100)
    for _ in range(60):
        floor.broker.refuse("the order was refused")
        with pytest.raises(OrderRefused):
            floor.see(89)
    order = floor.see(89)
    assert order is not None
    assert order.kind is OrderKind.STOP_LOSS


def test_each_safety_order_is_worth_its_own_amount() -> None:
    floor = Floor(
        safety_order_deviation_pct="1",
        safety_order_step_scale="2",
        safety_order_volume_scale="1.5",
        take_profit_pct="50",
        max_safety_orders=3,
    )
    prices = [Decimal(100), Decimal(99), Decimal("97.02"), Decimal("93.1392")]
    orders = [floor.see(price) for price in prices]
    spent = [order.quantity * price for order, price in zip(orders, prices, strict=True) if order]
    expected = [20, 20, 30, 45]
    assert all(
        abs(one - other) < Decimal("0.000001") for one, other in zip(spent, expected, strict=True)
    )


def test_what_is_paused_by_sql_buys_nothing_and_takes_its_profit() -> None:
    floor = Floor(max_safety_orders=5)
    floor.see(100)
    floor.edit(allowed=Allowed.EXIT)
    assert floor.see(50) is None
    assert floor.see(102) is not None
    assert floor.kinds_sent == [OrderKind.BASE, OrderKind.TAKE_PROFIT]


def test_a_pause_between_decision_and_intent_counts() -> None:
    """The row as the worker knows it still says `all`; the row that is locked does not."""
    floor = Floor()
    known = floor.state
    floor.edit(allowed=Allowed.EXIT)
    acted = floor.trader.on_quote(known, floor.quote(100))
    assert acted.order is None
    assert floor.kinds_sent == []


def test_the_time_of_a_stop_loss_begins_with_its_first_bid() -> None:
    floor = holding(stop_loss_pct="10", stop_loss_seconds=60)
    floor.see(89)
    since = floor.cycle.stop_loss_since
    floor.see(88)
    assert floor.cycle.stop_loss_since == since == NOW + timedelta(seconds=2)


def test_a_target_after_fees_counts_the_rate_that_the_account_was_seen_to_pay() -> None:
    rate = Decimal("0.0012")
    columns = {"base_order_amount": 100, "take_profit_after_fees": True, "max_safety_orders": 0}
    floor = Floor(broker=FakeBroker(fee_rate=rate), **columns)
    floor.see(100)
    assert floor.cycle.fee_rate is not None
    target = 101 / (1 - floor.cycle.fee_rate) ** 2
    assert floor.see(target - Decimal("0.01")) is None
    assert floor.see(target + Decimal("0.01")) is not None
    with floor.store.transaction(1) as tx:
        [base, sale] = tx.orders_of_cycle(1)
    assert base.filled_average_price is not None
    assert sale.fee is not None
    assert sale.filled_average_price is not None
    income = sale.filled_quantity * sale.filled_average_price - sale.fee
    assert income - base.filled_quantity * base.filled_average_price >= Decimal("0.99")


def test_a_buy_that_rested_for_less_does_not_lower_the_target_after_fees() -> None:
    floor = Floor(broker=FakeBroker(fee_rate="0.0025"), take_profit_after_fees=True)
    floor.see(100)
    floor.broker.fee_rate = Decimal("0.0012")
    floor.see(98)
    assert floor.cycle.safety_orders == 1
    assert floor.cycle.fee_rate == Decimal("0.0025")


def test_a_row_that_was_disabled_meanwhile_remembers_nothing() -> None:
    floor = holding(take_profit_pct="1", trailing_pct="1", stop_loss_pct="10")
    known = floor.state
    floor.edit(is_enabled=False)
    for bid in (104, 80):
        assert floor.trader.on_quote(known, floor.quote(bid)).state == floor.state
        assert (floor.cycle.highest_bid, floor.cycle.stop_loss_since) == (None, None)
