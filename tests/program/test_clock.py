"""What a wrong clock means, and that it is told once."""

from __future__ import annotations

from datetime import timedelta

import pytest

from dca_bot.program.clock import Level, clock_level, clock_trouble


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(
    ("seconds", "before", "level"),
    [
        (0, None, None),
        (2, None, None),
        (2.1, None, Level.SLIGHT),
        (30, None, Level.SLIGHT),
        (30.1, None, Level.GRAVE),
        (1.9, Level.SLIGHT, Level.SLIGHT),
        (1, Level.SLIGHT, None),
        (1, Level.GRAVE, None),
        (3, Level.GRAVE, Level.SLIGHT),
    ],
)
def test_the_difference_decides_what_is_reported(
    seconds: float, sign: int, before: Level | None, level: Level | None
) -> None:
    assert clock_level(timedelta(seconds=sign * seconds), before) is level


def test_the_words_say_which_clock_is_behind_and_what_to_do() -> None:
    assert "300 s behind Alpaca's, no order is placed" in clock_trouble(timedelta(seconds=300))
    assert "5 s ahead of Alpaca's, quotes" in clock_trouble(timedelta(seconds=-5))
    assert "timedatectl" in clock_trouble(timedelta(seconds=5))
