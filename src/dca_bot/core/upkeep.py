"""What the caretakers judge: ages of orders, ends of cooldowns, positions against the books.

Rule: each judgement sees rows, what Alpaca said and `now`, and nothing else.  Where something
isn't known (an order without a time, a clock that runs behind), the answer is the one that
leaves everything as it is.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from dca_bot.core.model import Asset, Cycle, CycleStatus


def cooldown_over(cycle: Cycle, previous: Cycle | None, asset: Asset, now: datetime) -> bool:
    """Whether a cycle in cooldown may watch again (CONTRACT 7).

    `previous` is the asset's cycle that was completed last; without one there is nothing to wait
    for.
    """
    if cycle.status is not CycleStatus.COOLDOWN:
        return False
    ends_at = cooldown_ends_at(previous, asset)
    return ends_at is None or now >= ends_at


def cooldown_ends_at(previous: Cycle | None, asset: Asset) -> datetime | None:
    """When the cooldown after `previous` is over; None: there is nothing to wait for."""
    if previous is None or previous.completed_at is None:
        return None
    return previous.completed_at + timedelta(seconds=asset.cooldown_seconds)
