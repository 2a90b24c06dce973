"""A process of the bot's: its threads, the steps that it takes, and its sudden end."""

from __future__ import annotations

import random

from .mishaps import Calm
from .virtual_time import Life, PowerCut, VirtualLoop

STANDS_STILL_SECONDS = (1.0, 120.0)


class Process(Life):
    """`death` is the mishap that ends it; each named step is a chance of that."""

    def __init__(
        self, loop: VirtualLoop, name: str, mishaps: Calm, death: str, *, seed: int
    ) -> None:
        super().__init__(loop, name)
        self.mishaps = mishaps
        self._death = death
        self._dice = random.Random(f"process:{seed}:{name}:{loop.time()}")

    def step(self, name: str) -> None:
        """Everything before this line has happened; perhaps nothing after it does."""
        if self.is_over:
            raise PowerCut
        if self.mishaps.strikes(self._death, name):
            self.end()
            raise PowerCut

    def step_alone(self, name: str) -> None:
        """The same, where no lock is held: whatever takes this step may stand still there."""
        self.step(name)
        if self.mishaps.strikes("stands still", name):
            self.rest(self._dice.uniform(*STANDS_STILL_SECONDS))
