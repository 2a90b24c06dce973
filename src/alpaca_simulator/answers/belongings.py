"""What a user keeps beside orders and coins: watchlists, addresses, withdrawals, past equity."""

from collections import deque
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from alpaca_simulator.exchange.assets import Asset

MINUTES_KEPT = 31 * 24 * 60


@dataclass(slots=True)
class Watchlist:
    """A named list of pairs."""

    id: str
    name: str
    assets: list[Asset]
    created_at: int
    updated_at: int


@dataclass(slots=True)
class Belongings:
    """All of it, by id."""

    watchlists: dict[str, Watchlist] = field(default_factory=dict)
    whitelist: dict[str, dict[str, Any]] = field(default_factory=dict)
    transfers: dict[str, dict[str, Any]] = field(default_factory=dict)
    equities: deque[tuple[int, Decimal]] = field(default_factory=lambda: deque(maxlen=MINUTES_KEPT))
