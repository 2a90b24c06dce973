"""Pauses: from seconds to minutes, and forgiven in the end; and which orders begin one."""

from decimal import Decimal

import pytest

from dca_bot.core.model import Cycle, CycleStatus
from dca_bot.live.pauses import (
    FIRST_SECONDS,
    FORGIVEN_AFTER_SECONDS,
    MAX_SECONDS,
    Awaited,
    Pauses,
)
from tests.builders import a_cycle

BUYING = a_cycle(status=CycleStatus.BUYING, quantity="0.05")


class Monotonic:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_the_pause_grows_with_each_trouble_up_to_minutes() -> None:
    clock = Monotonic()
    pauses = Pauses(clock)
    lengths = []
    for _ in range(7):
        length = pauses.begin("buy")
        lengths.append(length)
        clock.now += length
    assert lengths == [5, 15, 45, 135, 300, 300, 300]
    assert lengths[0] == FIRST_SECONDS
    assert lengths[-1] == MAX_SECONDS


def test_a_pause_ends_when_its_time_is_over() -> None:
    clock = Monotonic()
    pauses = Pauses(clock)
    pauses.begin("buy")
    assert pauses.left("buy") == FIRST_SECONDS
    clock.now += FIRST_SECONDS
    assert pauses.left("buy") == 0


def test_buys_and_sells_are_paused_apart() -> None:
    pauses = Pauses(Monotonic())
    pauses.begin("buy")
    assert pauses.left("sell") == 0


def test_trouble_long_after_the_last_pause_is_a_new_trouble() -> None:
    clock = Monotonic()
    pauses = Pauses(clock)
    pauses.begin("buy")
    clock.now += pauses.begin("buy") + FORGIVEN_AFTER_SECONDS
    assert pauses.begin("buy") == FIRST_SECONDS


def test_a_shorter_limit_is_kept() -> None:
    clock = Monotonic()
    pauses = Pauses(clock)
    lengths = [pauses.begin("buy", longest=45) for _ in range(6)]
    assert max(lengths) == 45


def test_clearing_forgets_every_pause() -> None:
    pauses = Pauses(Monotonic())
    pauses.begin("buy")
    pauses.clear()
    assert pauses.left("buy") == 0
    assert pauses.begin("buy") == FIRST_SECONDS


def test_a_part_that_was_filled_before_the_order_was_heard_of_has_brought_something() -> None:
    awaited = Awaited.by(BUYING, before=a_cycle())
    assert not awaited.brought_nothing(a_cycle(quantity="0.05"))
    assert awaited.brought_nothing(a_cycle(quantity=0))


@pytest.mark.parametrize("before", [None, a_cycle(cycle_id=7, quantity="0.2")])
def test_where_the_cycle_before_the_order_is_not_known_it_counts_as_it_is(
    before: Cycle | None,
) -> None:
    awaited = Awaited.by(BUYING, before=before)
    assert awaited.quantity == Decimal("0.05")
    assert awaited.brought_nothing(a_cycle(quantity="0.05"))
