"""Limits for all assets together: how many cycles, how much money, how much loss in a day.

Rule: checked where the intent of a BUY is written, in the same transaction, behind one row that
every such BUY locks; so thirty assets that fall at the same moment can't pass it side by side.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from dca_bot.core import story
from dca_bot.core.model import Allowed, Cycle, Exposure, OrderKind, Side
from dca_bot.core.transition import whole_second
from dca_bot.program.clock import Clock
from dca_bot.program.errors import (
    AssetDeleted,
    CycleChanged,
    DcaError,
    LossLimitReached,
    OrderWithheld,
    StoreUnavailable,
    UnreadableRow,
)
from dca_bot.program.setting_groups import LimitSettings
from dca_bot.trading.ports import Store, Transaction

log = logging.getLogger("dca_bot.trade")


@dataclass(frozen=True, slots=True)
class Budget:
    """The settings MAX_ACTIVE_CYCLES, MAX_INVESTED and DAILY_LOSS_LIMIT; None: no limit."""

    active_cycles_max: int | None = None
    invested_max: Decimal | None = None
    daily_loss_max: Decimal | None = None

    @classmethod
    def of(cls, limits: LimitSettings) -> Budget:
        return cls(limits.active_cycles_max, limits.invested_max, limits.daily_loss_max)

    def check(self, tx: Transaction, kind: OrderKind, cost: Decimal, now: datetime) -> None:
        """Raise OrderWithheld when a BUY of `cost` would pass a limit.

        Raises LossLimitReached when the day has lost enough.
        """
        if self == Budget():
            return
        exposure = tx.exposure(_midnight(now))
        if lost := self._loses_too_much(exposure):
            raise LossLimitReached(lost, side=Side.BUY, limit="DAILY_LOSS_LIMIT")
        others, most = exposure.active_cycles, self.active_cycles_max
        if kind is OrderKind.BASE and most is not None and others >= most:
            raise OrderWithheld(
                f"{others} cycles hold coins or buy them, and MAX_ACTIVE_CYCLES is {most}",
                side=Side.BUY,
                limit="MAX_ACTIVE_CYCLES",
            )
        invested = exposure.invested + cost
        if self.invested_max is not None and invested > self.invested_max:
            raise OrderWithheld(
                f"{exposure.invested:.2f} are invested, {cost:.2f} more would pass MAX_INVESTED "
                f"of {self.invested_max:f}",
                side=Side.BUY,
                limit="MAX_INVESTED",
            )

    def minding_losses(self, store: Store, clock: Clock) -> Callable[[Cycle], None]:
        """What to call with a cycle that has just ended: it pauses every asset when the day on
        which that was has lost enough.  Where that can't be done then, the next BUY's check does.

        In a transaction of its own, after the one that booked the end: only so two cycles that end
        at the same moment see each other's loss.
        """

        def mind_losses(ended: Cycle) -> None:
            if self.daily_loss_max is None:
                return
            with store.transaction(ended.asset_id) as tx:
                exposure = tx.exposure(_midnight(ended.completed_at or clock()))
            if lost := self._loses_too_much(exposure):
                pause_for_losses(store, clock, ended.asset_id, lost)

        return mind_losses

    def _loses_too_much(self, exposure: Exposure) -> str:
        """A day is one of UTC, and counts what its finished cycles came to."""
        if self.daily_loss_max is None or exposure.realised > -self.daily_loss_max:
            return ""
        return (
            f"{-exposure.realised:.2f} were lost today, DAILY_LOSS_LIMIT is "
            f"{self.daily_loss_max:f}: all is paused until dca resume"
        )


NO_LIMITS = Budget()


def _midnight(now: datetime) -> datetime:
    return now.replace(hour=0, minute=0, second=0, microsecond=0)


def allow(
    store: Store,
    clock: Clock,
    asset_id: int,
    allowed: Allowed,
    why: str,
    *,
    with_all: bool = False,
) -> Allowed:
    """Set how far an asset may go; what it was allowed before.

    `with_all`: all assets are set, and what this one was allowed is kept for their resumption.
    """
    with store.transaction(asset_id) as tx:
        asset = tx.asset
        before = None
        if with_all:
            before = asset.allowed_before
            if asset.allowed is not allowed:  # ALL: resumed by SQL since
                before = asset.allowed if asset.allowed is Allowed.ALL else before or asset.allowed
        if (asset.allowed, asset.allowed_before) != (allowed, before):
            tx.set_allowed(allowed, before)
        if asset.allowed is not allowed:
            tx.add_event(story.allowed(asset, tx.cycle, allowed, clock(), why))
    return asset.allowed


def pause_for_losses(store: Store, clock: Clock, asset_id: int, why: str) -> None:
    """Let no asset buy any more, and count losses anew: a person who resumes has seen these.

    Raises StoreUnavailable or CycleChanged where a row could not be paused, once all others are;
    the losses count on then, so the next BUY's check comes back to it.
    """
    buying = [state.asset for state in store.assets() if state.asset.allowed is not Allowed.EXIT]
    trouble: DcaError | None = None
    if buying:
        log.error(why)
    for asset in buying:
        try:
            allow(store, clock, asset.asset_id, Allowed.EXIT, why, with_all=True)
        except (AssetDeleted, UnreadableRow):
            pass  # such a row buys nothing
        except (CycleChanged, StoreUnavailable) as error:  # a deadlock, or a row that is locked
            trouble = error
    if trouble is not None:
        raise trouble
    with store.transaction(asset_id) as tx:
        tx.count_losses_from(whole_second(clock()))
