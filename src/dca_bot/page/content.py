"""What the page shows, read from the database and LOG_DIR.

Rule: one look serves everybody who asks within a second; what reads the whole history is read at
most once a minute.
"""

from __future__ import annotations

import asyncio
import csv
import io
import logging
import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from importlib.metadata import version
from typing import Any

from dca_bot.core.model import OrderKind, Side
from dca_bot.page.charts import capital_curve, daily, earned_curve
from dca_bot.page.history import History, Past
from dca_bot.page.honest_words import in_words
from dca_bot.page.prices import ChartPrices
from dca_bot.page.tie_out import tie_out
from dca_bot.program.clock import utc_now
from dca_bot.program.errors import DcaError
from dca_bot.program.setting_groups import StoreSettings
from dca_bot.report import queries
from dca_bot.report.cycles import (
    ALL_CYCLES,
    CycleLine,
    Story,
    closed_lines,
    cycle_object,
    open_lines,
    story_of,
)
from dca_bot.report.health import look
from dca_bot.report.honesty import stuck_now
from dca_bot.report.ladder import Ladder, ladder_from
from dca_bot.report.now import AssetNow, Now
from dca_bot.report.reader import Reader, known, moment
from dca_bot.report.status import status

log = logging.getLogger(__name__)

DAY = timedelta(days=1)
LOOK_SECONDS = 1.0
CYCLES_SHOWN = 200
TIE_OUT_SECONDS = 3_600.0
COLUMNS = (
    *("id", "symbol", "status", "net", "fees", "invested"),
    *("safety_orders", "began_at", "completed_at"),
)


