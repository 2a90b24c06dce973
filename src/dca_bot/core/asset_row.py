"""A row of `dca_assets`: whether it can be traded at all, and what somebody has edited in it.

Rule: what makes only BUYs impossible stops BUYs only; coins that are held still take their profit.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from decimal import Decimal

from dca_bot.core.ladder import HUNDRED, RUNGS_MAX, safety_amount, safety_deviation
from dca_bot.core.model import USD_LIKE, Asset, AssetRules, AssetState, CycleStatus, column_of
from dca_bot.core.money import FEE_RATE_ESTIMATE, MAX_ORDER_USD, MIN_BUY_USD

HALTED = "Alpaca has halted it; Alpaca is asked every 60 s, and it goes on by itself"
# What the bot itself writes into the row: no edit of somebody's.
BY_THE_BOT = {"last_sell_price"}
PAIR = re.compile(r"[A-Z0-9]+/[A-Z]+")
UNDER_WAY = (CycleStatus.BUYING, CycleStatus.SELLING)


def problem_of(asset: Asset, rules: AssetRules | None) -> str:
    """Everything that is wrong with the row, for a human; empty: it can be traded."""
    return "; ".join(filter(None, (trading_problem(asset, rules), buying_problem(asset))))


def trading_problem(asset: Asset, rules: AssetRules | None) -> str:
    """What stops every order of the row; empty: nothing does."""
    return "; ".join([*_bad_symbol(asset, rules), *_bad_target(asset), *_bad_exits(asset)])


def buying_problem(asset: Asset) -> str:
    """What stops the row's BUYs; empty: nothing does."""
    return "; ".join([*_bad_amounts(asset), *_bad_ladder(asset), *_bad_beginning(asset)])


def losing_target(asset: Asset) -> str:
    """Why each take profit of the row loses money; empty: it doesn't, at the usual fees."""
    kept = (1 + asset.take_profit_pct / HUNDRED) * (1 - FEE_RATE_ESTIMATE) ** 2
    if asset.take_profit_after_fees or kept > 1:
        return ""
    return (
        f"take_profit_percent is {asset.take_profit_pct.normalize():f}, and the fees of both sides "
        f"take {2 * FEE_RATE_ESTIMATE * HUNDRED:.1f} %: raise it, or set take_profit_after_fees"
    )


def pair_problems(
    states: Iterable[AssetState], rules: Mapping[str, AssetRules]
) -> Mapping[int, str]:
    """What stops an enabled row because of the other enabled rows, by asset id (behaviour 0).

    Alpaca keeps one position per coin, whatever it was paid with, so one row owns a coin, and no
    row spends what another one trades.  Of two rows of a coin that one trades whose cycle holds
    it, else the one with the lower id.  A row that can't trade anyway is in nobody's way.
    """
    enabled = [
        each
        for each in states
        if each.asset.is_enabled and each.asset.quote_currency in USD_LIKE and _counts(each, rules)
    ]
    owners: dict[str, Asset] = {}
    for state in sorted(enabled, key=lambda each: (not _may_hold(each), each.asset.asset_id)):
        owners.setdefault(state.asset.coin, state.asset)
    conflicts = ((each.asset.asset_id, _conflict(each.asset, owners)) for each in enabled)
    return {asset_id: conflict for asset_id, conflict in conflicts if conflict}


def _counts(state: AssetState, rules: Mapping[str, AssetRules]) -> bool:
    """Whether the row trades its coin, or did and still holds it."""
    if state.bought_as:  # what it holds is another coin
        return False
    asset = state.asset
    wrong = (*_bad_target(asset), *_bad_exits(asset), buying_problem(asset))
    return _may_hold(state) or (asset.symbol in rules and not any(wrong))


def _may_hold(state: AssetState) -> bool:
    cycle = state.cycle
    return cycle is not None and (cycle.quantity > 0 or cycle.status in UNDER_WAY)


def _conflict(asset: Asset, owners: Mapping[str, Asset]) -> str:
    owner, spent = owners[asset.coin], owners.get(asset.quote_currency)
    if owner is not asset:
        return (
            f"{owner.symbol} trades {asset.coin} already, and Alpaca keeps one position per coin: "
            "set is_enabled to FALSE in one of the two rows"
        )
    if spent is not None:
        return (
            f"it is paid for with {asset.quote_currency}, which {spent.symbol} trades: "
            "set is_enabled to FALSE in one of the two rows"
        )
    return ""


def _bad_symbol(asset: Asset, rules: AssetRules | None) -> Iterator[str]:
    meant = asset.symbol.strip().upper()
    if rules is None and asset.symbol != meant and PAIR.fullmatch(meant):
        yield f"Alpaca has no active crypto asset {asset.symbol!r}: did you mean {meant!r}?"
    elif "/" in asset.symbol and asset.quote_currency not in USD_LIKE:
        yield (
            f"{asset.symbol} is quoted in {asset.quote_currency or 'nothing'}; only pairs quoted "
            f"in {', '.join(sorted(USD_LIKE))} are traded"
        )
    elif rules is None:
        yield f"Alpaca has no active crypto asset {asset.symbol!r} (write it like BTC/USD)"
    elif not rules.tradable:
        yield HALTED


