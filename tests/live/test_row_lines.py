"""What the log says of rows: what is wrong, what was edited, what must lose."""

from __future__ import annotations

import logging
from dataclasses import replace
from decimal import Decimal

import pytest

from dca_bot.core.asset_row import problem_of
from dca_bot.core.model import AssetState, Cycle
from dca_bot.live.row_lines import RowLines
from tests.builders import a_holding_cycle, an_asset

ASSET = an_asset(take_profit_pct=Decimal(1))
CYCLE = a_holding_cycle(quantity=Decimal("2.70"))


class Log:
    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self._caplog = caplog
        self._lines = RowLines()

    def write(self, state: AssetState, problem: str = "", no_buys: str = "") -> list[str]:
        """What one look at a row adds to the log."""
        self._caplog.clear()
        with self._caplog.at_level(logging.INFO):
            self._lines.write(state, problem, no_buys)
        return [record.getMessage() for record in self._caplog.records]

    def gone(self, cycle: Cycle | None = None, *, renamed: str = "") -> list[str]:
        self._caplog.clear()
        with self._caplog.at_level(logging.INFO):
            self._lines.gone(ASSET.asset_id, ASSET.symbol, cycle, renamed=renamed)
        return [record.getMessage() for record in self._caplog.records]


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Log:
    return Log(caplog)


def test_an_edit_is_reported_once_with_both_values_and_what_is_held(log: Log) -> None:
    assert log.write(AssetState(ASSET, CYCLE)) == []
    edited = replace(ASSET, is_enabled=False, take_profit_pct=Decimal("2.50"))
    assert log.write(AssetState(edited, CYCLE)) == [
        "its row was edited: is_enabled TRUE -> FALSE, take_profit_percent 1 -> 2.5; it holds 2.7"
    ]
    assert log.write(AssetState(edited, CYCLE)) == []


def test_what_the_bot_writes_itself_is_no_edit(log: Log) -> None:
    log.write(AssetState(ASSET, CYCLE))
    sold = replace(ASSET, last_sell_price=Decimal(77000))
    assert log.write(AssetState(sold, None)) == []


def test_a_row_that_cannot_be_read_is_not_compared(log: Log) -> None:
    log.write(AssetState(ASSET, CYCLE))
    unreadable = AssetState(replace(ASSET, is_enabled=False), None, "allowed is 'none'")
    assert log.write(unreadable, unreadable.problem) == [
        "not traded until its row is corrected: allowed is 'none'"
    ]
    assert log.write(AssetState(ASSET, CYCLE)) == ["usable again: its orders go on"]


def test_a_row_that_is_deleted_is_reported_once(log: Log) -> None:
    log.write(AssetState(ASSET, None))
    assert log.gone() == ["its row is gone: no more orders"]
    assert log.gone() == []


def test_a_row_that_has_another_symbol_now_is_not_said_to_be_gone(log: Log) -> None:
    log.write(AssetState(ASSET, CYCLE))
    assert log.gone(CYCLE, renamed="SOL/USD") == [
        "its row was edited, and is one of SOL/USD now: no more orders in BTC/USD"
    ]


@pytest.mark.parametrize("unreadable", ["", "allowed is 'none'"])
def test_a_row_that_is_inserted_again_is_a_new_one(log: Log, unreadable: str) -> None:
    state = AssetState(replace(ASSET, take_profit_pct=Decimal("0.2")), None, unreadable)
    lines = log.write(state, unreadable, "its ladder is too deep")
    assert len(lines) == (1 if unreadable else 2)
    log.gone()
    assert log.write(state, unreadable, "its ladder is too deep") == lines


def test_the_coins_of_a_row_that_is_deleted_are_said_to_be_nobodys(log: Log) -> None:
    log.write(AssetState(ASSET, CYCLE))
    (line,) = log.gone(CYCLE)
    assert "the 2.7 coins that its cycle held are nobody's now" in line
    assert "dca adopt" in line


@pytest.mark.parametrize(
    ("percent", "after_fees", "loses"),
    [("0.4", False, True), ("0.5", False, True), ("0.51", False, False), ("0.4", True, False)],
)
def test_a_target_below_both_fees_is_warned_of_once(
    log: Log, percent: str, *, after_fees: bool, loses: bool
) -> None:
    asset = replace(ASSET, take_profit_pct=Decimal(percent), take_profit_after_fees=after_fees)
    lines = log.write(AssetState(asset, CYCLE))
    assert ["every sale loses money: take_profit_percent is 0." in line for line in lines] == (
        [True] if loses else []
    )
    assert log.write(AssetState(asset, CYCLE)) == []


def test_a_symbol_in_small_letters_is_answered_by_the_right_one() -> None:
    problem = problem_of(replace(ASSET, symbol="sol/usd"), None)
    assert "did you mean 'SOL/USD'?" in problem
    assert "write it like BTC/USD" in problem_of(replace(ASSET, symbol="SOLUSD"), None)
