"""The worked examples of docs/strategy.md, computed by the code that trades."""

import re
from decimal import ROUND_HALF_UP, Decimal

import pytest

from dca_bot.core.ladder import (
    next_safety_price,
    safety_amount,
    safety_deviation,
    spread_pct,
    stop_loss_price,
    take_profit_price,
    trailing_price,
)
from dca_bot.program.settings import PROJECT_ROOT
from tests.builders import a_holding_cycle, a_quote, an_asset

PAGE = (PROJECT_ROOT / "docs" / "strategy.md").read_text()
AT_64000 = a_holding_cycle(average_purchase_price="64000", last_order_fill_price="64000")


def shown(number: Decimal | None) -> str:
    assert number is not None
    return f"{number.quantize(Decimal('0.01'), ROUND_HALF_UP):,}"


def paragraph(name: str) -> str:
    found = re.search(rf"\*\*{name}\.\*\*(.*?)\n\n", PAGE, re.DOTALL)
    assert found, name
    return found[1]


def test_growing_safety_orders() -> None:
    asset = an_asset(
        safety_order_amount="20", safety_order_volume_scale="1.5", safety_order_step_scale="1.2"
    )
    last, expected = Decimal(64000), []
    for rung in (1, 2, 3):
        cycle = a_holding_cycle(safety_orders=rung - 1, last_order_fill_price=str(last))
        trigger = next_safety_price(asset, cycle)
        assert trigger is not None
        step = f"{safety_deviation(asset, rung):.2f} %"
        expected.append(
            f"| {rung} | {shown(safety_amount(asset, rung))} | {step} | {shown(trigger)} |"
        )
        last = trigger
    assert "\n".join(expected) in PAGE


@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        (
            "After fees",
            [
                take_profit_price(an_asset(), AT_64000),
                take_profit_price(an_asset(take_profit_after_fees=True), AT_64000),
            ],
        ),
        (
            "Trailing",
            [
                take_profit_price(an_asset(), AT_64000),
                *(
                    trailing_price(an_asset(trailing_pct="0.5"), a_holding_cycle(highest_bid=peak))
                    for peak in ("66000", "64700")
                ),
            ],
        ),
        ("Stop loss", [stop_loss_price(an_asset(stop_loss_pct="12"), AT_64000)]),
        ("Spread", [spread_pct(a_quote("97.5", "100"))]),
    ],
)
def test_the_numbers_of_an_example(name: str, numbers: list[Decimal | None]) -> None:
    for number in numbers:
        assert shown(number) in paragraph(name)