def _bad_target(asset: Asset) -> Iterator[str]:
    if asset.take_profit_pct <= 0:
        yield f"take_profit_percent is {asset.take_profit_pct:f}, must be above 0"


def _bad_amounts(asset: Asset) -> Iterator[str]:
    yield from _bad_amount("base_order_amount", asset.base_order_amount, asset)
    if asset.max_safety_orders > 0:
        yield from _bad_amount("safety_order_amount", asset.safety_order_amount, asset)


def _bad_ladder(asset: Asset) -> Iterator[str]:
    if not 0 <= asset.max_safety_orders <= RUNGS_MAX:
        yield f"max_safety_orders is {asset.max_safety_orders}, must be from 0 to {RUNGS_MAX}"
    elif not asset.max_safety_orders:
        return
    elif not 0 < asset.safety_order_deviation_pct < HUNDRED:
        yield (
            f"safety_order_deviation is {asset.safety_order_deviation_pct:f}, "
            "must be above 0 and below 100"
        )
    else:
        yield from _bad_scales(asset)


def _bad_beginning(asset: Asset) -> Iterator[str]:
    if asset.cooldown_seconds < 0:
        yield f"cooldown_period is {asset.cooldown_seconds}, must be 0 or more"
    if not 0 <= asset.restart_deviation_pct < HUNDRED:
        yield (
            f"buy_order_price_deviation_percent is {asset.restart_deviation_pct:f}, "
            "must be 0 or more and below 100"
        )
    low, high = asset.min_start_price, asset.max_start_price
    yield from _bad_percents({"max_spread_percent": asset.max_spread_pct})
    for column, price in {"min_start_price": low, "max_start_price": high}.items():
        if price is not None and price <= 0:
            yield f"{column} is {price:f}, must be above 0 (or NULL)"
    if low is not None and high is not None and low > high:
        yield f"min_start_price is {low:f}, above max_start_price {high:f}"


def _bad_exits(asset: Asset) -> Iterator[str]:
    """What else can end a cycle: columns that are off while they are NULL."""
    if asset.stop_loss_seconds < 0:
        yield f"stop_loss_seconds is {asset.stop_loss_seconds}, must be 0 or more"
    yield from _bad_percents(
        {"trailing_percent": asset.trailing_pct, "stop_loss_percent": asset.stop_loss_pct}
    )


def _bad_percents(percents: Mapping[str, Decimal | None]) -> Iterator[str]:
    for column, pct in percents.items():
        if pct is not None and not 0 < pct < HUNDRED:
            yield f"{column} is {pct:f}, must be above 0 and below 100 (or NULL)"


def _bad_scales(asset: Asset) -> Iterator[str]:
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
    amount = safety_amount(asset, last)
    if amount != asset.safety_order_amount and (why := _bad_size(amount, asset)):
        yield f"safety_order_volume_scale makes safety order {last} {amount:.2f}, {why}"
    if (deviation := safety_deviation(asset, last)) >= HUNDRED:
        yield (
            f"safety_order_step_scale makes the step to safety order {last} {deviation:.2f} %, "
            "must be below 100"
        )


def _bad_amount(column: str, amount: Decimal, asset: Asset) -> Iterator[str]:
    if amount <= 0:
        yield f"{column} is {amount:f}, must be above 0"
    elif why := _bad_size(amount, asset):
        yield f"{column} is {amount:f}, {why}"


def _bad_size(amount: Decimal, asset: Asset) -> str:
    """Why Alpaca takes no BUY of this amount; "": it does."""
    if asset.quote_currency == "USD" and amount <= MIN_BUY_USD:
        # quantities are rounded down, so an order for exactly the minimum is worth less
        return f"must be above Alpaca's minimum order of {MIN_BUY_USD} USD"
    if asset.quote_currency in USD_LIKE and amount > MAX_ORDER_USD:
        return f"above Alpaca's largest order of {MAX_ORDER_USD:,} USD"
    return ""


def edits(before: Asset, after: Asset) -> Iterator[str]:
    """Each column that differs, with both values."""
    for each in fields(Asset):
        old, new = getattr(before, each.name), getattr(after, each.name)
        if old != new and each.name not in BY_THE_BOT:
            yield f"{column_of(each.name)} {_shown(old)} -> {_shown(new)}"


def _shown(value: object) -> str:
    match value:
        case None:
            return "NULL"
        case bool():
            return str(value).upper()
        case Decimal():
            return f"{value.normalize():f}"
    return str(value)
