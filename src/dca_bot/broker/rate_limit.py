"""How many requests a minute this process may send.  Rule: the limit is kept by waiting.

Alpaca allows an account 200 requests a minute, whoever sends them (docs/alpaca.md 2.4), so every
process has a share of its own.  SELLs and cancels go first: a reserve is kept for them alone.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime

from dca_bot.program.errors import BrokerUnavailable
from dca_bot.program.log_text import event

log = logging.getLogger(__name__)

TOO_MANY_REQUESTS = 429
MINUTE = 60.0
SHARE_MIN = 4  # below, the reserve would leave no whole request to the others
ORDINARY_LIMIT = 200.0  # requests a minute; 1000 for Elite accounts (docs/alpaca.md 2.4)
# Alpaca counts by the minute, so no pause that it asks for can be longer in earnest.
PAUSE_SECONDS_MAX = 60.0
PAUSE_SECONDS_MIN = 1.0
PAUSE_SECONDS_UNASKED_MAX = 30.0
WAIT_SECONDS_MIN = 0.001


class RateLimiter:
    """A token bucket shared by all threads; clock and sleep are handed in.

    Half of `per_minute` may be sent at once, the other half comes back over a minute, so that no
    minute ever sees more than `per_minute`.  A fifth of the burst is the reserve of the urgent.
    `per_minute` is meant for an ordinary account; where Alpaca's answers name another limit than
    200, the share grows or shrinks with it.
    """

    def __init__(
        self,
        per_minute: int,
        *,
        wait_seconds_max: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        if per_minute < SHARE_MIN:
            raise ValueError(f"a share of less than {SHARE_MIN} requests a minute can't be kept")
        self._share = per_minute / ORDINARY_LIMIT
        self._set_pace(per_minute)
        self._wait_seconds_max = wait_seconds_max
        self._clock, self._sleep, self._jitter = clock, sleep, jitter
        self._lock = threading.Lock()
        self._tokens = self._burst
        self._counted_at = clock()
        self._paused_until = self._counted_at
        self._refusals = 0

    def acquire(self, *, urgent: bool = False) -> None:
        """Wait for the right to send one request; raise BrokerUnavailable if it would take long.

        1. While Alpaca has asked us to pause, nobody sends.
        2. The urgent need one token, everybody else one more than the reserve.
        3. A wait that can't end in time is not begun: whoever asks can do better things.
        """
        give_up_at = self._clock() + self._wait_seconds_max
        while True:
            with self._lock:
                wait = self._wait_seconds(urgent=urgent)
                if wait <= 0:
                    self._tokens -= 1
                    return
                too_long = self._clock() + wait > give_up_at
            if too_long:
                # the same words however long it takes: trouble that lasts is logged once
                raise BrokerUnavailable(
                    "rate limit: no request may be sent for now; "
                    "tried again by itself, if it lasts look what else uses these keys"
                )
            self._sleep(wait)

    def observe(self, status: int, headers: Mapping[str, str]) -> None:
        """Learn from an answer: 429 pauses everybody, and others may have used the budget too."""
        with self._lock:
            if status == TOO_MANY_REQUESTS:
                self._pause(headers)
                return
            self._refusals = 0
            limit = _number(headers.get("X-RateLimit-Limit"))
            if limit is not None and limit >= 1:
                self._follow_limit(limit)
            remaining = _number(headers.get("X-RateLimit-Remaining"))
            if remaining is not None:
                self._tokens = min(self._tokens, max(0.0, remaining))

    def _follow_limit(self, limit: float) -> None:
        burst_before = self._burst
        self._set_pace(max(SHARE_MIN, self._share * limit))
        self._tokens = max(0.0, self._tokens + self._burst - burst_before)

    def _set_pace(self, per_minute: float) -> None:
        self._burst = per_minute / 2
        self._per_second = per_minute / 2 / MINUTE
        self._reserve = self._burst / 5

    def _wait_seconds(self, *, urgent: bool) -> float:
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._counted_at) * self._per_second)
        self._counted_at = now
        if now < self._paused_until:
            return self._paused_until - now
        needed = 1.0 if urgent else 1.0 + self._reserve
        missing = needed - self._tokens
        # rounding could leave a wait of nothing at all
        return max(missing / self._per_second, WAIT_SECONDS_MIN) if missing > 0 else 0.0

    def _pause(self, headers: Mapping[str, str]) -> None:
        now = self._clock()
        if now < self._paused_until:
            return  # sent before the pause and refused like the one that began it: the same news
        self._refusals += 1
        seconds = min(PAUSE_SECONDS_MAX, max(PAUSE_SECONDS_MIN, self._asked_seconds(headers)))
        self._paused_until = now + seconds
        # Afterwards the waiting ones come one by one, the urgent first, not all at once.
        self._tokens = 0.0
        log.warning(event("Alpaca answers 429, requests pause", seconds=round(seconds, 1)))

    def _asked_seconds(self, headers: Mapping[str, str]) -> float:
        """Retry-After, else until the reset, else growing with jitter (docs/alpaca.md 2.4)."""
        wait = _number(headers.get("Retry-After"))
        if wait is None:
            wait = _seconds_until_reset(headers)
        if wait is not None:
            return wait
        grown = min(PAUSE_SECONDS_UNASKED_MAX, 2.0**self._refusals)
        return grown / 2 + grown / 2 * self._jitter()


def _seconds_until_reset(headers: Mapping[str, str]) -> float | None:
    # Counted on the server's own clock, since ours may be wrong.
    reset = _number(headers.get("X-RateLimit-Reset"))
    try:
        server_time = parsedate_to_datetime(headers.get("Date", "")).timestamp()
    except ValueError:
        return None
    return None if reset is None else reset - server_time


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if abs(number) < float("inf") else None
