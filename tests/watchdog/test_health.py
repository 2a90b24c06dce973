"""How main_app.py is, by the signs of life that it leaves."""

import pytest

from dca_bot.watchdog.health import Health, Signs, judge

LIMIT = 60.0


def signs(**seen: float | None) -> Signs:
    """A bot that has been trading for an hour, and is well."""
    well: dict[str, float | None] = {
        "running_seconds": 3600,
        "beat_age_seconds": 1,
        "quote_age_seconds": 1,
        "trade_stream_age_seconds": 1,
        "symbols": 3,
    }
    return Signs(**well | seen)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (signs(), Health.WELL),
        (signs(running_seconds=None), Health.STOPPED),
        (signs(beat_age_seconds=LIMIT), Health.WELL),
        (signs(beat_age_seconds=LIMIT + 1), Health.HUNG),
        (signs(beat_age_seconds=-5), Health.WELL),
        (signs(running_seconds=LIMIT), Health.WELL),
        (signs(beat_age_seconds=None), Health.HUNG),
        (signs(beat_age_seconds=None, running_seconds=LIMIT), Health.STARTING),
        (signs(quote_age_seconds=299), Health.WELL),
        (signs(quote_age_seconds=300), Health.MUTE),
        (signs(quote_age_seconds=300, symbols=0), Health.WELL),
        (signs(trade_stream_age_seconds=300), Health.MUTE),
        (signs(trade_stream_age_seconds=300, symbols=0), Health.MUTE),
        (signs(quote_age_seconds=None), Health.MUTE),
        (signs(quote_age_seconds=None, running_seconds=299), Health.WELL),
        (signs(trade_stream_age_seconds=None, running_seconds=301), Health.MUTE),
    ],
)
def test_each_sign_of_life_has_its_verdict(seen: Signs, expected: Health) -> None:
    assert judge(seen, LIMIT).health is expected


@pytest.mark.parametrize("what", ["the database", "Alpaca"])
def test_a_bot_that_waits_at_its_start_with_its_heartbeat_going_is_well(what: str) -> None:
    waiting = judge(Signs(3600, 1, waits_for=what), LIMIT)
    assert waiting.health is Health.WELL
    assert f"waits for {what}" in waiting.why
    assert judge(Signs(3600, LIMIT + 1, waits_for=what), LIMIT).health is Health.HUNG


def test_a_database_that_is_away_is_no_reason_for_a_restart() -> None:
    away = Signs(3600, 1, 1, 1, symbols=3, database_reachable=False)
    verdict = judge(away, LIMIT)
    assert verdict.health is Health.WELL
    assert "database" in verdict.why
