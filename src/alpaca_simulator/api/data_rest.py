"""The market-data REST API, /v1beta3/crypto (docs/alpaca.md 5): latest values and history."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from aiohttp import web

from alpaca_simulator.api.data_query import (
    Row,
    Rows,
    page,
    read_history_query,
    read_symbols,
    read_timeframe,
)
from alpaca_simulator.api.gate import json_answer
from alpaca_simulator.clock import rfc3339
from alpaca_simulator.prices.bar import DAY, merged
from alpaca_simulator.prices.book import book_of
from alpaca_simulator.prices.history import History
from alpaca_simulator.prices.quotes import Quote
from alpaca_simulator.world import World

ROOT = "/{version:v1beta3|v1beta2}/crypto/{location:us|us-1|us-2|eu-1|bs-1}"


class DataApi:
    """/v1beta3/crypto; unknown symbols are missing from the answers, not errors."""

    def __init__(self, world: World) -> None:
        self._world = world

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
        pair = self._world.tape.pair(symbol)
        trade = None if pair is None else pair.latest_trade()
        return None if trade is None else _timed(trade.to_wire())

    def _bar(self, symbol: str) -> Row | None:
        pair = self._world.tape.pair(symbol)
        return None if pair is None else _timed(pair.bar(self._world.clock.now()).to_wire())

    def _book(self, symbol: str) -> Row | None:
        quote = self._world.exchange.quotes.get(symbol)
        if quote is None:
            return None
        book = book_of(quote)
        return {"a": book.asks, "b": book.bids, "t": rfc3339(quote.at)}

    def _snapshot(self, symbol: str) -> Row | None:
        pair, now = self._world.tape.pair(symbol), self._world.clock.now()
        if pair is None:
            return None
        before = pair.yesterday(now)
        parts = {
            "dailyBar": _timed(pair.today(now).to_wire()),
            "latestQuote": self._quote(symbol),
            "latestTrade": self._trade(symbol),
            "minuteBar": self._bar(symbol),
            "prevDailyBar": None if before is None else _timed(before.to_wire()),
        }
        return {name: part for name, part in parts.items() if part is not None}

    async def bars(self, request: web.Request) -> web.Response:
        """Historical bars: an invented past, then what has happened here."""
        frame = read_timeframe(request.query.get("timeframe", "1Min"))

        def rows_of(history: History) -> Rows:
            def rows(start: int, end: int) -> Iterator[Row]:
                found = history.bars(frame.start_of(start), end + frame.longest, frame.made_of)
                for bar in merged(found, frame.start_of):
                    if start <= bar.at <= end:
                        yield bar.to_wire()

            return rows

        window = max(DAY, 500 * frame.longest)
        return await self._history(request, "bars", rows_of, window=window)

    async def quotes(self, request: web.Request) -> web.Response:
        """Historical quotes: three a minute for the past, then the latest that there were."""

        def rows_of(history: History) -> Rows:
            return lambda start, end: map(quote_row, history.quotes(start, end))

        return await self._history(request, "quotes", rows_of)

    async def trades(self, request: web.Request) -> web.Response:
        """Historical trades of the market, this account's among them."""

        def rows_of(history: History) -> Rows:
            return lambda start, end: (one.to_wire() for one in history.trades(start, end))

        return await self._history(request, "trades", rows_of)

    async def _history(
        self,
        request: web.Request,
        name: str,
        rows_of: Callable[[History], Rows],
        *,
        window: int = DAY,
    ) -> web.Response:
        now = self._world.clock.now()
        query = replace(read_history_query(request.query, now=now), window=window)
        pairs = {symbol: self._world.tape.pair(symbol) for symbol in query.symbols}
        rows = {
            symbol: rows_of(History(pair, now))
            for symbol, pair in pairs.items()
            if pair is not None
        }
        # A thread of its own: years of bars take a second, and the streams go on meanwhile.
        found, token = await asyncio.to_thread(page, query, rows)
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
