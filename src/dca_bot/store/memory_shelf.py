"""All rows of one asset in memory, and the few that are asked for most."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field

from dca_bot.core.model import Asset, Cycle, CycleStatus, Order


@dataclass(slots=True)
class Shelf:
    """What `MemoryStore` keeps for an asset; `lock` stands for the lock on its row."""

    asset: Asset
    lock: threading.Lock = field(default_factory=threading.Lock)
    cycles: dict[int, Cycle] = field(default_factory=dict)
    orders: dict[str, Order] = field(default_factory=dict)
    of_cycle: dict[int, dict[str, Order]] = field(default_factory=dict)
    active_cycle: Cycle | None = None
    previous_cycle: Cycle | None = None
    live_order: Order | None = None

    def put_cycle(self, cycle: Cycle) -> None:
        self.cycles[cycle.cycle_id] = cycle
        if cycle.status.is_active:
            self.active_cycle = cycle
        elif self.active_cycle and self.active_cycle.cycle_id == cycle.cycle_id:
            self.active_cycle = None
        if self.previous_cycle and self.previous_cycle.cycle_id == cycle.cycle_id:
            self.previous_cycle = latest_completed(self.cycles.values())
        else:
            self.previous_cycle = latest_completed(filter(None, (self.previous_cycle, cycle)))

    def put_order(self, order: Order) -> None:
        self.orders[order.client_order_id] = order
        self.of_cycle.setdefault(order.cycle_id, {})[order.client_order_id] = order
        if not order.status.is_finished:
            self.live_order = order
        elif self.live_order and self.live_order.client_order_id == order.client_order_id:
            self.live_order = None


def latest_completed(cycles: Iterable[Cycle]) -> Cycle | None:
    """What ORDER BY completed_at DESC, id DESC finds first among the completed cycles."""
    done = [
        (cycle.completed_at, cycle.cycle_id, cycle)
        for cycle in cycles
        if cycle.status is CycleStatus.COMPLETE and cycle.completed_at is not None
    ]
    return max(done, default=(None, 0, None))[2]
