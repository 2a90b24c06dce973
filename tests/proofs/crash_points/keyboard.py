"""A person who calls verbs of `dca` beside the bot, each in a process of its own.

Rule: the verb's own code is played; one that was killed or could not do it all is called again.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial

from dca_bot.commands.act.action import Action
from dca_bot.commands.act.close import close
from dca_bot.commands.act.panic import panic
from dca_bot.program.errors import DcaError
from tests.proofs.storms.outside.person import at_terminal
from tests.proofs.storms.world import World

VERBS = {"close": close, "panic": panic}


class Call:
    """One verb, by as many processes as it takes."""

    def __init__(self, world: World, verb: str) -> None:
        self._world = world
        self._verb = verb
        self.is_done = False
        self._begin()

    def go_on(self) -> None:
        """Call it again where it has ended before all was done."""
        if not self.is_done and (self._process.is_over or self._process.is_idle):
            self._begin()

    def _begin(self) -> None:
        self._process, action = at_terminal(self._world.surface, self._verb)
        self._process.start(partial(self._play, action))

    def _play(self, action: Action) -> None:
        verb: Callable[..., None] = VERBS[self._verb]
        with suppress(DcaError):  # said, and ended with status 1
            verb(action, action.states(None))
            self.is_done = not action.troubles


class Keyboard:
    def __init__(self, world: World, *verbs: str) -> None:
        """Call these verbs at the same moment."""
        self._calls = [Call(world, verb) for verb in verbs]

    @property
    def is_done(self) -> bool:
        """Whether each verb has done all that it says; those that have not are called again."""
        for call in self._calls:
            call.go_on()
        return all(call.is_done for call in self._calls)
