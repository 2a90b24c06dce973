"""Symbols that have gone quiet, and those that the stream doesn't bring: REST is asked for their
quotes.

Rule: the stream is called silent only when REST has had a quote that it owed and did not bring.
A market may be quiet for its own reasons.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

from dca_bot.core.model import Quote
from dca_bot.live.loop_parts import happens_within, log_what_is_new
from dca_bot.live.prices import LivePrices
from dca_bot.program.clock import Clock
from dca_bot.program.errors import BrokerUnavailable
from dca_bot.trading.ports import Broker

log = logging.getLogger(__name__)

LOOK_SECONDS = 10.0
QUIET_AFTER = timedelta(seconds=15)
LEFT_OUT_EVERY = timedelta(seconds=58)  # once a minute, at a look
# A quote made so long after the connect is surely the stream's to bring.
SURELY_LATER = timedelta(seconds=3)
# The stream and REST may cut a quote's time differently.
SAME_TIME = timedelta(milliseconds=1)
AHEAD_MAX = timedelta(seconds=2)  # what two clocks of Alpaca may differ by
# Should REST know quotes that no stream ever brings, each new connection that did not help makes
# the next come three times as late.
PATIENCE_GROWS, TRIES_MAX = 3, 4
NEVER = datetime.min.replace(tzinfo=UTC)


class Subscriptions(Protocol):
    """What is needed of the quote stream."""

    @property
    def subscribed(self) -> frozenset[str]: ...

    def call_silent(self, what: str) -> None: ...


class QuietSymbols:
    """`clock` is Alpaca's, which stamps the quotes; `wanted` are the symbols that are traded, and
    `holds_coins` says which of them may have a profit to take."""

    def __init__(
        self,
        prices: LivePrices,
        broker: Broker,
        clock: Clock,
        stream: Subscriptions,
        *,
        wanted: Callable[[], Sequence[str]],
        holds_coins: Callable[[str], bool],
    ) -> None:
        self._prices, self._broker, self._clock, self._stream = prices, broker, clock, stream
        self._wanted, self._holds_coins = wanted, holds_coins
        self._connected_at = self._left_out_at = NEVER
        self._owed: dict[str, int] = {}  # by symbol, at how many looks in a row
        self._tries: dict[str, int] = {}  # by symbol, how many new connections did not help

    async def look(self, *, just_connected: bool = False) -> None:
        """One look, every ten seconds and after each connect.

        1. Where REST had to lend a quote at an earlier look, and the stream has brought neither
           it nor a newer one since, the stream is silent.
        2. REST is asked about what has been quiet for 15 s, and once a minute about what the data
           plan leaves out.
        3. A quote that is newer than the newest known is looked at like any other; coins that are
           held come first.
        """
        now = self._clock()
        if just_connected:
            self._connected_at = now
            self._owed.clear()
        self._count_owed()
        if late := [each for each, looks in self._owed.items() if looks >= self._patience(each)]:
            self._tries |= {each: self._tries.get(each, 0) + 1 for each in late}
            self._owed.clear()
            self._stream.call_silent(", ".join(late))
        await self._ask(self._symbols_to_ask_about(now))

    def _count_owed(self) -> None:
        subscribed, prices = self._stream.subscribed, self._prices
        for symbol in self._wanted():
            lent = prices.lent(symbol)
            if lent is None:
                self._owed.pop(symbol, None)
                if prices.newest(symbol) is not None:  # the stream has brought it
                    self._tries.pop(symbol, None)
            elif symbol in subscribed and lent.at > self._connected_at + SURELY_LATER:
                self._owed[symbol] = self._owed.get(symbol, 0) + 1

    def _patience(self, symbol: str) -> int:
        return int(PATIENCE_GROWS ** min(self._tries.get(symbol, 0), TRIES_MAX))

    def _symbols_to_ask_about(self, now: datetime) -> list[str]:
        subscribed = self._stream.subscribed
        since = max(self._connected_at, now - QUIET_AFTER)
        asks_left_out = now - self._left_out_at >= LEFT_OUT_EVERY
        if asks_left_out:
            self._left_out_at = now
        return [
            symbol
            for symbol in self._wanted()
            if (symbol not in subscribed and asks_left_out)
            or (
                symbol in subscribed
                and (self._prices.lent(symbol) or self._newest_at(symbol) < since)
            )
        ]

    async def _ask(self, symbols: list[str]) -> None:
        if not symbols:
            return
        try:
            latest = await asyncio.to_thread(self._broker.latest_quotes, symbols)
        except BrokerUnavailable as error:
            log.debug("no latest quotes over REST: %s", error)
            return
        self._prices.confirmed()
        for quote in sorted(latest.values(), key=self._is_not_held):
            # a row may have gone in the meantime
            is_wanted = quote.symbol in self._wanted()
            if is_wanted and quote.at > self._newest_at(quote.symbol) + SAME_TIME:
                self._prices.on_lent_quote(quote)

    def _newest_at(self, symbol: str) -> datetime:
        """NEVER also for a quote from the future: it would make every other one look older."""
        quote = self._prices.newest(symbol)
        return quote.at if quote and quote.at <= self._clock() + AHEAD_MAX else NEVER

    def _is_not_held(self, quote: Quote) -> bool:
        return not self._holds_coins(quote.symbol)


async def look_after_quotes(
    quiet: QuietSymbols, late: Callable[[], set[str]], connected: asyncio.Event
) -> None:
    """See that no price is missed; tell of quotes that all come too late (`Prices.late`)."""
    logged: set[str] = set()
    while True:
        just_connected = await happens_within(connected, LOOK_SECONDS)
        connected.clear()
        logged = log_what_is_new(late(), logged)
        await quiet.look(just_connected=just_connected)
