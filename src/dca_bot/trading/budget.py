"""Limits for all assets together: how many cycles, how much money, how much loss in a day.

Rule: checked where the intent of a BUY is written, in the same transaction, behind one row that
every such BUY locks; so thirty assets that fall at the same moment can't pass it side by side.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from dca_bot.core import story
from dca_bot.core.model import Allowed, OrderKind
from dca_bot.program.clock import Clock
from dca_bot.program.errors import LossLimitReached, OrderRefused
from dca_bot.trading.ports import Store, Transaction


@dataclass(frozen=True, slots=True)
class Budget:
    """The settings MAX_ACTIVE_CYCLES, MAX_INVESTED and DAILY_LOSS_LIMIT; None: no limit."""

    active_cycles_max: int | None = None
    invested_max: Decimal | None = None
    daily_loss_max: Decimal | None = None

    def check(self, tx: Transaction, kind: OrderKind, cost: Decimal, now: datetime) -> None:
        """Raise OrderRefused when a BUY of `cost` would pass a limit, LossLimitReached for a loss.

        A day is one of UTC, and counts what its finished cycles came to.
        """
        if self == Budget():
            return
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        exposure = tx.exposure(midnight)
        if self.daily_loss_max is not None and exposure.realised <= -self.daily_loss_max:
            raise LossLimitReached(
                f"{-exposure.realised:.2f} were lost today, DAILY_LOSS_LIMIT is "
                f"{self.daily_loss_max:f}: all is paused until `dca resume`"
            )
        others, most = exposure.active_cycles, self.active_cycles_max
        if kind is OrderKind.BASE and most is not None and others >= most:
            raise OrderRefused(
                f"{others} cycles hold coins or buy them, and MAX_ACTIVE_CYCLES is {most}"
            )
        invested = exposure.invested + cost
        if self.invested_max is not None and invested > self.invested_max:
            raise OrderRefused(
                f"{exposure.invested:.2f} are invested, {cost:.2f} more would pass MAX_INVESTED "
                f"of {self.invested_max:f}"
            )


NO_LIMITS = Budget()


def allow(store: Store, clock: Clock, asset_id: int, allowed: Allowed, why: str) -> Allowed:
    """Set how far an asset may go; what it was allowed before."""
    with store.transaction(asset_id) as tx:
        asset, cycle = tx.asset, tx.cycle
        if asset.allowed is not allowed:
            tx.set_allowed(allowed)
            tx.add_event(story.allowed(asset, cycle, allowed, clock(), why))
    return asset.allowed


def pause_all(store: Store, clock: Clock, why: str) -> None:
    """Let no asset buy any more."""
    for state in store.assets():
        if state.asset.allowed is not Allowed.EXIT:
            allow(store, clock, state.asset.asset_id, Allowed.EXIT, why)
