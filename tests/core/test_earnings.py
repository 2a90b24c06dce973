"""What a cycle's orders came to: fees to the cent, dust, and coins that went another way."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from dca_bot.core.earnings import deepest_drawdown, net_of, result_of, tally
from dca_bot.core.fees import growth_of_fee, seen_fee_rate
from dca_bot.core.model import CycleStatus, Order, OrderKind, OrderStatus
from tests.builders import NOW, a_cycle, an_asset, an_order


def bought(quantity: str, price: str, *, rate: str = "0.0025", **columns: Any) -> Order:
    gross = Decimal(quantity)
    return an_order(
        status=OrderStatus.FILLED,
        filled_quantity=gross,
        filled_average_price=price,
        received_quantity=gross * (1 - Decimal(rate)),
        **columns,
    )


def sold(quantity: str, price: str, fee: str | None, **columns: Any) -> Order:
    return an_order(
        client_order_id="dca-1-tp-1",
        kind=OrderKind.TAKE_PROFIT,
        status=OrderStatus.FILLED,
        filled_quantity=Decimal(quantity),
        filled_average_price=price,
        fee=None if fee is None else Decimal(fee),
        **columns,
    )


def test_net_is_money_out_less_both_fees_less_money_in() -> None:
    sums = tally([bought("1", "100"), sold("0.9975", "110", "0.28")])
    assert (sums.cost, sums.proceeds) == (100, Decimal("109.725"))
    assert sums.fees == Decimal("0.25") + Decimal("0.28")
    assert net_of(an_asset(), sums) == Decimal("9.445")


def test_an_order_without_a_fill_counts_for_nothing() -> None:
    rejected = an_order(client_order_id="dca-1-so1-1", status=OrderStatus.REJECTED)
    assert tally([bought("1", "100"), rejected]) == tally([bought("1", "100")])


def test_dust_that_stays_costs_what_was_paid_for_it() -> None:
    sums = tally([bought("1", "100"), sold("0.9970", "110", "0.28")])
    assert sums.left == Decimal("0.0005")
    assert net_of(an_asset(), sums) == sums.proceeds - Decimal("0.28") - 100


@pytest.mark.parametrize(("price", "is_dust"), [("199", True), ("201", False)])
def test_what_is_dust_goes_by_the_price_of_the_sale(price: str, is_dust: bool) -> None:
    sums = tally([bought("1", "100", rate="0"), sold("0.995", price, "0")])
    whole, share = sums.proceeds - 100, sums.proceeds - Decimal("99.5")
    assert net_of(an_asset(), sums) == (whole if is_dust else share)


def test_a_sell_that_filled_nothing_leaves_the_fees_known() -> None:
    cycle = a_cycle(status=CycleStatus.COMPLETE, completed_at=NOW)
    canceled = an_order(
        client_order_id="dca-1-tp-2", kind=OrderKind.TAKE_PROFIT, status=OrderStatus.CANCELED
    )
    orders = [bought("1", "100"), sold("0.9975", "110", "0.28", fee_is_known=True)]
    assert result_of(an_asset(), cycle, [*orders, canceled]).fees_are_known
    guessed = sold("0.9975", "110", "0.28", fee_is_known=False)
    assert not result_of(an_asset(), cycle, [orders[0], guessed, canceled]).fees_are_known


def test_coins_sold_by_hand_take_their_share_of_the_cost_along() -> None:
    half = tally([bought("1", "100", rate="0"), sold("0.5", "110", "0")])
    assert net_of(an_asset(), half) == 5


def test_coins_bought_by_hand_take_their_share_of_the_proceeds_along() -> None:
    double = tally([bought("1", "100", rate="0"), sold("2", "110", "0")])
    assert net_of(an_asset(), double) == 10


def test_what_no_order_of_the_bot_has_bought_or_sold_has_no_known_profit() -> None:
    assert net_of(an_asset(), tally([sold("1", "110", "0.28")])) is None
    assert net_of(an_asset(), tally([bought("1", "100")])) is None


@pytest.mark.parametrize(
    ("paid", "charged"),
    [
        (["0.0025"], "0.0025"),
        (["0.0025", "0.0015"], "0.0025"),  # one of them rested
        (["0.0015"], "0.0025"),  # all of them rested
        (["0.0021"], "0.0025"),  # one that rested in part
        (["0.0022", "0.0012"], "0.0022"),
        (["0.0012"], "0.0022"),
        (["0.002503"], "0.0025"),  # rounding up of each fill's fee
        (["0"], "0"),
        ([], "0.0025"),
    ],
)
def test_a_sell_is_charged_what_the_buys_were_seen_to_pay(paid: list[str], charged: str) -> None:
    orders = [bought("10", "100", rate=rate) for rate in paid]
    assert seen_fee_rate(orders) == Decimal(charged)


@pytest.mark.parametrize(("rate", "seen"), [("0.0018", "0.0018"), ("0.001804", "0.0025")])
def test_a_mix_of_two_rates_is_not_taken_for_a_lower_tier(rate: str, seen: str) -> None:
    assert seen_fee_rate([bought("1", "100", rate=rate)]) == Decimal(seen)


def test_the_fee_of_each_part_of_a_sell_is_rounded_up_to_the_cent() -> None:
    asset, rate = an_asset(), Decimal("0.0025")
    nothing = sold("0", "0", None)
    part, whole = sold("0.1", "101", None), sold("0.3", "101", None)
    assert growth_of_fee(asset, nothing, part, rate) == Decimal("0.03")
    assert growth_of_fee(asset, part, whole, rate) == Decimal("0.06")
    assert growth_of_fee(asset, nothing, whole, rate) == Decimal("0.08")
    assert growth_of_fee(asset, whole, whole, rate) == 0


def test_a_sell_for_another_coin_than_dollars_is_charged_in_its_finest_step() -> None:
    asset = an_asset(symbol="BTC/USDC")
    fee = growth_of_fee(asset, sold("0", "0", None), sold("0.1", "101", None), Decimal("0.0025"))
    assert fee == Decimal("0.02525")


def test_the_drawdown_is_what_the_bots_own_buys_have_seen() -> None:
    orders = [
        bought("1", "100", created_at=NOW),
        bought("1", "90", created_at=NOW + timedelta(1)),
        sold("2", "200", "0", created_at=NOW + timedelta(2)),
    ]
    assert deepest_drawdown(orders) == -10


def test_a_result_says_since_when_for_how_much_and_what_is_left() -> None:
    cycle = a_cycle(status=CycleStatus.COMPLETE, completed_at=NOW + timedelta(1), safety_orders=1)
    result = result_of(an_asset(), cycle, [bought("1", "100"), sold("0.9975", "110", "0.28")])
    assert (result.began_at, result.completed_at) == (NOW, NOW + timedelta(1))
    assert (result.cost, result.net) == (100, Decimal("9.445"))
    assert (result.safety_orders, result.max_safety_orders, result.left_quantity) == (1, 5, 0)


def test_a_cycle_that_was_given_up_has_no_known_profit() -> None:
    cycle = a_cycle(status=CycleStatus.ERROR, completed_at=NOW)
    result = result_of(an_asset(), cycle, [bought("1", "100"), sold("0.5", "110", "0.28")])
    assert (result.net, result.cost) == (None, 100)


@pytest.mark.parametrize(("sold_quantity", "net"), [("1", "10"), ("4", "20")])
def test_the_share_follows_the_quantities_whatever_they_are(sold_quantity: str, net: str) -> None:
    sums = tally([bought("2", "100", rate="0"), sold(sold_quantity, "110", "0")])
    assert net_of(an_asset(), sums) == Decimal(net)


def test_the_largest_orders_that_the_books_hold_have_a_result() -> None:
    most, dearest = "999999999999999.999999999999999", "9999999999.9999999999"
    orders = [bought(most, dearest), bought(most, dearest), sold(most, dearest, None)]
    result = result_of(an_asset(), a_cycle(status=CycleStatus.COMPLETE, completed_at=NOW), orders)
    assert result.cost > Decimal(10) ** 25
    assert result.net is not None
