"""Orders that somebody edits in Alpaca's dashboard.

Alpaca replaces such an order by a new one, with other ids (docs/alpaca.md 2.3).
Rule: to the books both are one order, under our name.  It is over when its last successor is, and
has filled what all of them have together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from dca_bot.core.model import ZERO, OrderUpdate


def followed(update: OrderUpdate, ask: Callable[[str], OrderUpdate | None]) -> OrderUpdate:
    """What has become of an order, through its successors: `ask` says it of one Alpaca id.

    Where Alpaca doesn't find the successor, the order stands as it is, `replaced_by` included.
    """
    successor = ask(update.replaced_by) if update.replaced_by else None
    return update if successor is None else _as_one(update, successor)


def _as_one(before: OrderUpdate, successor: OrderUpdate) -> OrderUpdate:
    """Both orders under the first one's name; each counts its own fills, from nothing."""
    filled = before.filled_quantity + successor.filled_quantity
    cost = sum(
        (
            each.filled_quantity * (each.filled_average_price or ZERO)
            for each in (before, successor)
        ),
        ZERO,
    )
    return replace(
        successor,
        client_order_id=before.client_order_id,
        filled_quantity=filled,
        filled_average_price=cost / filled if filled else None,
    )
