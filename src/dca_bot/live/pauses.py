"""How long to leave a kind of order alone after it went wrong: from seconds to minutes."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from decimal import Decimal

from dca_bot.core.model import Cycle, CycleStatus, Side

FIRST_SECONDS = 5.0
FACTOR = 3.0
MAX_SECONDS = 300.0
# Lack of cash, or a limit for all assets: no order is sent, and any sale may end it.
OURS_MAX_SECONDS = 45.0
FORGIVEN_AFTER_SECONDS = 60.0  # trouble this long after the last pause is a new trouble


@dataclass(frozen=True, slots=True)
class Pause:
    until: float  # monotonic seconds
    length: float


@dataclass(frozen=True, slots=True)
class Awaited:
    """An order that a cycle waits for, and what the cycle held before it."""

    cycle_id: int
    side: Side
    quantity: Decimal

    @classmethod
    def by(cls, cycle: Cycle, before: Cycle | None) -> Awaited:
        """The order that `cycle` waits for; `before` is what was known until now."""
        known = before if before and before.cycle_id == cycle.cycle_id else cycle
        side = Side.BUY if cycle.status is CycleStatus.BUYING else Side.SELL
        return cls(cycle.cycle_id, side, known.quantity)

    def brought_nothing(self, cycle: Cycle | None) -> bool:
        """Whether the order has left the cycle, which waits no more, as it was."""
        return (
            cycle is not None
            and cycle.cycle_id == self.cycle_id
            and cycle.quantity == self.quantity
        )


class Pauses:
    """One growing pause per key (BUYs and SELLs of an asset are paused apart)."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._pauses: dict[Hashable, Pause] = {}

    def begin(self, key: Hashable, *, longest: float = MAX_SECONDS) -> float:
        """Pause `key`, longer than last time, and return for how many seconds."""
        now = self._monotonic()
        last = self._pauses.get(key)
        length = FIRST_SECONDS
        if last is not None and now < last.until + FORGIVEN_AFTER_SECONDS:
            length = last.length * FACTOR
        length = min(length, longest)
        self._pauses[key] = Pause(now + length, length)
        return length

    def left(self, key: Hashable) -> float:
        """Seconds until `key` may be tried again; 0 when it may."""
        pause = self._pauses.get(key)
        return max(0.0, pause.until - self._monotonic()) if pause else 0.0

    def clear(self) -> None:
        """Forget everything: the row was edited, or an order went through."""
        self._pauses.clear()
