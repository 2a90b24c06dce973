"""One client of the market-data websocket: what it subscribed to, and how it is written to."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgpack  # type: ignore[import-untyped]

from alpaca_simulator.prices.quotes import Quote
from alpaca_simulator.streams.outbox import Outbox

CHANNELS = ("trades", "quotes", "orderbooks", "bars", "updatedBars", "dailyBars")
ERRORS = {
    400: "invalid syntax",
    401: "not authenticated",
    402: "auth failed",
    403: "already authenticated",
    404: "auth timeout",
    405: "symbol limit exceeded",
    406: "connection limit exceeded",
    407: "slow client",
    409: "insufficient subscription",
    410: "invalid subscribe action for this feed",
    411: "insufficient scope",
    500: "internal error",
}


@dataclass(slots=True, eq=False)
class Subscriber:
    """One open connection."""

    outbox: Outbox
    entry: dict[str, Any]
    msgpack: bool
    encode: Callable[[list[dict[str, Any]]], str | bytes]
    authenticated: bool = False
    silent: bool = False
    mute: bool = False
    symbols: dict[str, set[str]] = field(default_factory=lambda: {name: set() for name in CHANNELS})

    def put(self, messages: list[dict[str, Any]]) -> None:
        """Queues messages as one frame."""
        self.outbox.put(self.encode(messages))

    def error(self, code: int) -> None:
        """Queues an error message."""
        self.put([{"T": "error", "code": code, "msg": ERRORS[code]}])

    def wanted(self, quotes: Sequence[Quote]) -> Sequence[Quote]:
        """Those of the quotes that it subscribed to."""
        symbols = self.symbols["quotes"]
        return quotes if "*" in symbols else [one for one in quotes if one.symbol in symbols]

    def wants(self, channel: str, symbol: str) -> bool:
        """Whether it subscribed to a symbol of a channel."""
        symbols = self.symbols[channel]
        return symbol in symbols or "*" in symbols


def decode(data: str | bytes) -> object:
    """Given what a client sent, reads it as msgpack or JSON; None when it is neither."""
    try:
        if isinstance(data, bytes):
            return msgpack.unpackb(data)
        return json.loads(data)
    except (ValueError, RecursionError, msgpack.UnpackException):
        return None
