"""Prices for the charts: what the bot has seen, and minutes of Alpaca's for the day before.

Rule: for the eye only.  Alpaca is asked for what anybody may read, without keys, and at most once
in a few minutes for each asset; where it does not answer, what the bot has seen must do.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import aiohttp

DAY = timedelta(days=1)
SAMPLE_SECONDS = 10.0
SAMPLES_MAX = int(DAY.total_seconds() / SAMPLE_SECONDS)
BARS_KEPT_SECONDS = 300.0
ANSWER_SECONDS = 5.0
BARS_MAX = 1_500

Point = tuple[str, str]  # a time in ISO 8601, a price


class ChartPrices:
    """One day of each asset, by symbol."""

    def __init__(self, data_url: str) -> None:
        self._url = f"{data_url}/v1beta3/crypto/us/bars"
        self._seen: dict[str, deque[Point]] = {}
        self._sampled_at = float("-inf")
        self._bars: dict[str, tuple[float, list[Point]]] = {}

    def remember(self, assets: Iterable[Mapping[str, Any]], at: datetime) -> None:
        """Keep the bid of each asset of a status, unless the last one is young."""
        now = time.monotonic()
        if now - self._sampled_at < SAMPLE_SECONDS:
            return
        self._sampled_at = now
        symbols = set()
        for asset in assets:
            symbols.add(asset["symbol"])
            if asset["bid"] is not None:
                seen = self._seen.setdefault(asset["symbol"], deque(maxlen=SAMPLES_MAX))
                seen.append((at.isoformat(), f"{asset['bid']:f}"))
        for gone in self._seen.keys() - symbols:
            del self._seen[gone]

    async def of_the_last_day(self, symbol: str, now: datetime) -> Sequence[Point]:
        """Minutes of Alpaca's, and from the first sample on what the bot has seen."""
        seen = list(self._seen.get(symbol, ()))
        bars = await self._minutes(symbol, now)
        begins = seen[0][0] if seen else now.isoformat()
        return [bar for bar in bars if bar[0] < begins] + seen

    async def _minutes(self, symbol: str, now: datetime) -> list[Point]:
        kept_at, bars = self._bars.get(symbol, (float("-inf"), []))
        if time.monotonic() - kept_at < BARS_KEPT_SECONDS:
            return bars
        params = {"symbols": symbol, "timeframe": "1Min", "limit": str(BARS_MAX)}
        params["start"] = (now - DAY).isoformat()
        try:
            limit = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
            async with (
                aiohttp.ClientSession(timeout=limit) as session,
                session.get(self._url, params=params) as answer,
            ):
                body = await answer.json()
            bars = [
                (datetime.fromisoformat(bar["t"]).isoformat(), str(bar["c"]))
                for bar in body["bars"].get(symbol, ())
            ]
        except (TimeoutError, aiohttp.ClientError, ValueError, KeyError, TypeError):
            bars = []
        self._bars[symbol] = (time.monotonic(), bars)
        return bars
