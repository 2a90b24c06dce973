"""Pauses: from seconds to minutes, and forgiven in the end."""

from dca_bot.live.pauses import (
    FIRST_SECONDS,
    FORGIVEN_AFTER_SECONDS,
    MAX_SECONDS,
    Pauses,
)


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
