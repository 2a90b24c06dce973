"""The curves of the page: what was earned, and what money was in use."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from dca_bot.core.model import ZERO
from dca_bot.report.cycles import CycleLine
from dca_bot.report.profit import Earned

DAYS_SHOWN = 90


def earned_curve(
    closed: Sequence[CycleLine], realised: Decimal, days: Sequence[Earned]
) -> list[dict[str, Any]]:
    """The sum of all nets after each finished cycle, oldest first.

    `closed` are the newest cycles, newest first; what was earned before them comes by the day.
    """
    newest = [line for line in reversed(closed) if line.completed_at and line.net is not None]
    if not newest or newest[0].completed_at is None:
        return []
    first_day = newest[0].completed_at.astimezone().date().isoformat()
    points: list[dict[str, Any]] = []
    total = ZERO
    for day in days:
        if day.group < first_day:
            total += day.net
            points.append({"at": f"{day.group}T23:59:59", "net": total})
    total = realised - sum((line.net or ZERO for line in newest), ZERO)
    for line in newest:
        total += line.net or ZERO
        points.append({"at": line.completed_at, "net": total})
    return points


def daily(days: Sequence[Earned]) -> list[dict[str, Any]]:
    """Net and fees of each of the last days on which a cycle was completed."""
    return [
        {"day": day.group, "net": day.net, "fees": day.fees, "cycles": day.cycles}
        for day in days[-DAYS_SHOWN:]
    ]


def capital_curve(lines: Sequence[CycleLine], now: datetime) -> list[dict[str, Any]]:
    """The money that was in cycles at once, at each change: from first BUY to completion."""
    changes: list[tuple[datetime, Decimal]] = []
    for line in lines:
        if line.began_at is None or not line.invested:
            continue
        changes.append((line.began_at, line.invested))
        if line.completed_at is not None:
            changes.append((line.completed_at, -line.invested))
    points = []
    total = ZERO
    for at, change in sorted(changes):
        total += change
        points.append({"at": at, "invested": total})
    if points:
        points.append({"at": now, "invested": total})
    return points
