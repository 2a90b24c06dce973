"""What the loops of `main_app.py` share."""

from __future__ import annotations

import asyncio
import logging

log = logging.getLogger(__name__)


def log_what_is_new(troubles: set[str], logged: set[str]) -> set[str]:
    """Log what was not logged last time: trouble that lasts is logged once."""
    for trouble in sorted(troubles - logged):
        log.warning("%s", trouble)
    return troubles


async def happens_within(event_: asyncio.Event, seconds: float) -> bool:
    """Whether the event is set by then."""
    try:
        # not wait_for: before Python 3.12 it swallows a cancellation that comes with the event
        async with asyncio.timeout(seconds):
            await event_.wait()
    except TimeoutError:
        return False
    return True
