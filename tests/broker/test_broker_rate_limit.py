"""The share of requests, without any time passing."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

import consistency_checker
import main_app
import order_manager
from dca_bot.broker.rate_limit import ORDINARY_LIMIT, RateLimiter
from dca_bot.program.errors import BrokerUnavailable
from tests.builders import CHECKED

DATE = "Sun, 22 Nov 2026 20:00:00 GMT"
DATE_EPOCH = 1795377600


class World:
    """A clock that only sleeping moves, and a limiter on it."""

    def __init__(
        self, per_minute: int = 60, wait_seconds_max: float = 1000.0, jitter: float = 0.0
    ) -> None:
        self.now = 1000.0
        self.sent_at: list[float] = []
        self.limiter = RateLimiter(
            per_minute,
            wait_seconds_max=wait_seconds_max,
            clock=lambda: self.now,
            sleep=self.sleep,
            jitter=lambda: jitter,
        )

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds

    def send(self, count: int = 1, *, urgent: bool = False) -> None:
        for _ in range(count):
            self.limiter.acquire(urgent=urgent)
            self.sent_at.append(self.now)

    def seconds_refused(self) -> float:
        """How long the next request waits after a 429 that says nothing more."""
        self.limiter.observe(429, {})
        before = self.now
        self.send(urgent=True)
        return round(self.now - before, 6)

    def in_the_worst_minute(self) -> int:
        return max(
            sum(1 for each in self.sent_at if start <= each < start + 60) for start in self.sent_at
        )


@CHECKED
@given(
    st.integers(4, 200),
    st.lists(st.tuples(st.booleans(), st.integers(1, 40), st.floats(0, 90)), max_size=12),
)
def test_no_minute_ever_sees_more_than_the_share(
    per_minute: int, work: list[tuple[bool, int, float]]
) -> None:
    world = World(per_minute)
    for urgent, count, pause in work:
        world.send(count, urgent=urgent)
        world.now += pause
    if world.sent_at:
        assert world.in_the_worst_minute() <= per_minute


def test_a_burst_goes_out_at_once_and_the_rest_waits() -> None:
    world = World(per_minute=60)
    world.send(24)
    assert world.now == 1000.0
    world.send()
    assert world.now > 1000.0


def test_what_buys_and_reads_leave_is_there_for_sells_and_cancels() -> None:
    world = World(per_minute=60, wait_seconds_max=1.0)
    with pytest.raises(BrokerUnavailable):
        world.send(1000)
    before = world.now
    world.send(5, urgent=True)
    assert world.now == before


def test_a_wait_that_cannot_end_in_time_is_not_begun() -> None:
    world = World(per_minute=60, wait_seconds_max=5.0)
    world.limiter.observe(429, {"Retry-After": "30"})
    with pytest.raises(BrokerUnavailable):
        world.send(urgent=True)
    assert world.now == 1000.0


def test_a_pause_that_lasts_is_reported_in_the_same_words_each_time() -> None:
    world = World(per_minute=60, wait_seconds_max=5.0)
    world.limiter.observe(429, {"Retry-After": "30"})
    messages = set()
    for _ in range(3):
        with pytest.raises(BrokerUnavailable) as refused:
            world.send()
        messages.add(str(refused.value))
        world.now += 2.0
    assert len(messages) == 1


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": "7", "X-RateLimit-Reset": str(DATE_EPOCH + 20), "Date": DATE}, 7),
        ({"X-RateLimit-Reset": str(DATE_EPOCH + 20), "Date": DATE}, 20),
        ({"X-RateLimit-Reset": str(DATE_EPOCH - 20), "Date": DATE}, 1),
        ({"Retry-After": "86400"}, 60),
        ({"Retry-After": "0"}, 1),
        ({"Retry-After": "nan"}, 1),
        ({"Retry-After": "soon"}, 1),
        ({"X-RateLimit-Reset": str(DATE_EPOCH + 20), "Date": "today"}, 1),
        ({"X-RateLimit-Reset": str(DATE_EPOCH + 20)}, 1),
        ({}, 1),
    ],
)
def test_a_429_pauses_as_long_as_it_asks_within_reason(
    headers: dict[str, str], seconds: float
) -> None:
    world = World()
    world.limiter.observe(429, headers)
    world.send(urgent=True)
    # after the pause the bucket is empty: a first request comes back within a second or two
    assert 1000 + seconds <= world.now <= 1000 + seconds + 3


def test_a_minute_of_untold_429s_costs_a_handful_of_requests() -> None:
    world = World(per_minute=150)
    requests = 0
    while world.now < 1060:
        world.send()
        requests += 1
        world.limiter.observe(429, {})
    assert requests <= 10
    world.send()
    world.limiter.observe(200, {})
    world.limiter.observe(429, {})
    before = world.now
    world.send()
    assert world.now - before <= 20


def test_many_refusals_at_once_are_one_refusal() -> None:
    world = World()
    for _ in range(20):
        world.limiter.observe(429, {})
    world.send(urgent=True)
    assert world.now <= 1000 + 4


def test_what_others_have_used_of_the_account_is_not_there_for_us() -> None:
    world = World(per_minute=150, wait_seconds_max=1.0)
    world.limiter.observe(200, {"X-RateLimit-Remaining": "3"})
    world.send(3, urgent=True)
    assert world.now == 1000.0
    world.limiter.observe(200, {"X-RateLimit-Remaining": "199"})
    with pytest.raises(BrokerUnavailable):
        world.send()


@pytest.mark.parametrize("remaining", ["", "many", "-1", "inf", "nan"])
def test_a_header_that_says_nothing_does_no_harm(remaining: str) -> None:
    world = World()
    world.limiter.observe(200, {"X-RateLimit-Remaining": remaining})
    world.send()


def test_an_account_with_another_limit_gets_another_share() -> None:
    world = World(per_minute=100, wait_seconds_max=1.0)
    world.limiter.observe(200, {"X-RateLimit-Limit": "1000"})
    world.send(200)
    assert world.now == 1000.0


def test_a_tiny_limit_still_lets_a_request_through() -> None:
    world = World(per_minute=100)
    world.limiter.observe(200, {"X-RateLimit-Limit": "1"})
    world.send(3)


def test_threads_get_exactly_what_is_there() -> None:
    now = 1000.0
    limiter = RateLimiter(60, wait_seconds_max=0.0, clock=lambda: now, sleep=lambda _: None)
    outcomes: list[bool] = []

    def ask() -> None:
        try:
            limiter.acquire(urgent=True)
        except BrokerUnavailable:
            outcomes.append(False)
        else:
            outcomes.append(True)

    threads = [threading.Thread(target=ask) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(outcomes) == 30


def test_a_share_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="share"):
        RateLimiter(3)


def test_the_smallest_share_that_can_be_kept_is_taken() -> None:
    RateLimiter(4).acquire(urgent=True)


def test_the_last_token_of_the_urgent_goes_out_at_once_and_the_next_waits() -> None:
    world = World(per_minute=60)
    world.send(30, urgent=True)
    assert world.now == 1000.0
    world.send(urgent=True)
    assert world.now > 1001.0  # one comes back every two seconds


def test_a_wait_that_ends_just_in_time_is_begun() -> None:
    world = World(per_minute=60, wait_seconds_max=5.0)
    world.limiter.observe(429, {"Retry-After": "5"})
    world.send(urgent=True)
    assert world.now == 1005.0


def test_a_limit_of_one_request_is_a_limit() -> None:
    world = World(per_minute=100)
    world.limiter.observe(200, {"X-RateLimit-Limit": "1"})
    world.send(2)
    assert world.now > 1000.0


@pytest.mark.parametrize("limit", ["0", "0.9", "-5"])
def test_a_limit_of_less_than_one_request_is_none(limit: str) -> None:
    world = World(per_minute=100)
    world.limiter.observe(200, {"X-RateLimit-Limit": limit})
    world.send(40)
    assert world.now == 1000.0


@pytest.mark.parametrize(
    ("jitter", "pauses"), [(0.0, [1, 2, 4, 8, 15, 15]), (1.0, [2, 4, 8, 16, 30, 30])]
)
def test_pauses_that_alpaca_does_not_tell_grow_and_are_spread(
    jitter: float, pauses: list[float]
) -> None:
    world = World(per_minute=200, jitter=jitter)
    assert [world.seconds_refused() for _ in pauses] == pauses
    world.limiter.observe(200, {})
    assert world.seconds_refused() == pauses[0]


def test_a_share_that_grows_gives_at_once_what_it_grew_by_and_one_that_shrinks_takes_it() -> None:
    world = World(per_minute=60)
    world.send(10, urgent=True)
    world.limiter.observe(200, {"X-RateLimit-Limit": "400"})
    world.send(20, urgent=True)
    world.limiter.observe(200, {"X-RateLimit-Limit": "300"})
    world.limiter.observe(200, {"X-RateLimit-Limit": "400"})
    world.send(30, urgent=True)
    assert world.now == 1000.0
    world.send(urgent=True)
    assert world.now > 1000.0


def test_what_was_sent_comes_back_within_a_minute() -> None:
    world = World(per_minute=60)
    world.send(30, urgent=True)
    world.send(urgent=True)
    assert 1002.0 <= world.now <= 1002.01
    world.send(29, urgent=True)
    assert 1060.0 <= world.now <= 1060.1


def test_the_urgent_go_first_when_a_pause_is_over() -> None:
    world = World(per_minute=60)
    world.limiter.observe(429, {"Retry-After": "5"})
    world.send(urgent=True)
    assert world.now == 1005.0
    world.limiter.observe(429, {"Retry-After": "5"})
    world.send()  # needs one token more than the reserve of six, and two seconds for each
    assert 1014.0 <= world.now <= 1020.0


def test_a_429_that_comes_when_a_pause_has_just_ended_begins_another() -> None:
    world = World(per_minute=60)
    for ends_at in (1005.0, 1010.0):
        world.limiter.observe(429, {"Retry-After": "5"})
        world.send(urgent=True)
        assert world.now == ends_at


def test_a_limit_without_an_end_is_none() -> None:
    world = World(per_minute=100)
    world.limiter.observe(200, {"X-RateLimit-Limit": "inf"})
    world.send(41)
    assert world.now > 1000.0


def test_the_bot_and_its_caretakers_never_ask_for_more_than_the_account_has() -> None:
    programs = (main_app, order_manager, consistency_checker)
    assert sum(each.REQUESTS_PER_MINUTE for each in programs) == ORDINARY_LIMIT
