"""The client order id: our own name for an order, under which Alpaca keeps it for ever.

`dca-42-so2-t8xk3f1q`: cycle 42, safety order 2 (`base` and `tp` for the others), and the time of
the intent in milliseconds, base 36.  Alpaca never takes one id twice (docs/alpaca.md 2.1), also not
after the database was made anew and cycle 42 comes again; hence the time.
"""

from __future__ import annotations

from datetime import datetime

from dca_bot.core.model import OrderKind

PREFIX = "dca-"
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def client_order_id(cycle_id: int, kind: OrderKind, rung: int, intended_at: datetime) -> str:
    """The id of an order intended at `intended_at`."""
    purpose = {OrderKind.BASE: "base", OrderKind.SAFETY: f"so{rung}", OrderKind.TAKE_PROFIT: "tp"}
    millis = round(intended_at.timestamp() * 1000)
    return f"{PREFIX}{cycle_id}-{purpose[kind]}-{_base36(millis)}"


def is_ours(client_id: str) -> bool:
    return client_id.startswith(PREFIX)


def _base36(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = DIGITS[digit] + digits
    return digits
