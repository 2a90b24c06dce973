"""The wall clock.  Rule: no other module reads it; everybody else is handed a time."""

from datetime import UTC, datetime


def utc_now() -> datetime:
    """The current time, aware and in UTC."""
    return datetime.now(UTC)
