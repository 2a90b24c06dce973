"""The tie-out names each kind of difference, and says nothing where there is none."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from dca_bot.core.model import OrderKind, OrderStatus, OrderUpdate, Side
from dca_bot.core.records import FeeActivity, FillActivity
from dca_bot.report.tie_out import BookedOrder, DifferenceKind, Records, tie_out, with_successors
from tests.builders import NOW, an_order

HOUR = timedelta(hours=1)
BUY, SELL = "alpaca-buy", "alpaca-sell"


def a_fill(order_id: str = BUY, **fields: Any) -> FillActivity:
    side = Side.SELL if order_id == SELL else Side.BUY
    fill = FillActivity(NOW, order_id, "BTC/USD", side, Decimal("0.2"), Decimal(100))
    return replace(fill, **fields)


def the_buy(**columns: Any) -> BookedOrder:
    row = {
        "client_order_id": "dca-1-base-1",
        "alpaca_order_id": BUY,
        "status": OrderStatus.FILLED,
        "filled_quantity": "0.2",
        "filled_average_price": "100",
        "received_quantity": "0.1995",
    }
    return BookedOrder(an_order(**row | columns), "BTC/USD")


def the_sell(**columns: Any) -> BookedOrder:
    row = {
        "client_order_id": "dca-1-tp-1",
        "alpaca_order_id": SELL,
        "kind": OrderKind.TAKE_PROFIT,
        "status": OrderStatus.FILLED,
        "filled_quantity": "0.1995",
        "filled_average_price": "110",
    }
    return BookedOrder(an_order(**row | columns), "BTC/USD")


def records(**changes: Any) -> Records:
    """One cycle on which both sides agree, its fees not posted yet."""
    sale = a_fill(SELL, quantity=Decimal("0.1995"), price=Decimal(110), at=NOW + HOUR)
    said: dict[str, Any] = {
        "since": NOW - HOUR,
        "asked_at": NOW + 2 * HOUR,
        "fills": [a_fill(), sale],
        "fees": [],
        "booked": [the_buy(), the_sell()],
        "ours": frozenset(),
        "symbols": frozenset({"BTC/USD"}),
    }
    return Records(**said | changes)


POSTED = [
    FeeActivity(NOW + 2 * HOUR, "BTC", Decimal("0.0005")),
    FeeActivity(NOW + 2 * HOUR, "USD", Decimal("0.06")),
]


def kinds(said: Records) -> list[DifferenceKind]:
    return [each.kind for each in tie_out(said).differences]


def test_books_that_agree_have_no_differences_and_wait_for_their_fees() -> None:
    found = tie_out(records())
    assert (found.differences, found.fills, found.pending) == ((), 2, 2)


def test_fees_that_are_posted_as_expected_are_no_difference() -> None:
    found = tie_out(records(fees=POSTED))
    assert (found.differences, found.pending) == ((), 0)


def test_a_fill_of_which_the_books_know_the_order_but_not_the_fill_is_missing() -> None:
    said = records(booked=[the_buy(filled_quantity="0", filled_average_price=None), the_sell()])
    (difference,) = tie_out(said).differences
    assert (difference.kind, difference.order_id) == (DifferenceKind.MISSING_FILL, BUY)


def test_an_order_edited_at_alpaca_is_one_with_its_successors() -> None:
    before, between, after = (
        a_fill(order_id, quantity=Decimal(quantity))
        for order_id, quantity in (("first", "0.05"), ("second", "0.1"), (BUY, "0.05"))
    )
    foreign = a_fill("foreign", quantity=Decimal(7), symbol="ETH/USD")
    update = OrderUpdate("dca-1-base-1", BUY, "BTC/USD", Side.BUY, OrderStatus.FILLED)
    asked = {
        "first": update,
        "second": replace(update, client_order_id="edited by hand"),
        "foreign": replace(update, client_order_id="foreign", alpaca_order_id="foreign"),
    }
    fills = with_successors([before, between, after, foreign], [the_buy()], asked)
    assert [fill.order_id for fill in fills] == [BUY, BUY, BUY, "foreign"]
    assert kinds(records(fills=fills, booked=[the_buy()])) == []


def test_a_fill_of_ours_whose_order_the_books_have_lost_is_missing() -> None:
    said = records(booked=[the_sell()], ours=frozenset({BUY}))
    assert kinds(said) == [DifferenceKind.MISSING_FILL]


def test_a_fill_that_only_the_books_have_is_missing_at_alpaca() -> None:
    said = records(fills=records().fills[:1])
    (difference,) = tie_out(said).differences
    assert (difference.kind, difference.order_id) == (DifferenceKind.MISSING_FILL, SELL)


def test_another_quantity_is_named_with_both_numbers() -> None:
    said = records(booked=[the_buy(filled_quantity="0.25", received_quantity="0.2495"), the_sell()])
    (difference,) = tie_out(said).differences
    assert difference.kind is DifferenceKind.WRONG_QUANTITY
    assert "0.2," in difference.what
    assert "0.25" in difference.what


def test_another_price_is_named_with_both_numbers() -> None:
    said = records(booked=[the_buy(filled_average_price="100.01"), the_sell()])
    (difference,) = tie_out(said).differences
    assert difference.kind is DifferenceKind.WRONG_PRICE
    assert "100.01" in difference.what


@pytest.mark.parametrize(
    ("parts", "booked", "is_wrong"),
    [
        (["0.000003"], "0.000003", False),
        (["0.000003"], "0.0000030005", True),
        (["0.00000312345"], "0.0000031234", False),  # as the column holds it
        (["0.000003", "0.000004"], "0.0000035005", False),  # as Alpaca may round an average
        (["0.000003", "0.000004"], "0.000003501", True),
    ],
)
def test_a_price_of_a_cheap_coin_may_be_off_by_what_rounding_leaves(
    parts: list[str], booked: str, is_wrong: bool
) -> None:
    quantity = Decimal("0.2") / len(parts)
    fills = [a_fill(quantity=quantity, price=Decimal(each)) for each in parts]
    said = records(
        fills=[*fills, records().fills[1]],
        booked=[the_buy(filled_average_price=booked), the_sell()],
    )
    assert kinds(said) == ([DifferenceKind.WRONG_PRICE] if is_wrong else [])


def test_parts_of_a_fill_are_one_fill_at_their_average_price() -> None:
    parts = [
        a_fill(quantity=Decimal("0.05"), price=Decimal(98)),
        a_fill(quantity=Decimal("0.15"), price=Decimal(101)),
    ]
    average = the_buy(filled_average_price="100.25")
    assert kinds(records(fills=[*parts, records().fills[1]], booked=[average, the_sell()])) == []


def test_a_trade_of_somebody_else_is_named_and_its_fee_is_his() -> None:
    foreign = a_fill("by-hand", at=NOW + HOUR)
    fills = sorted([*records().fills, foreign], key=lambda fill: fill.at)
    found = tie_out(records(fills=fills, fees=[replace(POSTED[0], amount=Decimal("0.001"))]))
    assert [(each.kind, each.order_id) for each in found.differences] == [
        (DifferenceKind.FOREIGN_TRADE, "by-hand")
    ]


def test_a_trade_in_a_symbol_that_the_bot_never_had_is_not_its_business() -> None:
    foreign = a_fill("by-hand", symbol="UNI/USD")
    assert kinds(records(fills=[*records().fills, foreign])) == []


def test_a_fee_that_is_not_what_the_fills_cost_is_named_with_both_sums() -> None:
    fees = [POSTED[0], replace(POSTED[1], amount=Decimal("0.09"))]
    (difference,) = tie_out(records(fees=fees)).differences
    assert difference.kind is DifferenceKind.FEE_DIFFERENCE
    assert "0.09 USD" in difference.what
    assert "0.06 USD" in difference.what


def test_books_that_received_more_than_alpaca_let_them_are_a_fee_difference() -> None:
    booked = [the_buy(received_quantity="0.1999"), the_sell()]
    assert set(kinds(records(booked=booked, fees=POSTED))) == {DifferenceKind.FEE_DIFFERENCE}


def test_a_fee_that_was_never_posted_is_a_difference_after_two_days() -> None:
    said = records(asked_at=NOW + timedelta(days=3))
    assert set(kinds(said)) == {DifferenceKind.FEE_DIFFERENCE}


def test_fills_since_the_last_batch_of_fees_still_wait_for_theirs() -> None:
    later = a_fill("alpaca-later", at=NOW + 2 * HOUR)
    booked = [the_buy(), the_sell(), the_buy(alpaca_order_id="alpaca-later")]
    found = tie_out(records(fills=[*records().fills, later], booked=booked, fees=POSTED))
    assert (found.differences, found.pending) == ((), 1)


def test_fees_of_the_day_before_that_were_posted_since_are_no_difference() -> None:
    before = a_fill("alpaca-before", at=NOW - 2 * HOUR)
    fees = [replace(POSTED[0], amount=Decimal("0.001")), POSTED[1]]
    booked = [
        the_buy(alpaca_order_id="alpaca-before", created_at=NOW - 2 * HOUR),
        the_buy(),
        the_sell(),
    ]
    assert kinds(records(fills=[before, *records().fills], booked=booked, fees=fees)) == []


def test_a_foreign_order_that_rested_may_have_cost_less() -> None:
    taken = a_fill("by-hand-1", at=NOW + HOUR)
    rested = a_fill("by-hand-2", at=NOW + HOUR)
    fills = sorted([*records().fills, taken, rested], key=lambda fill: fill.at)
    charged = Decimal("0.0005") + Decimal("0.0005") + Decimal("0.0003")
    found = tie_out(records(fills=fills, fees=[replace(POSTED[0], amount=charged), POSTED[1]]))
    assert {each.kind for each in found.differences} == {DifferenceKind.FOREIGN_TRADE}


def test_a_fee_that_alpaca_has_reported_before_is_what_it_is_compared_with() -> None:
    booked = [the_buy(), the_sell(fee=Decimal("0.09"), fee_is_known=True)]
    assert (
        kinds(records(booked=booked, fees=[POSTED[0], replace(POSTED[1], amount=Decimal("0.09"))]))
        == []
    )
    assert kinds(records(booked=booked, fees=POSTED)) == [DifferenceKind.FEE_DIFFERENCE]
