"""What somebody has changed in a row of `dca_assets`, in the words of the table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from decimal import Decimal

from dca_bot.core.model import Asset

# Fields whose column is called otherwise; `_pct` at the end is `_percent` there.
COLUMNS = {
    "asset_id": "id",
    "symbol": "asset_symbol",
    "safety_order_deviation_pct": "safety_order_deviation",
    "cooldown_seconds": "cooldown_period",
    "restart_deviation_pct": "buy_order_price_deviation_percent",
}
BY_THE_BOT = {"last_sell_price"}


def column_of(name: str) -> str:
    """The column of `dca_assets` that a field of Asset holds."""
    whole = f"{name.removesuffix('_pct')}_percent" if name.endswith("_pct") else name
    return COLUMNS.get(name, whole)


def edits(before: Asset, after: Asset) -> Iterator[str]:
    """Each column that differs, with both values."""
    for each in fields(Asset):
        old, new = getattr(before, each.name), getattr(after, each.name)
        if old != new and each.name not in BY_THE_BOT:
            yield f"{column_of(each.name)} {_shown(old)} -> {_shown(new)}"


def _shown(value: object) -> str:
    match value:
        case None:
            return "NULL"
        case bool():
            return str(value).upper()
        case Decimal():
            return f"{value.normalize():f}"
    return str(value)
