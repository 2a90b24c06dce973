"""One set of a sweep by the exact engine."""

from __future__ import annotations

from collections.abc import Iterable

from dca_bot.backtest.engine import Replay, play
from dca_bot.backtest.exchange import Fill, Terms
from dca_bot.backtest.parameters import ladder_cost
from dca_bot.backtest.prices.series import PriceSeries
from dca_bot.backtest.result import Result, result_of
from dca_bot.backtest.sweep.score import Score
from dca_bot.core.model import Asset, Side

MASK = 2**64 - 1
FNV_START, FNV_PRIME = 0xCBF29CE484222325, 1_099_511_628_211


def exact_score(prices: PriceSeries, asset: Asset, terms: Terms) -> Score:
    """Play one set through."""
    replay = Replay(prices, asset, terms)
    play([replay])
    return score_of(result_of([replay], ladder_cost(asset)))


def score_of(result: Result) -> Score:
    """The score of a result of the exact engine."""
    return Score(
        cycles=result.cycles,
        buys=result.buys,
        net=result.net,
        fees=result.fees,
        most_invested=result.most_invested,
        deepest_drawdown=result.deepest_drawdown,
        open_quantity=result.open_quantity,
        open_net=result.open_net,
        average_invested=result.average_invested,
        capital=result.capital,
        fingerprint=fingerprint(result.fills),
    )


def fingerprint(fills: Iterable[Fill]) -> int:
    """The points and sides of all fills as one number, as `kernel.py` computes it."""
    mark = FNV_START
    for fill in fills:
        mark = (mark ^ (2 * fill.index + (fill.kind.side is Side.SELL))) * FNV_PRIME & MASK
    return mark
