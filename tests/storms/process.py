"""A process of the bot's: its threads, the steps that it takes, and its sudden end."""

from __future__ import annotations

from .mishaps import Calm
from .virtual_time import Life, PowerCut, VirtualLoop


class Process(Life):
    """`death` is the mishap that ends it; each named step is a chance of that."""

    def __init__(self, loop: VirtualLoop, name: str, mishaps: Calm, death: str) -> None:
        super().__init__(loop, name)
        self.mishaps = mishaps
        self._death = death

    def step(self, name: str) -> None:
        """Everything before this line has happened; perhaps nothing after it does."""
        if self.is_over:
            raise PowerCut
        if self.mishaps.strikes(self._death, name):
            self.end()
            raise PowerCut
