"""What the user of a storm has configured, by seed: the rows, and the limits for all of them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from alpaca_simulator.exchange.assets import start_prices
from dca_bot.core.model import AfterStopLoss, Asset
from dca_bot.program.setting_groups import LimitSettings
from tests.proofs.storms.virtual_time import STARTED_AT

COINS = ("BTC", "ETH", "SOL", "DOGE", "LTC", "LINK")
MONEY = ("USD", "USD", "USDC", "USDT")
# Some cycles are so large that Alpaca takes them in parts only.
LARGE_USD = 1000
UNITS = [Decimal(1)] * 7 + [Decimal(3000)]
BEFORE_MIDNIGHT = timedelta(minutes=45)  # so that the day changes while the storm is on


def an_asset(number: int, chance: random.Random) -> Asset:
    """The `number`-th row."""
    unit = chance.choice(UNITS)
    asset = Asset(
        asset_id=number,
        symbol=f"{COINS[number - 1]}/{chance.choice(MONEY)}",
        is_enabled=True,
        base_order_amount=chance.randint(11, 60) * unit,
        safety_order_amount=chance.randint(11, 60) * unit,
        max_safety_orders=chance.randint(0, 6),
        safety_order_deviation_pct=_tenths(chance, 2, 15),
        take_profit_pct=_tenths(chance, 1, 15),
        cooldown_seconds=chance.choice((0, 30, 300, 900)),
        restart_deviation_pct=_tenths(chance, 1, 15),
        last_sell_price=None,
    )
    return _with_more_columns(asset, random.Random(f"columns:{chance.random()}"))


def _with_more_columns(asset: Asset, chance: random.Random) -> Asset:
    """In half of the storms, columns that are off by default."""
    if chance.random() < 0.5:
        return asset
    price = start_prices()[asset.symbol]
    turned_on = {
        "safety_order_volume_scale": _tenths(chance, 10, 16),
        "safety_order_step_scale": _tenths(chance, 8, 14),
        "take_profit_after_fees": True,
        "trailing_pct": _tenths(chance, 1, 8),
        "stop_loss_pct": _tenths(chance, 10, 80),
        "max_spread_pct": _tenths(chance, 10, 50),
        # around the price, which crosses both now and then
        "min_start_price": price * (1000 - chance.randint(0, 40)) / 1000,
        "max_start_price": price * (1000 + chance.randint(-10, 20)) / 1000,
    }
    some = {name: value for name, value in turned_on.items() if chance.random() < 0.4}
    if asset.base_order_amount > LARGE_USD:  # rungs that grow would pass what Alpaca takes
        some.pop("safety_order_volume_scale", None)
    if some.keys() >= {"min_start_price", "max_start_price"}:
        lowest, highest = some["min_start_price"], some["max_start_price"]
        some["max_start_price"] = max(highest, lowest * Decimal("1.01"))
    return replace(
        asset,
        stop_loss_seconds=chance.choice((0, 10, 60)),
        after_stop_loss=chance.choice(tuple(AfterStopLoss)),
        **some,
    )


def with_limits(settings: LimitSettings, assets: Sequence[Asset], seed: int) -> LimitSettings:
    """In half of the storms, limits for all assets: tight enough to be reached."""
    chance = random.Random(f"limits:{seed}")
    if chance.random() < 0.5:
        return settings
    largest = max(asset.base_order_amount for asset in assets)
    ladders = sum(each.max_safety_orders * each.safety_order_amount for each in assets)
    # every asset can begin, though not beside all others
    invested = largest + ladders * Decimal(chance.randint(0, 60)) / 100
    loss = chance.choice(assets).base_order_amount * Decimal(chance.randint(2, 60)) / 1000
    cycles = chance.randint(1, max(1, len(assets) - 1))
    turned_on = {
        "active_cycles_max": cycles,
        "invested_max": invested,
        "daily_loss_max": loss.quantize(Decimal("0.01")),
    }
    some = {name: value for name, value in turned_on.items() if chance.random() < 0.5}
    return replace(settings, **some)


def start_of(settings: LimitSettings, seed: int) -> datetime:
    """Now and then midnight, where a day's loss begins anew, comes while the storm is on."""
    if settings.daily_loss_max is None or random.Random(f"start:{seed}").random() < 0.5:
        return STARTED_AT
    return STARTED_AT.replace(hour=0) + timedelta(days=1) - BEFORE_MIDNIGHT


def _tenths(chance: random.Random, low: int, high: int) -> Decimal:
    return Decimal(chance.randint(low, high)) / 10
