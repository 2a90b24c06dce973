"""The market of a storm: prices that stray and leap, by seed.

Rule: quotes are whole steps of what the exchange prices a pair in, whatever that is by now.
"""

from __future__ import annotations

import random
from decimal import Decimal

from alpaca_simulator.exchange.assets import start_prices
from alpaca_simulator.prices.walk import Walk
from tests.proofs.storms.world import World

LEAPS = (Decimal("1.03"), Decimal("0.97"))


class RandomMarket:
    """Prices that stray, by seed; `lift` moves them all, to see everybody act."""

    def __init__(self, world: World, symbols: tuple[str, ...]) -> None:
        chance = random.Random(f"market:{world.seed}")
        self._world = world
        self._dice = random.Random(f"ticks:{world.seed}")
        self._every = chance.choice((3.0, 6.0, 12.0))
        self._factors = dict.fromkeys(symbols, Decimal(1))
        self._newest: dict[str, Decimal] = {}
        self._highest = dict.fromkeys(symbols, Decimal(0))
        self._stands_still = False
        prices = start_prices()
        self._walks = {
            symbol: Walk(
                symbol,
                prices[symbol],
                seed=world.seed,
                volatility=chance.choice((3, 10, 30)),
                reversion_seconds=chance.choice((600, 3600, 20000)),
            )
            for symbol in symbols
        }

    def begin(self) -> None:
        for symbol in self._walks:
            self._tick(symbol, 0.0)

    def lift(self, factor: Decimal) -> None:
        """Every price, to so many times the highest that was ever seen: all targets are met."""
        for symbol, highest in self._highest.items():
            self._factors[symbol] = factor * highest / self._newest[symbol]

    def stand_still(self) -> None:
        """Quotes go on, at the same prices."""
        self._stands_still = True

    def _tick(self, symbol: str, seconds: float) -> None:
        step = self._walks[symbol].step(0.0 if self._stands_still else seconds)
        self._newest[symbol] = step.bid
        if self._world.leaps(symbol):
            self._factors[symbol] *= self._dice.choice(LEAPS)
        factor, tick = self._factors[symbol], self._world.venue.tick(symbol)
        bid, ask = (
            (price * factor / tick).to_integral_value() * tick for price in (step.bid, step.ask)
        )
        self._highest[symbol] = max(self._highest[symbol], bid)
        self._world.quote(symbol, bid, ask)
        pause = self._dice.expovariate(1 / self._every)
        self._world.loop.call_later(pause, self._tick, symbol, pause)
