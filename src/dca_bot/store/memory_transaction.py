"""All rows of one asset in memory, and a transaction on them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

from dca_bot.core.holdings import state_of
from dca_bot.core.model import (
    Allowed,
    Asset,
    AssetState,
    Cycle,
    CycleStatus,
    Exposure,
    Order,
)
from dca_bot.core.records import CycleResult, Event
from dca_bot.core.transition import whole_second
from dca_bot.program.clock import Clock
from dca_bot.program.errors import CycleChanged
from dca_bot.store.assets import CYCLES
from dca_bot.store.orders import EVENTS, ORDERS, RESULTS
from dca_bot.store.values import PRICE


@dataclass(slots=True)
class AssetRows:
    """What `MemoryStore` keeps for an asset; `lock` stands for the lock on its row."""

    asset: Asset
    lock: threading.Lock = field(default_factory=threading.Lock)
    cycles: dict[int, Cycle] = field(default_factory=dict)
    orders: dict[str, Order] = field(default_factory=dict)
    symbols: dict[str, str] = field(default_factory=dict)  # what the orders were of
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

    def put_order(self, order: Order, symbol: str) -> None:
        self.orders[order.client_order_id] = order
        self.symbols.setdefault(order.client_order_id, symbol)
        self.of_cycle.setdefault(order.cycle_id, {})[order.client_order_id] = order
        if not order.status.is_finished:
            self.live_order = order
        elif self.live_order and self.live_order.client_order_id == order.client_order_id:
            self.live_order = None

    @property
    def state(self) -> AssetState:
        """As ALL_ASSETS reads it."""
        cycle = self.active_cycle
        if cycle is None:
            return AssetState(self.asset, None)
        others = [
            symbol
            for key, order in self.of_cycle.get(cycle.cycle_id, {}).items()
            if (symbol := self.symbols[key]) != self.asset.symbol
            and (not order.status.is_finished or (order.filled_quantity > 0 and cycle.quantity > 0))
        ]
        return state_of(self.asset, cycle, others[0] if others else "")


def latest_completed(cycles: Iterable[Cycle]) -> Cycle | None:
    """What ORDER BY completed_at DESC, id DESC finds first among the completed cycles."""
    done = [
        (cycle.completed_at, cycle.cycle_id, cycle)
        for cycle in cycles
        if cycle.status is CycleStatus.COMPLETE and cycle.completed_at is not None
    ]
    return max(done, default=(None, 0, None))[2]


class MemoryTransaction:
    """Implements `ports.Transaction`: collects what is written until the store commits it."""

    def __init__(
        self,
        rows: AssetRows,
        cycle_ids: Iterator[int],
        clock: Clock,
        expose: Callable[[datetime], Exposure],
        left_behind: Callable[[str], Decimal],
    ) -> None:
        self._rows = rows
        self._cycle_ids = cycle_ids  # as the database's: never twice, also not after a rollback
        self._clock = clock
        self._expose = expose
        self._left_behind = left_behind
        self.asset = rows.asset
        self.cycle = rows.active_cycle
        self.cycles: dict[int, Cycle] = {}
        self.orders: dict[str, Order] = {}
        self.last_sell_price: Decimal | None = None
        self.events: list[Event] = []
        self.results: dict[int, CycleResult] = {}
        self.allowed: tuple[Allowed, Allowed | None] | None = None
        self.losses_from: datetime | None = None

    @property
    def has_written(self) -> bool:
        of_asset = self.allowed or self.last_sell_price is not None
        records = self.events or self.results or self.losses_from
        return bool(self.cycles or self.orders or of_asset or records)

    def cycle_by_id(self, cycle_id: int) -> Cycle | None:
        """Any cycle of this asset, active or not."""
        return self.cycles.get(cycle_id) or self._rows.cycles.get(cycle_id)

    def previous_cycle(self) -> Cycle | None:
        """The completed cycle with the latest `completed_at`."""
        if not self.cycles:
            return self._rows.previous_cycle
        return latest_completed({**self._rows.cycles, **self.cycles}.values())

    def order(self, client_order_id: str) -> Order | None:
        """An order of this asset."""
        return self.orders.get(client_order_id) or self._rows.orders.get(client_order_id)

    def orders_of_cycle(self, cycle_id: int) -> Sequence[Order]:
        """All orders of a cycle of this asset, oldest first."""
        mine = {key: order for key, order in self.orders.items() if order.cycle_id == cycle_id}
        return list({**self._rows.of_cycle.get(cycle_id, {}), **mine}.values())

    def last_order(self) -> Order | None:
        """The order of this asset that was intended last."""
        orders = {**self._rows.orders, **self.orders}.values()
        return max(reversed(orders), key=lambda order: order.created_at, default=None)

    def live_order(self) -> Order | None:
        """The one order of this asset that is intended or open."""
        before = self._rows.live_order
        rest = [] if before is None or before.client_order_id in self.orders else [before]
        return next((o for o in [*self.orders.values(), *rest] if not o.status.is_finished), None)

    def add_cycle(self, cycle: Cycle) -> Cycle:
        """Insert the cycle and return it as stored."""
        self._check_owner(cycle.asset_id)
        CYCLES.values(cycle)
        created_at = cycle.created_at or whole_second(self._clock())
        stored = replace(cycle, cycle_id=next(self._cycle_ids), created_at=created_at)
        self._put_cycle(stored)
        return stored

    def save_cycle(self, before: Cycle, after: Cycle) -> None:
        """Write `after` if the row still is `before`."""
        self._check_owner(after.asset_id)
        old, new = CYCLES.changing_values(before), CYCLES.changing_values(after)
        if old == new:
            return
        stored = self.cycle_by_id(before.cycle_id)
        if stored is None or (stored is not before and CYCLES.changing_values(stored) != old):
            raise CycleChanged(
                f"cycle {before.cycle_id} of {self.asset.symbol} is no longer as it was read: "
                "reload it and decide again"
            )
        self._put_cycle(
            replace(after, cycle_id=before.cycle_id, created_at=stored.created_at),
        )

    def add_order(self, order: Order) -> None:
        """Record an intent."""
        self._check_owner(order.asset_id)
        ORDERS.values(order)
        if self.order(order.client_order_id) or self.cycle_by_id(order.cycle_id) is None:
            raise CycleChanged(
                f"{order.client_order_id} was used before, or its cycle is gone: decide again"
            )
        self._put_order(order)

    def save_order(self, before: Order, after: Order) -> None:
        """Write `after` if status and filled quantity of the row still are those of `before`."""
        self._check_owner(after.asset_id)
        if ORDERS.changing_values(before) == ORDERS.changing_values(after):
            return
        stored = self.order(before.client_order_id)
        if stored is None or (stored.status, stored.filled_quantity) != (
            before.status,
            before.filled_quantity,
        ):
            name = before.client_order_id
            raise CycleChanged(f"order {name} is no longer as it was read: reload it")
        self._put_order(
            replace(
                stored,
                status=after.status,
                alpaca_order_id=after.alpaca_order_id,
                filled_quantity=after.filled_quantity,
                filled_average_price=after.filled_average_price,
                received_quantity=after.received_quantity,
                quantity_before=after.quantity_before,
                average_before=after.average_before,
                fee=after.fee,
                fee_is_known=after.fee_is_known,
            )
        )

    def set_last_sell_price(self, price: Decimal) -> None:
        """The price of the last take profit of this asset."""
        PRICE.write(price)
        self.last_sell_price = price

    def add_event(self, event: Event) -> None:
        """Record what happened."""
        EVENTS.values(event)
        self.events.append(event)

    def put_result(self, result: CycleResult) -> None:
        """Record what a finished cycle came to, in place of what was known before."""
        self._check_owner(result.asset_id)
        RESULTS.values(result)
        self.results[result.cycle_id] = result

    def exposure(self, since: datetime) -> Exposure:
        """All assets together; no other transaction can ask until this one ends."""
        return self._expose(since)

    def left_behind(self) -> Decimal:
        """What orders of deleted rows have bought of this symbol, and not sold."""
        return self._left_behind(self.asset.symbol)

    def count_losses_from(self, at: datetime) -> None:
        """What has ended until then counts no more in `realised`."""
        self.losses_from = at

    def set_allowed(self, allowed: Allowed, before: Allowed | None = None) -> None:
        """How far the asset may go from now on, and again after the pause of all."""
        self.allowed = (allowed, before)

    def _put_cycle(self, cycle: Cycle) -> None:
        active = self._active_cycle()
        if cycle.status.is_active and active and active.cycle_id != cycle.cycle_id:
            raise CycleChanged(
                f"{self.asset.symbol} has an active cycle already: reload it and decide again"
            )
        self.cycles[cycle.cycle_id] = cycle

    def _put_order(self, order: Order) -> None:
        live = self.live_order()
        if not order.status.is_finished and live and live.client_order_id != order.client_order_id:
            raise CycleChanged(
                f"{self.asset.symbol} has a live order already: reload it and decide again"
            )
        self.orders[order.client_order_id] = order

    def _active_cycle(self) -> Cycle | None:
        before = self._rows.active_cycle
        rest = [] if before is None or before.cycle_id in self.cycles else [before]
        return next((c for c in [*self.cycles.values(), *rest] if c.status.is_active), None)

    def _check_owner(self, asset_id: int) -> None:
        # the lock covers this asset alone
        assert asset_id == self.asset.asset_id, f"{asset_id} is not {self.asset.asset_id}"  # noqa: S101
