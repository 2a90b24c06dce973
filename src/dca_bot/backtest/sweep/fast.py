"""Sets for the kernel: which of them it knows, its whole numbers, and its answers as scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import MISSING, dataclass, fields
from decimal import Decimal
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np

from dca_bot.backtest.exchange import Terms
from dca_bot.backtest.parameters import ladder_cost
from dca_bot.backtest.prices.series import PriceSeries
from dca_bot.backtest.steps import rules_for
from dca_bot.backtest.sweep.score import Score
from dca_bot.core.model import Asset
from dca_bot.core.money import MIN_BUY_USD

if TYPE_CHECKING:
    from dca_bot.backtest.sweep import kernel

MASK = 2**64 - 1
PRICE_DIGITS = 10  # of the books
PERCENT_DIGITS = 4
QUANTITY_MAX = 2**58
PLAIN = {
    "asset_id",
    "symbol",
    "is_enabled",
    "base_order_amount",
    "safety_order_amount",
    "max_safety_orders",
    "safety_order_deviation_pct",
    "take_profit_pct",
    "cooldown_seconds",
    "restart_deviation_pct",
    "last_sell_price",
}


@dataclass(frozen=True)
class Market:
    """Prices as the kernel takes them, with its three sizes of blocks."""

    arrays: kernel.Market


@cache
def is_there() -> bool:
    """Whether numba is installed, and finds a directory to keep what it compiles."""
    if find_spec("numba") is None:
        return False
    try:
        import_module("dca_bot.backtest.sweep.kernel")
    except RuntimeError:
        return False
    return True


def knows(prices: PriceSeries, asset: Asset, terms: Terms) -> bool:
    """Whether the kernel takes the same decisions as the exact engine for this asset."""
    if prices.points_per_bar > 1 or terms.latency or not asset.is_enabled:
        return False
    more = [each for each in fields(Asset) if each.name not in PLAIN]
    if any(each.default is MISSING or getattr(asset, each.name) != each.default for each in more):
        return False
    percents = (
        asset.safety_order_deviation_pct,
        asset.take_profit_pct,
        asset.restart_deviation_pct,
        terms.fee_percent,
    )
    if any(each != round(each, PERCENT_DIGITS) or each > 10_000 for each in percents):
        return False
    # a whole number of steps, so near the exchange's minimum an order may fall below it
    amounts = (asset.base_order_amount, asset.safety_order_amount)
    if asset.quote_currency == "USD" and min(amounts) < MIN_BUY_USD + Decimal("0.01"):
        return False
    step = rules_for(prices).min_trade_increment
    return ladder_cost(asset) / prices.lowest_ask / step < QUANTITY_MAX


def market_of(prices: PriceSeries) -> Market:
    """Built once for all sets."""
    from dca_bot.backtest.sweep import kernel

    bids, asks = prices.bids.astype(np.int64), prices.asks.astype(np.int64)
    low_asks = kernel.block_extremes(asks, highest=False)
    high_bids = kernel.block_extremes(bids, highest=True)
    same = prices.bids is prices.asks
    low_bids = low_asks if same else kernel.block_extremes(bids, highest=False)
    return Market((prices.times, bids, bids if same else asks, low_asks, high_bids, low_bids))


def run(prices: PriceSeries, market: Market, assets: Sequence[Asset], terms: Terms) -> list[Score]:
    """The scores of assets that the kernel knows."""
    from dca_bot.backtest.sweep import kernel

    digits = -rules_for(prices).min_trade_increment.adjusted()
    rows = [_row(asset, prices.digits + digits) for asset in assets]
    settings = np.array([[_wrapped(number) for number in row] for row in rows], np.int64)
    amounts = np.array([[float(row[0]), float(row[1])] for row in rows])
    book_steps = 10 ** (PRICE_DIGITS - prices.digits)
    worth = 10.0 ** -(prices.digits + digits)
    scales = (book_steps, book_steps * kernel.PARTS, worth, _parts(terms.fee_percent))
    counts = np.zeros((len(assets), 4), np.int64)
    money = np.zeros((len(assets), 6))
    kernel.run_sets(settings, amounts, scales, market.arrays, counts, money)
    return [
        _score(asset, counts[number].tolist(), money[number].tolist(), digits)
        for number, asset in enumerate(assets)
    ]


def _row(asset: Asset, scale: int) -> list[int]:
    return [
        int(asset.base_order_amount.scaleb(scale)),
        int(asset.safety_order_amount.scaleb(scale)),
        asset.max_safety_orders,
        _parts(asset.safety_order_deviation_pct),
        _parts(asset.take_profit_pct),
        asset.cooldown_seconds * 10**9,
        _parts(asset.restart_deviation_pct),
    ]


def _score(asset: Asset, counts: list[int], money: list[float], digits: int) -> Score:
    cycles, buys, quantity, mark = counts
    net, fees, most, drawdown, open_net, area = (Decimal(repr(number)) for number in money)
    return Score(
        cycles=cycles,
        buys=buys,
        net=net,
        fees=fees,
        most_invested=most,
        deepest_drawdown=drawdown,
        open_quantity=Decimal(quantity).scaleb(-digits),
        open_net=open_net,
        average_invested=area,
        capital=ladder_cost(asset),
        fingerprint=mark & MASK,
    )


def _parts(percent: Decimal) -> int:
    return int(percent.scaleb(PERCENT_DIGITS))


def _wrapped(number: int) -> int:
    low = number & MASK
    return low - 2**64 if low >> 63 else low
