"""The loops beside the streams: asking Alpaca what became of orders, following the database and
Alpaca's list of assets, and looking after symbols that have gone quiet.

Rule: a loop never ends by itself, and says the same trouble once.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime, timedelta

from dca_bot.broker.streams import QuoteStream
from dca_bot.live.assets import Desk
from dca_bot.program.clock import Clock
from dca_bot.program.errors import BrokerUnavailable, StoreUnavailable
from dca_bot.program.logs import event
from dca_bot.trading.books import Books
from dca_bot.trading.ports import Broker, Store
from dca_bot.trading.settle import recover
from dca_bot.trading.trader import Trader

log = logging.getLogger(__name__)

SYNC_SECONDS = 15.0  # an update that never came is noticed within twice this
SETTLED_BY_THEN = timedelta(seconds=5)  # younger orders are left to the stream
AGAIN_SECONDS = 2.0
RULES_SECONDS = 24 * 3600.0
NOT_TRADED_SECONDS = 60.0  # how soon a halted or unknown symbol is asked about again
QUIET_AFTER = timedelta(seconds=60)


async def keep_orders_settled(
    books: Books, store: Store, broker: Broker, clock: Clock, gap: asyncio.Event
) -> None:
    """After each gap all orders under way, every 15 s those that should have ended by then."""
    told: set[str] = set()
    while True:
        after_gap = await _happens_within(gap, SYNC_SECONDS)
        gap.clear()
        before = None if after_gap else clock() - SETTLED_BY_THEN
        try:
            found = await asyncio.to_thread(recover, books, store, broker, intended_before=before)
        except (BrokerUnavailable, StoreUnavailable) as error:
            told = _tell_news(
                {f"could not ask about orders under way, trying again: {error}"}, told
            )
            await asyncio.sleep(AGAIN_SECONDS)
            gap.set()
            continue
        told = _tell_news(
            {f"an order can't be booked, trying again: {each}" for each in found.stuck}, told
        )
        if found.asked and (after_gap or found.ended):
            log.info(
                event(
                    "asked Alpaca about the orders under way",
                    asked=found.asked,
                    ended=found.ended,
                    in_doubt=len(found.in_doubt),
                )
            )
        if found.in_doubt:
            await asyncio.sleep(AGAIN_SECONDS)
            gap.set()


def _tell_news(troubles: set[str], told: set[str]) -> set[str]:
    """Say what was not said last time already; a trouble that lasts is told once."""
    for trouble in sorted(troubles - told):
        log.warning("%s", trouble)
    return troubles


async def follow_database(
    desk: Desk, watch: Callable[[Iterable[str]], Awaitable[None]], every_seconds: float
) -> None:
    """Pick up what SQL and the caretakers change, and tell the quote stream what is wanted."""
    while True:
        await desk.refresh()
        await watch(desk.wanted_symbols())
        await asyncio.sleep(every_seconds)


async def follow_rules(trader: Trader, broker: Broker, desk: Desk, refusal: asyncio.Event) -> None:
    """Read Alpaca's list of assets again daily, every 60 s while it does not trade one of ours, and
    soon after an order was refused: a halt or another increment may be why."""
    read_at = time.monotonic()
    while True:
        is_refused = await _happens_within(refusal, NOT_TRADED_SECONDS)
        refusal.clear()
        is_old = time.monotonic() - read_at >= RULES_SECONDS
        if not (is_refused or is_old or desk.symbols_not_traded()):
            continue
        try:
            trader.rules = await asyncio.to_thread(broker.rules)
            read_at = time.monotonic()
        except BrokerUnavailable as error:
            log.warning("Alpaca's list of assets could not be read, the old one stands: %s", error)
        await asyncio.sleep(AGAIN_SECONDS)  # refusals may come in dozens


async def look_after_quotes(
    desk: Desk, broker: Broker, clock: Clock, stream: QuoteStream, connected: asyncio.Event
) -> None:
    """Ask REST for the latest quotes after each connect, and every 60 s about quiet symbols.

    A quote that is newer than the stream's is looked at like any other.  One that is much newer
    shows that the subscription is dead though the socket lives: then the stream connects anew.
    Quotes that all come late are told: nothing is traded on them.
    """
    connected_at = clock()
    told: set[str] = set()
    while True:
        if await _happens_within(connected, QUIET_AFTER.total_seconds()):
            connected_at = clock()
        connected.clear()
        told = _tell_news(desk.late_quotes(clock()), told)
        heard = _quiet(desk, stream.subscribed, max(connected_at, clock() - QUIET_AFTER))
        try:
            latest = await asyncio.to_thread(broker.latest_quotes, sorted(heard)) if heard else {}
        except BrokerUnavailable as error:
            log.debug("no latest quotes over REST: %s", error)
            continue
        newer = [quote for quote in latest.values() if quote.at > heard.get(quote.symbol, quote.at)]
        for quote in newer:
            desk.on_quote(quote)
        mute = [
            quote.symbol
            for quote in newer
            if quote.at > max(heard[quote.symbol], connected_at) + QUIET_AFTER
        ]
        if mute:
            log.warning("the quote stream is mute on %s: connecting it anew", ", ".join(mute))
            await stream.reconnect()


def _quiet(desk: Desk, subscribed: frozenset[str], since: datetime) -> dict[str, datetime]:
    """The symbols whose quotes should come and haven't, and when their last one was."""
    never = datetime.min.replace(tzinfo=UTC)
    heard = {}
    for symbol in subscribed.intersection(desk.wanted_symbols()):
        quote = desk.newest_quote(symbol)
        at = quote.at if quote else never
        if at < since:
            heard[symbol] = at
    return heard


async def _happens_within(event_: asyncio.Event, seconds: float) -> bool:
    try:
        await asyncio.wait_for(event_.wait(), seconds)
    except TimeoutError:
        return False
    return True
