"""Every chance of every mishap, in every situation of a cycle's life; one at a time."""

from __future__ import annotations

import itertools

import pytest

from tests.tally import struck

from .scenes import SCENES, Scene
from .sweep import SWEPT, play, sweep


@pytest.mark.proof
@pytest.mark.parametrize("mishap", SWEPT)
@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.name)
def test_one_mishap_anywhere_loses_nothing(scene: Scene, mishap: str) -> None:
    swept = sweep(scene, mishap)
    for at, times in swept.struck.items():
        struck(mishap, times, at=at, scene=scene.name)
    assert not swept.failures, str(swept.failures[0])


@pytest.mark.parametrize("name", ["safety order", "take profit"])
def test_the_bot_itself_notices_within_a_minute_an_update_that_never_came(name: str) -> None:
    """Behaviour 12, without the caretakers' help."""
    scene = next(scene for scene in SCENES if scene.name == name)
    for number in itertools.count(1):
        run = play(scene, "update lost", number, has_caretakers=False)
        assert not run.trouble, str(run)
        assert run.seconds <= 60, str(run)
        if run.at is None:
            assert number > 2
            break


@pytest.mark.proof
def test_the_sweep_reaches_every_step_of_an_order_and_of_a_completion() -> None:
    """What is swept is not only there, but is reached, or nothing would be proved."""
    reached = {
        play(scene, "power cut", number).at
        for scene in SCENES
        if scene.name in ("start and base order", "take profit")
        for number in range(1, 60)
    }
    assert reached >= {
        "new cycle written",
        "intent about to be written",
        "intent written",
        "POST orders about to be sent",
        "POST orders taken",
        "POST orders answered",
        "update heard",
        "fill about to be written",
        "fill written",
        "completion about to be written",
        "completion written",
    }
