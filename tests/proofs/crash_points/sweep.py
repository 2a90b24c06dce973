"""Takes each chance of a mishap in turn, in every scene, until a run of it goes untouched.

Rule: after each, the books and the exchange agree, nothing is in doubt, and the scene has come to
its end, however late.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from tests.proofs.storms.mishaps import (
    OF_ORDERS,
    OF_PROCESSES,
    OF_QUOTES,
    OF_REQUESTS,
    OF_STATEMENTS,
    OF_UPDATES,
)
from tests.proofs.storms.mishaps import OF_VIEWS as OF_LAGGING_VIEWS

from .scenes import Scene
from .stage import Armed, Stage

# These strike once a second or once a minute, not at a step: the storms have them.
NOT_AT_STEPS = {"stopped", "order expires"}
SWEPT = [
    name
    for group in (
        OF_PROCESSES,
        OF_STATEMENTS,
        OF_REQUESTS,
        OF_LAGGING_VIEWS,
        OF_ORDERS,
        OF_UPDATES,
        OF_QUOTES,
    )
    for name in group
    if name not in NOT_AT_STEPS
]
RUNS_MAX = 5000


@dataclass(frozen=True)
class Run:
    """One scene with the n-th chance taken; `at` is where that was, None when it never came."""

    scene: str
    mishap: str
    number: int
    at: str | None
    seconds: float  # how long the scene took
    trouble: list[str]
    last_events: list[str]

    def __str__(self) -> str:
        where = f"{self.scene}: {self.mishap}, chance {self.number}, at {self.at!r}"
        return "\n".join([where, *self.last_events, "", *self.trouble])


def play(scene: Scene, mishap: str, number: int, *, has_caretakers: bool = True) -> Run:
    """The scene, with one chance taken."""
    mishaps = Armed(mishap, number)
    stage = Stage(mishaps, has_caretakers=has_caretakers)
    try:
        scene.prepare(stage)
        mishaps.is_armed = True
        began_at = stage.world.loop.time()
        scene.act(stage)
        seconds = stage.world.loop.time() - began_at
        trouble = stage.disagreement()
    finally:
        stage.world.close()
    return Run(
        scene.name,
        mishap,
        number,
        at=next((where for _, where in mishaps.struck), None),
        seconds=seconds,
        trouble=list(trouble),
        last_events=list(stage.world.events.lines),
    )


@dataclass(frozen=True)
class Swept:
    """How often a mishap struck, by the step at which it did, and the runs that went wrong."""

    struck: Counter[str]
    failures: list[Run]


def sweep(scene: Scene, mishap: str) -> Swept:
    """Every chance in turn, until a run in which it does not come any more."""
    struck: Counter[str] = Counter()
    failures = []
    for number in range(1, RUNS_MAX):
        run = play(scene, mishap, number)
        if run.trouble:
            failures.append(run)
        if run.at is None:
            return Swept(struck, failures)
        struck[run.at] += 1
    raise AssertionError(f"{scene.name}: {mishap} never ends")
