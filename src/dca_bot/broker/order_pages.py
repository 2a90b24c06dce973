"""A list of orders that may be longer than one answer (docs/alpaca.md 2.3)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from dca_bot.broker.translate import OrderPage
from dca_bot.core.model import OrderUpdate
from dca_bot.program.errors import BrokerUnavailable, Unreadable

log = logging.getLogger(__name__)

PAGE_SIZE = 500
PAGES_MAX = 20


class OrderPages:
    """Lists of orders; remembers which of them it has called unreadable."""

    def __init__(self) -> None:
        self._logged: set[str] = set()

    def all(
        self, ask: Callable[[Mapping[str, Any]], OrderPage], chosen: Mapping[str, str]
    ) -> Sequence[OrderUpdate]:
        """Every chosen order that can be read, once, oldest first.

        Raises what `ask` raises, and BrokerUnavailable.
        """
        orders: dict[str | None, OrderUpdate] = {}
        parameters: dict[str, Any] = {**chosen, "limit": PAGE_SIZE, "direction": "asc"}
        for _ in range(PAGES_MAX):
            page = ask(parameters)
            self._tell(page.unreadable)
            for update in page.updates:
                orders.setdefault(update.alpaca_order_id, update)
            if page.size < PAGE_SIZE:
                return list(orders.values())
            if page.last_submitted_at is None:
                raise BrokerUnavailable("a list of orders whose last one has no submitted_at")
            # `after` is exclusive and several orders may share the last moment of a page, so the
            # next one begins a moment earlier, and what comes twice counts once
            parameters["after"] = wire(page.last_submitted_at - timedelta(microseconds=1))
        count = PAGES_MAX * PAGE_SIZE
        raise BrokerUnavailable(f"more than {count} {chosen['status']} orders: too many to read")

    def _tell(self, unreadable: Iterable[Unreadable]) -> None:
        """Say once of each that it is left out; ours are asked for by their own ids besides."""
        for each in unreadable:
            if (text := str(each)) not in self._logged:
                self._logged.add(text)
                log.warning("an order in Alpaca's list can't be read, and is left out: %s", text)


def wire(at: datetime) -> str:
    """A time in UTC as Alpaca writes it."""
    return at.isoformat().replace("+00:00", "Z")
