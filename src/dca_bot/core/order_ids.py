"""The client order id: our own name for an order, under which Alpaca keeps it for ever.

`dca-42-so2-t8xk3f1q`: cycle 42, safety order 2 (`base`, `extra`, `adopted`, `tp`, `sl` and
`close` for the others), and the time of the intent in milliseconds, base 36.  Alpaca never takes
one id twice (docs/alpaca.md 2.1), also not after the database was made anew and cycle 42 comes
again; hence the time.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from dca_bot.core.model import Cycle, Order, OrderKind, OrderStatus

PREFIX = "dca-"
PURPOSES = {
    OrderKind.BASE: "base",
    OrderKind.EXTRA: "extra",
    OrderKind.ADOPTED: "adopted",
    OrderKind.TAKE_PROFIT: "tp",
    OrderKind.STOP_LOSS: "sl",
    OrderKind.CLOSE: "close",
}
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def client_order_id(cycle_id: int, kind: OrderKind, rung: int, intended_at: datetime) -> str:
    """The id of an order intended at `intended_at`."""
    purpose = f"so{rung}" if kind is OrderKind.SAFETY else PURPOSES[kind]
    millis = round(intended_at.timestamp() * 1000)
    return f"{PREFIX}{cycle_id}-{purpose}-{_base36(millis)}"


def new_order(
    cycle: Cycle,
    kind: OrderKind,
    rung: int = 0,
    *,
    quantity: Decimal,
    limit_price: Decimal | None = None,
    now: datetime,
) -> Order:
    """The intent of an order for this cycle; without a limit price a market order."""
    return Order(
        client_order_id=client_order_id(cycle.cycle_id, kind, rung, now),
        asset_id=cycle.asset_id,
        cycle_id=cycle.cycle_id,
        kind=kind,
        rung=rung,
        quantity=quantity,
        limit_price=limit_price,
        status=OrderStatus.INTENDED,
        created_at=now,
    )


def is_ours(client_id: str) -> bool:
    return client_id.startswith(PREFIX)


def _base36(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = DIGITS[digit] + digits
    return digits
