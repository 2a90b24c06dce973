"""What `main_app.py` sees, for whoever looks at it from outside: a file beside the heartbeat.

Rule: its own loop writes it, so it is as old as the bot's last look.  It is for people: nothing is
traded on it, and what can't be read is not there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from dca_bot.core.model import AssetRules, Quote
from dca_bot.program.clock import aware
from dca_bot.program.files import read_own, replace_own

FILE_NAME = "main_app.sight"
BYTES_MAX = 1_000_000


@dataclass(frozen=True, slots=True)
class AssetSight:
    """One asset as the bot sees it; pauses are the seconds that are left of them."""

    quote: Quote | None = None
    rules: AssetRules | None = None
    problem: str = ""  # why its row is not traded
    buy_pause_seconds: float = 0.0
    sell_pause_seconds: float = 0.0
    why: str = ""  # what went wrong last, and has not gone right since

    @property
    def is_paused(self) -> bool:
        return self.buy_pause_seconds > 0 or self.sell_pause_seconds > 0


@dataclass(frozen=True, slots=True)
class Sight:
    """`mode` is paper, live or simulated; `cash` what BUYs in USD may use, None: not known yet;
    `no_orders` why none is placed at all, "" while nothing keeps them back."""

    at: datetime
    mode: str
    cash: Decimal | None = None
    no_orders: str = ""
    assets: Mapping[str, AssetSight] = field(default_factory=dict)


def write(sight: Sight, directory: Path) -> None:
    """Replace the file; raises OSError."""
    content = {
        "at": sight.at.isoformat(),
        "mode": sight.mode,
        "cash": None if sight.cash is None else f"{sight.cash:f}",
        "no_orders": sight.no_orders,
        "assets": {symbol: _written(seen) for symbol, seen in sight.assets.items()},
    }
    replace_own(directory / FILE_NAME, json.dumps(content, indent=1) + "\n")


def read(directory: Path) -> Sight | None:
    """What was seen last; None when there is nothing, or it can't be read."""
    try:
        raw = json.loads(read_own(directory / FILE_NAME, BYTES_MAX))
        return Sight(
            at=aware(raw["at"]),
            mode=str(raw["mode"]),
            cash=None if raw["cash"] is None else Decimal(raw["cash"]),
            no_orders=str(raw.get("no_orders", "")),
            assets={
                str(symbol): _read(str(symbol), seen) for symbol, seen in raw["assets"].items()
            },
        )
    except (OSError, ValueError, TypeError, KeyError, AttributeError, InvalidOperation):
        return None


def _written(seen: AssetSight) -> dict[str, Any]:
    quote, rules = seen.quote, seen.rules
    return {
        "quote": quote and [f"{quote.bid:f}", f"{quote.ask:f}", quote.at.isoformat()],
        "steps": rules and [f"{rules.min_trade_increment:f}", f"{rules.price_increment:f}"],
        "problem": seen.problem,
        "pauses": [round(seen.buy_pause_seconds, 1), round(seen.sell_pause_seconds, 1)],
        "why": seen.why,
    }


def _read(symbol: str, raw: Mapping[str, Any]) -> AssetSight:
    quote, steps, pauses = raw["quote"], raw["steps"], raw["pauses"]
    return AssetSight(
        quote=quote and Quote(symbol, Decimal(quote[0]), Decimal(quote[1]), aware(quote[2])),
        rules=steps and AssetRules(symbol, True, Decimal(steps[0]), Decimal(steps[1])),
        problem=str(raw["problem"]),
        buy_pause_seconds=float(pauses[0]),
        sell_pause_seconds=float(pauses[1]),
        why=str(raw["why"]),
    )
