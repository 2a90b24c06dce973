"""Many sets over the same prices: chosen on the first part of the time, judged on the second.

A sample of what the kernel said is run again by the exact engine.
"""

from __future__ import annotations

from collections.abc import Callable

from dca_bot.backtest.exchange import Terms
from dca_bot.backtest.parameters import with_values
from dca_bot.backtest.sweep import fast
from dca_bot.backtest.sweep.exact import exact_score
from dca_bot.backtest.sweep.grid import Grid
from dca_bot.backtest.sweep.outcome import Sweep, Tried
from dca_bot.backtest.sweep.parts import Parts, Work, Workers
from dca_bot.backtest.sweep.score import Rank
from dca_bot.program.errors import DcaError

CHUNKS, CHUNK_SETS_MAX = 256, 100  # so that progress is seen and Ctrl-C loses little
SAMPLE = 5

Progress = Callable[[int, int], None]  # sets that are done, of how many


def run_sweep(
    grid: Grid,
    parts: Parts,
    terms: Terms,
    *,
    rank: Rank = Rank.NET,
    workers: Workers,
    progress: Progress,
) -> Sweep:
    """Try all sets of the grid; Ctrl-C ends it early, with what is done.

    Raises DcaError where the kernel and the exact engine differ on the sample.
    """
    assets, places = grid.assets, grid.places
    size = min(CHUNK_SETS_MAX, -(-len(assets) // CHUNKS))
    chunks = [
        Work(terms, start, tuple(assets[start : start + size]))
        for start in range(0, len(assets), size)
    ]
    sweep = Sweep(grid, rank)
    progress(0, len(assets))
    try:
        for work, scores in workers(chunks, parts):
            for number, (train, test) in enumerate(scores, work.first):
                sweep.tried.append(Tried(places[number], train, test))
            progress(len(sweep.tried), len(assets))
    except KeyboardInterrupt:
        sweep.is_whole = False
    sweep.tried.sort(key=lambda each: each.place)
    if fast.is_there():
        _compare(sweep, parts, terms)
    return sweep


def _compare(sweep: Sweep, parts: Parts, terms: Terms) -> None:
    """Run the best sets and some others again by the exact engine."""
    best = sweep.best_first()
    step = max(1, len(best) // SAMPLE)
    sample = {each.place: each for each in [*best[:2], *best[::step][:SAMPLE]]}
    for each in sample.values():
        parameters = sweep.grid.parameters(each.place)
        asset = with_values(sweep.grid.asset, parameters)
        exact = [exact_score(prices, asset, terms) for prices in (parts.train, parts.test)]
        if not (each.train.agrees_with(exact[0]) and each.test.agrees_with(exact[1])):
            raise DcaError(
                f"the fast engine and the exact one differ at {parameters}: run it again with "
                "--exact, and report this"
            )
    sweep.sampled = len(sample)
