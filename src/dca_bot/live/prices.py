"""The newest quote of each symbol, from the stream or over REST, and the watches that it may hit.

Rule: lives on the event loop; the hot path begins here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

from dca_bot.broker import translate
from dca_bot.core.model import Quote
from dca_bot.live.watch import Watch, look_at

HEARD_SECONDS = 5.0
LENT = "lent"  # a raw quote with this key came over REST


class LivePrices:
    """`watches` are the assets' own, by symbol; a quote of any other symbol is dropped."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self.watches: dict[str, Watch] = {}
        self.known_at: float | None = None  # monotonic, by the stream or REST
        self._heard_at: float | None = None  # monotonic, by the stream

    def on_quotes(self, frame: list[dict[str, Any]]) -> None:
        """A frame off the wire: the hot path begins and, nearly always, ends here."""
        self._heard_at = self.known_at = self._monotonic()
        look_at(self.watches, frame)

    def on_lent_quote(self, quote: Quote) -> None:
        """One quote that REST has brought instead of the stream."""
        raw = {"S": quote.symbol, "bp": quote.bid, "ap": quote.ask, "t": quote.at.isoformat()}
        look_at(self.watches, [raw | {LENT: True}])

    def confirmed(self) -> None:
        """REST has returned the newest quotes of all symbols that were quiet."""
        self.known_at = self._monotonic()

    def newest(self, symbol: str) -> Quote | None:
        """The newest usable quote of a watched symbol, if there was one."""
        raw = self.watches[symbol].newest
        return translate.quote(raw) if raw else None

    def lent(self, symbol: str) -> Quote | None:
        """The same if it was REST that brought it."""
        raw = self.watches[symbol].newest
        return translate.quote(raw) if raw and LENT in raw else None

    def late(self, symbols: Iterable[str], now: datetime, age_max: timedelta) -> set[str]:
        """In words: quotes come, and by Alpaca's clock every one was too old when it came."""
        if self._heard_at is None:
            return set()
        heard_ago = self._monotonic() - self._heard_at
        quotes = [quote for each in symbols if (quote := self.newest(each))]
        if heard_ago > HEARD_SECONDS or not quotes:
            return set()
        heard_at = now - timedelta(seconds=heard_ago)
        if heard_at - max(quote.at for quote in quotes) <= age_max:
            return set()
        limit = age_max.total_seconds()
        return {
            f"all quotes are more than {limit:.0f} s old when they come, so none is acted on: "
            "look at this machine's network, and at what else it is busy with"
        }
