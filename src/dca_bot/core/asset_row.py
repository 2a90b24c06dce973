"""Whether a row of `dca_assets` can be traded at all, asked when it is read, not at 3 a.m."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from dca_bot.core.ladder import HUNDRED, safety_amount, safety_deviation
from dca_bot.core.model import Asset, AssetRules
from dca_bot.core.money import MIN_BUY_USD


def problem_of(asset: Asset, rules: AssetRules | None) -> str:
    """Everything that is wrong with the row, for a human; empty: it can be traded."""
    return "; ".join([*_unknown_or_untradable(asset, rules), *_bad_values(asset)])


def _unknown_or_untradable(asset: Asset, rules: AssetRules | None) -> Iterator[str]:
    if rules is None:
        yield f"Alpaca has no active crypto asset {asset.symbol!r} (write it like BTC/USD)"
    elif not rules.tradable:
        yield "Alpaca does not let it be traded now"


def _bad_values(asset: Asset) -> Iterator[str]:
    minimum = MIN_BUY_USD if asset.quote_currency == "USD" else Decimal(0)
    yield from _bad_amount("base_order_amount", asset.base_order_amount, minimum)
    if asset.max_safety_orders < 0:
        yield f"max_safety_orders is {asset.max_safety_orders}, must be 0 or more"
    if asset.max_safety_orders > 0:
        yield from _bad_amount("safety_order_amount", asset.safety_order_amount, minimum)
        if not 0 < asset.safety_order_deviation_pct < HUNDRED:
            yield (
                f"safety_order_deviation is {asset.safety_order_deviation_pct:f}, "
                "must be above 0 and below 100"
            )
        else:
            yield from _bad_scales(asset, minimum)
    if asset.take_profit_pct <= 0:
        yield f"take_profit_percent is {asset.take_profit_pct:f}, must be above 0"
    if asset.cooldown_seconds < 0:
        yield f"cooldown_period is {asset.cooldown_seconds}, must be 0 or more"
    if not 0 <= asset.restart_deviation_pct < HUNDRED:
        yield (
            f"buy_order_price_deviation_percent is {asset.restart_deviation_pct:f}, "
            "must be 0 or more and below 100"
        )
    yield from _bad_limits(asset)


def _bad_scales(asset: Asset, minimum: Decimal) -> Iterator[str]:
    """What the scales make of the last rung: there a growing or shrinking ladder ends."""
    scales = {
        "safety_order_volume_scale": asset.safety_order_volume_scale,
        "safety_order_step_scale": asset.safety_order_step_scale,
    }
    wrong = [
        f"{name} is {scale:f}, must be above 0" for name, scale in scales.items() if scale <= 0
    ]
    if wrong:
        yield from wrong
        return
    last = asset.max_safety_orders
    if (amount := safety_amount(asset, last)) < minimum <= asset.safety_order_amount:
        yield (
            f"safety_order_volume_scale makes safety order {last} {amount:.2f}, below Alpaca's "
            f"minimum of {minimum} USD"
        )
    if (deviation := safety_deviation(asset, last)) >= HUNDRED:
        yield (
            f"safety_order_step_scale makes the step to safety order {last} {deviation:.2f} %, "
            "must be below 100"
        )


def _bad_limits(asset: Asset) -> Iterator[str]:
    """The columns that are off while they are NULL."""
    if asset.stop_loss_seconds < 0:
        yield f"stop_loss_seconds is {asset.stop_loss_seconds}, must be 0 or more"
    percents = {
        "trailing_percent": asset.trailing_pct,
        "stop_loss_percent": asset.stop_loss_pct,
        "max_spread_percent": asset.max_spread_pct,
    }
    for column, pct in percents.items():
        if pct is not None and not 0 < pct < HUNDRED:
            yield f"{column} is {pct:f}, must be above 0 and below 100 (or NULL)"
    low, high = asset.min_start_price, asset.max_start_price
    for column, price in {"min_start_price": low, "max_start_price": high}.items():
        if price is not None and price <= 0:
            yield f"{column} is {price:f}, must be above 0 (or NULL)"
    if low is not None and high is not None and low > high:
        yield f"min_start_price is {low:f}, above max_start_price {high:f}"


def _bad_amount(column: str, amount: Decimal, minimum: Decimal) -> Iterator[str]:
    if amount <= 0:
        yield f"{column} is {amount:f}, must be above 0"
    elif amount < minimum:
        yield f"{column} is {amount:f}, below Alpaca's minimum of {minimum} USD"
