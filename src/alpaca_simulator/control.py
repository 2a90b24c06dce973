"""The control API, /sim: for tests and demos on this machine, no part of Alpaca."""

from typing import Any

from aiohttp import web

from alpaca_simulator.decimals import ZERO, read_decimal
from alpaca_simulator.faults import CATALOGUE, UnknownFaultError
from alpaca_simulator.gate import json_answer
from alpaca_simulator.world import World


class ControlApi:
    """/sim."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[web.RouteDef]:
        """The paths."""
        return [
            web.post("/sim/quote", self.quote),
            web.get("/sim/record", self.record),
        ]

    async def quote(self, request: web.Request) -> web.Response:
        body = await request.json()
        rows = body if isinstance(body, list) else [body]
        now = self._world.clock.now()
        quotes = []
        for row in rows:
            bid, ask = read_decimal(row["bid"]), read_decimal(row["ask"])
            quotes.append(
                self._world.next_quote(row["symbol"], bid, ask, ZERO + 1, ZERO + 1, origin=now)
            )
        self._world.push(quotes)
        return json_answer(200, {"pushed": len(quotes)})

    async def record(self, request: web.Request) -> web.Response:
        return json_answer(
            200,
            self._world.journal.record()
            | {
                "orders": [o.to_wire() for o in self._world.exchange.orders.all()],
                "executions": [e.record() for e in self._world.exchange.executions],
            },
        )
