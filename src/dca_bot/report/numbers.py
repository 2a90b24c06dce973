"""Numbers and times as people read them, and as JSON has them."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal


def age_in_words(age: timedelta) -> str:
    """`42 s`, `7 min`, `3 h 5 min`, `12 days`."""
    seconds = max(0, int(age.total_seconds()))
    if seconds < 120:
        return f"{seconds} s"
    minutes, hours = seconds // 60, seconds // 3600
    if minutes < 120:
        return f"{minutes} min"
    if hours < 48:
        return f"{hours} h {minutes % 60} min"
    return f"{hours // 24} days"


def how_many(count: int, thing: str) -> str:
    """`1 cycle`, `2 cycles`."""
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def price_in_words(price: Decimal | None) -> str:
    """As many digits as matter: 64,120.50, 3.1416, 0.00001234."""
    if price is None:
        return "-"
    if not price.is_finite():
        return "any price"
    digits = 2 if abs(price) >= 1000 else 4 if abs(price) >= 1 else 8
    return f"{price:,.{digits}f}"


def plain_quantity(quantity: Decimal) -> str:
    """Exact, without the zeros that fill up its column."""
    text = f"{quantity:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def amount_in_words(amount: Decimal, currency: str) -> str:
    return f"{amount:,.2f} {currency}"


def plain_value(value: object) -> str:
    """Money, prices and quantities as exact strings, times as ISO 8601 in UTC."""
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    raise TypeError(f"{value!r} has no place in JSON")
