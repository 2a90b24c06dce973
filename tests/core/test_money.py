"""Rounding, fees and dust."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dca_bot.core.holdings import is_dust
from dca_bot.core.money import (
    estimated_receipt,
    received,
    round_down,
    storable_price,
    weighted_average,
)
from tests.builders import CHECKED, STEP, an_asset

QUANTITIES = st.decimals(min_value=0, max_value=10**6, places=9)
INCREMENTS = st.sampled_from([Decimal(10) ** -n for n in range(10)] + [Decimal("0.005")])


@pytest.mark.parametrize(
    ("value", "increment", "expected"),
    [
        ("1.239", "0.01", "1.23"),
        ("1.23", "0.01", "1.23"),
        ("0.009", "0.01", "0"),
        ("17", "5", "15"),
        ("0.0000000019", "0.000000001", "0.000000001"),
    ],
)
def test_rounding_goes_down_to_the_increment(value: str, increment: str, expected: str) -> None:
    assert round_down(Decimal(value), Decimal(increment)) == Decimal(expected)


@given(value=QUANTITIES, increment=INCREMENTS)
@CHECKED
def test_rounding_loses_less_than_one_increment(value: Decimal, increment: Decimal) -> None:
    rounded = round_down(value, increment)
    assert rounded % increment == 0
    assert 0 <= value - rounded < increment


@pytest.mark.parametrize(
    ("filled", "expected"),
    [
        # Recorded at Alpaca: gross fill -> what the position grew by.
        ("0.000018187", "0.000018141"),
        ("0.00001", "0.000009975"),
        ("0.0001", "0.00009975"),
        ("0.008694422", "0.008672685"),
        ("0.000000001", "0"),
    ],
)
def test_the_usual_fee_is_rounded_up_in_coin(filled: str, expected: str) -> None:
    assert estimated_receipt(Decimal(filled)) == Decimal(expected)


@given(filled=st.decimals(min_value=0, max_value=10**6, places=15))
@CHECKED
def test_no_fee_takes_more_than_was_bought(filled: Decimal) -> None:
    assert 0 <= estimated_receipt(filled) <= filled


def test_the_position_tells_the_fee_exactly() -> None:
    # 22 basis points, not the 25 of our estimate
    assert received(Decimal("23.326114883"), Decimal(0), Decimal("23.27479743")) == Decimal(
        "23.27479743"
    )


@pytest.mark.parametrize(
    ("held_after", "why"),
    [
        (None, "nobody reported"),
        ("1", "the position lags behind"),
        ("3.5", "somebody bought by hand"),
        ("1.5", "somebody sold by hand"),
    ],
)
def test_a_position_that_no_fee_explains_is_not_believed(held_after: str | None, why: str) -> None:
    held = None if held_after is None else Decimal(held_after)
    assert received(Decimal(1), Decimal(1), held) == Decimal("0.9975"), why


@pytest.mark.parametrize(
    ("held_after", "expected"),
    [
        ("2", "1"),  # no fee at all
        ("1.98", "0.98"),
        ("1.97", "0.97"),  # three per cent: more than any tier takes
        ("1.969999999", "0.969999999"),  # rounded up by one step
        ("1.969999998", "0.9975"),
        ("2.000000001", "0.9975"),
    ],
)
def test_a_fee_of_up_to_three_per_cent_explains_a_position(held_after: str, expected: str) -> None:
    assert received(Decimal(1), Decimal(1), Decimal(held_after)) == Decimal(expected)


@pytest.mark.parametrize(
    ("lots", "expected"),
    [
        ([("0", "0"), ("2", "100")], "100"),
        ([("1", "100"), ("1", "50")], "75"),
        ([("1", "100"), ("3", "60")], "70"),
        ([("1", "1"), ("2", "2")], "1.6666666667"),
        ([("0", "90"), ("0", "100")], "100"),
    ],
)
def test_the_average_is_weighted_by_quantity(lots: list[tuple[str, str]], expected: str) -> None:
    (quantity, average), (more, price) = [(Decimal(q), Decimal(p)) for q, p in lots]
    assert weighted_average(quantity, average, more, price) == Decimal(expected)


def test_a_price_is_cut_to_the_digits_of_its_column() -> None:
    assert storable_price(Decimal(2) / 3) == Decimal("0.6666666667")


@pytest.mark.parametrize(
    ("rest", "price", "symbol", "expected"),
    [
        ("0", "100", "BTC/USD", True),
        ("-1", "100", "BTC/USD", True),
        ("0.009", "100", "BTC/USD", True),
        ("0.01", "100", "BTC/USD", False),
        ("0.5", "1", "DOGE/USDT", True),
        # In another currency it is a hundredth of a base order: here of 20, so 0.2.
        ("1.99", "0.1", "ETH/BTC", True),
        ("2", "0.1", "ETH/BTC", False),
    ],
)
def test_dust_is_what_no_order_is_worth_placing_for(
    rest: str, price: str, symbol: str, expected: bool
) -> None:
    assert is_dust(Decimal(rest), Decimal(price), an_asset(symbol=symbol)) is expected


def test_the_smallest_step_of_a_coin_is_dust() -> None:
    assert is_dust(STEP, Decimal(1_000_000), an_asset())
