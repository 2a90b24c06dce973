"""What makes a row of dca_assets unusable."""

from typing import Any

import pytest

from dca_bot.core.asset_row import problem_of
from tests.builders import an_asset, rules_of


def test_the_sample_row_of_the_readme_can_be_traded() -> None:
    assert problem_of(an_asset(), rules_of()) == ""


@pytest.mark.parametrize(
    "columns",
    [
        {"base_order_amount": "10"},
        {"max_safety_orders": 0, "safety_order_amount": "0", "safety_order_deviation_pct": "0"},
        {"cooldown_seconds": 0},
        {"restart_deviation_pct": "0"},
        {"take_profit_pct": "0.0001"},
        {"safety_order_deviation_pct": "99.9999"},
        {"symbol": "ETH/BTC", "base_order_amount": "0.001", "safety_order_amount": "0.001"},
    ],
)
def test_the_edges_of_what_is_allowed_can_be_traded(columns: dict[str, Any]) -> None:
    asset = an_asset(**columns)
    assert problem_of(asset, rules_of(asset.symbol)) == ""


@pytest.mark.parametrize(
    ("columns", "named"),
    [
        ({"base_order_amount": "0"}, "base_order_amount"),
        ({"base_order_amount": "-20"}, "base_order_amount"),
        ({"base_order_amount": "9.99"}, "base_order_amount"),
        ({"safety_order_amount": "9.99"}, "safety_order_amount"),
        ({"safety_order_amount": "-1"}, "safety_order_amount"),
        ({"max_safety_orders": -1}, "max_safety_orders"),
        ({"safety_order_deviation_pct": "0"}, "safety_order_deviation"),
        ({"safety_order_deviation_pct": "100"}, "safety_order_deviation"),
        ({"take_profit_pct": "0"}, "take_profit_percent"),
        ({"take_profit_pct": "-1"}, "take_profit_percent"),
        ({"cooldown_seconds": -1}, "cooldown_period"),
        ({"restart_deviation_pct": "-0.1"}, "buy_order_price_deviation_percent"),
        ({"restart_deviation_pct": "100"}, "buy_order_price_deviation_percent"),
    ],
)
def test_an_unusable_value_is_named_by_its_column(columns: dict[str, Any], named: str) -> None:
    assert problem_of(an_asset(**columns), rules_of()).startswith(f"{named} is ")


def test_a_symbol_that_alpaca_does_not_list_is_a_problem() -> None:
    assert "BTCUSD" in problem_of(an_asset(symbol="BTCUSD"), None)


def test_a_coin_that_may_not_be_traded_now_is_a_problem() -> None:
    assert "traded" in problem_of(an_asset(), rules_of(tradable=False))


def test_every_mistake_of_a_row_is_told_at_once() -> None:
    asset = an_asset(base_order_amount="-1", take_profit_pct="0", cooldown_seconds=-1)
    assert len(problem_of(asset, None).split("; ")) == 4