class Content:
    """Read by one thread at a time; raises StoreUnavailable and UnreadableRow."""

    def __init__(self, settings: StoreSettings, mode: str, data_url: str) -> None:
        self._settings = settings
        self._mode = mode
        self._reader = Reader(settings.database)
        self._prices = ChartPrices(data_url)
        self._lock = asyncio.Lock()
        self._looked_at = float("-inf")
        self._look: dict[str, Any] = {}
        self._now: Now | None = None
        self._history = History(self._reader)
        self._drawn_of: tuple[Past, list[Any]] | None = None
        self._charts: dict[str, Any] = {}
        self._tie_out: dict[str, Any] = {"state": "not asked yet"}

    async def everything(self) -> Mapping[str, Any]:
        """The object of /data.json."""
        async with self._lock:
            if time.monotonic() - self._looked_at > LOOK_SECONDS:
                self._look = await asyncio.to_thread(self._read)
                self._looked_at = time.monotonic()
            return {**self._look, "tie_out": self._tie_out}

    async def asset(self, symbol: str) -> Mapping[str, Any] | None:
        """What is shown of an asset when its row is opened; None: there is none."""
        await self.everything()
        found = self._now.find(symbol) if self._now and symbol else None
        if found is None:
            return None
        async with self._lock:
            data = await asyncio.to_thread(self._read_asset, found)
        data["prices"] = await self._prices.of_the_last_day(found.asset.symbol, utc_now())
        return data

    async def cycles_csv(self, symbol: str | None) -> str:
        """Every cycle, newest first, as a table for spreadsheets."""
        async with self._lock:
            lines = await asyncio.to_thread(self._all_cycles, symbol)
        text = io.StringIO()
        rows = csv.writer(text)
        rows.writerow(COLUMNS)
        for line in lines:
            data = cycle_object(line)
            rows.writerow(["" if data[name] is None else data[name] for name in COLUMNS])
        return text.getvalue()

    async def remember_prices(self, seconds: float) -> None:
        """Again and again, also when nobody looks: a chart needs a past."""
        logged = ""
        while True:
            try:
                data = await self.everything()
                self._prices.remember(data["status"]["assets"], utc_now())
            except DcaError:
                pass  # the page itself shows it
            except Exception as error:  # noqa: BLE001 - the next look may go well
                if repr(error) != logged:
                    log.exception("a chart lacks the prices of now")
                logged = repr(error)
            await asyncio.sleep(seconds)

    async def tie_out_again_and_again(self) -> None:
        """Compare with Alpaca every hour, in a process of its own: this one never has the keys."""
        while True:
            self._tie_out = await tie_out()
            await asyncio.sleep(TIE_OUT_SECONDS)

    def close(self) -> None:
        """Let go of the database."""
        self._reader.close()

    def _read(self) -> dict[str, Any]:
        now, health = look(self._reader, self._settings, self._mode)
        self._now, opened = now, open_lines(now)
        past = self._history.look(now)
        return {
            "status": status(now, health, past.earned),
            "version": version("dca-bot"),
            "zone": now.at.astimezone().tzname(),
            "cycles": [cycle_object(line) for line in [*opened, *past.closed[:CYCLES_SHOWN]]],
            "bought": {
                each.asset.symbol: [
                    order.filled_average_price
                    for order in each.orders
                    if order.side is Side.BUY and order.filled_average_price is not None
                ]
                for each in now.assets
                if each.is_holding
            },
            "charts": self._draw(past, opened, now.at),
            "honesty": in_words(replace(past.honesty, stuck=stuck_now(now))),
        }

    def _draw(self, past: Past, opened: list[CycleLine], at: datetime) -> dict[str, Any]:
        """The curves, drawn again when something has changed in them."""
        money_in = [(each.id, each.invested) for each in opened]
        drawn_of = (past, money_in)
        if self._drawn_of != drawn_of:
            self._drawn_of = drawn_of
            self._charts = {
                "earned": earned_curve(past.closed, past.earned.net, past.days),
                "days": daily(past.days),
                "capital": capital_curve([*opened, *past.closed], at),
            }
        return self._charts

    def _read_asset(self, found: AssetNow) -> dict[str, Any]:
        self._reader.look_again()
        ladder = _ladder(found)
        story = story_of(self._reader, found.cycle.cycle_id) if found.cycle else None
        return {
            "symbol": found.asset.symbol,
            "rungs": [asdict(rung) for rung in ladder.rungs],
            "warnings": list(ladder.warnings),
            "orders": [
                {
                    "kind": order.kind.value,
                    "rung": order.rung,
                    "side": order.side.value,
                    "status": order.status.value,
                    "at": order.created_at,
                    "quantity": order.filled_quantity,
                    "ordered": order.quantity,
                    "price": order.filled_average_price,
                    "limit_price": order.limit_price,
                    "fee": story.fee_of(order) if story and order.filled_quantity else None,
                    "fee_estimated": Story.is_estimated(order),
                }
                for order in (story.orders if story else ())
            ],
            "events": [
                {"at": event.at, "kind": event.kind, "sentence": event.sentence}
                for event in (story.events if story else ())
            ],
            "trades": self._trades_of_a_day(found),
            "to_correct": list(self._reader.to_correct),
        }

    def _trades_of_a_day(self, found: AssetNow) -> list[dict[str, Any]]:
        since = utc_now() - DAY
        rows = self._reader.rows(queries.TRADES_OF_ASSET, found.asset.asset_id, since)
        return [
            {
                "at": moment(row[0]),
                "side": OrderKind(str(row[1])).side.value,
                "price": known(row[2]),
            }
            for row in rows
            if row[1] in tuple(OrderKind)
        ]

    def _all_cycles(self, symbol: str | None) -> list[CycleLine]:
        self._reader.look_again()
        return closed_lines(self._reader, symbol, ALL_CYCLES)


def _ladder(found: AssetNow) -> Ladder:
    price = found.quote.ask if found.quote else None
    price = price or (found.cycle.last_order_fill_price if found.cycle else None)
    if price is None:
        return Ladder((), ("no price is known yet",))
    if not found.is_holding:
        return ladder_from(found.asset, price, found.rules, fee_rate=found.fee_rate)
    return ladder_from(
        found.asset,
        price,
        found.rules,
        fee_rate=found.fee_rate,
        cycle=found.cycle,
        invested=found.invested,
    )
