"""The caretakers under a virtual cron: the real scripts' functions, each run its own process."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from consistency_checker import check
from cooldown_manager import end_cooldowns
from dca_bot.caretakers.run import Run
from dca_bot.program.errors import DcaError
from dca_bot.program.settings import LimitSettings, read_common_settings
from order_manager import manage

from .bot import Surface
from .process import Process
from .watched_store import WatchedStore

LIMITS = read_common_settings(environ={}, env_file=Path("/dev/null")).limits
MINUTE = 60.0
EVERY_MINUTES = {"order_manager": 1, "cooldown_manager": 1, "consistency_checker": 5}


class Cron:
    """Starts each caretaker in its minute, unless the run before it is still there."""

    def __init__(
        self, surface: Surface, limits: LimitSettings, every_minutes: Mapping[str, int]
    ) -> None:
        self._surface = surface
        self._limits = limits
        self._every_minutes = every_minutes
        self._dice = random.Random(f"cron:{surface.seed}")
        self._minute = 0
        self._running: dict[str, Process] = {}

    def begin(self) -> None:
        self._surface.loop.call_later(self._dice.uniform(0, MINUTE), self._tick)

    def _tick(self) -> None:
        self._minute += 1
        for name, minutes in self._every_minutes.items():
            if self._minute % minutes == 0:
                self.start(name, after=self._dice.uniform(0, 2))
        self._surface.loop.call_later(MINUTE, self._tick)

    def start(self, name: str, *, after: float = 0) -> None:
        """One run of a caretaker."""
        running = self._running.get(name)
        if running is not None and not (running.is_over or running.is_idle):
            return
        surface = self._surface
        process = Process(
            surface.loop, name, surface.mishaps, "caretaker killed", seed=surface.seed
        )
        self._running[name] = process
        work = self._work(name, process, surface.store(process))
        process.start(partial(self._contained, name, work), after=after)

    def _work(self, name: str, process: Process, store: WatchedStore) -> Callable[[], int]:
        broker, clock = self._surface.broker(process), self._surface.clock.utc
        if name == "order_manager":
            return partial(
                manage, store, broker, self._limits, Run(), clock=clock, sleep=process.rest
            )
        if name == "consistency_checker":
            budget = self._surface.budget
            return partial(
                check, store, broker, Run(), budget=budget, clock=clock, sleep=process.rest
            )
        return lambda: end_cooldowns(store, clock(), Run())

    def _contained(self, name: str, work: Callable[[], int]) -> None:
        try:
            work()
        except DcaError:
            pass  # the script says so and ends with status 1; the next minute tries again
        except Exception as error:  # noqa: BLE001 - nothing else may come out of a script
            self._surface.complain(f"{name}.py ended with {error!r}")
