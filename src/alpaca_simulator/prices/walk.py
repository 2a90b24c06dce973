"""The seeded random walk: prices that stray from where they started and are drawn back."""

import math
import random
from dataclasses import dataclass
from decimal import Decimal

from alpaca_simulator.decimals import NINE_PLACES

YEAR_SECONDS = 365.25 * 24 * 3600
YEARLY_VOLATILITY = 0.55  # of a large coin; one of the stable ones has a hundredth of it
STABLE = frozenset({"USDC", "USDT", "USDG"})
SPREAD_BPS = (4.0, 9.0)  # BTC 64709.3/64767.7 in 2024-07 is 9 (docs/alpaca.md 4)
SIZE_VALUE = 20_000.0  # what a quoted size is worth, about


@dataclass(frozen=True, slots=True)
class Step:
    """Where the walk has come to."""

    bid: Decimal
    ask: Decimal
    bid_size: Decimal
    ask_size: Decimal


class Walk:
    """The price of one pair; the seed and the steps asked for determine all of it."""

    def __init__(
        self, symbol: str, price: Decimal, *, seed: int, volatility: float, reversion_seconds: float
    ) -> None:
        yearly = YEARLY_VOLATILITY * volatility * (0.01 if is_stable(symbol) else 1.0)
        self._random = random.Random(f"walk:{seed}:{symbol}")  # noqa: S311
        self._sigma = yearly / math.sqrt(YEAR_SECONDS)
        self._reversion = 1.0 / reversion_seconds
        self.anchor(price)

    def anchor(self, price: Decimal) -> None:
        """Moves the walk to a price, which draws it from now on."""
        self._anchor = float(price)
        self._strayed = 0.0
        self._tick = tick_of(price)

    def step(self, seconds: float) -> Step:
        """Goes on for some seconds."""
        pull = math.exp(-self._reversion * seconds)
        # Exact for any step: the variance of a mean-reverting walk over the time that has passed.
        spread = self._sigma * math.sqrt((1 - pull * pull) / (2 * self._reversion))
        self._strayed = self._strayed * pull + self._random.gauss(0.0, spread)
        middle = self._anchor * math.exp(self._strayed)
        half = middle * self._random.uniform(*SPREAD_BPS) / 20_000
        bid = max(self._tick, Decimal(middle - half).quantize(self._tick))
        ask = max(bid + self._tick, Decimal(middle + half).quantize(self._tick))
        return Step(bid, ask, self._size(middle), self._size(middle))

    def _size(self, price: float) -> Decimal:
        size = SIZE_VALUE / price * self._random.uniform(0.2, 2.0)
        return Decimal(size).quantize(NINE_PLACES)


def is_stable(symbol: str) -> bool:
    """Whether a pair's coin is worth a dollar and stays so."""
    return symbol.partition("/")[0] in STABLE


def tick_of(price: Decimal) -> Decimal:
    """Given a price, returns the step that leaves it seven digits, down to 1e-9."""
    return max(NINE_PLACES, Decimal(1).scaleb(price.adjusted() - 6))
