"""Where prices come from while the simulator runs: the walk, scripts, recorded files, bursts."""

import asyncio
import heapq
import itertools
import random
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from alpaca_simulator.clock import SECOND
from alpaca_simulator.options import Options
from alpaca_simulator.prices.market import Market
from alpaca_simulator.prices.recordings import Point, PriceFileError, read_prices
from alpaca_simulator.prices.scripts import ScriptStep
from alpaca_simulator.prices.walk import Step
from alpaca_simulator.scenarios import Scenario

BACKLOG = 200  # frames that a client may lag behind at full speed
FRAMES_A_TURN = 32
JUST_AFTER = 0.05  # seconds after the minute that its bar is sent
UNSEEN = 4  # pairs that nobody looks at are quoted so many times less often
BURST_STEPS = 2000  # a burst repeats so many prices, shared by its symbols


Post = Callable[[str, dict[str, Any]], Awaitable[str | None]]  # None: taken


@dataclass(frozen=True, slots=True)
class Replay:
    """A file to be played."""

    symbol: str
    path: Path
    speed: float = 1.0
    batch: int = 10
    spread_bps: Decimal = Decimal(0)
    wait: bool = True  # until somebody subscribes to the symbol


class Feeds:
    """Every feed that runs, by name."""

    def __init__(self, world: Market, options: Options) -> None:
        self._world = world
        self._options = options
        self._tasks: set[asyncio.Task[None]] = set()
        self._state: dict[str, dict[str, Any]] = {}
        self._numbers = itertools.count(1)
        self.walking = options.walk
        self._still: set[str] = set()  # symbols whose price another feed sets
        self._dice = random.Random(f"feed:{options.seed}")  # noqa: S311
        self._subscribed = asyncio.Event()
        self._unyielded = 0
        self._hurry = False
        world.on_subscribe(self._on_subscribe)

    def _on_subscribe(self) -> None:
        self._subscribed.set()
        self._hurry = True  # what is looked at now need not wait for its long pause

    def state(self) -> dict[str, Any]:
        """What runs, and how far it has come."""
        return {"walking": self.walking, "feeds": self._state}

    def start_walk(self) -> None:
        """Starts the walk; it moves nothing while `walking` is false."""
        self._start("walk", self._walk())
        self._start("minutes", self._minutes())

    def play(self, steps: Sequence[ScriptStep], *, then_walk: bool = False) -> str:
        """Plays a script; its symbols stop walking, or walk on from where it ends."""
        name = f"script-{next(self._numbers)}"
        self._still |= {step.symbol for step in steps}
        self._start(name, self._play(name, steps, then_walk=then_walk))
        return name

    def play_scenario(self, scenario: Scenario, post: Post) -> str:
        """Plays a scenario by posting its calls; the state lists those that were refused."""
        name = f"{scenario.name}-{next(self._numbers)}"
        self._start(name, self._play_scenario(name, scenario, post))
        return name

    def replay(self, replay: Replay) -> str:
        """Plays a recorded file; its symbol stops walking. Raises PriceFileError."""
        name = f"replay-{next(self._numbers)}"
        points = read_prices(replay.path, spread_bps=replay.spread_bps)
        first = next(points, None)
        self._still.add(replay.symbol)
        rest = itertools.chain([] if first is None else [first], points)
        self._start(name, self._replay(name, replay, rest))
        return name

    def burst(self, symbols: Sequence[str], quotes: int, frame: int, per_second: float) -> str:
        """Sends so many quotes, as fast as the clients take them or at a rate."""
        name = f"burst-{next(self._numbers)}"
        self._still |= set(symbols)
        self._start(name, self._burst(name, symbols, quotes, frame, per_second))
        return name

    def still(self, symbols: Sequence[str]) -> None:
        """Makes symbols stand still."""
        self._still |= set(symbols)

    def stop(self, name: str | None = None) -> None:
        """Stops the feed of a name, or all; what they played may walk again."""
        for task in self._tasks:
            if name in (None, task.get_name()):
                task.cancel()
        if name is None:
            self._still.clear()
            self._state.clear()

    def _start(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        if name not in ("walk", "minutes"):
            self._state[name] = {"quotes": 0, "finished": False}
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # The walk

    async def _walk(self) -> None:
        loop = asyncio.get_running_loop()
        due: list[tuple[float, str]] = []
        last: dict[str, float] = {}
        while True:
            now = loop.time()
            if self._hurry:
                self._hurry = False
                due = [(min(at, now + self._pause(symbol)), symbol) for at, symbol in due]
                heapq.heapify(due)
            for symbol in self._world.walks.keys() - last.keys():
                heapq.heappush(due, (now + self._pause(symbol), symbol))
                last[symbol] = now
            ready: list[tuple[str, float]] = []
            while due and due[0][0] <= now:
                symbol = due[0][1]
                heapq.heapreplace(due, (now + self._pause(symbol), symbol))
                ready.append((symbol, now - last[symbol]))
                last[symbol] = now
            self._step(ready)
            wait = due[0][0] - loop.time() if due else 0.25
            await asyncio.sleep(min(max(0.001, wait), 0.25))

    def _pause(self, symbol: str) -> float:
        pause = self._dice.uniform(0.2, 1.8) * self._options.quote_interval
        return pause if self._world.is_watched(symbol) else pause * UNSEEN

    def _step(self, ready: Sequence[tuple[str, float]]) -> None:
        world = self._world
        quotes = [
            world.quote_of(symbol, world.walks[symbol].step(seconds))
            for symbol, seconds in ready
            if self.walking and symbol in world.walks and symbol not in self._still
        ]
        if quotes:
            world.push(quotes)
            since = dict(ready)
            for quote in quotes:
                world.trade_of_somebody(quote, since[quote.symbol] * self._options.volatility)

    async def _minutes(self) -> None:
        """Sends the bars of each minute, and updated bars half a minute later."""
        while True:
            seconds = self._world.timer() / SECOND % 60
            rest = (30 if seconds < 30 else 60) - seconds
            await asyncio.sleep(rest + JUST_AFTER)
            if seconds < 30:
                self._world.update_minute()
            else:
                self._world.end_minute()

    # Scripts, recordings, bursts

    async def _play_scenario(self, name: str, scenario: Scenario, post: Post) -> None:
        refused = []
        for step in scenario.steps:
            await asyncio.sleep(step.after)
            if (answer := await post(step.call, step.body)) is not None:
                refused.append(answer)
        self._state[name] |= {"finished": True, "refused": refused}

    async def _play(self, name: str, steps: Sequence[ScriptStep], *, then_walk: bool) -> None:
        world, one = self._world, Decimal(1)
        for step in steps:
            await asyncio.sleep(step.after)
            world.push([world.next_quote(step.symbol, step.bid, step.ask, one, one)])
            self._state[name]["quotes"] += 1
        self._state[name]["finished"] = True
        if then_walk:
            for symbol in {step.symbol for step in steps}:
                world.walks[symbol].anchor(world.middle(symbol))
                self._still.discard(symbol)

    async def _replay(self, name: str, replay: Replay, points: Iterator[Point]) -> None:
        try:
            await self._replay_all(name, replay, points)
        except PriceFileError as e:
            self._state[name]["error"] = str(e)
        self._state[name]["finished"] = True

    async def _replay_all(self, name: str, replay: Replay, points: Iterator[Point]) -> None:
        while replay.wait and not self._world.is_subscribed(replay.symbol):
            self._subscribed.clear()
            await self._subscribed.wait()
        loop = asyncio.get_running_loop()
        start, first = loop.time(), None
        batch: list[Point] = []
        for point in points:
            first = point.origin if first is None else first
            if replay.speed:
                wait = start + (point.origin - first) / SECOND / replay.speed - loop.time()
                if wait > 0:
                    await self._send(name, replay.symbol, batch)
                    await asyncio.sleep(wait)
            batch.append(point)
            if len(batch) >= replay.batch:
                await self._send(name, replay.symbol, batch)
        await self._send(name, replay.symbol, batch)

    async def _send(self, name: str, symbol: str, batch: list[Point]) -> None:
        world = self._world
        if batch:
            # Times on the wire are fresh; the record keeps the original ones.
            world.push(
                [
                    world.next_quote(symbol, bid, ask, bid_size, ask_size, origin=origin)
                    for origin, bid, ask, bid_size, ask_size in batch
                ]
            )
            self._state[name]["quotes"] += len(batch)
            batch.clear()
        await self._let_clients_read()

    async def _burst(
        self, name: str, symbols: Sequence[str], quotes: int, frame: int, per_second: float
    ) -> None:
        world = self._world
        length = max(10, BURST_STEPS // len(symbols))
        steps = {symbol: self._prepared(symbol, length) for symbol in symbols}
        turn = itertools.cycle(symbols)
        loop = asyncio.get_running_loop()
        start, sent = loop.time(), 0
        while sent < quotes:
            count = min(frame, quotes - sent)
            world.push(
                [
                    world.quote_of(symbol, steps[symbol][place // len(symbols) % length])
                    for place, symbol in enumerate(itertools.islice(turn, count), sent)
                ]
            )
            sent += count
            self._state[name]["quotes"] = sent
            wait = start + sent / per_second - loop.time() if per_second else 0.0
            if wait > 0:
                await asyncio.sleep(wait)
            await self._let_clients_read()
        self._state[name]["finished"] = True

    def _prepared(self, symbol: str, length: int) -> list[Step]:
        walk = self._world.walks[symbol]
        return [walk.step(0.1) for _ in range(length)]

    async def _let_clients_read(self) -> None:
        # The loop has its turn now and then, so that many frames can leave together.
        self._unyielded += 1
        if self._unyielded >= FRAMES_A_TURN:
            self._unyielded = 0
            await asyncio.sleep(0)
        await self._world.wait_for_readers(BACKLOG)
