"""One storm by seed: first everything goes wrong, then nothing does.

Phase one, safety: while mishaps strike, nothing wrong is seen at any step.  Phase two, liveness:
once they stop, both sides agree without help, no order stays in doubt, and every asset trades.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, replace
from decimal import Decimal

from dca_bot.core.model import AfterStopLoss, Asset

from .auditor import complaints
from .mishaps import Storm
from .outside.market import RandomMarket
from .world import COINS, MONEY, World

MINUTE = 60.0
HOUR = 3600.0
PHASE_ONE_HOURS = (0.7, 2.5)
# A stale order is five minutes old, consistency_checker.py comes every five, cooldowns take 15.
CONVERGENCE_MINUTES = 30
TRADE_MINUTES = 25
LIFT = Decimal("1.5")
# Some cycles are so large that Alpaca takes them in parts only.
LARGE_USD = 1000
UNITS = [Decimal(1)] * 7 + [Decimal(3000)]


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
    assets = [_an_asset(number, chance) for number in range(1, count + inserted + 1)]
    mishaps = Storm(seed)
    world = World(seed, mishaps, assets[:count], spare=assets[count:])
    market = RandomMarket(world, tuple(asset.symbol for asset in assets))
    try:
        market.begin()
        world.start_bot()
        world.cron.begin()
        world.hand.begin()
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
        )
    finally:
        world.close()


def _calm_sea(world: World, market: RandomMarket, mishaps: Storm) -> list[str]:
    """Phase two; what is still wrong at its end."""
    mishaps.calm_down()
    world.hand.put_back()
    world.upsets.put_back()
    world.run(CONVERGENCE_MINUTES / 2 * MINUTE)
    world.hand.follow_advice()
    calm_at = len(world.venue.exchange.orders.all())
    market.lift(LIFT)
    world.run(TRADE_MINUTES * MINUTE)
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
    ]


def _an_asset(number: int, chance: random.Random) -> Asset:
    def tenths(low: int, high: int) -> Decimal:
        return Decimal(chance.randint(low, high)) / 10

    unit = chance.choice(UNITS)
    asset = Asset(
        asset_id=number,
        symbol=f"{COINS[number - 1]}/{chance.choice(MONEY)}",
        is_enabled=True,
        base_order_amount=chance.randint(11, 60) * unit,
        safety_order_amount=chance.randint(11, 60) * unit,
        max_safety_orders=chance.randint(0, 6),
        safety_order_deviation_pct=tenths(2, 15),
        take_profit_pct=tenths(1, 15),
        cooldown_seconds=chance.choice((0, 30, 300, 900)),
        restart_deviation_pct=tenths(1, 15),
        last_sell_price=None,
    )
    return _with_more_columns(asset, random.Random(f"columns:{chance.random()}"))


def _with_more_columns(asset: Asset, chance: random.Random) -> Asset:
    """In half of the storms, columns that are off by default."""
    if chance.random() < 0.5:
        return asset
    turned_on = {
        "safety_order_volume_scale": Decimal(chance.randint(10, 16)) / 10,
        "safety_order_step_scale": Decimal(chance.randint(8, 14)) / 10,
        "take_profit_after_fees": True,
        "trailing_pct": Decimal(chance.randint(1, 8)) / 10,
        "stop_loss_pct": Decimal(chance.randint(10, 80)) / 10,
        "max_spread_pct": Decimal(chance.randint(10, 50)) / 10,
    }
    some = {name: value for name, value in turned_on.items() if chance.random() < 0.4}
    if asset.base_order_amount > LARGE_USD:  # rungs that grow would pass what Alpaca takes
        some.pop("safety_order_volume_scale", None)
    # what pauses would stand still once the sea is calm
    return replace(
        asset,
        stop_loss_seconds=chance.choice((0, 10, 60)),
        after_stop_loss=AfterStopLoss.COOLDOWN,
        **some,
    )
