"""Writes down what the bot sees, for other programs: prices, cash, pauses and their reasons.

Rule: best effort, every two seconds; trading never waits for it, and its errors are ignored.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from pathlib import Path

from dca_bot.core.model import Cycle
from dca_bot.live.problems import AssetSnapshot
from dca_bot.program.clock import OFFSET_MAX, Clock, clock_trouble
from dca_bot.program.errors import BrokerUnavailable
from dca_bot.trading.ports import Broker
from dca_bot.watchdog import sight

log = logging.getLogger(__name__)

LOOK_SECONDS = 2.0
# A request to Alpaca each time.
CASH_SECONDS = 30.0
CASH_SECONDS_AFTER_A_CHANGE = 5.0


class AccountCash:
    """The account's cash, asked for every half minute, and sooner when a cycle has changed."""

    def __init__(self, broker: Broker, seconds: Callable[[], float] = time.monotonic) -> None:
        self._broker = broker
        self._seconds = seconds
        self._asked_at = -CASH_SECONDS
        self._cycles: Sequence[Cycle | None] = ()
        self._cash: Decimal | None = None

    def cash(self, cycles: Sequence[Cycle | None]) -> Decimal | None:
        """What BUYs in USD may use, given the cycles as they are now; None: not known yet."""
        changed = cycles != self._cycles
        longest = CASH_SECONDS_AFTER_A_CHANGE if changed else CASH_SECONDS
        now = self._seconds()
        if now - self._asked_at >= longest:
            self._asked_at, self._cycles = now, cycles
            with suppress(BrokerUnavailable):  # then it is the cash of before
                self._cash = self._broker.account().cash_available
        return self._cash


def no_orders(broker: Broker) -> str:
    """Why none is placed at all; "" while nothing keeps them back."""
    offset = broker.clock_offset
    return clock_trouble(offset) if abs(offset) > OFFSET_MAX else ""


async def write_sights(
    snapshots: Callable[[], Sequence[AssetSnapshot]],
    seen: Callable[[], Mapping[str, sight.AssetSight]],
    broker: Broker,
    clock: Clock,
    *,
    mode: str,
    directory: Path,
) -> None:
    """Write the sight every two seconds."""
    account_cash = AccountCash(broker)
    while True:
        cycles = [snapshot.state.cycle for snapshot in snapshots()]
        cash = await asyncio.to_thread(account_cash.cash, cycles)
        with suppress(OSError):  # a full disk: the heartbeat has said so
            sight.write(sight.Sight(clock(), mode, cash, no_orders(broker), seen()), directory)
        await asyncio.sleep(LOOK_SECONDS)
