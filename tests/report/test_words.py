"""Every reachable state has its word and its sentence, with the numbers that are compared."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from dca_bot.core.asset_row import HALTED, buying_problem
from dca_bot.core.model import (
    Allowed,
    AssetRules,
    Cycle,
    CycleStatus,
    OrderKind,
    OrderStatus,
    Quote,
)
from dca_bot.report.now import AssetNow, HealthLevel, HealthReport
from dca_bot.report.numbers import age_in_words, price_in_words
from dca_bot.report.words import State, state_of, why
from dca_bot.watchdog.sight import AssetSight
from tests.builders import BTC, NOW, a_cycle, a_holding_cycle, an_asset, an_order, rules_of

WELL = HealthReport(HealthLevel.OK)
EXIT_ONLY = {"allowed": Allowed.EXIT}


def seen(bid: str = "100", ask: str | None = None, **fields: Any) -> AssetSight:
    rules: AssetRules = rules_of(BTC)
    quote = Quote(BTC, Decimal(bid), Decimal(ask or bid), NOW)
    return replace(AssetSight(quote, rules), **fields)


def an_asset_now(**fields: Any) -> AssetNow:
    known: dict[str, Any] = {"asset": an_asset(), "cycle": a_cycle(), "seen": seen()}
    return AssetNow(**known | fields)


def waiting(status: CycleStatus, **order: Any) -> AssetNow:
    live = an_order(created_at=NOW - timedelta(seconds=7), alpaca_order_id="alpaca-1", **order)
    return an_asset_now(cycle=a_cycle(status=status), orders=(live,))


trailing = an_asset(trailing_pct=Decimal(1))
stopping = an_asset(stop_loss_pct=Decimal(10), stop_loss_seconds=60)
CASES: dict[State, tuple[AssetNow, tuple[str, ...]]] = {
    State.UNUSABLE: (
        an_asset_now(problem="base_order_amount is 5, below Alpaca's minimum of 10 USD"),
        ("base_order_amount is 5", "dca_assets"),
    ),
    State.HALTED: (
        an_asset_now(problem=HALTED, cycle=a_holding_cycle(safety_orders=5)),
        ("halted", "60 s", "101.0000"),
    ),
    State.DISABLED: (
        an_asset_now(asset=an_asset(is_enabled=False), cycle=a_holding_cycle()),
        ("is_enabled", "1 BTC"),
    ),
    State.NOT_BEGUN: (an_asset_now(cycle=None), ("no cycle",)),
    State.IN_DOUBT: (
        an_asset_now(
            cycle=a_cycle(status=CycleStatus.BUYING),
            orders=(an_order(status=OrderStatus.INTENDED),),
        ),
        ("answer",),
    ),
    State.BUYING: (
        waiting(CycleStatus.BUYING, limit_price="99"),
        ("99.0000", "7 s ago", "0 of 1 filled", "100.0000"),
    ),
    State.SELLING: (
        waiting(CycleStatus.SELLING, kind=OrderKind.TAKE_PROFIT, filled_quantity="0.4"),
        ("7 s ago", "0.4 of 1 filled"),
    ),
    State.COOLDOWN: (
        an_asset_now(
            asset=an_asset(last_sell_price="102"),
            cycle=a_cycle(status=CycleStatus.COOLDOWN),
            completed_at=NOW - timedelta(seconds=100),
        ),
        ("3 min", "99.9600", "2 %", "100.0000"),
    ),
    State.HELD_UP: (
        an_asset_now(seen=seen(buy_pause_seconds=30.0, why="waiting for 20 USD, available 3")),
        ("30 s", "waiting for 20 USD, available 3"),
    ),
    State.WATCHING: (an_asset_now(), ("20.00 USD", "next price")),
    State.NOT_ALLOWED: (an_asset_now(asset=an_asset(**EXIT_ONLY)), ("'exit'",)),
    State.OUT_OF_RANGE: (
        an_asset_now(asset=an_asset(max_start_price=Decimal(90))),
        ("90.0000", "100.0000"),
    ),
    State.TRAILING: (
        an_asset_now(asset=trailing, cycle=a_holding_cycle(highest_bid=Decimal(110))),
        ("108.9000", "101.0000", "110.0000"),
    ),
    State.STOPPING: (
        an_asset_now(
            asset=stopping, cycle=a_holding_cycle(stop_loss_since=NOW - timedelta(seconds=20))
        ),
        ("90.0000", "20 s", "60 s"),
    ),
    State.HOLDING: (
        an_asset_now(cycle=a_holding_cycle(safety_orders=1)),
        ("101.0000", "+1.00 %", "98.5000", "-1.50 %", "2 of 5"),
    ),
    State.LAST_RUNG: (
        an_asset_now(cycle=a_holding_cycle(safety_orders=5)),
        ("101.0000", "all 5 safety orders are used"),
    ),
}


def test_every_state_is_reached_by_a_case() -> None:
    assert set(CASES) == set(State)


@pytest.mark.parametrize("state", State)
def test_a_state_is_reported_with_its_numbers(state: State) -> None:
    now, numbers = CASES[state]
    assert state_of(now) is state
    sentence = why(now, WELL, NOW)
    for number in numbers:
        assert number in sentence
    assert sentence.endswith(".")
    assert 1 <= sentence.count(". ") + 1 <= 3


def test_a_quote_that_is_too_old_to_be_acted_on_is_named() -> None:
    sentence = why(an_asset_now(), WELL, NOW + timedelta(seconds=60))
    assert "60 s old" in sentence


@pytest.mark.parametrize("cycle", [a_cycle(), a_holding_cycle()])
def test_cash_that_does_not_pay_for_the_next_buy_is_named(cycle: Cycle) -> None:
    short = an_asset_now(cycle=cycle, cash=Decimal("3.21"))
    assert "20.00 USD, and the cash is 3.21 USD" in why(short, WELL, NOW)
    assert "cash" not in why(an_asset_now(cycle=cycle, cash=Decimal(20)), WELL, NOW)


def test_without_a_price_it_waits_for_one() -> None:
    assert "first price" in why(an_asset_now(seen=AssetSight()), WELL, NOW)


@pytest.mark.parametrize("word", [HealthLevel.BLIND, HealthLevel.PAUSED])
def test_where_nobody_looks_that_comes_first(word: HealthLevel) -> None:
    health = HealthReport(word, ("main_app.py is not running: run watchdog.py",))
    sentence = why(an_asset_now(), health, NOW)
    assert "main_app.py is not running" in sentence
    assert sentence.index("main_app.py") < sentence.index("next price")


def test_where_no_order_is_placed_at_all_that_comes_first() -> None:
    health = HealthReport(
        HealthLevel.DEGRADED, no_orders="this machine's clock is 40 s behind Alpaca's"
    )
    sentence = why(an_asset_now(), health, NOW)
    assert "clock is 40 s behind" in sentence
    assert sentence.index("clock") < sentence.index("next price")


def test_a_halt_is_not_blamed_on_the_row() -> None:
    now, _ = CASES[State.HALTED]
    assert "corrected" not in why(now, WELL, NOW)


def test_a_row_that_only_may_not_buy_still_tells_its_take_profit() -> None:
    asset = an_asset(base_order_amount="5")
    problem = buying_problem(asset)
    now = an_asset_now(asset=asset, cycle=a_holding_cycle(), problem=problem)
    assert state_of(now) is State.LAST_RUNG
    sentence = why(now, WELL, NOW)
    assert "101.0000" in sentence
    assert problem in sentence


def test_a_cooldown_that_is_over_waits_for_its_manager() -> None:
    now, _ = CASES[State.COOLDOWN]
    assert "cooldown_manager.py" in why(now, WELL, NOW + timedelta(hours=1))


def test_an_exit_only_asset_sells_and_buys_no_more() -> None:
    now = an_asset_now(asset=an_asset(**EXIT_ONLY), cycle=a_holding_cycle())
    assert state_of(now) is State.LAST_RUNG
    assert "'exit'" in why(now, WELL, NOW)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7500, "2 h 5 min"), (200_000, "2 days")],
)
def test_ages_are_reported_in_the_unit_that_matters(seconds: int, words: str) -> None:
    assert age_in_words(timedelta(seconds=seconds)) == words


@pytest.mark.parametrize(
    ("price", "words"),
    [("64120.5", "64,120.50"), ("3.14159", "3.1416"), ("0.0000123", "0.00001230"), (None, "-")],
)
def test_prices_show_the_digits_that_matter(price: str | None, words: str) -> None:
    assert price_in_words(None if price is None else Decimal(price)) == words
