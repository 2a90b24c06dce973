"""What the exchange does by itself: orders that expire, halts, new rules, a clock that is wrong.

Rule: what is done for a while is undone, later or when the sea is calm.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from tests.proofs.storms.mishaps import Calm
from tests.proofs.storms.venue import Venue
from tests.proofs.storms.virtual_time import VirtualClock, VirtualLoop

EVERY_SECONDS = 30.0
A_WHILE = (60.0, 600.0)
SECONDS_APART, MINUTES_APART = 30.0, 240.0
# An increment is worth less than this, or what is left of a sale would not be dust.
INCREMENT_USD = Decimal("0.3")


class Upsets:
    def __init__(
        self, loop: VirtualLoop, clock: VirtualClock, venue: Venue, mishaps: Calm, seed: int
    ) -> None:
        self._loop = loop
        self._clock = clock
        self._venue = venue
        self._mishaps = mishaps
        self._dice = random.Random(f"upsets:{seed}")
        self._moods: dict[str, Callable[[], None]] = {
            "order expires": venue.expire_one,
            "clocks differ": lambda: self._skew(SECONDS_APART),
            "clocks minutes apart": lambda: self._skew(MINUTES_APART),
            "symbol halted for a while": lambda: self._for_a_while(tradable=False),
            "symbol delisted for a while": lambda: self._for_a_while(status="inactive"),
            "rules changed": self._change_rules,
        }

    def begin(self) -> None:
        self._loop.call_later(EVERY_SECONDS, self._tick)

    def put_back(self) -> None:
        """Everything is traded again, and the clock is right."""
        for asset in self._venue.exchange.assets.all():
            self._venue.change_asset(asset.symbol, tradable=True, status="active")
        self._clock.skew(0)

    def _tick(self) -> None:
        for name, deed in self._moods.items():
            if self._mishaps.strikes(name):
                deed()
        self._loop.call_later(EVERY_SECONDS, self._tick)

    def _skew(self, seconds: float) -> None:
        self._clock.skew(self._dice.uniform(-seconds, seconds))
        self._loop.call_later(self._dice.uniform(*A_WHILE), self._clock.skew, 0)

    def _symbol(self) -> str | None:
        quoted = sorted(self._venue.exchange.quotes)
        return self._dice.choice(quoted) if quoted else None

    def _for_a_while(self, **columns: Any) -> None:
        symbol = self._symbol()
        if symbol is not None:
            self._venue.change_asset(symbol, **columns)
            back = {"tradable": True, "status": "active"}
            seconds = self._dice.uniform(*A_WHILE)
            self._loop.call_later(seconds, lambda: self._venue.change_asset(symbol, **back))

    def _change_rules(self) -> None:
        symbol = self._symbol()
        if symbol is not None:
            bid = self._venue.exchange.quotes[symbol].bid
            most = (INCREMENT_USD / bid).adjusted()  # as a power of ten
            step = Decimal(10) ** self._dice.randint(-9, max(most, -9))
            tick = Decimal(10) ** self._dice.randint(-9, max(bid.adjusted() - 4, -9))
            self._venue.change_asset(symbol, min_trade_increment=step, price_increment=tick)
