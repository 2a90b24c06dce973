"""Small rules at their boundaries: the last that may, and the first that may not."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from dca_bot.core import story
from dca_bot.core.asset_row import buying_problem, problem_of
from dca_bot.core.booking import apply_update
from dca_bot.core.decide import Buy, Hold, decide, size_buy, triggers
from dca_bot.core.earnings import deepest_drawdown, result_of, usual_fee
from dca_bot.core.fees import RATES, seen_fee_rate
from dca_bot.core.holdings import Holdings
from dca_bot.core.ladder import next_safety_price, stop_loss_price, take_profit_price
from dca_bot.core.model import (
    Allowed,
    AssetState,
    CycleStatus,
    OrderKind,
    OrderStatus,
    OrderUpdate,
    Side,
)
from dca_bot.core.money import PRICE_STEP, weighted_average
from dca_bot.core.order_ids import new_order
from dca_bot.core.overdue import Tracking, accounts_for, cooldown_ends_at
from dca_bot.core.position import other_holder, why_blocked
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

HOUR = timedelta(hours=1)


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


def test_what_keeps_a_base_order_back_is_reported_with_its_quantity() -> None:
    assert why_blocked(an_asset(), a_holding("0.4"), Decimal(0)).startswith(
        "Alpaca holds a position of 0.4 "
    )


# -- the story of an order


def test_a_fill_is_reported_as_whole_or_as_a_part_with_its_price() -> None:
    order = an_order()
    part = an_order(filled_quantity="0.5", filled_average_price="100.50")
    whole = an_order(status=OrderStatus.FILLED, filled_quantity="1", filled_average_price="100.25")
    for before, after, sentence in (
        (order, part, "base order partly filled: bought 0.5 at 100.5 on average"),
        (part, whole, "base order filled: bought 0.5 at 100.25 on average"),
    ):
        booked = Booked(a_cycle(), after)
        update = a_fill(order, after.filled_quantity)
        [event] = story.booked(an_asset(), before, booked, update, NOW)
        assert event.sentence == sentence
        assert (event.cycle_id, event.client_order_id) == (1, order.client_order_id)


def test_what_has_not_grown_is_not_reported_again() -> None:
    part = an_order(filled_quantity="0.5", filled_average_price="100.50")
    events = story.booked(an_asset(), part, Booked(a_cycle(), part), an_update(part, "open"), NOW)
    assert list(events) == []


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


# -- the ladder


def test_the_first_rung_has_the_rows_own_amount_and_step_whatever_the_scales() -> None:
    asset = an_asset(safety_order_step_scale="2", safety_order_volume_scale="2")
    for filled in (0, -3):  # a hand may write anything
        cycle = a_holding_cycle(safety_orders=filled)
        assert next_safety_price(asset, cycle) == Decimal("98.5")


def test_a_coin_of_a_few_cents_has_safety_order_and_take_profit() -> None:
    cycle = a_holding_cycle(average_purchase_price="0.5", last_order_fill_price="0.4")
    asset = an_asset()
    assert next_safety_price(asset, cycle) == Decimal("0.394")
    assert take_profit_price(asset, cycle) == Decimal("0.505")


def test_a_cycle_without_any_price_has_none_to_act_at() -> None:
    cycle = a_holding_cycle(average_purchase_price="0", last_order_fill_price=None)
    asset = an_asset(stop_loss_pct="10", trailing_pct="1")
    assert next_safety_price(asset, cycle) is None
    assert take_profit_price(asset, cycle) is None
    assert stop_loss_price(asset, cycle) is None


def test_a_cycle_that_holds_nothing_sells_nothing_whatever_average_its_row_says() -> None:
    cycle = a_cycle(average_purchase_price="100")
    asset = an_asset(allowed=Allowed.EXIT, stop_loss_pct="10")
    for price in (50, 150):
        assert decide(asset, cycle, a_quote(price), rules_of()) == Hold("no trigger reached")


@pytest.mark.parametrize(
    ("symbol", "amount", "is_bought"),
    [
        ("BTC/USD", 200_000, True),
        ("BTC/USD", 200_100, False),
        ("BTC/USDC", 200_100, False),
        ("ETH/BTC", 200_100, True),
    ],
)
def test_a_buy_is_as_large_as_alpaca_takes_and_no_larger(
    symbol: str, amount: int, is_bought: bool
) -> None:
    found = size_buy(Decimal(amount), an_asset(symbol=symbol), a_quote(100), rules_of(symbol))
    assert found == (Decimal(amount) / 100, 100) if is_bought else "largest order" in str(found)


@pytest.mark.parametrize(
    ("symbol", "amount", "minimum"),
    [
        ("BTC/USD", "10", None),
        ("BTC/USD", "9.99", "10 USD"),
        ("BTC/USDC", "9.99", None),
        ("BTC/USDC", "0.001", "0.0001 BTC"),
    ],
)
def test_a_buy_is_as_small_as_alpaca_takes_and_no_smaller(
    symbol: str, amount: str, minimum: str | None
) -> None:
    rules = rules_of(symbol, quantity_step="0.0001")
    found = size_buy(Decimal(amount), an_asset(symbol=symbol), a_quote(100), rules)
    if minimum:
        assert str(found).endswith(f"below Alpaca's minimum of {minimum}")
    else:
        assert isinstance(found, tuple)


def test_a_wide_spread_is_no_matter_once_no_rung_is_left() -> None:
    asset = an_asset(max_spread_pct="1", max_safety_orders=0)
    assert not triggers(asset, a_holding_cycle()).are_more_than_two_prices
    assert triggers(an_asset(max_spread_pct="1"), a_holding_cycle()).max_spread_pct == 1


def test_the_price_of_a_start_may_be_the_lowest_and_the_highest_at_once() -> None:
    asset = an_asset(min_start_price="0.5", max_start_price="0.5")
    assert buying_problem(asset) == ""
    assert isinstance(decide(asset, a_cycle(), a_quote("0.5"), rules_of()), Buy)


@pytest.mark.parametrize("column", ["trailing_pct", "stop_loss_pct", "max_spread_pct"])
@pytest.mark.parametrize(("pct", "is_fine"), [("0.5", True), ("99.9", True), ("100", False)])
def test_a_percentage_lies_between_none_and_all(column: str, pct: str, is_fine: bool) -> None:
    assert (problem_of(an_asset(**{column: pct}), rules_of()) == "") is is_fine


@pytest.mark.parametrize(
    "columns",
    [
        {"safety_order_volume_scale": "0.9"},  # the fifth of 20 is worth 13.12
        {"safety_order_step_scale": "0.5"},
        {"take_profit_pct": "0.5"},
        {"restart_deviation_pct": "0.5"},
        {"safety_order_deviation_pct": "0.5"},
        {"stop_loss_seconds": 0},
        {"max_safety_orders": 1, "safety_order_step_scale": "100"},
    ],
)
def test_less_than_one_is_a_value_too(columns: dict[str, Any]) -> None:
    assert problem_of(an_asset(**columns), rules_of()) == ""


def test_a_step_that_reaches_a_hundred_percent_is_none() -> None:
    asset = an_asset(
        max_safety_orders=2, safety_order_deviation_pct="50", safety_order_step_scale="2"
    )
    assert "step to safety order 2 100.00 %" in buying_problem(asset)


# -- what a position allows


@pytest.mark.parametrize(
    ("left_behind", "sentence"),
    [
        ("0", "that the bot did not buy"),
        ("0.1", "and no cycle owns it: the bot bought 0.1 of it for a row that was deleted since"),
        ("0.4", "and no cycle owns it: the bot bought it for a row that was deleted since"),
        ("3", "and no cycle owns it: the bot bought it for a row that was deleted since"),
    ],
)
def test_whose_coins_keep_a_base_order_back_is_reported(left_behind: str, sentence: str) -> None:
    why = why_blocked(an_asset(), a_holding("0.4"), Decimal(left_behind))
    assert why.startswith(f"Alpaca holds a position of 0.4 BTC/USD {sentence}: sell it there")


def test_coins_of_another_rows_cycle_are_told_as_its_own() -> None:
    here, there = an_asset(), an_asset(asset_id=2, symbol="BTC/USDC", is_enabled=False)
    held = a_holding_cycle(cycle_id=7, asset_id=2, quantity="0.4")
    states = [AssetState(here, a_cycle()), AssetState(there, held)]
    holder = other_holder(here, states)
    why = why_blocked(here, a_holding("0.5"), Decimal(0), holder)
    assert why.startswith(
        "Alpaca holds a position of 0.5 BTC/USD, and cycle 7 of BTC/USDC holds 0.4 of it: "
        "`dca close BTC/USDC` sells them, "
    )
    assert "did not buy" not in why
    assert other_holder(there, states) is None
    of_another_coin = AssetState(there, held, bought_as="SOL/USD")
    assert other_holder(here, [of_another_coin]) is None


def by_hand(kind: OrderKind, quantity: str) -> OrderUpdate:
    return an_update(an_order(kind=kind), "filled", filled_quantity=quantity)


@pytest.mark.parametrize(
    ("held", "orders", "accounts"),
    [
        ("0.5", [("sold", "0.5")], True),
        ("0.53", [("sold", "0.5")], True),  # three per cent of what there was, for fees
        ("0.531", [("sold", "0.5")], False),
        ("2", [("bought", "1")], True),
        ("1.94", [("bought", "1")], True),
        ("1.939", [("bought", "1")], False),
        ("1.5", [("bought", "1"), ("sold", "0.5")], True),
        ("0.5", [], False),
        ("1", [], True),
    ],
)
def test_orders_by_hand_account_for_a_position_but_for_their_fees(
    held: str, orders: list[tuple[str, str]], accounts: bool
) -> None:
    kinds = {"bought": OrderKind.BASE, "sold": OrderKind.TAKE_PROFIT}
    found = [by_hand(kinds[what], quantity) for what, quantity in orders]
    assert accounts_for(a_holding_cycle(), Decimal(held), found) is accounts


def test_an_order_without_an_id_is_not_that_of_a_cycle_without_an_order() -> None:
    order = an_update(an_order(), "open", alpaca_order_id=None)
    tracking = Tracking(frozenset({order.symbol}), frozenset(), {order.symbol: a_cycle()}, {})
    assert not tracking.has(order)


def test_after_a_cycle_that_never_ended_there_is_no_cooldown_to_wait_for() -> None:
    assert cooldown_ends_at(a_cycle(), an_asset()) is None


# -- fees and earnings


@pytest.mark.parametrize(
    ("received", "rate"),
    [("0.998199997", "0.0018"), ("0.998199996", "0.0025")],  # each fill's fee is rounded up
)
def test_a_fee_of_few_fills_is_off_its_rate_by_few_steps(received: str, rate: str) -> None:
    order = an_order(filled_quantity="1", filled_average_price="100", received_quantity=received)
    assert seen_fee_rate([order]) == Decimal(rate)


def test_only_what_the_bot_has_bought_at_alpaca_tells_the_accounts_rate() -> None:
    filled: dict[str, Any] = {"filled_quantity": "1", "filled_average_price": "100"}
    adopted = an_order(kind=OrderKind.ADOPTED, received_quantity="1", **filled)
    sale = an_order(kind=OrderKind.TAKE_PROFIT, **filled)
    bought = an_order(received_quantity="0.9978", **filled)
    assert seen_fee_rate([adopted, sale]) == Decimal("0.0025")
    assert seen_fee_rate([adopted, sale, bought]) == Decimal("0.0022")


def test_a_buy_that_rested_at_the_first_tier_is_no_mix_of_the_second() -> None:
    filled: dict[str, Any] = {"filled_quantity": "1", "filled_average_price": "100"}
    rested, took = (an_order(received_quantity=net, **filled) for net in ("0.9985", "0.9978"))
    assert seen_fee_rate([rested, took]) == Decimal("0.0022")


def test_the_drawdown_is_below_the_average_of_all_that_was_bought_until_then() -> None:
    orders = [
        an_order(filled_quantity=quantity, filled_average_price=price, created_at=NOW + at * HOUR)
        for at, (quantity, price) in enumerate([("2", "100"), ("1", "90"), ("4", "80")])
    ]
    unfilled = an_order(status=OrderStatus.REJECTED)
    # 80 is below (200 + 90) / 3
    assert deepest_drawdown([*orders[::-1], unfilled]) == Decimal("-17.2414")


def test_a_cycle_in_which_nothing_was_filled_began_when_it_was_created() -> None:
    cycle = a_cycle(status=CycleStatus.ERROR, created_at=NOW, completed_at=NOW + HOUR)
    assert result_of(an_asset(), cycle, [an_order()]).began_at == NOW


# -- news of a SELL


SELLING: dict[str, Any] = {"kind": OrderKind.TAKE_PROFIT, "limit_price": None, "quantity": "0.4"}


def test_a_sell_that_is_reported_again_ends_no_cycle_that_has_gone_on_since() -> None:
    """The position in a message of before a BUY says nothing of now."""
    order = an_order(
        status=OrderStatus.FILLED, filled_quantity="0.4", filled_average_price="101", **SELLING
    )
    cycle = a_holding_cycle(quantity="0.6")
    again = a_fill(order, "0.4", 101, position="0")
    assert apply_update(an_asset(), cycle, order, again, NOW).cycle == cycle


def test_the_fee_of_a_sell_is_the_sum_over_its_parts_and_an_estimate_until_it_is_reported() -> None:
    cycle, order = a_holding_cycle(status=CycleStatus.SELLING), an_order(**SELLING)
    part = apply_update(an_asset(), cycle, order, a_fill(order, "0.1", 101, status="open"), NOW)
    assert (part.order.fee, part.order.fee_is_known) == (Decimal("0.03"), False)
    whole = apply_update(an_asset(), part.cycle, part.order, a_fill(order, "0.4", 101), NOW)
    assert (whole.order.fee, whole.order.fee_is_known) == (Decimal("0.11"), False)
    known = replace(whole.order, fee=Decimal("0.09"), fee_is_known=True)
    again = apply_update(an_asset(), whole.cycle, known, a_fill(order, "0.4", 101), NOW)
    assert (again.order.fee, again.order.fee_is_known) == (Decimal("0.09"), True)
    more = apply_update(an_asset(), whole.cycle, known, a_fill(order, "0.5", 101), NOW)
    assert not more.order.fee_is_known


def test_an_order_by_hand_above_the_last_fill_is_the_last_fill() -> None:
    cycle = a_holding_cycle(status=CycleStatus.BUYING)
    order = an_order(kind=OrderKind.EXTRA)
    assert apply_update(
        an_asset(), cycle, order, a_fill(order, 1, 105), NOW
    ).cycle.last_order_fill_price == Decimal(105)


def test_the_end_of_an_order_is_reported_once() -> None:
    ended = an_order(status=OrderStatus.CANCELED)
    for before, sentence in ((an_order(), ["base order canceled, 0 of 1 filled"]), (ended, [])):
        news = story.booked(
            an_asset(), before, Booked(a_cycle(), ended), an_update(ended, "canceled"), NOW
        )
        assert [event.sentence for event in news] == sentence


@pytest.mark.parametrize(("length", "kept"), [(255, 255), (256, 254)])
def test_a_sentence_is_cut_only_where_its_column_ends(length: int, kept: int) -> None:
    sentence = "x" * length
    assert story.changed(None, NOW, sentence).sentence == sentence[:kept] + "…" * (length > kept)


def test_an_intent_of_no_safety_order_is_no_rung() -> None:
    order = new_order(a_cycle(), OrderKind.TAKE_PROFIT, quantity=Decimal(1), now=NOW)
    assert order.rung == 0
