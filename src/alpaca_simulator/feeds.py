"""Where prices come from while the simulator runs: the walk, a script, recorded files."""

import asyncio
import heapq
import random

from alpaca_simulator.world import World


class WalkFeed:
    """Steps the random walk of every pair, each at its own irregular moments."""

    def __init__(self, world: World, *, running: bool) -> None:
        self._world = world
        self.running = running
        self.still: set[str] = set()  # symbols whose price another feed sets
        self._dice = random.Random(f"feed:{world.options.seed}")  # noqa: S311

    async def run(self) -> None:
        """Goes on until it is cancelled."""
        loop = asyncio.get_running_loop()
        due: list[tuple[float, str]] = []
        known: set[str] = set()
        last: dict[str, float] = {}
        while True:
            now = loop.time()
            for symbol in self._world.walks.keys() - known:
                known.add(symbol)
                heapq.heappush(due, (now + self._wait(), symbol))
                last[symbol] = now
            ready: list[tuple[str, float]] = []
            while due and due[0][0] <= now:
                _, symbol = heapq.heappop(due)
                heapq.heappush(due, (now + self._wait(), symbol))
                ready.append((symbol, now - last[symbol]))
                last[symbol] = now
            self._step(ready)
            await asyncio.sleep(min(max(0.001, due[0][0] - loop.time()), 0.25) if due else 0.25)

    def _wait(self) -> float:
        return self._dice.uniform(0.2, 1.8) * self._world.options.quote_interval

    def _step(self, ready: list[tuple[str, float]]) -> None:
        world = self._world
        if not self.running:
            return
        quotes = [
            world.quote_of(symbol, world.walks[symbol].step(seconds))
            for symbol, seconds in ready
            if symbol not in self.still and symbol in world.walks
        ]
        if quotes:
            world.push(quotes)
