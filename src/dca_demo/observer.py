"""Gathers, a few times a second, what the view shows: prices, rows, heartbeat, log.

Rule: only looks, and only where any user could look: HTTP, SQL and files in LOG_DIR.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from dca_bot.core.model import Order, Quote
from dca_bot.program.clock import utc_now
from dca_bot.report.now import AssetNow
from dca_bot.report.profit import by_asset
from dca_bot.report.queries import LONG_AGO, LONG_AHEAD
from dca_bot.report.reader import Reader
from dca_bot.report.snapshot import take_snapshot
from dca_bot.store.orders import ORDERS
from dca_bot.watchdog import heartbeat
from dca_bot.watchdog.heartbeat import Heartbeat
from dca_demo.caretakers import Caretakers
from dca_demo.state import DemoState
from dca_sandbox.exchange import BidAsk, SimulatedExchange
from dca_sandbox.growing_file import GrowingFile

LOG_LINES_KEPT = 100
ORDERS_SHOWN_MAX = 20

LATEST_ORDERS = f"""
SELECT {ORDERS.all()}, symbol
  FROM dca_orders
 ORDER BY id DESC
 LIMIT %s
"""  # noqa: S608 - names of columns


class Observer:
    """Given everything that runs, makes a DemoState of it whenever asked."""

    def __init__(
        self,
        exchange: SimulatedExchange,
        reader: Reader,
        caretakers: Caretakers,
        log_dir: Path,
        *,
        page: str,
    ) -> None:
        self._exchange = exchange
        self._reader = reader
        self._caretakers = caretakers
        self._log_dir = log_dir
        self._page = page
        self._bot_log = GrowingFile(log_dir / "main_app.log")
        self._log_lines: deque[str] = deque(maxlen=LOG_LINES_KEPT)
        self._prices: dict[str, BidAsk] = {}
        self._started = time.monotonic()

    def observe(self) -> DemoState:
        """The present moment; raises StoreUnavailable when the database is gone."""
        new_lines = self._bot_log.new_lines()
        self._log_lines += new_lines
        now, reader = utc_now(), self._reader
        reader.look_again()
        seen = take_snapshot(reader, self._log_dir, now, mode="simulated")
        return DemoState(
            now=now,
            running=timedelta(seconds=time.monotonic() - self._started),
            bot=self._bot(),
            assets=tuple(self._priced(seen.assets, now)),
            earned={
                each.group: (each.net, each.cycles)
                for each in by_asset(reader, LONG_AGO, LONG_AHEAD)
            },
            orders=tuple(self._latest_orders()),
            caretakers=self._caretakers.shown(),
            log_lines=tuple(self._log_lines),
            new_log_lines=tuple(new_lines),
            page=self._page,
        )

    def heartbeat(self) -> Heartbeat | None:
        """The bot's last sign of life."""
        return heartbeat.read(self._log_dir)

    def _priced(self, assets: Sequence[AssetNow], now: datetime) -> Iterator[AssetNow]:
        """With the prices of this moment, not those that the bot wrote down last."""
        self._prices |= self._exchange.prices([each.asset.symbol for each in assets])
        for each in assets:
            symbol = each.asset.symbol
            if (price := self._prices.get(symbol)) is not None:
                quote = Quote(symbol, price.bid, price.ask, now)
                each = replace(each, seen=replace(each.seen, quote=quote))
            yield each

    def _latest_orders(self) -> Iterator[tuple[str, Order]]:
        """With their symbols, the newest first."""
        for row in self._reader.rows(LATEST_ORDERS, ORDERS_SHOWN_MAX):
            if (order := self._reader.take(ORDERS, row)) is not None:
                yield str(row[ORDERS.width]), order

    def _bot(self) -> str:
        beat = self.heartbeat()
        if beat is None:
            return "bot is starting"
        if heartbeat.process_start(beat.pid) != beat.process_start:
            return "bot has ended"
        age = max(timedelta(0), utc_now() - beat.at)
        return f"bot beat {age.total_seconds():.0f} s ago"
