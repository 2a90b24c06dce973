"""What the position at Alpaca lets a cycle do, and what can't be the cycle's."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from dca_bot.core.model import Holding, OrderKind
from dca_bot.core.overdue import PositionVerdict, corrected, position_verdict, shows_the_sale
from dca_bot.core.position import (
    fees_assumed,
    is_one_of_several,
    most_it_could_hold,
    why_nothing_to_sell,
)
from tests.builders import STEP, a_cycle, a_holding, a_holding_cycle, an_asset, an_order, an_update

# Base order and two safety orders of 100 each, at 100, 90 and 81 = 1 + 1.1111 + 1.2346 coins.
LADDER: dict[str, Any] = {
    "base_order_amount": "100",
    "safety_order_amount": "100",
    "max_safety_orders": 2,
    "safety_order_deviation_pct": "10",
}


@pytest.mark.parametrize(
    ("held", "last_fill", "filled", "expected"),
    [
        ("0.9975", "100", 0, "3.346"),
        ("2.1058", "90", 1, "3.346"),  # 1 + 1.1111 before fees, and one rung to come
        ("3.3373", "81", 2, "3.346"),
        ("0.1", "81", 2, "3.346"),  # the books have lost fills
        ("9.975", "81", 2, "10.000"),  # as a user has written it
        ("3.2222", "45", 1, "6.693"),  # after a gap the ladder goes on from there: 2 + 2.2 + 2.5
    ],
)
def test_a_cycle_could_hold_its_whole_ladder_and_no_more(
    held: str, last_fill: str, filled: int, expected: str
) -> None:
    cycle = a_holding_cycle(quantity=held, last_order_fill_price=last_fill, safety_orders=filled)
    most = most_it_could_hold(an_asset(**LADDER), cycle)
    assert abs(most - Decimal(expected)) < Decimal("0.002")


@pytest.mark.parametrize(
    ("asset", "cycle"),
    [
        ({"safety_order_deviation_pct": "0"}, {}),
        ({"safety_order_deviation_pct": "100"}, {}),
        ({}, {"last_order_fill_price": None, "average_purchase_price": "0"}),
    ],
)
def test_a_ladder_without_prices_allows_what_the_books_hold(
    asset: dict[str, Any], cycle: dict[str, Any]
) -> None:
    most = most_it_could_hold(an_asset(**LADDER | asset), a_holding_cycle(**cycle))
    assert most == Decimal(1) / Decimal("0.9975")


def test_absurdly_many_rungs_are_no_trouble() -> None:
    cycle = a_holding_cycle(safety_orders=2**31 - 1)
    assert most_it_could_hold(an_asset(max_safety_orders=2**31 - 1), cycle) > 1


def verdict(held: str, **cycle: Any) -> PositionVerdict:
    holding = a_holding(held) if Decimal(held) else None
    asset, holds = an_asset(**LADDER), a_holding_cycle(**cycle)
    most = most_it_could_hold(asset, holds)
    return position_verdict(asset, holds, holding, STEP, at_most=most)


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        ("1", PositionVerdict.AGREES),
        ("0.5", PositionVerdict.DIFFERS),
        ("3.34", PositionVerdict.DIFFERS),
        ("3.36", PositionVerdict.TOO_MUCH),
        ("1000", PositionVerdict.TOO_MUCH),
        ("0", PositionVerdict.GONE),
        ("0.009", PositionVerdict.GONE),
    ],
)
def test_what_a_position_says_about_a_cycle_that_holds_one_coin(
    held: str, expected: PositionVerdict
) -> None:
    assert verdict(held) is expected


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        ("0.005", PositionVerdict.AGREES),
        ("0.004995", PositionVerdict.DIFFERS),  # the fee was not the one that was estimated
        ("0", PositionVerdict.GONE),
    ],
)
def test_a_cycle_of_a_tiny_fill_is_gone_only_where_nothing_is_held(
    held: str, expected: PositionVerdict
) -> None:
    assert verdict(held, quantity="0.005") is expected


def test_an_empty_cycle_owns_no_position() -> None:
    verdict = position_verdict(an_asset(), a_cycle(), a_holding("0.5"), STEP, at_most=Decimal(1))
    assert verdict is PositionVerdict.NOT_OURS


def test_alpacas_average_is_cut_to_what_the_column_holds() -> None:
    after = corrected(a_holding_cycle(), a_holding("0.5"))
    assert (after.quantity, after.average_purchase_price) == (Decimal("0.5"), Decimal(100))


@pytest.mark.parametrize(
    ("kind", "symbol", "filled", "shows"),
    [
        (OrderKind.TAKE_PROFIT, "BTC/USD", "1", True),
        (OrderKind.TAKE_PROFIT, "BTC/USDC", "1", True),
        (OrderKind.TAKE_PROFIT, "BTC/USD", "0.97", True),  # the books may not know the fee
        (OrderKind.TAKE_PROFIT, "BTC/USD", "0.969", False),
        (OrderKind.TAKE_PROFIT, "ETH/USD", "1", False),
        (OrderKind.BASE, "BTC/USD", "1", False),
    ],
)
def test_what_is_gone_is_believed_when_sells_of_the_coin_explain_it(
    kind: OrderKind, symbol: str, filled: str, shows: bool
) -> None:
    sale = an_update(an_order(kind=kind), "filled", symbol=symbol, filled_quantity=filled)
    assert shows_the_sale(a_holding_cycle(), "BTC", [sale]) is shows


def test_only_a_fee_that_alpaca_has_not_reported_is_assumed() -> None:
    filled: dict[str, Any] = {"quantity": "1000", "filled_quantity": "1000"}
    assumed = an_order(**filled, received_quantity="997.5")
    known = an_order(**filled, received_quantity="998.5")
    sold = an_order(**filled, kind=OrderKind.TAKE_PROFIT, received_quantity="0")
    unfilled = an_order(quantity="1000")
    assert fees_assumed([assumed, known, sold, unfilled, assumed]) == Decimal("5.0")


@pytest.mark.parametrize("price", ["0.5", "1", "2"])
def test_a_coin_below_a_dollar_has_its_whole_ladder_too(price: str) -> None:
    cycle = a_holding_cycle(
        quantity="0", last_order_fill_price=price, average_purchase_price=price, safety_orders=0
    )
    most = most_it_could_hold(an_asset(**LADDER), cycle)
    assert abs(most * Decimal(price) - Decimal("334.568")) < Decimal("0.001")


def test_steps_of_less_than_a_percent_count_and_so_do_growing_amounts() -> None:
    ladder = LADDER | {
        "safety_order_deviation_pct": "0.5",
        "safety_order_volume_scale": "2",
    }
    most = most_it_could_hold(an_asset(**ladder), a_holding_cycle(quantity="0"))
    whole = Decimal(1) + 100 / Decimal("99.5") + 200 / (Decimal("99.5") * Decimal("0.995"))
    assert abs(most - whole) < Decimal("0.000001")


@pytest.mark.parametrize(
    ("holding", "message"),
    [
        (None, "the cycle holds 1, Alpaca holds 0:"),
        (a_holding("0.4"), "the cycle holds 1, Alpaca holds 0.4:"),
        (a_holding("1", available="0"), "only 0 of 1 can be sold"),
    ],
)
def test_why_nothing_can_be_sold_is_reported_with_both_quantities(
    holding: Holding | None, message: str
) -> None:
    assert why_nothing_to_sell(a_holding_cycle(), holding).startswith(message)


@pytest.mark.parametrize(("average", "expected"), [("0.5", "0.5"), ("0", "100")])
def test_the_average_of_a_correction_is_alpacas_where_it_knows_one(
    average: str, expected: str
) -> None:
    holding = replace(a_holding("2"), average_entry_price=Decimal(average))
    after = corrected(a_holding_cycle(), holding)
    assert (after.quantity, after.average_purchase_price) == (2, Decimal(expected))


@pytest.mark.parametrize(
    ("sold", "price", "rest", "symbol", "expected"),
    [
        ("1", "100000.01", "1", "BTC/USD", True),
        ("1", "100000", "1", "BTC/USD", False),  # all that there was, or nearly
        ("0.97", "150000", "0.031", "BTC/USD", True),
        ("0.97", "150000", "0.03", "BTC/USD", False),  # a fee of 3 %
        ("1", "100000.01", "1", "BTC/USDT", True),
        ("1", "100000.01", "1", "ETH/BTC", False),
    ],
)
def test_a_large_sale_that_leaves_more_than_a_fee_is_one_of_several(
    sold: str, price: str, rest: str, symbol: str, expected: bool
) -> None:
    order = an_order(kind=OrderKind.TAKE_PROFIT, filled_quantity=sold, filled_average_price=price)
    cycle = a_holding_cycle(quantity=rest)
    assert is_one_of_several(an_asset(symbol=symbol), cycle, order) is expected
