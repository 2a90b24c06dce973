"""A person who calls verbs of `dca` beside the bot, each in a process of its own.

Rule: the verb's own code is played; one that was killed or could not do it all is called again.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from dca_bot.commands.act.action import Action
from dca_bot.commands.act.close import close
from dca_bot.commands.act.panic import panic
from dca_bot.program.errors import DcaError
from dca_bot.program.settings import DatabaseSettings
from dca_bot.trading.budget import NO_LIMITS
from tests.proofs.storms.process import Process
from tests.proofs.storms.world import World

NO_DATABASE = DatabaseSettings("nowhere", 1, "nobody", "", "none")
VERBS = {"close": close, "panic": panic}


class Silent(Action):
    """A terminal that nobody reads."""

    def say(self, sentence: str) -> None:
        pass


@dataclass
class Call:
    verb: str
    process: Process
    is_done: bool = False


class Keyboard:
    def __init__(self, world: World, *verbs: str) -> None:
        """Call these verbs at the same moment."""
        self._world = world
        self._calls = [Call(verb, self._process(verb)) for verb in verbs]
        for call in self._calls:
            self._begin(call)

    @property
    def is_done(self) -> bool:
        """Whether each verb has done all that it says; those that have not are called again."""
        for call in self._calls:
            if not call.is_done and (call.process.is_over or call.process.is_idle):
                call.process = self._process(call.verb)
                self._begin(call)
        return all(call.is_done for call in self._calls)

    def _process(self, verb: str) -> Process:
        surface = self._world.surface
        # as short-lived as a caretaker, and killed like one
        return Process(
            surface.loop, f"dca {verb}", surface.mishaps, "caretaker killed", seed=surface.seed
        )

    def _begin(self, call: Call) -> None:
        surface, process = self._world.surface, call.process
        action = Silent(
            store=surface.store(process),
            broker=surface.broker(process),
            database=NO_DATABASE,
            budget=NO_LIMITS,
            log_dir=Path("/nowhere"),
            is_json=True,
            clock=surface.clock.utc,
            seconds=surface.loop.time,
            sleep=process.rest,
        )
        process.start(partial(self._play, call, action))

    def _play(self, call: Call, action: Action) -> None:
        verb: Callable[..., None] = VERBS[call.verb]
        with suppress(DcaError):  # said, and ended with status 1
            verb(action, action.states(None))
            call.is_done = not action.troubles
