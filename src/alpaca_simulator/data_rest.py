"""The market-data REST API, /v1beta3/crypto (ALPACA.md 5)."""

from typing import Any

from aiohttp import web

from alpaca_simulator.clock import rfc3339
from alpaca_simulator.gate import json_answer
from alpaca_simulator.quotes import Quote
from alpaca_simulator.world import World


class DataApi:
    """/v1beta3/crypto."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[web.RouteDef]:
        """The paths."""
        return [web.get("/v1beta3/crypto/us/latest/quotes", self.latest_quotes)]

    async def latest_quotes(self, request: web.Request) -> web.Response:
        """Shows the quotes in force."""
        symbols = request.query.get("symbols", "").split(",")
        quotes = self._world.exchange.quotes
        found = {symbol: quote_wire(quotes[symbol]) for symbol in symbols if symbol in quotes}
        return json_answer(200, {"quotes": found})


def quote_wire(quote: Quote) -> dict[str, Any]:
    """Writes a quote as recorded/market_data_rest_2024.json has it."""
    return {
        "ap": float(quote.ask),
        "as": float(quote.ask_size),
        "bp": float(quote.bid),
        "bs": float(quote.bid_size),
        "t": rfc3339(quote.at),
    }
