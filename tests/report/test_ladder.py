"""The ladder is the one of the documentation, by the core's own rules."""

from __future__ import annotations

import re
from decimal import ROUND_DOWN, Decimal

import pytest

from dca_bot.core.model import OrderKind
from dca_bot.program.settings import PROJECT_ROOT
from dca_bot.report.ladder import Ladder, as_a_preview, ladder_from, money_wanted
from dca_bot.report.now import finest_rules
from tests.builders import BTC, a_holding_cycle, an_asset

STRATEGY = (PROJECT_ROOT / "docs" / "strategy.md").read_text()


def ladder(price: str = "64000", **columns: object) -> Ladder:
    asset = as_a_preview(an_asset(**columns))
    return ladder_from(asset, Decimal(price), finest_rules(BTC))


def test_the_ladder_of_the_sample_row_is_the_one_of_the_documentation() -> None:
    rows = re.findall(r"^\| ((?:base|safety) order.*) \|$", STRATEGY, re.MULTILINE)[:6]
    printed = [[cell.strip().replace(",", "") for cell in row.split("|")] for row in rows]
    for rung, row in zip(ladder().rungs, printed, strict=True):
        assert f"{rung.quantity:.9f}" == row[2]
        assert f"{rung.holding:.9f}" == row[3]
        for number, cell in zip(
            (rung.invested, rung.average_price, rung.take_profit_price, rung.net),
            row[4:],
            strict=True,
        ):
            assert f"{number:.2f}" == cell


def test_a_ladder_after_fees_counts_what_the_account_was_seen_to_pay() -> None:
    asset = as_a_preview(an_asset(take_profit_after_fees=True))
    seen = Decimal("0.0015")
    [first, *_] = ladder_from(asset, Decimal(64000), finest_rules(BTC), fee_rate=seen).rungs
    assert first.take_profit_price == 64640 / (1 - seen) ** 2
    assert first.holding == (first.quantity * (1 - seen)).quantize(Decimal("1e-9"), ROUND_DOWN)
    assert abs(first.net - first.invested / 100) < Decimal("0.01")


def test_rungs_are_numbered_and_say_how_far_the_price_has_fallen() -> None:
    rungs = ladder().rungs
    assert [rung.kind for rung in rungs] == [OrderKind.BASE, *[OrderKind.SAFETY] * 5]
    assert [rung.number for rung in rungs] == list(range(6))
    assert f"{rungs[-1].fall_pct:.2f}" == "7.28"


def test_growing_amounts_and_steps_are_the_cores_own() -> None:
    rungs = ladder(safety_order_volume_scale=Decimal(2), safety_order_step_scale=Decimal(2)).rungs
    spent = [later.invested - rung.invested for rung, later in zip(rungs, rungs[1:], strict=False)]
    assert [round(amount) for amount in spent] == [20, 40, 80, 160, 320]
    assert rungs[2].trigger / rungs[1].trigger == pytest.approx(Decimal("0.97"))


def test_a_take_profit_that_does_not_pay_the_fees_is_warned_of() -> None:
    (warning,) = ladder(take_profit_pct="0.4").warnings
    assert "take_profit_percent" in warning
    assert ladder().warnings == ()


def test_an_amount_below_the_minimum_is_warned_of_and_ends_the_ladder() -> None:
    found = ladder(safety_order_amount="9")
    assert len(found.rungs) == 1
    assert "safety_order_amount" in found.warnings[0]


def test_a_row_that_may_not_begin_still_has_its_ladder() -> None:
    assert len(ladder(is_enabled=False, max_start_price=Decimal(1)).rungs) == 6


def test_what_a_running_cycle_can_still_ask_for_are_the_rungs_that_are_left() -> None:
    cycle = a_holding_cycle(safety_orders=3)
    left = ladder_from(an_asset(), Decimal(100), finest_rules(BTC), cycle=cycle)
    assert [rung.number for rung in left.rungs] == [4, 5]
    assert round(money_wanted(left)) == 40
    assert money_wanted(Ladder(())) == 0
