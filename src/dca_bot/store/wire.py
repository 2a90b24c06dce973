"""Statements and their answers in MySQL's text protocol, over a connection that is logged in.

The connector logs in; its own way with an answer is slow: it asks the system twice for each of an
answer's packets, of which every column has one, and takes each column's description apart anew.
Here what has come is taken at once, and a description that is known is not read again.
Rule: the only file that uses private parts of the connector; `tests/store/test_wire.py` fails when
one moves.  Errors are the connector's.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from mysql.connector.constants import ClientFlag, FieldType
from mysql.connector.errors import (
    InterfaceError,
    OperationalError,
    ReadTimeoutError,
    WriteTimeoutError,
    get_exception,
)

from dca_bot.store.values import Row, Value

Reader = Callable[[bytes], Any]

READ_BYTES = 65_536
PACKET_BYTES_MAX = 0xFFFFFF
HEADER_BYTES = 4  # of a packet: its length, and its number
QUERY = b"\x00\x03"  # packet 0: a statement as text
NO_ATTRIBUTES = b"\x00\x01"
OK, NULL, END, ERROR = 0x00, 0xFB, 0xFE, 0xFF  # first bytes of a packet, or of a value
END_BYTES_MAX = 8
MORE_ANSWERS = 0x08  # a flag of the status
LOST, SOCKET_TROUBLE, TIMED_OUT = 2013, 2055, 3024  # the connector's numbers


@dataclass(frozen=True, slots=True)
class Answer:
    """What a statement came to; `matched` counts the rows that it found, changed or not."""

    rows: list[Row]
    matched: int
    insert_id: int
    is_last: bool


class Wire:
    """Not for two threads at a time; after an error nothing more can be read from it.

    Raises the connector's errors, also for what can't be read.
    """

    def __init__(self, connection: Any, *, timeout_seconds: float) -> None:
        self._socket: socket.socket = connection._socket.sock
        self._socket.settimeout(timeout_seconds)
        wants_attributes = connection._client_flags & ClientFlag.CLIENT_QUERY_ATTRIBUTES
        self._command = QUERY + NO_ATTRIBUTES * bool(wants_attributes)
        self._come = bytearray()
        self._read = 0

    def send(self, statement: bytes) -> None:
        """One statement, or several with a semicolon between them."""
        size = len(self._command) - 1 + len(statement)
        if size >= PACKET_BYTES_MAX:
            raise InterfaceError(f"a statement of {size} bytes is more than one packet holds")
        self._come, self._read = bytearray(), 0
        try:
            self._socket.sendall(size.to_bytes(3, "little") + self._command + statement)
        except TimeoutError as error:
            raise WriteTimeoutError(errno=TIMED_OUT) from error
        except OSError as error:
            raise OperationalError(str(error), errno=SOCKET_TROUBLE) from error

    def answer(self) -> Answer:
        """The answer to the next statement that was sent."""
        try:
            return self._answer()
        except (IndexError, UnicodeDecodeError) as error:
            raise InterfaceError("an answer that can't be read", errno=LOST) from error

    def _answer(self) -> Answer:
        packet = self._packet()
        if packet[0] == ERROR:
            raise _error(packet)
        if packet[0] == OK:
            matched, at = _length(packet, 1)
            insert_id, at = _length(packet, at)
            return Answer([], matched, insert_id, not packet[at] & MORE_ANSWERS)
        begin = self._read
        while not _is_end(packet):
            packet = self._packet()
        readers = _readers(bytes(self._come[begin : self._read]))
        rows = []
        while not _is_end(packet := self._packet()):
            if packet[0] == ERROR:
                raise _error(packet)
            rows.append(_row(packet, readers))
        return Answer(rows, 0, 0, not packet[3] & MORE_ANSWERS)

    def _packet(self) -> bytes:
        """The next packet without its header."""
        begin = self._read + HEADER_BYTES
        self._await(begin)
        end = begin + int.from_bytes(self._come[begin - HEADER_BYTES : begin - 1], "little")
        self._await(end)
        self._read = end
        return bytes(self._come[begin:end])

    def _await(self, end: int) -> None:
        """Take what has come until there are so many bytes of the answer."""
        while len(self._come) < end:
            try:
                more = self._socket.recv(READ_BYTES)
            except TimeoutError as error:
                raise ReadTimeoutError(errno=TIMED_OUT) from error
            except OSError as error:
                raise OperationalError(str(error), errno=SOCKET_TROUBLE) from error
            if not more:
                raise InterfaceError(errno=LOST)
            self._come += more


def _is_end(packet: bytes) -> bool:
    return packet[0] == END and len(packet) <= END_BYTES_MAX


def _error(packet: bytes) -> Exception:
    found: Exception = get_exception(bytes(HEADER_BYTES) + packet)
    return found


def _length(packet: bytes, at: int) -> tuple[int, int]:
    """A number of one to nine bytes, and where it ends."""
    first = packet[at]
    if first < NULL:
        return first, at + 1
    end = at + 1 + {0xFC: 2, 0xFD: 3, 0xFE: 8}[first]
    return int.from_bytes(packet[at + 1 : end], "little"), end


def _row(packet: bytes, readers: Sequence[Reader]) -> Row:
    values: list[Value] = []
    at = 0
    for read in readers:
        if packet[at] == NULL:
            values.append(None)
            at += 1
            continue
        size, at = _length(packet, at)
        values.append(read(packet[at : at + size]))
        at += size
    return values


def _decimal(value: bytes) -> Decimal:
    """Without the zeros that fill up its column: people read it in the log."""
    text = value.decode()
    return Decimal(text.rstrip("0").rstrip(".") if "." in text else text)


def _moment(value: bytes) -> datetime | None:
    try:
        return datetime.fromisoformat(value.decode())
    except ValueError:  # 0000-00-00, which old servers wrote
        return None


WHOLE_NUMBERS = ("TINY", "SHORT", "INT24", "LONG", "LONGLONG", "YEAR")
READERS: dict[int, Reader] = {
    **{getattr(FieldType, name): int for name in WHOLE_NUMBERS},
    **{getattr(FieldType, name): float for name in ("FLOAT", "DOUBLE")},
    **{getattr(FieldType, name): _decimal for name in ("DECIMAL", "NEWDECIMAL")},
    **{getattr(FieldType, name): _moment for name in ("TIMESTAMP", "DATETIME")},
    FieldType.DATE: lambda value: date.fromisoformat(value.decode()),
}


@lru_cache(maxsize=256)
def _readers(descriptions: bytes) -> Sequence[Reader]:
    """How each column of an answer is read; `descriptions` are the packets about its columns."""
    readers: list[Reader] = []
    at = 0
    while True:
        size = int.from_bytes(descriptions[at : at + 3], "little")
        at += HEADER_BYTES
        packet = descriptions[at : at + size]
        at += size
        if _is_end(packet):
            return readers
        # six texts (catalogue, database, table and column by two names each) go before
        # 0x0c, character set (2 bytes), width (4) and the type
        place = 0
        for _ in range(6):
            length, place = _length(packet, place)
            place += length
        readers.append(READERS.get(packet[place + 7], bytes.decode))
