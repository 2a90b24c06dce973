"""Storms by seed, on a virtual clock; `python -m tests.proofs.storms` rides out more."""

from __future__ import annotations

import pytest

from tests.tally import struck

from .storm import ride_out

SEEDS = 30
FEW = range(1)
MORE = range(len(FEW), SEEDS)


@pytest.mark.parametrize(
    "seed", [*FEW, *(pytest.param(seed, marks=pytest.mark.proof) for seed in MORE)]
)
def test_nothing_is_lost_in_a_storm_and_everything_agrees_after_it(seed: int) -> None:
    outcome = ride_out(seed)
    for (mishap, at), times in outcome.struck.items():
        struck(mishap, times, at=at, seed=seed)
    for rule, times in outcome.bites.items():
        struck(f"{rule} holds a BUY back", times, seed=seed)
    assert not outcome.trouble, str(outcome)
    assert outcome.orders > 0


@pytest.mark.proof
def test_a_seed_is_the_same_storm_every_time() -> None:
    assert ride_out(SEEDS) == ride_out(SEEDS)
