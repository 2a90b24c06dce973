"""A list of orders that may be longer than one answer (docs/alpaca.md 2.3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from dca_bot.broker.translate import OrderPage
from dca_bot.core.model import OrderUpdate
from dca_bot.program.errors import BrokerUnavailable

PAGE_SIZE = 500
PAGES_MAX = 20


def all_pages(
    ask: Callable[[Mapping[str, Any]], OrderPage], chosen: Mapping[str, str]
) -> Sequence[OrderUpdate]:
    """Every chosen order once, oldest first; raises what `ask` raises, and BrokerUnavailable."""
    orders: dict[str | None, OrderUpdate] = {}
    parameters: dict[str, Any] = {**chosen, "limit": PAGE_SIZE, "direction": "asc"}
    for _ in range(PAGES_MAX):
        page = ask(parameters)
        for update in page.updates:
            orders.setdefault(update.alpaca_order_id, update)
        if page.size < PAGE_SIZE:
            return list(orders.values())
        # `after` is exclusive and several orders may share the last moment of a page, so the next
        # one begins a moment earlier, and what comes twice counts once
        parameters["after"] = wire(page.last_submitted_at - timedelta(microseconds=1))
    count = PAGES_MAX * PAGE_SIZE
    raise BrokerUnavailable(f"more than {count} {chosen['status']} orders: too many to read")


def wire(at: datetime) -> str:
    """A time in UTC as Alpaca writes it."""
    return at.isoformat().replace("+00:00", "Z")
