"""What is kept: updates as booked, events, what cycles came to, and Alpaca's own records."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from dca_bot.core.model import Allowed, Cycle, CycleStatus, Order, Side

SENTENCE_LENGTH_MAX = 255  # of an event's sentence


@dataclass(frozen=True, slots=True)
class Booked:
    """The cycle and the order after an update.

    When all is sold, `sold_at` is the price, and `allowed` how far the asset may go from now on
    (None: as far as before).
    """

    cycle: Cycle
    order: Order
    sold_at: Decimal | None = None
    allowed: Allowed | None = None


@dataclass(frozen=True, slots=True)
class CycleResult:
    """A row of `dca_results`: what a finished cycle came to.  None: it can't be known."""

    cycle_id: int
    asset_id: int
    symbol: str
    status: CycleStatus
    began_at: datetime
    completed_at: datetime
    safety_orders: int
    max_safety_orders: int  # as the row was then
    cost: Decimal
    proceeds: Decimal
    fees: Decimal
    net: Decimal | None
    left_quantity: Decimal  # dust, or what went another way than by the bot's orders
    drawdown_pct: Decimal  # the deepest that the bot's own BUYs have seen, below the average
    fees_are_known: bool  # of its SELLs, by Alpaca's own records; an estimate until then


class EventKind(StrEnum):
    """What kind of thing happened."""

    BEGAN = "began"
    ORDERED = "ordered"
    FILLED = "filled"
    ENDED = "ended"  # an order, before it was filled
    COMPLETE = "complete"
    RESUMED = "resumed"  # the cooldown is over, by time or by price
    CORRECTED = "corrected"  # to what Alpaca holds
    GIVEN_UP = "given up"  # the cycle, with its coins
    LET_GO = "let go"  # an order that nobody knows
    ALLOWED = "allowed"  # how far the asset may go
    CHANGED = "changed"  # the row, by a command
    ADOPTED = "adopted"  # coins, by hand
    RELEASED = "released"  # coins, by hand


@dataclass(frozen=True, slots=True)
class Event:
    """A row of `dca_events`; `price` is what was seen, `against` what it was compared with."""

    at: datetime
    cycle_id: int
    kind: EventKind
    sentence: str
    client_order_id: str | None = None
    price: Decimal | None = None
    against: Decimal | None = None
    quantity: Decimal | None = None


@dataclass(frozen=True, slots=True)
class FillActivity:
    """One fill, whole or in part; the quantity is gross."""

    at: datetime
    order_id: str
    symbol: str  # in slash form
    side: Side
    quantity: Decimal
    price: Decimal

    @property
    def fee_currency(self) -> str:
        """What its fee is taken in: what is credited."""
        coin, _, quote = self.symbol.partition("/")
        return coin if self.side is Side.BUY else quote


@dataclass(frozen=True, slots=True)
class FeeActivity:
    """A posted fee, above 0.  It names no order (docs/alpaca.md 1.5); `at`: when it was posted."""

    at: datetime
    currency: str  # the coin before the slash, or USD
    amount: Decimal
