"""How many cycles, how much money and how much loss there may be, and who is paused since when.

Rule: counted from the rows as any client of the database reads them, with none of the bot's sums.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from decimal import Decimal

from dca_bot.core.model import (
    AfterStopLoss,
    Allowed,
    Asset,
    AssetState,
    CycleStatus,
    Order,
    OrderKind,
    Side,
)
from dca_bot.program.setting_groups import LimitSettings
from dca_bot.store.memory_store import MemoryStore

from .orders import is_between_start_prices, safety_amount, safety_trigger

A_STOP_LOSS, A_DAYS_LOSS = "after_stop_loss", "DAILY_LOSS_LIMIT"
BY_HAND = "dca "  # how the processes of verbs are called


class Limits:
    """Complains about the first BUY that a limit or a pause forbids, and counts how often each
    rule holds back a BUY that is due (`bites`)."""

    def __init__(
        self,
        store: MemoryStore,
        settings: LimitSettings,
        complain: Callable[[str], None],
    ) -> None:
        self._store = store
        self._settings = settings
        self._complain = complain
        self._asks: dict[str, Decimal] = {}  # the newest, by symbol
        self._paused: dict[int, str] = {}  # why, by asset id; until a person says otherwise
        self._is_lost = False  # the day's loss has reached its limit, and still counts
        self._losses_from: datetime | None = None
        self._holding: set[tuple[int, str]] = set()
        self.bites: Counter[str] = Counter()

    # -- what has happened

    def quoted(self, symbol: str, ask: Decimal) -> None:
        self._asks[symbol] = ask

    def allowed(self, asset: Asset, by: str) -> None:
        """Somebody has set how far an asset may go."""
        if asset.allowed is Allowed.EXIT:
            return
        if not by.startswith(BY_HAND):
            self._complain(f"{by} lets {asset.symbol} go on, and nobody has asked for it")
        self._paused.pop(asset.asset_id, None)

    def forgotten(self, at: datetime) -> None:
        """Losses until then count no more."""
        if not self._is_lost:
            self._complain("losses are forgotten that never reached DAILY_LOSS_LIMIT")
        ended = (result.completed_at for result in self._store.results.values())
        self._losses_from = max([at, *ended])
        self._is_lost = False

    def completed(self, asset: Asset, sale: OrderKind) -> None:
        """A cycle has ended, and its last order was this; `asset` is the row as it is now."""
        if sale is OrderKind.STOP_LOSS and asset.after_stop_loss is AfterStopLoss.PAUSE:
            self._paused[asset.asset_id] = A_STOP_LOSS
            if asset.allowed is not Allowed.EXIT:
                self._complain(f"{asset.symbol} is not paused after its stop loss")

    def count_losses(self, cycle_ids: Iterable[int]) -> None:
        """What these cycles came to may be known now: the loss that reaches the limit pauses all
        assets that there are."""
        results, most = self._store.results, self._settings.daily_loss_max
        days = [results[each].completed_at for each in cycle_ids if each in results]
        if most is not None and any(self._lost(day) >= most for day in days):
            self._is_lost = True
            for state in self._store.assets():
                self._paused.setdefault(state.asset.asset_id, A_DAYS_LOSS)

    def intended(self, order: Order) -> None:
        """The intent of an order is in the books from now on."""
        if order.side is Side.SELL:
            return  # nothing holds back a sale
        name, settings = order.client_order_id, self._settings
        why = self._paused.get(order.asset_id)
        if why is not None and order.kind is not OrderKind.EXTRA:
            self._complain(f"{name} buys after {why}, and nobody has resumed")
        if settings.daily_loss_max is not None and self._lost(order.created_at) >= (
            settings.daily_loss_max
        ):
            self._complain(f"{name} buys on a day that has lost {self._lost(order.created_at)}")
        most, active = settings.active_cycles_max, self._active()
        if order.kind is OrderKind.BASE and most is not None and active > most:
            self._complain(f"{name} begins cycle {active}, {most} are allowed")
        invested = self._invested()
        if settings.invested_max is not None and invested > settings.invested_max:
            self._complain(f"{name} makes {invested} invested, more than {settings.invested_max}")

    # -- what is held back

    def look(self) -> None:
        """Count each rule that begins to hold back a BUY that is due at the newest ask."""
        held = {
            (state.asset.asset_id, rule)
            for state in self._store.assets()
            for rule in self.against(state)
        }
        for _, rule in held - self._holding:
            self.bites[rule] += 1
        self._holding = held

    def against(self, state: AssetState) -> Iterator[str]:
        """The rules that hold back the BUY that is due for an asset, if one is."""
        cost, asset, settings = self._due(state), state.asset, self._settings
        if cost is None or state.cycle is None:
            return
        if not state.cycle.quantity:
            if not is_between_start_prices(asset, self._asks[asset.symbol]):
                yield "start prices"
            if settings.active_cycles_max is not None and (
                self._active() >= settings.active_cycles_max
            ):
                yield "MAX_ACTIVE_CYCLES"
        if settings.invested_max is not None and self._invested() + cost > settings.invested_max:
            yield "MAX_INVESTED"
        if asset.asset_id in self._paused:
            yield self._paused[asset.asset_id]

    def _due(self, state: AssetState) -> Decimal | None:
        """What the BUY costs that the price asks for, whatever else forbids it."""
        asset, cycle, ask = state.asset, state.cycle, self._asks.get(state.asset.symbol)
        is_watching = cycle is not None and cycle.status is CycleStatus.WATCHING
        if cycle is None or ask is None or not is_watching or not asset.is_enabled:
            return None
        if cycle.quantity <= 0:
            return asset.base_order_amount
        rung = cycle.safety_orders + 1
        trigger = safety_trigger(asset, cycle, rung)
        is_due = rung <= asset.max_safety_orders and trigger is not None and ask <= trigger
        return safety_amount(asset, rung) if is_due else None

    # -- the sums

    def _active(self) -> int:
        cycles = [state.cycle for state in self._store.assets() if state.cycle]
        under_way = (CycleStatus.BUYING, CycleStatus.SELLING)
        return len([each for each in cycles if each.quantity > 0 or each.status in under_way])

    def _invested(self) -> Decimal:
        """Money in open cycles and in BUYs that rest."""
        cycles = [state.cycle for state in self._store.assets() if state.cycle]
        invested = sum((e.quantity * e.average_purchase_price for e in cycles), Decimal(0))
        for order in self._store.live_orders():
            if order.side is Side.BUY:
                invested += (order.quantity - order.filled_quantity) * (order.limit_price or 0)
        return invested

    def _lost(self, at: datetime) -> Decimal:
        """What the cycles that have ended since the midnight before then have lost together."""
        midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
        return -sum(
            (
                result.net
                for result in self._store.results.values()
                if result.net is not None
                and result.completed_at >= midnight
                and (self._losses_from is None or result.completed_at > self._losses_from)
            ),
            Decimal(0),
        )
