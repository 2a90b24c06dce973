"""What Alpaca's own records say of an account: fills, and the fees that are posted hours later."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from dca_bot.core.model import Side


@dataclass(frozen=True, slots=True)
class FillActivity:
    """One fill, whole or in part; the quantity is gross."""

    at: datetime
    order_id: str
    symbol: str  # in slash form
    side: Side
    quantity: Decimal
    price: Decimal


@dataclass(frozen=True, slots=True)
class FeeActivity:
    """A posted fee, above 0.  It names no order (docs/alpaca.md 1.5); `at`: when it was posted."""

    at: datetime
    currency: str  # the coin before the slash, or USD
    amount: Decimal
