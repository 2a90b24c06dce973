"""What makes a row of dca_assets unusable."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dca_bot.core.asset_row import (
    HALTED,
    buying_problem,
    losing_target,
    pair_problems,
    problem_of,
    trading_problem,
)
from dca_bot.core.decide import decide, triggers
from dca_bot.core.model import Allowed, AssetRules, AssetState, CycleStatus, new_cycle
from dca_bot.live.problems import AssetSnapshot, Problems
from tests.builders import CHECKED, NOW, a_cycle, a_quote, an_asset, rules_of


def test_the_sample_row_of_the_readme_can_be_traded() -> None:
    assert problem_of(an_asset(), rules_of()) == ""


@pytest.mark.parametrize(
    "columns",
    [
        {"base_order_amount": "10.01"},
        {"base_order_amount": "200000"},
        {"symbol": "BTC/USDC", "base_order_amount": "1"},
        {"max_safety_orders": 0, "safety_order_amount": "0", "safety_order_deviation_pct": "0"},
        {"cooldown_seconds": 0},
        {"restart_deviation_pct": "0"},
        {"take_profit_pct": "0.0001"},
        {"safety_order_deviation_pct": "99.9999"},
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
        ({"base_order_amount": "0", "symbol": "BTC/USDC"}, "base_order_amount"),
        ({"base_order_amount": "9.99"}, "base_order_amount"),
        ({"base_order_amount": "10"}, "base_order_amount"),
        ({"base_order_amount": "200000.01"}, "base_order_amount"),
        ({"base_order_amount": "200000.01", "symbol": "BTC/USDT"}, "base_order_amount"),
        ({"safety_order_amount": "9.99"}, "safety_order_amount"),
        ({"safety_order_amount": "-1"}, "safety_order_amount"),
        ({"max_safety_orders": -1}, "max_safety_orders"),
        ({"max_safety_orders": 1001}, "max_safety_orders"),
        ({"max_safety_orders": 2**31 - 1}, "max_safety_orders"),
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
    asset = an_asset(**columns)
    assert problem_of(asset, rules_of(asset.symbol)).startswith(f"{named} is ")


def test_a_symbol_that_alpaca_does_not_list_is_a_problem() -> None:
    assert "BTCUSD" in problem_of(an_asset(symbol="BTCUSD"), None)


def test_a_coin_that_may_not_be_traded_now_is_a_problem() -> None:
    assert trading_problem(an_asset(), rules_of(tradable=False)) == HALTED


def test_every_mistake_of_a_row_is_reported_at_once() -> None:
    asset = an_asset(base_order_amount="-1", take_profit_pct="0", cooldown_seconds=-1)
    assert len(problem_of(asset, None).split("; ")) == 4


@pytest.mark.parametrize("symbol", ["ETH/BTC", "BTC/EUR", "BTC/"])
def test_a_pair_quoted_in_another_money_is_not_traded(symbol: str) -> None:
    assert "quoted in" in trading_problem(an_asset(symbol=symbol), rules_of(symbol))


@pytest.mark.parametrize(
    "columns",
    [
        {"base_order_amount": "5"},
        {"safety_order_amount": "-1"},
        {"max_safety_orders": -1},
        {"safety_order_deviation_pct": "0"},
        {"cooldown_seconds": -1},
        {"restart_deviation_pct": "100"},
    ],
)
def test_what_makes_only_buys_impossible_stops_buys_only(columns: dict[str, Any]) -> None:
    assert trading_problem(an_asset(**columns), rules_of()) == ""
    assert buying_problem(an_asset(**columns)) != ""


def test_a_target_that_is_none_stops_everything() -> None:
    assert "take_profit_percent" in trading_problem(an_asset(take_profit_pct="0"), rules_of())


# -- rows that stand in each other's way


def rows(*symbols: str, disabled: tuple[str, ...] = ()) -> list[AssetState]:
    assets = [
        an_asset(asset_id=number, symbol=symbol, is_enabled=symbol not in disabled)
        for number, symbol in enumerate(symbols, start=1)
    ]
    return [AssetState(asset, new_cycle(asset.asset_id)) for asset in assets]


def listed(states: list[AssetState]) -> dict[str, AssetRules]:
    return {each.asset.symbol: rules_of(each.asset.symbol) for each in states}


@pytest.mark.parametrize(
    ("symbols", "disabled", "stopped"),
    [
        (("BTC/USD", "ETH/USD"), (), ()),
        (("BTC/USD", "BTC/USDC"), (), (2,)),
        (("BTC/USDC", "BTC/USD", "BTC/USDT"), (), (2, 3)),
        (("BTC/USD", "BTC/USDC"), ("BTC/USD",), ()),
        (("BTC/USDC", "USDC/USD"), (), (1,)),
        (("USDC/USD", "BTC/USDC", "ETH/USD"), (), (2,)),
        (("BTC/USDC", "USDC/USD"), ("USDC/USD",), ()),
        (("BTC/EUR", "BTC/USD"), (), ()),  # the first is none of ours anyway
        (("BTCUSD", "BTC/USD"), (), ()),
    ],
)
def test_one_row_owns_a_coin_and_no_row_spends_what_another_trades(
    symbols: tuple[str, ...], disabled: tuple[str, ...], stopped: tuple[int, ...]
) -> None:
    states = rows(*symbols, disabled=disabled)
    assert tuple(sorted(pair_problems(states, listed(states)))) == stopped


def test_of_two_rows_of_one_coin_the_one_with_the_lower_id_trades_whatever_their_order() -> None:
    first, second = rows("BTC/USD", "BTC/USDC")
    problems = pair_problems([second, first], listed([first, second]))
    assert list(problems) == [2]
    assert "BTC/USD trades BTC already" in problems[2]


@pytest.mark.parametrize(
    "doing",
    [{"quantity": Decimal(1)}, {"status": CycleStatus.BUYING}, {"status": CycleStatus.SELLING}],
)
def test_a_row_whose_cycle_holds_the_coin_keeps_it_from_one_that_is_enabled_later(
    doing: dict[str, Any],
) -> None:
    states = rows("BTC/USDC", "BTC/USD")
    holds = replace(states[1], cycle=replace(new_cycle(2), **doing))
    problems = pair_problems([states[0], holds], listed(states))
    assert list(problems) == [1]
    assert "BTC/USD trades BTC already" in problems[1]


@pytest.mark.parametrize("symbol", ["BTC/USDT", "BTC/USD/USD"])
def test_a_row_that_alpaca_does_not_list_is_in_nobodys_way(symbol: str) -> None:
    states = rows(symbol, "BTC/USD")
    assert pair_problems(states, listed(states[1:])) == {}


@pytest.mark.parametrize(
    "columns",
    [{"base_order_amount": "-5"}, {"take_profit_pct": "0"}, {"stop_loss_seconds": -1}],
)
def test_a_row_that_cannot_trade_anyway_is_in_nobodys_way(columns: dict[str, Any]) -> None:
    first, second = rows("BTC/USDC", "BTC/USD")
    wrong = replace(first, asset=an_asset(asset_id=1, symbol="BTC/USDC", **columns))
    assert pair_problems([wrong, second], listed([first, second])) == {}


def test_a_row_that_was_renamed_does_not_take_the_coin_of_its_new_name() -> None:
    first, second = rows("ETH/USD", "ETH/USDC")
    holds = replace(new_cycle(1), quantity=Decimal(1))
    renamed = replace(first, cycle=holds, bought_as="BTC/USD")
    assert pair_problems([renamed, second], listed([first, second])) == {}


def test_a_row_that_alpaca_does_not_list_any_more_keeps_the_coins_that_it_holds() -> None:
    states = rows("BTC/USD", "BTC/USDT")
    holds = replace(states[1], cycle=replace(new_cycle(2), quantity=Decimal(1)))
    assert list(pair_problems([states[0], holds], listed(states[:1]))) == [1]


def test_a_row_that_pays_with_what_another_trades_is_told_so() -> None:
    states = rows("BTC/USDC", "USDC/USD")
    problems = pair_problems(states, listed(states))
    assert "paid for with USDC, which USDC/USD trades" in problems[1]


def test_a_target_that_both_fees_eat_up_is_reported() -> None:
    assert "take_profit_percent is 0.5, " in losing_target(an_asset(take_profit_pct="0.5"))
    assert losing_target(an_asset(take_profit_pct="0.51")) == ""
    assert losing_target(an_asset(take_profit_pct="0.5", take_profit_after_fees=True)) == ""


# -- whatever SQL can write into a row


def a_number(digits: int, places: int) -> st.SearchStrategy[Decimal]:
    """Numbers of a DECIMAL column: its edges, and usual ones."""
    largest = Decimal(10) ** (digits - places) - Decimal(1).scaleb(-places)
    return st.sampled_from([Decimal(0), Decimal(1), Decimal(20), -largest, largest])


AMOUNT, PERCENT, QUANTITY = a_number(20, 10), a_number(10, 4), a_number(30, 15)
WHOLE = st.sampled_from([0, 1, 5, 1000, 2**31 - 1, -(2**31)])
ROWS = st.fixed_dictionaries(
    {
        "base_order_amount": AMOUNT,
        "safety_order_amount": AMOUNT,
        "max_safety_orders": WHOLE,
        "safety_order_deviation_pct": PERCENT,
        "take_profit_pct": PERCENT,
        "cooldown_seconds": WHOLE,
        "restart_deviation_pct": PERCENT,
        "last_sell_price": AMOUNT | st.none(),
        "safety_order_volume_scale": PERCENT,
        "safety_order_step_scale": PERCENT,
        "take_profit_after_fees": st.booleans(),
        "trailing_pct": PERCENT | st.none(),
        "stop_loss_pct": PERCENT | st.none(),
        "stop_loss_seconds": WHOLE,
        "max_spread_pct": PERCENT | st.none(),
        "min_start_price": AMOUNT | st.none(),
        "max_start_price": AMOUNT | st.none(),
        "allowed": st.sampled_from(Allowed),
    }
)
CYCLES = st.fixed_dictionaries(
    {
        "status": st.just(CycleStatus.WATCHING) | st.sampled_from(CycleStatus),
        "quantity": st.just(Decimal(1)) | QUANTITY,
        "average_purchase_price": AMOUNT,
        "last_order_fill_price": AMOUNT | st.none(),
        "safety_orders": WHOLE,
        "fee_rate": st.sampled_from([None, Decimal(0), Decimal("0.0025"), Decimal("0.9999")]),
        "highest_bid": AMOUNT | st.none(),
        "stop_loss_since": st.sampled_from([None, NOW]),
    }
)
QUOTES = st.sampled_from([(100, 101), ("0.0000001", "0.0000002"), (99_999_999, 99_999_999)])


@settings(CHECKED, max_examples=5 * CHECKED.max_examples)
@given(row=ROWS, cycle=CYCLES, prices=QUOTES)
def test_no_row_that_sql_can_hold_is_more_than_a_problem_of_its_own(
    row: dict[str, Any], cycle: dict[str, Any], prices: tuple[Any, Any]
) -> None:
    """An exception here would end main_app.py, again and again, for all assets."""
    asset, state, quote = an_asset(**row), a_cycle(**cycle), a_quote(*prices)
    problem_of(asset, rules_of())
    losing_target(asset)
    triggers(asset, state)
    decide(asset, state, quote, rules_of())
    Problems(lambda: NOW, mail_after=timedelta(1)).now(
        "", [AssetSnapshot(AssetState(asset, state), quote)]
    )
