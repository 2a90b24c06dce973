"""What the hot path knows of an asset: two prices.

Rule: a quote that triggers nothing costs two comparisons; whatever is slower happens in the
worker, once a price was reached.  Only an asset with a trailing take profit, a stop loss or limits
for its BUYs has each quote looked at more closely, still on the loop and in floats.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from dca_bot.core.ladder import Triggers

NEVER_BUY = -math.inf
NEVER_SELL = math.inf
SHADE = 1e-9  # what the floats of a spread may be off by


class Watch:
    """One symbol's trigger prices as floats, and its newest quote as it came off the wire.

    The floats are a shade too eager, so that none is missed by a rounding: 0.00143 plus 1 % is
    0.0014443, in floats 0.0014443000000000002.  The worker confirms every hit in Decimal.
    """

    __slots__ = (
        "_closer_look",
        "_looked_at",
        "buy_at_or_below",
        "newest",
        "on_hit",
        "sell_at_or_above",
    )

    def __init__(self, on_hit: Callable[[], None]) -> None:
        self.on_hit = on_hit
        self.newest: dict[str, Any] | None = None
        self._looked_at: dict[str, Any] | None = None
        self.disarm()

    def disarm(self) -> None:
        """No quote hits while the worker is busy, or while an order is under way."""
        self.buy_at_or_below = NEVER_BUY
        self.sell_at_or_above = NEVER_SELL
        self._closer_look: _CloserLook | None = None

    def arm(self, triggers: Triggers) -> None:
        """Set the prices; the newest quote, if nobody has looked at it yet, may hit at once."""
        self._closer_look = _CloserLook(triggers) if triggers.are_more_than_two_prices else None
        if self._closer_look is None:
            self.buy_at_or_below = _eager(triggers.buy_at_or_below, NEVER_BUY, math.inf)
        else:
            self.buy_at_or_below = math.inf
        self.sell_at_or_above = _eager(triggers.sell_at_or_above, NEVER_SELL, -math.inf)
        raw = self.newest
        if raw is None or raw is self._looked_at:
            return
        if raw["ap"] <= self.buy_at_or_below or raw["bp"] >= self.sell_at_or_above:
            self.reached(raw)

    def reached(self, raw: dict[str, Any]) -> None:
        """A quote has reached one of the two prices; a closer look may find that it has not.

        Raises TypeError or KeyError where the other one of its prices can't be compared.
        """
        if raw["bp"] > raw["ap"]:
            return  # never acted upon (`translate.quote`)
        self.newest = raw
        if self._closer_look is None or self._closer_look.hits(float(raw["bp"]), float(raw["ap"])):
            self.on_hit()

    def look_again(self) -> None:
        """Let the newest quote trigger again."""
        self._looked_at = None

    def take_newest(self) -> dict[str, Any] | None:
        """The newest quote for the worker to look at; none is looked at twice."""
        raw = self.newest
        if raw is self._looked_at:
            return None
        self._looked_at = raw
        return raw


def look_at(watches: dict[str, Watch], frame: list[dict[str, Any]]) -> None:
    """Compare every quote of a frame with its asset's prices; the quotes' whole hot path.

    A quote that can't be compared loses only itself: it is not kept, since it would be compared
    again whenever the asset's prices change, and its TypeError or KeyError is raised at the end.
    """
    unusable = None
    for raw in frame:
        try:
            watch = watches.get(raw["S"])
            if watch is None:
                continue
            if raw["ap"] <= watch.buy_at_or_below or raw["bp"] >= watch.sell_at_or_above:
                watch.reached(raw)
            else:
                watch.newest = raw
        except (KeyError, TypeError) as error:
            unusable = error
    if unusable is not None:
        raise unusable


class _CloserLook:
    """All prices of `Triggers` as floats, each a shade too eager."""

    __slots__ = ("_buy", "_sell_at_or_above", "_sell_between", "_spread_max", "_stop")

    def __init__(self, triggers: Triggers) -> None:
        self._buy = (
            _eager(triggers.buy_at_or_above, NEVER_BUY, -math.inf),
            _eager(triggers.buy_at_or_below, NEVER_BUY, math.inf),
        )
        self._spread_max = _eager(triggers.max_spread_pct, math.inf, math.inf) / 100 + SHADE
        self._sell_at_or_above = _eager(triggers.sell_at_or_above, NEVER_SELL, -math.inf)
        low, high = triggers.sell_between or (None, None)
        self._sell_between = (
            _eager(low, NEVER_SELL, -math.inf),
            _eager(high, NEVER_BUY, math.inf),
        )
        self._stop = _eager(triggers.stop_at_or_below, NEVER_BUY, math.inf)

    def hits(self, bid: float, ask: float) -> bool:
        """What `Triggers.buys` and the prices of a SELL say, in floats."""
        if self._buy[0] <= ask <= self._buy[1] and ask - bid <= ask * self._spread_max:
            return True
        between = self._sell_between[0] <= bid <= self._sell_between[1]
        return bid >= self._sell_at_or_above or between or bid <= self._stop


def _eager(price: Decimal | None, never: float, towards: float) -> float:
    if price is None:
        return never
    value = float(price)
    for _ in range(4):
        value = math.nextafter(value, towards)
    return value
