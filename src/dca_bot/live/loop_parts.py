"""What the loops of `main_app.py` share."""

from __future__ import annotations

import asyncio
import logging

log = logging.getLogger(__name__)


def tell_news(troubles: set[str], told: set[str]) -> set[str]:
    """Say what was not said last time already; a trouble that lasts is told once."""
    for trouble in sorted(troubles - told):
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
