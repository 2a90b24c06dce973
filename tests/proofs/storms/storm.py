"""One storm by seed: first everything goes wrong, then nothing does.

Phase one, safety: while mishaps strike, nothing wrong is seen at any step.  Phase two, liveness:
once they stop, both sides agree without help, no order stays in doubt, and every asset trades.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal

from .auditor import complaints
from .caretakers import LIMITS
from .mishaps import Storm
from .outside.market import RandomMarket
from .outside.rows import an_asset, start_of, with_limits
from .world import World

MINUTE = 60.0
HOUR = 3600.0
PHASE_ONE_HOURS = (0.7, 2.5)
# A stale order is five minutes old, consistency_checker.py comes every five, cooldowns take 15.
CONVERGENCE_MINUTES = 30
TRADE_MINUTES = 25
LIFT = Decimal("1.5")


@dataclass(frozen=True)
class Outcome:
    """What became of a storm; `trouble` is empty when nothing did."""

    seed: int
    trouble: list[str]
    last_events: list[str]
    hours: float
    orders: int
    fills: int
    lives: int
    checks: int
    struck: Counter[tuple[str, str]]  # by the mishap's name, and where it was
    bites: Counter[str]  # how often a rule began to hold back a BUY that was due

    def __str__(self) -> str:
        """For a human: what is wrong, what happened before, and how to see it again."""
        return "\n".join(
            [
                f"seed {self.seed}, the last events:",
                *self.last_events,
                "",
                *self.trouble,
                f"to see it again: python -m tests.proofs.storms --seeds {self.seed}",
            ]
        )


def ride_out(seed: int) -> Outcome:
    """The whole storm of a seed."""
    chance = random.Random(f"storm:{seed}")
    count, inserted = chance.randint(1, 4), chance.randint(0, 2)
    assets = [an_asset(number, chance) for number in range(1, count + inserted + 1)]
    limits = with_limits(LIMITS, assets, seed)
    mishaps = Storm(seed)
    world = World(
        seed,
        mishaps,
        assets[:count],
        spare=assets[count:],
        limits=limits,
        started_at=start_of(limits, seed),
    )
    market = RandomMarket(world, tuple(asset.symbol for asset in assets))
    try:
        market.begin()
        world.start_bot()
        world.cron.begin()
        world.hand.begin()
        world.person.begin()
        world.upsets.begin()
        world.run(chance.uniform(*PHASE_ONE_HOURS) * HOUR)
        trouble = world.complaints or _calm_sea(world, market, mishaps)
        return Outcome(
            seed=seed,
            trouble=list(trouble),
            last_events=list(world.events.lines),
            hours=world.loop.time() / HOUR,
            orders=len(world.watcher.order_ids),
            fills=len(world.venue.exchange.executions),
            lives=world.lives,
            checks=world.watcher.checks,
            struck=mishaps.struck,
            bites=world.limits.bites,
        )
    finally:
        world.close()


def _calm_sea(world: World, market: RandomMarket, mishaps: Storm) -> list[str]:
    """Phase two; what is still wrong at its end."""
    mishaps.calm_down()
    world.hand.put_back()
    world.person.calm_down()
    world.upsets.put_back()
    world.run(CONVERGENCE_MINUTES / 2 * MINUTE)
    world.hand.follow_advice()
    calm_at = len(world.venue.exchange.orders.all())
    market.lift(LIFT)
    world.run(TRADE_MINUTES * MINUTE)
    if not world.complaints and _standing_still(world, calm_at):
        world.run(MINUTE)  # room that a limit has just got is found within 45 s
    if not world.complaints:
        world.complaints.extend(_standing_still(world, calm_at))
    market.stand_still()
    for minute in range(CONVERGENCE_MINUTES):
        if world.complaints:
            break
        if minute == CONVERGENCE_MINUTES // 2:
            # dust may be worth a dollar by now (docs/reliability.md)
            world.hand.follow_advice()
        world.run(MINUTE)
        found = [*complaints(world.books()), *world.in_doubt()]
        if not found:
            break
    else:
        world.complaints.extend(found)
    return world.complaints


def _standing_still(world: World, calm_at: int) -> list[str]:
    moved = {order.symbol for order in world.venue.exchange.orders.all()[calm_at:]}
    return [
        f"{state.asset.symbol} has not traded since the sea is calm: {state}"
        for state in world.store.assets()
        if state.asset.is_enabled
        and state.asset.symbol not in moved
        # a trailing take profit has followed the lift, and waits for a fall
        and not (state.cycle and state.cycle.highest_bid)
        # others are all that there may be, or the money that there may be is in them
        and not any(world.limits.against(state))
    ]
