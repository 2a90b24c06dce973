"""What a sweep has come to: each set with its two scores, and how lonely a good one is."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median

from dca_bot.backtest.parameters import Value
from dca_bot.backtest.sweep.grid import Grid
from dca_bot.backtest.sweep.score import Rank, Score


@dataclass(frozen=True, slots=True)
class Tried:
    """One set: its place in the grid, and what it came to on both parts."""

    place: tuple[int, ...]
    train: Score
    test: Score


@dataclass
class Sweep:
    """What a sweep has come to; `is_whole` is False where it was interrupted."""

    grid: Grid
    rank: Rank
    tried: list[Tried] = field(default_factory=list)
    is_whole: bool = True
    sampled: int = 0

    def best_first(self) -> list[Tried]:
        """By their rank on the first part; what it was on the second plays no role."""
        return sorted(self.tried, key=lambda each: each.train.rank(self.rank), reverse=True)

    def parameters(self, one: Tried) -> dict[str, Value]:
        """What it had in the columns that were swept."""
        return self.grid.parameters(one.place)

    def around(self, one: Tried) -> list[Tried]:
        """Its neighbours in the grid, as far as they were tried."""
        by_place = {each.place: each for each in self.tried}
        places = self.grid.neighbours(one.place)
        return [by_place[place] for place in places if place in by_place]

    def is_lonely(self, one: Tried) -> bool:
        """Whether its neighbours earn less than half as much: then it is likely to be luck."""
        own = one.train.rank(self.rank)
        around = [each.train.rank(self.rank) for each in self.around(one)]
        return own > 0 and bool(around) and median(around) < own / 2
