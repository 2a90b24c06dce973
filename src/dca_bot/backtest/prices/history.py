"""Alpaca's minute bars, fetched page by page into `months.py`; each page is kept at once.

Market data for crypto needs no keys.  A run that is interrupted goes on where it stopped.
"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from dca_bot.backtest.prices.months import (
    MINUTE,
    Month,
    Stored,
    months,
    read_month,
    recorded,
    write_month,
)
from dca_bot.backtest.prices.recording import SECOND, joined
from dca_bot.program.errors import BrokerUnavailable, DcaError

PAGE_ROWS = 10_000
TIMEOUT_SECONDS = 30
TRIES = 7  # with longer and longer waits, a minute in all: Alpaca counts requests by the minute
TRY_AGAIN = {429, 500, 502, 503, 504}

Ask = Callable[[dict[str, str]], dict[str, Any]]  # the query's parameters -> the answer
Progress = Callable[[int], None]  # how far it has come, in nanoseconds


def fetch(
    ask: Ask, directory: Path, symbol: str, since: int, until: int, progress: Progress
) -> None:
    """Fetch what is not here of a pair's minute bars.

    Raises BrokerUnavailable where Alpaca does not answer, DcaError where it has no such pair.
    """
    found = False
    for month in months(since, until):
        begins, ends = max(since, month.begins), min(until, month.ends)
        stored = read_month(directory, symbol, month)
        if stored is not None and not stored.since <= begins <= stored.until:
            stored = None  # a hole would be left between what is here and what is asked for
        found = found or stored is not None
        for more in _pages(ask, symbol, month, stored, begins, ends):
            if len(more.bars) or found:
                write_month(directory, month, more)
                found = True
            progress(more.until)
        progress(ends)
    if not found:
        raise DcaError(
            f"Alpaca has no minute bars of {symbol} in this time: write a pair as BTC/USD, and "
            "choose a later --from"
        )


def _pages(
    ask: Ask, symbol: str, month: Month, stored: Stored | None, begins: int, ends: int
) -> Iterator[Stored]:
    """What is known of a month after each page."""
    if stored is not None and stored.until >= ends:
        return
    start = begins if stored is None else stored.until
    first = begins if stored is None else stored.since
    parts = [] if stored is None else [stored.bars]
    token = None
    while True:
        query = {
            "symbols": symbol,
            "timeframe": "1Min",
            "start": _rfc3339(start),
            "end": _rfc3339(ends - MINUTE),  # Alpaca's end counts
            "limit": str(PAGE_ROWS),
            "sort": "asc",
        }
        answer = ask(query | ({"page_token": token} if token else {}))
        bars = answer.get("bars") or {}
        rows = [_row(bar) for bar in bars.get(symbol) or []]
        rows = [row for row in rows if start <= row[0] < ends]
        parts = [joined([*parts, recorded(symbol, rows)])]
        token = answer.get("next_page_token")
        upto = ends if not token else (rows[-1][0] + MINUTE if rows else start)
        yield Stored(parts[0], first, upto)
        if not token:
            return


def asker(data_url: str, *, wait: Callable[[float], None] = time.sleep) -> Ask:
    """Asks Alpaca's market data, and again a few times where it is busy or away."""

    def ask(query: dict[str, str]) -> dict[str, Any]:
        url = f"{data_url}/v1beta3/crypto/us/bars?{urllib.parse.urlencode(query)}"
        for attempt in range(TRIES):
            try:
                with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310 - a checked setting
                    content: dict[str, Any] = json.load(answer, parse_float=Decimal)
                    return content
            except urllib.error.HTTPError as error:
                why = f"status {error.code}"
                if error.code not in TRY_AGAIN:
                    raise DcaError(_refusal(error)) from error
            except (OSError, ValueError) as error:
                why = str(error)
            if attempt < TRIES - 1:
                wait(2.0**attempt)
        raise BrokerUnavailable(
            f"Alpaca's market data does not answer ({why}): run it again later, it goes on where "
            "it stopped"
        )

    return ask


def _refusal(error: urllib.error.HTTPError) -> str:
    try:
        said = json.loads(error.read()).get("message", "")
    except (ValueError, AttributeError):
        said = ""
    return (
        f"Alpaca's market data refuses the question (status {error.code}: {said or error.reason}): "
        "check the pair and the days"
    )


def _row(bar: dict[str, Any]) -> tuple[int, list[Decimal]]:
    at = datetime.fromisoformat(bar["t"].replace("Z", "+00:00"))
    seconds = int(at.timestamp())
    return seconds * SECOND, [Decimal(bar[name]) for name in ("o", "h", "l", "c")]


def _rfc3339(nanoseconds: int) -> str:
    at = datetime.fromtimestamp(nanoseconds // SECOND, UTC)
    return at.isoformat().replace("+00:00", "Z")
