"""What the demo shows, as plain values, and the few numbers worked out of them.

Rule: no I/O here, and no words: how it looks is the view's business.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from dca_bot.core.decide import triggers
from dca_bot.core.model import ZERO, Order
from dca_bot.report.now import AssetNow
from dca_demo.caretakers import CaretakerNow

FEE_RATE = Decimal("0.0025")  # of a market order, on both sides (Alpaca's lowest tier)
HALF = Decimal("0.5")


@dataclass(frozen=True, slots=True)
class Span:
    """Where the price stands between the next safety order (0) and take profit (1)."""

    low: Decimal
    high: Decimal
    is_last_rung: bool  # no safety order is left: `low` only mirrors `high`
    position: Decimal
    average: Decimal


def span_of(now: AssetNow) -> Span | None:
    """Between which two prices an asset's position is; None without a position or a price."""
    if now.cycle is None or now.quote is None:
        return None
    prices = triggers(now.asset, now.cycle)
    high, rung = prices.sell_at_or_above, prices.buy_at_or_below
    if high is None:
        return None
    average = now.cycle.average_purchase_price
    low = 2 * average - high if rung is None else rung
    return Span(
        low,
        high,
        is_last_rung=rung is None,
        position=_fraction(now.quote.bid, low, high),
        average=_fraction(average, low, high),
    )


@dataclass(frozen=True, slots=True)
class DemoState:
    """One moment of the demo.  Orders come newest first, log lines oldest first.

    `earned` is the net of the finished cycles and their number, by symbol; `new_log_lines` are
    those that the moment before did not have.
    """

    now: datetime
    running: timedelta
    bot: str
    assets: tuple[AssetNow, ...]
    earned: Mapping[str, tuple[Decimal, int]] = field(default_factory=dict)
    orders: tuple[tuple[str, Order], ...] = ()  # with their symbols
    caretakers: tuple[CaretakerNow, ...] = ()
    log_lines: tuple[str, ...] = ()
    new_log_lines: tuple[str, ...] = ()
    page: str = ""  # its address

    @property
    def realised(self) -> Decimal:
        return sum((net for net, _ in self.earned.values()), ZERO)

    @property
    def unrealised(self) -> Decimal:
        return sum((each.net_if_sold or ZERO for each in self.assets), ZERO)

    @property
    def cycles_completed(self) -> int:
        return sum(count for _, count in self.earned.values())


def _fraction(price: Decimal, low: Decimal, high: Decimal) -> Decimal:
    if high <= low:
        return HALF
    return min(Decimal(1), max(ZERO, (price - low) / (high - low)))
