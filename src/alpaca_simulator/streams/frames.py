"""Writing market data for the websocket: msgpack or JSON, quotes as fast as can be.

A busy feed is nearly all quotes, each the same map but for four numbers and a time; so a quote is
packed with one `struct` call behind a prefix that its symbol determines.
"""

import json
import struct
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import msgpack  # type: ignore[import-untyped]

from alpaca_simulator.clock import SECOND, rfc3339
from alpaca_simulator.prices.quotes import Quote

Message = dict[str, Any]

NONSENSE = b"\xc1\xff\x00{]"  # neither UTF-8 nor JSON nor msgpack
FLOAT = b"\xcb"
TIMESTAMP = b"\xd7\xff"  # an extension of 8 bytes, of type -1 (docs/alpaca.md 4)
BS, AP, AS, T = b"\xa2bs" + FLOAT, b"\xa2ap" + FLOAT, b"\xa2as" + FLOAT, b"\xa1t" + TIMESTAMP


def encode_msgpack(messages: list[Message]) -> bytes:
    """Given messages, packs them; `t` (nanoseconds) becomes a Timestamp extension."""
    return bytes(msgpack.packb([_with_time(one, _timestamp) for one in messages]))


def encode_json(messages: list[Message]) -> str:
    """Given messages, writes them as JSON; `t` (nanoseconds) becomes RFC 3339."""
    return json.dumps([_with_time(one, rfc3339) for one in messages], separators=(",", ":"))


def encode_quotes(quotes: Sequence[Quote], *, packed: bool) -> str | bytes:
    """Given quotes, writes them as one frame."""
    if not packed:
        return encode_json([_message(quote) for quote in quotes])
    parts = [_array_header(len(quotes))]
    for symbol, bid, ask, bid_size, ask_size, at, _, _ in quotes:
        layout, prefix = _layout(symbol)
        seconds, nanoseconds = divmod(at, SECOND)
        parts.append(
            layout.pack(
                prefix,
                float(bid),
                BS,
                float(bid_size),
                AP,
                float(ask),
                AS,
                float(ask_size),
                T,
                nanoseconds << 34 | seconds,
            )
        )
    return b"".join(parts)


@cache
def _layout(symbol: str) -> tuple[struct.Struct, bytes]:
    head = b"\x87\xa1T\xa1q\xa1S" + bytes(msgpack.packb(symbol)) + b"\xa2bp" + FLOAT
    return struct.Struct(f">{len(head)}sd4sd4sd4sd4sQ"), head


@cache
def _array_header(length: int) -> bytes:
    return bytes(msgpack.Packer().pack_array_header(length))


def garbled(frame: str | bytes, body: object) -> bytes:
    """Given a frame, half of it, or with a body of `nonsense` nothing that can be read."""
    if body == "nonsense":
        return NONSENSE
    data = frame.encode() if isinstance(frame, str) else frame
    return data[: len(data) // 2]


def _message(quote: Quote) -> Message:
    return {
        "T": "q",
        "S": quote.symbol,
        "bp": float(quote.bid),
        "bs": float(quote.bid_size),
        "ap": float(quote.ask),
        "as": float(quote.ask_size),
        "t": quote.at,
    }


def _with_time(message: Message, write: Callable[[int], object]) -> Message:
    return message | {"t": write(message["t"])} if "t" in message else message


def _timestamp(ns: int) -> msgpack.Timestamp:
    return msgpack.Timestamp(*divmod(ns, SECOND))
