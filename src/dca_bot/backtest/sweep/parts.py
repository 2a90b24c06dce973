"""What a sweep is cut into: the two parts of the time, and chunks of sets for whoever runs them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from dca_bot.backtest.exchange import Terms
from dca_bot.backtest.prices.series import PriceSeries
from dca_bot.backtest.sweep import fast
from dca_bot.backtest.sweep.score import Score
from dca_bot.core.model import Asset


@dataclass(frozen=True)
class Parts:
    """The prices to choose sets on, and those to judge them by."""

    train: PriceSeries
    test: PriceSeries
    is_exact: bool = False  # the kernel is not wanted

    @cached_property
    def markets(self) -> tuple[fast.Market, fast.Market]:
        """Both parts as the kernel takes them, made once in each process."""
        return fast.market_of(self.train), fast.market_of(self.test)

    def suits_kernel(self, asset: Asset, terms: Terms) -> bool:
        """Whether an asset can be run by the kernel, here and now."""
        if self.is_exact or not fast.is_there():
            return False
        return all(fast.knows(prices, asset, terms) for prices in (self.train, self.test))


@dataclass(frozen=True, slots=True)
class Work:
    """One chunk of sets, complete in itself, so that it can be done anywhere."""

    terms: Terms
    first: int  # the number of the first set
    assets: tuple[Asset, ...]


Scores = list[tuple[Score, Score]]
Workers = Callable[[Sequence[Work], Parts], Iterator[tuple[Work, Scores]]]
