"""The lines between the bot and the exchange (requests, updates, quotes), and their mishaps."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Mapping
from contextlib import suppress
from decimal import Decimal
from email.utils import formatdate
from typing import Any

from alpaca_simulator.clock import SECOND, rfc3339
from alpaca_simulator.exchange.rejections import Rejection
from alpaca_simulator.exchange.updates import TradeUpdate
from dca_bot.broker.alpaca_clock import AlpacaClock
from dca_bot.broker.transport import HttpError, NoAnswer, NotSent

from .mishaps import Calm
from .process import Process
from .venue import Venue
from .virtual_time import VirtualLoop

TIMEOUT_SECONDS = 10.0
# A request that its sender has given up may still arrive; by then it must not be given up too.
LATE_SECONDS = 12.0
GONE = 0.2  # the share of garbled quotes that lack a field
BEFORE_THE_VENUE = {
    "429": (429, "rate limit exceeded"),
    "5xx": (503, ""),
    "forbidden": (403, "forbidden."),
}


class Wire:
    """In place of broker.transport.Transport: a request travels, is answered, and travels back."""

    def __init__(
        self,
        process: Process,
        venue: Venue,
        loop: VirtualLoop,
        seed: int,
        clock: AlpacaClock | None = None,
    ) -> None:
        self.host = "the-exchange"
        self._clock = clock
        self._process = process
        self._venue = venue
        self._loop = loop
        self._mishaps = process.mishaps
        self._dice = random.Random(f"wire:{seed}:{process.name}")

    def request(
        self,
        method: str,
        path: str,
        content: Mapping[str, Any] | None = None,
        *,
        urgent: bool = False,
    ) -> Any:
        """As the real one: the decoded answer, or NotSent, NoAnswer or HttpError."""
        what = f"{method} {path.split('/')[1].partition(':')[0]}"
        # A request is sent at once or not at all: nobody could tell one that was sent much later
        # from a new one, and what stands still before that is the trader's to notice.
        self._process.step(f"{what} about to be sent")
        asked_at = self._loop.time()
        self._process.rest(self._dice.uniform(0.01, 0.1))
        self._stop_before(what, method, path, content or {})
        answer, error = self._ask(method, path, content or {})
        date = formatdate(self._venue.exchange.clock.now() // SECOND, usegmt=True)
        self._process.step_alone(f"{what} taken")
        self._stop_after(what)
        self._process.rest(self._dice.uniform(0.01, 0.1))
        if self._clock is not None:
            self._clock.heard(date, self._loop.time() - asked_at)
        if error is not None:
            raise error
        self._process.step_alone(f"{what} answered")
        return answer

    def close(self) -> None: ...

    def _ask(
        self, method: str, path: str, content: Mapping[str, Any]
    ) -> tuple[Any, HttpError | None]:
        try:
            return json.loads(json.dumps(self._venue.answer(method, path, content))), None
        except Rejection as no:
            return None, HttpError(no.status, json.dumps(no.body))

    def _stop_before(self, what: str, method: str, path: str, content: Mapping[str, Any]) -> None:
        strikes = self._mishaps.strikes
        if self._venue.is_away or strikes("not connected", what):
            raise NotSent("the-exchange can't be reached")
        if strikes("request lost", what):
            raise NoAnswer("the connection was cut")
        if strikes("request times out", what):
            self._process.rest(TIMEOUT_SECONDS)
            raise NoAnswer("timed out")
        if strikes("taken late", what):
            late = TIMEOUT_SECONDS + self._dice.uniform(0, LATE_SECONDS)
            self._loop.call_later(late, lambda: self._ask(method, path, content))
            self._process.rest(TIMEOUT_SECONDS)
            raise NoAnswer("timed out")
        for name, (status, message) in BEFORE_THE_VENUE.items():
            if strikes(name, what):
                raise HttpError(status, json.dumps({"message": message}) if message else "<html>")

    def _stop_after(self, what: str) -> None:
        strikes = self._mishaps.strikes
        if strikes("answer lost", what):
            raise NoAnswer("the connection was cut")
        if strikes("answer times out", what):
            self._process.rest(TIMEOUT_SECONDS)
            raise NoAnswer("timed out")
        if strikes("answer garbled", what):
            raise NoAnswer("JSONDecodeError")
        if strikes("5xx though taken", what):
            raise HttpError(504, "<html>")
        if strikes("answer slow", what):
            self._process.rest(self._dice.uniform(1, TIMEOUT_SECONDS - 1))


class TradeLine:
    """The trade stream: `hear` gets each message, `connected` is called after each connect."""

    def __init__(self, loop: VirtualLoop, mishaps: Calm, seed: int) -> None:
        self._loop = loop
        self._mishaps = mishaps
        self._dice = random.Random(f"trade line:{seed}")
        self._free_at = 0.0
        self._kept: list[dict[str, Any]] = []
        self._is_up = False
        self._is_mute = False
        self.connected: Callable[[], None] = lambda: None
        self.hear: Callable[[dict[str, Any]], None] = lambda _: None

    def open(self, connected: Callable[[], None], hear: Callable[[dict[str, Any]], None]) -> None:
        """A bot connects."""
        self.connected, self.hear = connected, hear
        self._kept.clear()
        self._loop.call_later(self._dice.uniform(0.1, 2), self._up)

    def close(self) -> None:
        """The bot is gone."""
        self._is_up = False
        self.connected, self.hear = lambda: None, lambda _: None

    def _up(self) -> None:
        self._is_up, self._is_mute = True, False
        self.connected()

    def _lose(self) -> None:
        self._is_up = False
        self._loop.call_later(self._dice.uniform(1, 100), self._up)

    def publish(self, update: TradeUpdate) -> None:
        """Tell the bot, unless something is in the way."""
        strikes = self._mishaps.strikes
        message = {"stream": "trade_updates", "data": update.to_wire()}
        if self._is_up and strikes("trade stream cut", update.event):
            self._lose()
        if self._is_up and not self._is_mute and strikes("trade stream mute", update.event):
            self._is_mute = True
            # the ping finds out, or the silence: the stream connects anew
            self._loop.call_later(self._dice.uniform(20, 60), self._lose)
        if not self._is_up or self._is_mute or strikes("update lost", update.event):
            return
        if strikes("update garbled", update.event):
            message = {"stream": "trade_updates", "data": {}}
        if strikes("update delayed", update.event):
            self._loop.call_later(self._dice.uniform(0.1, 40), self.hear, message)
            return
        if strikes("updates swapped", update.event):
            self._kept.append(message)
            self._loop.call_later(1.0, self._send_kept)
            return
        self._send(message)
        if strikes("update repeated", update.event):
            self._send(message)
        self._send_kept()

    def _send_kept(self) -> None:
        kept, self._kept = self._kept, []
        for message in kept:
            self._send(message)

    def _send(self, message: dict[str, Any]) -> None:
        # in order, as a socket delivers
        self._free_at = max(self._free_at, self._loop.time()) + self._dice.uniform(0.001, 0.05)
        self._loop.call_at(self._free_at, self.hear, json.loads(json.dumps(message)))


class QuoteLine:
    """In place of broker.streams.QuoteStream, for the desk and for the loops beside it."""

    def __init__(self, loop: VirtualLoop, mishaps: Calm, seed: int) -> None:
        self._loop = loop
        self._mishaps = mishaps
        self._dice = random.Random(f"quote line:{seed}")
        self._wanted: frozenset[str] = frozenset()
        self._is_up = False
        self._is_mute = False
        self._connected: Callable[[], None] = lambda: None
        self._hear: Callable[[list[dict[str, Any]]], None] = lambda _: None

    def open(
        self, connected: Callable[[], None], hear: Callable[[list[dict[str, Any]]], None]
    ) -> None:
        self._connected, self._hear = connected, hear
        self._loop.call_later(self._dice.uniform(0.1, 2), self._up)

    def close(self) -> None:
        self._is_up, self._wanted = False, frozenset()
        self._connected, self._hear = lambda: None, lambda _: None

    @property
    def subscribed(self) -> frozenset[str]:
        return self._wanted if self._is_up else frozenset()

    async def watch(self, symbols: list[str]) -> None:
        self._wanted = frozenset(symbols)

    def call_silent(self, _what: str) -> None:
        self._lose(self._dice.uniform(0.5, 2))

    def _up(self) -> None:
        self._is_up, self._is_mute = True, False
        self._connected()

    def _lose(self, seconds: float) -> None:
        self._is_up = False
        self._loop.call_later(seconds, self._up)

    def publish(self, symbol: str, bid: Decimal, ask: Decimal, at: int) -> None:
        """Show the bot a quote, or something that should not pass for one."""
        strikes = self._mishaps.strikes
        if strikes("quote stream cut") and self._is_up:
            self._lose(self._dice.uniform(1, 60))
        if strikes("quote stream mute") and self._is_up and not self._is_mute:
            self._is_mute = True
            self._loop.call_later(180, self._lose, 1.0)
        if not self._is_up or self._is_mute or symbol not in self._wanted:
            return
        if strikes("quote lost"):
            return
        if strikes("quote delayed"):
            at -= round(self._dice.uniform(10, 60) * SECOND)
        if strikes("quote crossed"):
            bid, ask = ask, bid
        if strikes("quote zero"):
            bid, ask = (Decimal(0), ask) if self._dice.random() < 0.5 else (bid, Decimal(0))
        raw = {"T": "q", "S": symbol, "bp": float(bid), "ap": float(ask), "t": rfc3339(at)}
        if not strikes("quote garbled"):
            self._hear([raw])
            return
        with suppress(Exception):  # as the stream does: a bad frame loses only itself
            self._hear([self._garbled(raw)])

    def _garbled(self, raw: dict[str, Any]) -> dict[str, Any]:
        """The quote with one field that is missing, of a wrong type, or no number or time."""
        field = self._dice.choice(("S", "bp", "ap", "t"))
        value = self._dice.choice((None, "", "abc", math.nan, -1, [], {}, str(raw[field])))
        rest = {name: each for name, each in raw.items() if name != field}
        return rest if self._dice.random() < GONE else rest | {field: value}
