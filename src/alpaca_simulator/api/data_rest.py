"""The market-data REST API, /v1beta3/crypto (docs/alpaca.md 5): latest values and history."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from aiohttp import web

from alpaca_simulator.api.data_query import (
    merge,
    page,
    read_history_query,
    read_symbols,
    read_timeframe,
)
from alpaca_simulator.api.gate import json_answer
from alpaca_simulator.clock import rfc3339
from alpaca_simulator.prices.bars import Bar
from alpaca_simulator.prices.quotes import Quote
from alpaca_simulator.world import World

ROOT = "/v1beta3/crypto/{location:us|us-1|us-2|eu-1|bs-1}"
Row = Mapping[str, Any]


class DataApi:
    """/v1beta3/crypto; unknown symbols are missing from the answers, not errors."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._past: dict[str, list[Bar]] = {}

    def routes(self) -> list[web.RouteDef]:
        """The paths."""
        return [
            web.get(f"{ROOT}/latest/quotes", self._latest("quotes", self._quote)),
            web.get(f"{ROOT}/latest/trades", self._latest("trades", self._trade)),
            web.get(f"{ROOT}/latest/bars", self._latest("bars", self._bar)),
            web.get(f"{ROOT}/latest/orderbooks", self._latest("orderbooks", self._book)),
            web.get(f"{ROOT}/snapshots", self._latest("snapshots", self._snapshot)),
            web.get(f"{ROOT}/bars", self.bars),
            web.get(f"{ROOT}/quotes", self.quotes),
            web.get(f"{ROOT}/trades", self.trades),
        ]

    def _latest(self, name: str, read: Callable[[str], Row | None]) -> Callable[[web.Request], Any]:
        async def handler(request: web.Request) -> web.Response:
            found = {symbol: read(symbol) for symbol in read_symbols(request.query)}
            rows = {symbol: row for symbol, row in found.items() if row is not None}
            return json_answer(200, {name: rows})

        return handler

    def _quote(self, symbol: str) -> Row | None:
        quote = self._world.exchange.quotes.get(symbol)
        return None if quote is None else _timed(quote_row(quote))

    def _trade(self, symbol: str) -> Row | None:
        trades = self._world.bars.trades(symbol)
        return _timed(trades[-1]) if trades else None

    def _bar(self, symbol: str) -> Row | None:
        bars = self._world.bars.bars(symbol)
        return _timed(bars[-1].to_wire()) if bars else None

    def _book(self, symbol: str) -> Row | None:
        quote = self._world.exchange.quotes.get(symbol)
        if quote is None:
            return None
        return {
            "a": [{"p": float(quote.ask), "s": float(quote.ask_size)}],
            "b": [{"p": float(quote.bid), "s": float(quote.bid_size)}],
            "t": rfc3339(quote.at),
        }

    def _snapshot(self, symbol: str) -> Row | None:
        bars = self._bars(symbol)
        if not bars:
            return None
        days = merge(bars, read_timeframe("1Day"))
        parts = {
            "dailyBar": _timed(days[-1].to_wire()),
            "latestQuote": self._quote(symbol),
            "latestTrade": self._trade(symbol),
            "minuteBar": _timed(bars[-1].to_wire()),
            "prevDailyBar": _timed(days[-2].to_wire()) if len(days) > 1 else None,
        }
        return {name: part for name, part in parts.items() if part is not None}

    def _bars(self, symbol: str) -> list[Bar]:
        if symbol not in self._past:
            self._past[symbol] = self._world.bars.past(symbol)
        return self._past[symbol] + self._world.bars.bars(symbol)

    async def bars(self, request: web.Request) -> web.Response:
        """Historical bars: an invented past, then what has happened here."""
        start_of = read_timeframe(request.query.get("timeframe", "1Min"))

        def rows(symbol: str) -> list[Row]:
            return [bar.to_wire() for bar in merge(self._bars(symbol), start_of)]

        return self._history(request, "bars", rows)

    async def quotes(self, request: web.Request) -> web.Response:
        """Historical quotes: the latest that there were here."""

        def rows(symbol: str) -> list[Row]:
            return [quote_row(quote) for quote in self._world.bars.quotes(symbol)]

        return self._history(request, "quotes", rows)

    async def trades(self, request: web.Request) -> web.Response:
        """Historical trades: those of this account, as there are no others."""
        return self._history(request, "trades", self._world.bars.trades)

    def _history(
        self, request: web.Request, name: str, rows: Callable[[str], Sequence[Row]]
    ) -> web.Response:
        query = read_history_query(request.query, now=self._world.clock.now())
        found, token = page(query, rows)
        timed = {symbol: [_timed(row) for row in found[symbol]] for symbol in found}
        return json_answer(200, {name: timed, "next_page_token": token})


def quote_row(quote: Quote) -> Row:
    """Writes a quote as recorded/market_data_rest_2024.json has it, its time in nanoseconds."""
    return {
        "ap": float(quote.ask),
        "as": float(quote.ask_size),
        "bp": float(quote.bid),
        "bs": float(quote.bid_size),
        "t": quote.at,
    }


def _timed(row: Row) -> Row:
    return {**row, "t": rfc3339(row["t"])}
