"""The user who calls verbs of `dca` while the bot trades, each in a process of its own.

Rule: the verb's own code is played.  One call at a time; whatever is paused, by whomever, is
resumed after a while.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from dca_bot.commands.act.action import Action
from dca_bot.commands.act.allowing import allow_all
from dca_bot.commands.act.close import close
from dca_bot.commands.act.panic import panic
from dca_bot.commands.act.pause import pause
from dca_bot.commands.act.resume import to_resume
from dca_bot.core.model import Allowed, AssetState
from dca_bot.program.errors import DcaError
from dca_bot.program.settings import DatabaseSettings
from dca_bot.store.memory_store import MemoryStore
from tests.proofs.storms.bot import Surface
from tests.proofs.storms.process import Process
from tests.proofs.storms.watcher import Watcher

EVERY_SECONDS = 30.0
PATIENCE = 0.15  # how likely a pause ends at each chance
Deed = Callable[[Action, AssetState], None]
NO_DATABASE = DatabaseSettings("nowhere", 1, "nobody", "", "none")


class Silent(Action):
    """A terminal that nobody reads."""

    def say(self, sentence: str) -> None:
        pass


def at_terminal(surface: Surface, verb: str) -> tuple[Process, Action]:
    """A process for a verb, as short-lived as a caretaker, and killed like one."""
    process = Process(
        surface.loop, f"dca {verb}", surface.mishaps, "caretaker killed", seed=surface.seed
    )
    action = Silent(
        store=surface.store(process),
        broker=surface.broker(process),
        database=NO_DATABASE,
        budget=surface.budget,
        log_dir=Path("/nowhere"),
        is_json=True,
        clock=surface.clock.utc,
        seconds=surface.loop.time,
        sleep=process.rest,
    )
    return process, action


class Person:
    def __init__(self, surface: Surface, store: MemoryStore, watcher: Watcher) -> None:
        self._surface = surface
        self._store = store
        self._watcher = watcher
        self._dice = random.Random(f"person:{surface.seed}")
        self._patience = PATIENCE
        self._running: Process | None = None
        self._moods: dict[str, Deed] = {
            "dca pause": self._pause,
            "dca finish": self._finish,
            "dca close": lambda action, state: close(action, [state]),
            "dca panic": lambda action, _: panic(action, action.states(None)),
            "dca buy": self._buy,
        }

    def begin(self) -> None:
        self._surface.loop.call_later(EVERY_SECONDS, self._tick)

    def calm_down(self) -> None:
        """From now on a pause ends at the next chance."""
        self._patience = 1.0

    def _tick(self) -> None:
        for name, deed in self._moods.items():
            states = self._store.assets()
            if states and not self._is_busy and self._surface.mishaps.strikes(name):
                state = self._dice.choice(states)
                self._call(name.removeprefix("dca "), deed, state)
        paused = [each for each in self._store.assets() if each.asset.allowed is not Allowed.ALL]
        if paused and not self._is_busy and self._dice.random() < self._patience:
            self._call("resume", self._resume, self._dice.choice(paused))
        self._surface.loop.call_later(EVERY_SECONDS, self._tick)

    @property
    def _is_busy(self) -> bool:
        running = self._running
        return running is not None and not (running.is_over or running.is_idle)

    def _call(self, verb: str, deed: Deed, state: AssetState) -> None:
        def work() -> None:
            with suppress(DcaError):  # said, and ended with status 1
                deed(action, state)

        self._running, action = at_terminal(self._surface, verb)
        self._running.start(work)

    def _one_or_all(self, state: AssetState) -> str | None:
        return self._dice.choice((None, state.asset.symbol))

    def _pause(self, action: Action, state: AssetState) -> None:
        symbol = self._one_or_all(state)
        pause(action, action.states(symbol), with_all=symbol is None)

    def _finish(self, action: Action, state: AssetState) -> None:
        symbol = self._one_or_all(state)
        states = [
            each
            for each in action.states(symbol)
            if symbol is not None or each.asset.allowed is not Allowed.EXIT
        ]
        allow_all(action, states, Allowed.CYCLE, verb="finish", with_all=symbol is None)

    def _resume(self, action: Action, state: AssetState) -> None:
        symbol = self._one_or_all(state)
        for each, allowed in to_resume(action.states(symbol), is_all=symbol is None):
            allow_all(action, [each], allowed, verb="resume")

    def _buy(self, action: Action, state: AssetState) -> None:
        amount, asset_id = self._dice.randint(11, 60), state.asset.asset_id
        asked = self._watcher.asked
        asked[asset_id] = max(asked[asset_id], amount)
        action.hand.buy(asset_id, amount, action.quote(state.asset.symbol))
