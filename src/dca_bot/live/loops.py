"""The loops beside the streams: asking Alpaca what became of orders, following the database and
Alpaca's list of assets.

Rule: a loop never ends by itself, and says the same trouble once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from datetime import timedelta

from dca_bot.live.loop_parts import happens_within, log_what_is_new
from dca_bot.program.clock import Clock, Level, clock_level, clock_trouble
from dca_bot.program.errors import BrokerUnavailable, StoreUnavailable
from dca_bot.program.log_text import event
from dca_bot.trading.books import Books
from dca_bot.trading.ports import Broker, Store
from dca_bot.trading.settle import recover
from dca_bot.trading.trader import Trader

log = logging.getLogger(__name__)

CLOCK_SECONDS = 2.0
SYNC_SECONDS = 15.0  # an update that never came is noticed within twice this
SETTLED_BY_THEN = timedelta(seconds=5)  # younger orders are left to the stream
AGAIN_SECONDS = 2.0
RULES_SECONDS = 24 * 3600.0
NOT_TRADED_SECONDS = 60.0  # how soon a halted or unknown symbol is asked about again


async def keep_orders_settled(
    books: Books, store: Store, broker: Broker, clock: Clock, gap: asyncio.Event
) -> None:
    """After each gap all orders under way, every 15 s those that should have ended by then."""
    logged: set[str] = set()
    while True:
        after_gap = await happens_within(gap, SYNC_SECONDS)
        gap.clear()
        before = None if after_gap else clock() - SETTLED_BY_THEN
        try:
            found = await asyncio.to_thread(
                recover, books, store, broker, intended_before=before, clock=clock
            )
        except (BrokerUnavailable, StoreUnavailable) as error:
            logged = log_what_is_new(
                {f"could not ask about orders under way, trying again: {error}"}, logged
            )
            await asyncio.sleep(AGAIN_SECONDS)
            gap.set()
            continue
        logged = log_what_is_new(
            {f"an order can't be booked, trying again: {each}" for each in found.stuck}, logged
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


async def watch_clock(broker: Broker) -> None:
    """Say it once when our clock is wrong, and when it is right again (behaviour 15).

    Every answer carries Alpaca's time, and one comes at least each half minute (sight_writer.py).
    """
    logged: Level | None = None
    while True:
        offset = broker.clock_offset
        level = clock_level(offset, logged)
        if level is not logged:
            if level is None:
                log.info("this machine's clock agrees with Alpaca's again")
            else:
                log.log(level, clock_trouble(offset))
        logged = level
        await asyncio.sleep(CLOCK_SECONDS)


async def follow_database(
    refresh: Callable[[], Awaitable[None]],
    wanted_symbols: Callable[[], Iterable[str]],
    watch: Callable[[Iterable[str]], Awaitable[None]],
    every_seconds: float,
) -> None:
    """Pick up what SQL and the caretakers change, and tell the quote stream what is wanted."""
    while True:
        await refresh()
        await watch(wanted_symbols())
        await asyncio.sleep(every_seconds)


async def follow_rules(
    trader: Trader,
    broker: Broker,
    symbols_not_traded: Callable[[], Iterable[str]],
    refusal: asyncio.Event,
) -> None:
    """Read Alpaca's list of assets again daily, every 60 s while it does not trade one of ours, and
    soon after an order was refused: a halt or another increment may be why."""
    now = asyncio.get_running_loop().time
    read_at = now()
    while True:
        is_refused = await happens_within(refusal, NOT_TRADED_SECONDS)
        refusal.clear()
        is_old = now() - read_at >= RULES_SECONDS
        if not (is_refused or is_old or symbols_not_traded()):
            continue
        try:
            trader.rules = await asyncio.to_thread(broker.rules)
            read_at = now()
        except BrokerUnavailable as error:
            log.warning("Alpaca's list of assets could not be read, the old one stands: %s", error)
        await asyncio.sleep(AGAIN_SECONDS)  # refusals may come in dozens
