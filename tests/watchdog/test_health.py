"""How main_app.py is, by the signs of life that it leaves."""

import pytest

from dca_bot.watchdog.health import ProcessHealth, SignsOfLife, judge

LIMIT = 60.0


def signs(**seen: float | None) -> SignsOfLife:
    """A bot that has been trading for an hour, and is well."""
    well: dict[str, float | None] = {
        "running_seconds": 3600,
        "beat_age_seconds": 1,
        "quote_age_seconds": 1,
        "trade_stream_age_seconds": 1,
        "symbols": 3,
    }
    return SignsOfLife(**well | seen)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (signs(), ProcessHealth.WELL),
        (signs(running_seconds=None), ProcessHealth.STOPPED),
        (signs(beat_age_seconds=LIMIT), ProcessHealth.WELL),
        (signs(beat_age_seconds=LIMIT + 1), ProcessHealth.HUNG),
        (signs(beat_age_seconds=-5), ProcessHealth.WELL),
        (signs(running_seconds=LIMIT), ProcessHealth.WELL),
        (signs(beat_age_seconds=None), ProcessHealth.HUNG),
        (signs(beat_age_seconds=None, running_seconds=LIMIT), ProcessHealth.STARTING),
        (signs(quote_age_seconds=299), ProcessHealth.WELL),
        (signs(quote_age_seconds=300), ProcessHealth.MUTE),
        (signs(quote_age_seconds=300, symbols=0), ProcessHealth.WELL),
        (signs(trade_stream_age_seconds=300), ProcessHealth.MUTE),
        (signs(trade_stream_age_seconds=300, symbols=0), ProcessHealth.MUTE),
        (signs(quote_age_seconds=None), ProcessHealth.MUTE),
        (signs(quote_age_seconds=None, running_seconds=299), ProcessHealth.WELL),
        (signs(trade_stream_age_seconds=None, running_seconds=301), ProcessHealth.MUTE),
    ],
)
def test_each_sign_of_life_has_its_verdict(seen: SignsOfLife, expected: ProcessHealth) -> None:
    assert judge(seen, LIMIT).health is expected


@pytest.mark.parametrize("what", ["the database", "Alpaca"])
def test_a_bot_that_waits_at_its_start_with_its_heartbeat_going_is_well(what: str) -> None:
    waiting = judge(SignsOfLife(3600, 1, waits_for=what), LIMIT)
    assert waiting.health is ProcessHealth.WELL
    assert f"waits for {what}" in waiting.why
    assert judge(SignsOfLife(3600, LIMIT + 1, waits_for=what), LIMIT).health is ProcessHealth.HUNG


def test_a_database_that_is_away_is_no_reason_for_a_restart() -> None:
    away = SignsOfLife(3600, 1, 1, 1, symbols=3, database_reachable=False)
    verdict = judge(away, LIMIT)
    assert verdict.health is ProcessHealth.WELL
    assert "database" in verdict.why
