"""What the hot path knows of an asset: two prices.

Rule: a quote that triggers nothing costs two comparisons; whatever is slower happens in the
worker, once a price was reached.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from dca_bot.core.decide import Triggers

NEVER_BUY = -math.inf
NEVER_SELL = math.inf


class Watch:
    """One symbol's trigger prices as floats, and its newest quote as it came off the wire.

    The floats are a shade too eager, so that none is missed by a rounding: 0.00143 plus 1 % is
    0.0014443, in floats 0.0014443000000000002.  The worker confirms every hit in Decimal.
    """

    __slots__ = ("_looked_at", "buy_at_or_below", "newest", "on_hit", "sell_at_or_above")

    def __init__(self, on_hit: Callable[[], None]) -> None:
        self.on_hit = on_hit
        self.newest: dict[str, Any] | None = None
        self._looked_at: dict[str, Any] | None = None
        self.disarm()

    def disarm(self) -> None:
        """No quote hits while the worker is busy, or while an order is under way."""
        self.buy_at_or_below = NEVER_BUY
        self.sell_at_or_above = NEVER_SELL

    def arm(self, triggers: Triggers) -> None:
        """Set the prices; the newest quote, if nobody has looked at it yet, may hit at once."""
        self.buy_at_or_below = _eager(triggers.buy_at_or_below, NEVER_BUY, math.inf)
        self.sell_at_or_above = _eager(triggers.sell_at_or_above, NEVER_SELL, -math.inf)
        raw = self.newest
        if raw is None or raw is self._looked_at:
            return
        if raw["ap"] <= self.buy_at_or_below or raw["bp"] >= self.sell_at_or_above:
            self.on_hit()

    def take_newest(self) -> dict[str, Any] | None:
        """The newest quote for the worker to look at; none is looked at twice."""
        raw = self.newest
        if raw is self._looked_at:
            return None
        self._looked_at = raw
        return raw


def look_at(watches: dict[str, Watch], frame: list[dict[str, Any]]) -> None:
    """Compare every quote of a frame with its asset's prices; the quotes' whole hot path."""
    for raw in frame:
        watch = watches.get(raw["S"])
        if watch is None:
            continue
        watch.newest = raw
        if raw["ap"] <= watch.buy_at_or_below or raw["bp"] >= watch.sell_at_or_above:
            watch.on_hit()


def _eager(price: Decimal | None, never: float, towards: float) -> float:
    if price is None:
        return never
    value = float(price)
    for _ in range(4):
        value = math.nextafter(value, towards)
    return value
