"""Small rules at their boundaries: the last that may, and the first that may not."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from dca_bot.core import story
from dca_bot.core.asset_row import buying_problem
from dca_bot.core.booking import apply_update
from dca_bot.core.decide import size_buy, triggers
from dca_bot.core.earnings import result_of, usual_fee
from dca_bot.core.fees import RATES
from dca_bot.core.holdings import Holdings
from dca_bot.core.model import CycleStatus, OrderKind, OrderStatus, Side
from dca_bot.core.money import PRICE_STEP, weighted_average
from dca_bot.core.position import why_blocked
from dca_bot.core.records import Booked, FillActivity
from dca_bot.program.errors import BrokerUnavailable
from tests.builders import (
    NOW,
    a_cycle,
    a_fill,
    a_holding,
    a_holding_cycle,
    a_quote,
    an_asset,
    an_order,
    an_update,
    rules_of,
)


@pytest.mark.parametrize(
    ("rungs", "is_fine"), [(-1, False), (0, True), (1000, True), (1001, False)]
)
def test_a_ladder_has_from_none_to_a_thousand_rungs(rungs: int, is_fine: bool) -> None:
    assert (not buying_problem(an_asset(max_safety_orders=rungs))) is is_fine


def test_a_quantity_that_the_books_can_hold_is_bought_and_the_next_one_is_not() -> None:
    asset, price = an_asset(), Decimal("1E-13")
    quote, rules = a_quote(price), rules_of(price_step=price)
    most = Decimal(10) ** 15
    assert size_buy(Decimal(99), asset, quote, rules) == (most / 100 * 99, price)
    assert "more than the books can hold" in str(size_buy(Decimal(100), asset, quote, rules))


def test_a_trailing_profit_is_looked_at_between_target_and_fall_and_above_its_peak() -> None:
    asset = an_asset(trailing_pct="2", stop_loss_pct="10")
    at = triggers(asset, a_holding_cycle(highest_bid="110"))
    assert at.sell_between == (101, Decimal("107.8"))
    assert at.sell_at_or_above == 110 + PRICE_STEP
    assert at.stop_at_or_below == 90
    assert triggers(asset, a_holding_cycle()).sell_at_or_above == 101
    assert triggers(an_asset(), a_holding_cycle()).stop_at_or_below is None


def test_a_position_that_does_not_say_whose_it_is_leaves_only_the_others_in_doubt() -> None:
    holding = a_holding("1")
    holdings = Holdings({"BTC": holding}, {"": "a position without a symbol"})
    assert holdings.of("BTC") == holding
    with pytest.raises(BrokerUnavailable, match="without a symbol"):
        holdings.of("ETH")
    assert Holdings({"BTC": holding}).of("ETH") is None


def test_the_average_of_less_than_a_coin_is_weighted_too() -> None:
    average = weighted_average(Decimal("0.1"), Decimal(100), Decimal("0.3"), Decimal(80))
    assert average == 85


@pytest.mark.parametrize(
    ("side", "symbol", "fee"),
    [
        (Side.BUY, "BTC/USD", "0.000500000"),
        (Side.SELL, "BTC/USD", "0.06"),
        (Side.SELL, "BTC/USDC", "0.050025000"),
    ],
)
def test_the_usual_fee_of_a_fill_is_in_what_it_is_credited_in(
    side: Side, symbol: str, fee: str
) -> None:
    fill = FillActivity(NOW, "alpaca-1", symbol, side, Decimal("0.2"), Decimal("100.05"))
    assert usual_fee(fill, Decimal("0.0025")) == Decimal(fee)


def test_a_cycle_began_with_its_first_order_that_was_filled() -> None:
    later = NOW + timedelta(minutes=5)
    cycle = a_cycle(status=CycleStatus.COMPLETE, completed_at=later + timedelta(hours=1))
    orders = [
        an_order(client_order_id="dca-1-base-0", status=OrderStatus.REJECTED),
        an_order(created_at=later, filled_quantity="1", filled_average_price="100"),
    ]
    assert result_of(an_asset(), cycle, orders).began_at == later


def test_what_keeps_a_base_order_back_is_told_with_its_quantity() -> None:
    assert why_blocked(an_asset(), a_holding("0.4"), Decimal(0)).startswith(
        "Alpaca holds a position of 0.4 "
    )


# -- the story of an order


def test_a_fill_is_told_as_whole_or_as_a_part_with_its_price() -> None:
    order = an_order()
    part = an_order(filled_quantity="0.5", filled_average_price="100.50")
    whole = an_order(status=OrderStatus.FILLED, filled_quantity="1", filled_average_price="100.25")
    for before, after, told in (
        (order, part, "base order partly filled: bought 0.5 at 100.5 on average"),
        (part, whole, "base order filled: bought 0.5 at 100.25 on average"),
    ):
        booked = Booked(a_cycle(), after)
        update = a_fill(order, after.filled_quantity)
        [event] = story.booked(an_asset(), before, booked, update, NOW)
        assert event.told == told
        assert (event.cycle_id, event.client_order_id) == (1, order.client_order_id)


def test_what_has_not_grown_is_not_told_again() -> None:
    part = an_order(filled_quantity="0.5", filled_average_price="100.50")
    told = story.booked(an_asset(), part, Booked(a_cycle(), part), an_update(part, "open"), NOW)
    assert list(told) == []


@pytest.mark.parametrize("cycle_id", [0, 7])
def test_what_is_done_to_a_row_belongs_to_its_cycle_if_it_has_one(cycle_id: int) -> None:
    cycle = a_cycle(cycle_id=cycle_id) if cycle_id else None
    assert story.changed(cycle, NOW, "it was edited").cycle_id == cycle_id


def test_a_safety_order_shows_the_accounts_fee_rate_as_the_base_order_does() -> None:
    cycle = a_holding_cycle(status=CycleStatus.BUYING)
    order = an_order(kind=OrderKind.SAFETY, rung=1, quantity_before="1", average_before="100")
    asset = an_asset(take_profit_after_fees=True)
    booked = apply_update(asset, cycle, order, a_fill(order, 1, position="1.998"), NOW)
    assert booked.cycle.quantity == Decimal("1.998")
    assert booked.cycle.fee_rate == Decimal("0.0020")


def test_the_rates_are_those_that_alpaca_charges() -> None:
    percents = "0.25 0.22 0.20 0.18 0.15 0.13 0.12 0.10 0.08 0.05 0.02"
    assert [rate * 100 for rate in RATES] == [Decimal(each) for each in percents.split()]
