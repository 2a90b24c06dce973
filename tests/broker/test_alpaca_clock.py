"""What the `Date` of answers says of two clocks, without any time passing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from hypothesis import given
from hypothesis import strategies as st

from dca_bot.broker.alpaca_clock import AlpacaClock
from tests.builders import CHECKED, TestClock

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


class World:
    """Alpaca's clock is ahead of ours by so many seconds; an answer is written halfway."""

    def __init__(self, ahead: float) -> None:
        self.ahead = timedelta(seconds=ahead)
        self.ours = TestClock(NOON)
        self.clock = AlpacaClock(self.ours)

    def answer(self, way: float = 0.0) -> None:
        self.ours.pass_by(way / 2)
        date = format_datetime((self.ours() + self.ahead).replace(microsecond=0), usegmt=True)
        self.ours.pass_by(way / 2)
        self.clock.heard(date, way)

    @property
    def error(self) -> timedelta:
        return abs(self.clock.offset - self.ahead)


@CHECKED
@given(st.floats(-400, 400), st.floats(0, 5))
def test_one_answer_tells_the_difference_to_half_a_second_and_half_the_way(
    ahead: float, way: float
) -> None:
    world = World(ahead)
    world.answer(way)
    assert world.error <= timedelta(seconds=0.5 + way / 2, milliseconds=1)


@CHECKED
@given(st.floats(-400, 400))
def test_many_answers_tell_it_sharply(ahead: float) -> None:
    world = World(ahead)
    for _ in range(40):
        world.answer(0.05)
        world.ours.pass_by(0.1)
    assert world.error < timedelta(seconds=0.1)


def test_a_clock_that_was_set_is_noticed_with_the_next_answer() -> None:
    world = World(300)
    for _ in range(10):
        world.answer(0.1)
        world.ours.pass_by(0.3)
    world.ahead = timedelta(0)
    world.answer(0.1)
    assert world.error < timedelta(seconds=0.6)


def test_nothing_is_known_before_the_first_answer() -> None:
    assert AlpacaClock(TestClock(NOON)).offset == timedelta(0)
