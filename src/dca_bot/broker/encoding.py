"""How the messages of a quote stream are written: msgpack, or JSON where nothing else comes.

Rule: the first frame decides for its connection.  msgpack is asked for, since it is read in half
the time (docs/performance.md); a proxy that does not pass the header on brings JSON in text frames.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import msgpack  # type: ignore[import-untyped]

AS_MSGPACK = {"Content-Type": "application/msgpack"}
AS_DATETIME = 3  # msgpack's fastest way to read a timestamp, and the one that we want


class Encoding(NamedTuple):
    """How one connection's messages are read and written."""

    read: Callable[[bytes | str], Any]
    write: Callable[[Any], bytes | str]


MSGPACK = Encoding(partial(msgpack.unpackb, timestamp=AS_DATETIME), msgpack.packb)
JSON = Encoding(json.loads, json.dumps)


def encoding_of(greeting: bytes | str) -> Encoding:
    """The encoding of a connection that began with this frame."""
    return JSON if isinstance(greeting, str) else MSGPACK
