"""What the demo shows, as plain values, and the few numbers worked out of them.

Rule: no I/O here, and no words: how it looks is the view's business.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from dca_bot.core.decide import triggers
from dca_bot.core.ladder import Triggers
from dca_bot.core.model import ZERO, Asset, Cycle, CycleStatus, OrderKind, OrderStatus
from dca_sandbox.exchange import BidAsk

FEE_RATE = Decimal("0.0025")  # of a market order, on both sides (Alpaca's lowest tier)
HALF = Decimal("0.5")


@dataclass(frozen=True, slots=True)
class Flow:
    """Dollars that orders have moved: spent by BUYs, received by SELLs, and the fees of these."""

    spent: Decimal = ZERO
    received: Decimal = ZERO
    fees: Decimal = ZERO

    @property
    def net(self) -> Decimal:
        """What remains after fees.  A BUY's fee is taken in coin, so it stands in the quantity."""
        return self.received - self.fees - self.spent


@dataclass(frozen=True, slots=True)
class Span:
    """Where the price stands between the next safety order (0) and take profit (1)."""

    low: Decimal
    high: Decimal
    is_last_rung: bool  # no safety order is left: `low` only mirrors `high`
    position: Decimal
    average: Decimal


@dataclass(frozen=True, slots=True)
class AssetNow:
    """One asset: its rows, its prices, and the dollars of its present and its finished cycles."""

    asset: Asset
    cycle: Cycle | None
    prices: BidAsk | None
    this_cycle: Flow = Flow()
    finished: Flow = Flow()
    cycles_completed: int = 0
    completed_at: datetime | None = None

    @property
    def realised(self) -> Decimal:
        """Of the finished cycles, net of fees."""
        return self.finished.net

    @property
    def unrealised(self) -> Decimal:
        """What selling everything at the bid would bring now, net of fees, less what was paid."""
        if self.cycle is None or self.prices is None:
            return ZERO
        worth = self.cycle.quantity * self.prices.bid * (1 - FEE_RATE)
        return worth + self.this_cycle.net

    @property
    def triggers(self) -> Triggers:
        """The prices at which the bot acts next, by the bot's own rule."""
        return triggers(self.asset, self.cycle) if self.cycle else Triggers()

    @property
    def span(self) -> Span | None:
        """Between which two prices the position is; None without a position or a price."""
        high, cycle = self.triggers.sell_at_or_above, self.cycle
        if high is None or cycle is None or self.prices is None:
            return None
        average = cycle.average_purchase_price
        rung = self.triggers.buy_at_or_below
        low = 2 * average - high if rung is None else rung
        return Span(
            low,
            high,
            is_last_rung=rung is None,
            position=_fraction(self.prices.bid, low, high),
            average=_fraction(average, low, high),
        )

    def cooldown_left(self, now: datetime) -> timedelta | None:
        """How long the cooldown lasts yet; None where there is none."""
        if self.cycle is None or self.cycle.status is not CycleStatus.COOLDOWN:
            return None
        if self.completed_at is None:
            return timedelta(0)
        ends_at = self.completed_at + timedelta(seconds=self.asset.cooldown_seconds)
        return max(timedelta(0), ends_at - now)


@dataclass(frozen=True, slots=True)
class OrderNow:
    """One order that the bot has meant to send."""

    symbol: str
    cycle_id: int
    kind: OrderKind
    rung: int
    status: OrderStatus
    quantity: Decimal
    limit_price: Decimal | None
    filled_quantity: Decimal
    filled_average_price: Decimal | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class CaretakerNow:
    """One caretaker: when it ran last, how that ended, its last line, and what it did last.

    While it runs, `ended_at` is that of the run before.
    """

    script: str
    every_seconds: int
    ended_at: datetime | None = None
    exit_status: int | None = None
    last_line: str = ""
    deed: str = ""
    is_running: bool = False


@dataclass(frozen=True, slots=True)
class DemoState:
    """One moment of the demo.  Orders come newest first, log lines oldest first.

    `new_log_lines` are those that the moment before did not have.
    """

    now: datetime
    running: timedelta
    bot: str
    assets: tuple[AssetNow, ...]
    orders: tuple[OrderNow, ...] = ()
    caretakers: tuple[CaretakerNow, ...] = ()
    log_lines: tuple[str, ...] = ()
    new_log_lines: tuple[str, ...] = ()
    page: str = ""  # its address

    @property
    def realised(self) -> Decimal:
        return sum((each.realised for each in self.assets), ZERO)

    @property
    def unrealised(self) -> Decimal:
        return sum((each.unrealised for each in self.assets), ZERO)

    @property
    def cycles_completed(self) -> int:
        return sum(each.cycles_completed for each in self.assets)


def _fraction(price: Decimal, low: Decimal, high: Decimal) -> Decimal:
    if high <= low:
        return HALF
    return min(Decimal(1), max(ZERO, (price - low) / (high - low)))
