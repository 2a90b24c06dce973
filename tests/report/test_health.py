"""One word for how the bot is, by its signs of life."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from dca_bot.core.model import Allowed
from dca_bot.report.health import health_of
from dca_bot.report.now import AssetNow, HealthLevel, Now
from dca_bot.watchdog import heartbeat
from dca_bot.watchdog.caretaker_marks import SuccessMark
from dca_bot.watchdog.incidents import PAUSE_FILE_NAME
from dca_bot.watchdog.problems import Problem, ProblemKind
from dca_bot.watchdog.sight import AssetSight, Sight
from tests.builders import NOW, a_cycle, an_asset

BEAT = replace(
    heartbeat.first(NOW - timedelta(minutes=5)),
    at=NOW,
    quote_age_seconds=0.5,
    trade_stream_age_seconds=3.0,
    symbols=1,
)
GONE = replace(BEAT, process_start=1)  # somebody else has this number now


def word_of(tmp_path: Path, **fields: Any) -> tuple[HealthLevel, str]:
    known: dict[str, Any] = {
        "at": NOW,
        "mode": "paper",
        "beat": BEAT,
        "sight": Sight(NOW, "paper"),
        "assets": (AssetNow(an_asset(), a_cycle()),),
    }
    found = health_of(Now(**known | fields), tmp_path, beat_age_max=60)
    return found.word, "; ".join(found.reasons)


def test_a_bot_that_beats_and_hears_is_ok(tmp_path: Path) -> None:
    assert word_of(tmp_path) == (HealthLevel.OK, "")


@pytest.mark.parametrize(
    ("beat", "reason"),
    [
        (None, "no heartbeat"),
        (GONE, "not running"),
        (replace(BEAT, at=NOW - timedelta(seconds=90)), "90 s old"),
        (replace(BEAT, quote_age_seconds=75.0), "no quotes for 75 s"),
        (replace(BEAT, quote_age_seconds=None), "no quotes"),
        (replace(BEAT, trade_stream_age_seconds=400.0), "trade stream"),
        (replace(BEAT, waits_for="Alpaca"), "waits for Alpaca"),
    ],
)
def test_a_bot_that_does_not_look_is_blind(tmp_path: Path, beat: Any, reason: str) -> None:
    word, reasons = word_of(tmp_path, beat=beat)
    assert word is HealthLevel.BLIND
    assert reason in reasons


def test_without_any_symbol_no_quotes_are_missed(tmp_path: Path) -> None:
    assert (
        word_of(tmp_path, beat=replace(BEAT, symbols=0, quote_age_seconds=None))[0]
        is HealthLevel.OK
    )


def test_a_bot_that_was_stopped_on_purpose_is_paused(tmp_path: Path) -> None:
    (tmp_path / PAUSE_FILE_NAME).touch()
    word, reasons = word_of(tmp_path, beat=GONE)
    assert word is HealthLevel.PAUSED
    assert "--resume" in reasons


def test_a_bot_that_runs_is_not_paused_by_a_paused_watchdog(tmp_path: Path) -> None:
    (tmp_path / PAUSE_FILE_NAME).touch()
    assert word_of(tmp_path)[0] is HealthLevel.OK


def test_where_every_asset_may_only_exit_it_is_paused(tmp_path: Path) -> None:
    paused = AssetNow(an_asset(allowed=Allowed.EXIT), a_cycle())
    word, reasons = word_of(tmp_path, assets=(paused,))
    assert word is HealthLevel.PAUSED
    assert "dca resume" in reasons
    others = (paused, AssetNow(an_asset(asset_id=2), a_cycle()))
    assert word_of(tmp_path, assets=others)[0] is HealthLevel.OK


def test_what_needs_a_human_degrades_it(tmp_path: Path) -> None:
    problem = Problem(ProblemKind.TAKE_PROFIT, "BTC/USD", NOW, "it is not sold: account restricted")
    away = Problem(ProblemKind.DATABASE, "", NOW, "the database does not answer: refused")
    held_up = AssetNow(an_asset(), a_cycle(), seen=AssetSight(buy_pause_seconds=9, why="no cash"))
    cases: tuple[tuple[dict[str, Any], str], ...] = (
        ({"beat": replace(BEAT, problems=(problem,))}, "account restricted"),
        ({"beat": replace(BEAT, problems=(away,))}, "does not reach the database"),
        ({"assets": (AssetNow(an_asset(), None, problem="no such symbol"),)}, "no such symbol"),
        ({"assets": (held_up,)}, "no cash"),
        ({"sight": Sight(NOW - timedelta(minutes=2), "paper")}, "120 s old"),
    )
    for fields, reason in cases:
        word, reasons = word_of(tmp_path, **fields)
        assert word is HealthLevel.DEGRADED
        assert reason in reasons


def test_a_caretaker_that_does_not_succeed_any_more_degrades_it(tmp_path: Path) -> None:
    SuccessMark(tmp_path, "order_manager").leave(NOW - timedelta(minutes=11))
    SuccessMark(tmp_path, "consistency_checker").leave(NOW - timedelta(minutes=11))
    word, reasons = word_of(tmp_path)
    assert word is HealthLevel.DEGRADED
    assert "order_manager.py" in reasons
    assert "consistency_checker.py" not in reasons


def test_the_heartbeat_of_this_very_process_counts_as_running() -> None:
    assert heartbeat.process_start(os.getpid()) == BEAT.process_start


def test_a_clock_that_lets_no_order_out_is_a_reason(tmp_path: Path) -> None:
    reason = "this machine's clock is 40 s behind Alpaca's, no order is placed"
    assert word_of(tmp_path, sight=Sight(NOW, "paper", no_orders=reason)) == (
        HealthLevel.DEGRADED,
        reason,
    )


def test_an_asset_is_found_however_it_is_spelt() -> None:
    symbols = ("BTCUSD", "BTC/USD", "ETH/USD", "SOL/USD", "SOL/USDC")
    assets = tuple(
        AssetNow(an_asset(asset_id=n, symbol=each), None) for n, each in enumerate(symbols)
    )
    now = Now(at=NOW, mode="paper", beat=None, sight=None, assets=assets)
    spelt = ("BTC/USD", "BTCUSD", "eth/usd", "ethusd", "eth", "solusdc", "sol", "DOGE")
    found = [now.find(each) for each in spelt]
    assert [each.asset.symbol if each else None for each in found] == [
        *("BTC/USD", "BTCUSD", "ETH/USD", "ETH/USD", "ETH/USD", "SOL/USDC"),
        *(None, None),
    ]
