"""The worked examples of docs/strategy.md, computed by the code that trades."""

import re
from dataclasses import replace
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import cast

import pytest

from dca_bot.core.decide import triggers
from dca_bot.core.ladder import (
    below,
    next_safety_price,
    safety_amount,
    safety_deviation,
    spread_pct,
    stop_loss_price,
    take_profit_price,
    trailing_price,
)
from dca_bot.core.model import AfterStopLoss, Allowed, CycleStatus, Exposure, OrderKind
from dca_bot.program.errors import OrderWithheld
from dca_bot.program.settings import PROJECT_ROOT
from dca_bot.trading.budget import Budget
from dca_bot.trading.ports import Transaction
from tests.builders import NOW, Floor, a_cycle, a_holding_cycle, a_quote, an_asset

PAGE = (PROJECT_ROOT / "docs" / "strategy.md").read_text()
STARTING = an_asset(min_start_price="50000", max_start_price="60000")
AT_64000 = a_holding_cycle(average_purchase_price="64000", last_order_fill_price="64000")


def shown(number: Decimal | None) -> str:
    assert number is not None
    return f"{number.quantize(Decimal('0.01'), ROUND_HALF_UP):,}"


def paragraph(name: str) -> str:
    found = re.search(rf"\*\*{name}\.\*\*(.*?)\n\n", PAGE, re.DOTALL)
    assert found, name
    return found[1]


def test_safety_orders_grow_as_the_page_says() -> None:
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
        (
            "Start prices",
            [
                triggers(replace(STARTING, last_sell_price=Decimal(64640)), cooling).buy_at_or_below
                for cooling in [a_cycle(status=CycleStatus.COOLDOWN)]
            ]
            + [below(Decimal(64640), STARTING.restart_deviation_pct)],
        ),
    ],
)
def test_an_example_on_the_page_has_the_numbers_of_the_core(
    name: str, numbers: list[Decimal | None]
) -> None:
    for number in numbers:
        assert shown(number) in paragraph(name)


@pytest.mark.parametrize(
    ("ask", "begins"), [("64000", False), ("49999.99", False), ("55000", True)]
)
def test_a_cycle_begins_between_the_start_prices_of_the_example(ask: str, begins: bool) -> None:
    assert shown(Decimal(ask)) in paragraph("Start prices")
    assert triggers(STARTING, a_cycle()).buys(a_quote(ask)) is begins


def test_how_far_an_asset_goes_is_what_the_example_says() -> None:
    told = paragraph("Allowed")
    placed = {}
    for allowed in Allowed:
        asset = an_asset(allowed=allowed)
        held, begun = triggers(asset, AT_64000), triggers(asset, a_cycle())
        assert held.sell_at_or_above == Decimal(64640)
        placed[allowed] = (held.buy_at_or_below, begun.buys(a_quote("1")))
    assert placed == {
        Allowed.ALL: (Decimal(63040), True),
        Allowed.CYCLE: (Decimal(63040), False),
        Allowed.EXIT: (None, False),
    }
    assert all(shown(Decimal(each)) in told for each in (63040, 64640))
    assert all(f"`{allowed}`" in told for allowed in Allowed)


@pytest.mark.parametrize("after", AfterStopLoss)
def test_what_follows_a_stop_loss_is_what_the_example_says(after: AfterStopLoss) -> None:
    told = paragraph("After a stop loss")
    floor = Floor(stop_loss_pct="12", after_stop_loss=after)
    floor.see(64000)
    floor.see(56320)
    [result] = floor.store.results.values()
    assert result.net is not None
    assert f"{shown(-result.net)} are lost" in told
    again = triggers(floor.asset, floor.cycle).buy_at_or_below
    if after is AfterStopLoss.COOLDOWN:
        assert again == Decimal("55193.60")
        assert f"{shown(again)}\n(`56,320 × (1 − 2.0 / 100)`)" in told
        return
    assert (floor.asset.allowed, again) == (Allowed.EXIT, None)
    floor.put_cycle(status=CycleStatus.WATCHING)
    assert floor.see(50000) is None
    assert shown(Decimal(50000)) in told


class Today:
    """As much of a transaction as the limits look at."""

    def __init__(self, exposure: Exposure) -> None:
        self._exposure = exposure

    def exposure(self, since: datetime) -> Exposure:
        return self._exposure


@pytest.mark.parametrize(
    ("kind", "cost", "exposure", "setting"),
    [
        (OrderKind.BASE, "20", ("3", "0", "0"), "MAX_ACTIVE_CYCLES"),
        (OrderKind.SAFETY, "20", ("3", "0", "0"), ""),
        (OrderKind.SAFETY, "50.00", ("2", "950.00", "0"), ""),
        (OrderKind.SAFETY, "50.01", ("2", "950.00", "0"), "MAX_INVESTED"),
        (OrderKind.SAFETY, "20", ("0", "0", "-50"), "DAILY_LOSS_LIMIT"),
    ],
)
def test_the_limits_of_the_example(
    kind: OrderKind, cost: str, exposure: tuple[str, str, str], setting: str
) -> None:
    cycles, invested, realised = map(Decimal, exposure)
    tx = cast(Transaction, Today(Exposure(int(cycles), invested, realised)))
    budget = Budget(3, Decimal(1000), Decimal(50))
    text = paragraph("Limits")
    assert sum(map(Decimal, ("12.00", "-40.00", "-22.00"))) == -50
    assert all(each in text for each in ("`MAX_INVESTED` 1000", "950.00", "50.00", "50.01"))
    if not setting:
        budget.check(tx, kind, Decimal(cost), NOW)
        return
    with pytest.raises(OrderWithheld) as withheld:
        budget.check(tx, kind, Decimal(cost), NOW)
    assert withheld.value.limit == setting
