"""What the bot sees comes back as it was written; what can't be read is not there."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from dca_bot.watchdog import heartbeat
from dca_bot.watchdog.mode import mode_of_running
from dca_bot.watchdog.sight import FILE_NAME, AssetSight, Sight, read, write
from tests.builders import BTC, NOW, a_quote, rules_of

SEEN = Sight(
    at=NOW + timedelta(seconds=1),
    mode="paper",
    cash=Decimal("1234.5600000001"),
    no_orders="this machine's clock is 40 s behind Alpaca's",
    assets={
        BTC: AssetSight(a_quote("99.9", "100.1"), rules_of(), "", 0.0, 12.5, "no cash: 3 left"),
        "ETH/USD": AssetSight(problem="no such symbol"),
    },
)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    write(SEEN, tmp_path)
    assert read(tmp_path) == SEEN


def test_what_is_not_known_yet_is_none(tmp_path: Path) -> None:
    nothing = Sight(NOW, "live")
    write(nothing, tmp_path)
    assert read(tmp_path) == nothing


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        "null",
        '{"at": "2026-01-01T12:00:00", "mode": "paper", "cash": null, "assets": {}}',
        '{"at": "2026-01-01T12:00:00Z", "mode": "paper", "cash": "much", "assets": {}}',
        '{"at": "2026-01-01T12:00:00Z", "mode": "paper", "cash": null, "assets": {"BTC/USD": 1}}',
    ],
)
def test_what_cannot_be_read_is_not_there(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE_NAME).write_text(text)
    assert read(tmp_path) is None


BEAT = replace(heartbeat.first(NOW), at=NOW + timedelta(seconds=2))


def test_the_bot_that_runs_says_how_it_trades() -> None:
    assert mode_of_running(SEEN, BEAT) == "paper"


@pytest.mark.parametrize(
    ("seen", "beat"),
    [
        (SEEN, replace(BEAT, process_start=1)),  # gone: somebody else has its number now
        (replace(SEEN, at=NOW - timedelta(seconds=1)), BEAT),  # seen by the run before
        (SEEN, None),
        (None, BEAT),
    ],
)
def test_a_run_that_is_over_does_not_say_how_the_next_one_trades(
    seen: Sight | None, beat: heartbeat.Heartbeat | None
) -> None:
    assert mode_of_running(seen, beat) == ""


def test_without_a_file_nothing_is_seen(tmp_path: Path) -> None:
    assert read(tmp_path) is None
