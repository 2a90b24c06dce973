"""How JSON says what it has no word for."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal


def plain_value(value: object) -> str:
    """Money, prices and quantities as exact strings, times as ISO 8601 in UTC."""
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    raise TypeError(f"{value!r} has no place in JSON")
