"""Tells what the bot sees to whoever looks from outside: prices, cash, pauses and their reasons.

Rule: beside the trade, and slowly; trading never waits for it, and its trouble is nobody's.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from decimal import Decimal
from pathlib import Path

from dca_bot.live.assets import Desk
from dca_bot.program.clock import Clock
from dca_bot.program.errors import BrokerUnavailable
from dca_bot.trading.ports import Broker
from dca_bot.watchdog import sight

log = logging.getLogger(__name__)

LOOK_SECONDS = 2.0
CASH_SECONDS = 30.0  # a request to Alpaca each time


async def tell_what_is_seen(
    desk: Desk, broker: Broker, clock: Clock, mode: str, directory: Path
) -> None:
    """Write the sight every two seconds, with the cash as it was at most half a minute ago."""
    cash: Decimal | None = None
    asked_at = -CASH_SECONDS
    while True:
        if time.monotonic() - asked_at >= CASH_SECONDS:
            asked_at = time.monotonic()
            with suppress(BrokerUnavailable):  # then it is the cash of before
                cash = (await asyncio.to_thread(broker.account)).cash_available
        seen = sight.Sight(clock(), mode, cash, desk.seen())
        with suppress(OSError):  # a full disk: the heartbeat has said so
            sight.write(seen, directory)
        await asyncio.sleep(LOOK_SECONDS)
