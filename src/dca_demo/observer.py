"""Gathers, a few times a second, what the view shows: prices, books, heartbeat, log.

Rule: only looks, and only where any user could look: HTTP, SQL and files in LOG_DIR.
"""

from __future__ import annotations

import time
from collections import deque
from datetime import timedelta
from pathlib import Path

from dca_bot.program.clock import utc_now
from dca_bot.watchdog import heartbeat
from dca_bot.watchdog.heartbeat import Heartbeat
from dca_demo.books import Books
from dca_demo.caretakers import Caretakers
from dca_demo.state import AssetNow, DemoState
from dca_sandbox.exchange import BidAsk, SimulatedExchange
from dca_sandbox.growing_file import GrowingFile

LOG_LINES_KEPT = 100


class Observer:
    """Given everything that runs, makes a DemoState of it whenever asked."""

    def __init__(
        self,
        exchange: SimulatedExchange,
        books: Books,
        caretakers: Caretakers,
        log_dir: Path,
        *,
        page: str,
    ) -> None:
        self._exchange = exchange
        self._books = books
        self._caretakers = caretakers
        self._log_dir = log_dir
        self._page = page
        self._bot_log = GrowingFile(log_dir / "main_app.log")
        self._log_lines: deque[str] = deque(maxlen=LOG_LINES_KEPT)
        self._assets: tuple[AssetNow, ...] = books.assets({})
        self._prices: dict[str, BidAsk] = {}
        self._started = time.monotonic()

    def observe(self) -> DemoState:
        """The present moment; raises StoreUnavailable when the database is gone."""
        new_lines = self._bot_log.new_lines()
        self._log_lines += new_lines
        symbols = [each.asset.symbol for each in self._assets]
        self._prices |= self._exchange.prices(symbols)
        self._assets = self._books.assets(self._prices)
        return DemoState(
            now=utc_now(),
            running=timedelta(seconds=time.monotonic() - self._started),
            bot=self._bot(),
            assets=self._assets,
            orders=self._books.latest_orders(),
            caretakers=self._caretakers.shown(),
            log_lines=tuple(self._log_lines),
            new_log_lines=tuple(new_lines),
            page=self._page,
        )

    def heartbeat(self) -> Heartbeat | None:
        """The bot's last sign of life."""
        return heartbeat.read(self._log_dir)

    def _bot(self) -> str:
        beat = self.heartbeat()
        if beat is None:
            return "bot is starting"
        if heartbeat.process_start(beat.pid) != beat.process_start:
            return "bot has ended"
        age = max(timedelta(0), utc_now() - beat.at)
        return f"bot beat {age.total_seconds():.0f} s ago"
