"""Whether a row of `dca_assets` can be traded at all, asked when it is read, not at 3 a.m."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from dca_bot.core.model import Asset, AssetRules
from dca_bot.core.money import MIN_BUY_USD

HUNDRED = Decimal(100)


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
    if asset.take_profit_pct <= 0:
        yield f"take_profit_percent is {asset.take_profit_pct:f}, must be above 0"
    if asset.cooldown_seconds < 0:
        yield f"cooldown_period is {asset.cooldown_seconds}, must be 0 or more"
    if not 0 <= asset.restart_deviation_pct < HUNDRED:
        yield (
            f"buy_order_price_deviation_percent is {asset.restart_deviation_pct:f}, "
            "must be 0 or more and below 100"
        )


def _bad_amount(column: str, amount: Decimal, minimum: Decimal) -> Iterator[str]:
    if amount <= 0:
        yield f"{column} is {amount:f}, must be above 0"
    elif amount < minimum:
        yield f"{column} is {amount:f}, below Alpaca's minimum of {minimum} USD"
