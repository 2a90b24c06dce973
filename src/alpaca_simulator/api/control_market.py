"""The control API, /sim, for what concerns prices and mishaps: quotes, feeds, faults."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from aiohttp import web

from alpaca_simulator.api.control_read import (
    ControlError,
    flag_of,
    number_of,
    read_body,
    read_object,
    text_of,
    time_of,
)
from alpaca_simulator.api.gate import json_answer
from alpaca_simulator.faults import CATALOGUE, Fault, UnknownFaultError
from alpaca_simulator.feeds import Feeds, Replay
from alpaca_simulator.prices.quotes import Quote
from alpaca_simulator.prices.recordings import PriceFileError
from alpaca_simulator.prices.scripts import ScriptError, read_script
from alpaca_simulator.scenarios import Scenario, read_scenario, scenario_names
from alpaca_simulator.world import World


class MarketControl:
    """/sim/quote, /sim/walk, /sim/script, /sim/replay, /sim/burst, /sim/faults."""

    def __init__(self, world: World, feeds: Feeds, play: Callable[[Scenario], str]) -> None:
        self._play = play
        self._world = world
        self._feeds = feeds

    def routes(self) -> list[web.RouteDef]:
        """The paths."""
        return [
            web.post("/sim/quote", self.quote),
            web.post("/sim/walk", self.walk),
            web.post("/sim/script", self.script),
            web.post("/sim/replay", self.replay),
            web.get("/sim/scenarios", self.scenarios),
            web.post("/sim/scenario", self.scenario),
            web.post("/sim/burst", self.burst),
            web.post("/sim/stop", self.stop),
            web.post("/sim/minute", self.minute),
            web.get("/sim/faults", self.faults),
            web.post("/sim/faults", self.turn_on),
            web.delete("/sim/faults", self.turn_off),
            web.delete("/sim/faults/{name}", self.turn_off),
        ]

    async def quote(self, request: web.Request) -> web.Response:
        """Puts a quote in force and pushes it; a list goes out as one frame."""
        body = await read_body(request)
        quotes = [self._quote(row) for row in (body if isinstance(body, list) else [body])]
        for quote in quotes:
            # The walk, if it runs, goes on from here.
            if quote.symbol in self._world.walks and quote.mid > 0:
                self._world.walks[quote.symbol].anchor(quote.mid)
        self._world.push(quotes)
        return json_answer(200, {"pushed": [quote.record() for quote in quotes]})

    def _quote(self, row: Any) -> Quote:
        if not isinstance(row, dict):
            raise ControlError("a quote is an object")
        symbol = text_of(row, "symbol")
        if self._world.assets.find(symbol) is None:
            raise ControlError(f"unknown symbol {symbol}")
        at = time_of(row, "at")
        quote = self._world.next_quote(
            symbol,
            number_of(row, "bid", least=0),
            number_of(row, "ask", least=0),
            number_of(row, "bid_size", 1, least=0),
            number_of(row, "ask_size", 1, least=0),
            origin=at,
        )
        return quote if at is None else quote._replace(at=at)

    async def walk(self, request: web.Request) -> web.Response:
        """Pauses the random walk, or lets it go on."""
        self._feeds.walking = flag_of(await read_object(request), "on", default=True)
        return json_answer(200, self._feeds.state())

    async def script(self, request: web.Request) -> web.Response:
        """Plays a script of prices."""
        body = await read_body(request)
        then_walk = isinstance(body, dict) and flag_of(body, "then_walk", default=False)
        try:
            steps = read_script(body, self._world.middle)
        except ScriptError as e:
            raise ControlError(str(e)) from e
        return json_answer(200, {"feed": self._feeds.play(steps, then_walk=then_walk)})

    async def scenarios(self, request: web.Request) -> web.Response:
        """Lists the scenarios."""
        found = {name: read_scenario(name).about for name in scenario_names()}
        return json_answer(200, found)

    async def scenario(self, request: web.Request) -> web.Response:
        """Plays a scenario."""
        name = text_of(await read_object(request), "name")
        if name not in scenario_names():
            raise ControlError(f"unknown scenario {name}; GET /sim/scenarios lists them")
        return json_answer(200, {"feed": self._play(read_scenario(name))})

    async def replay(self, request: web.Request) -> web.Response:
        """Plays a file of recorded prices."""
        body = await read_object(request)
        replay = Replay(
            symbol=text_of(body, "symbol", "BTC/USD"),
            path=Path(text_of(body, "path")),
            speed=float(number_of(body, "speed", 1, least=0)),
            batch=int(number_of(body, "batch", 10, least=1)),
            spread_bps=number_of(body, "spread_bps", 0, least=0, most=5000),
            wait=flag_of(body, "wait", default=True),
        )
        try:
            return json_answer(200, {"feed": self._feeds.replay(replay)})
        except PriceFileError as e:
            raise ControlError(str(e)) from e

    async def burst(self, request: web.Request) -> web.Response:
        """Sends many quotes, at full speed or at a rate."""
        body = await read_object(request)
        symbols = body.get("symbols", ["BTC/USD"])
        if not isinstance(symbols, list) or not symbols:
            raise ControlError("symbols is a list")
        for symbol in symbols:
            if symbol not in self._world.walks:
                raise ControlError(f"unknown symbol {symbol}")
        name = self._feeds.burst(
            symbols,
            int(number_of(body, "quotes", 100_000, least=1)),
            int(number_of(body, "frame", 10, least=1, most=10_000)),
            float(number_of(body, "per_second", 0, least=0)),
        )
        return json_answer(200, {"feed": name})

    async def stop(self, request: web.Request) -> web.Response:
        """Stops the feed of a name."""
        self._feeds.stop(text_of(await read_object(request), "feed"))
        return json_answer(200, self._feeds.state())

    async def minute(self, request: web.Request) -> web.Response:
        """Ends the minute for the stream: its bars, updated bars and daily bars are sent now."""
        self._world.end_minute(early=True)
        self._world.update_minute(early=True)
        return json_answer(200, {})

    async def faults(self, request: web.Request) -> web.Response:
        """Lists the faults that are on, and those that there are."""
        return json_answer(200, {"on": self._world.faults.record(), "known": CATALOGUE})

    async def turn_on(self, request: web.Request) -> web.Response:
        """Turns on a fault by name, or a mix by seed; `"on": false` turns it off."""
        body = await read_object(request)
        if "seed" in body:
            on = self._world.faults.turn_on_mix(int(number_of(body, "seed")))
        elif not flag_of(body, "on", default=True):
            self._world.turn_off(text_of(body, "name"))
            on = []
        else:
            on = [self._turn_on(body)]
        for fault in on:
            self._world.turn_on(fault)
        return json_answer(200, {"on": [fault.record() for fault in on]})

    def _turn_on(self, body: dict[str, Any]) -> Fault:
        name = text_of(body, "name")
        params = body.get("params") or {}
        if not isinstance(params, dict):
            raise ControlError("params is an object")
        try:
            return self._world.faults.turn_on(
                name,
                {key: _plain(value) for key, value in params.items()},
                count=None if body.get("count") is None else int(number_of(body, "count", least=0)),
                probability=float(number_of(body, "probability", 1, least=0, most=1)),
                skip=int(number_of(body, "skip", 0, least=0)),
            )
        except UnknownFaultError as e:
            raise ControlError(f"unknown fault {name}; GET /sim/faults lists them") from e

    async def turn_off(self, request: web.Request) -> web.Response:
        """Turns off the faults of a name, or all."""
        self._world.turn_off(request.match_info.get("name"))
        return json_answer(200, {"on": self._world.faults.record()})


def _plain(value: Any) -> Any:
    # Bodies are read with exact decimals; a record of them is JSON again.
    return str(value) if not isinstance(value, str | int | bool | list | type(None)) else value
