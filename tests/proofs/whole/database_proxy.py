"""Stands between the bot and its database, and lets any chosen statement go wrong.

Rule: it knows just enough of the protocol to see where a statement begins; the errors that it
tells of are the server's own, and what it loses is lost as a network loses it.
"""

from __future__ import annotations

import re
import socket
import struct
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Protocol

from dca_bot.program.settings import DatabaseSettings

HEADER = 4  # length and number of a packet
QUERY = b"\x03"
PROTOCOL = b"\x0a"
SESSION_AND_SALT = 4 + 8 + 1
LETTERS_AND_STATUS = 1 + 2  # between the lower and the upper half of the capabilities
TLS = 0x08  # CLIENT_SSL, in the second byte of the lower half
ATTRIBUTES = 0x08  # CLIENT_QUERY_ATTRIBUTES, in the second byte of the upper half
SIGNAL = "SIGNAL SQLSTATE '{state}' SET MYSQL_ERRNO = {number}, MESSAGE_TEXT = 'struck on purpose'"


@dataclass(frozen=True, slots=True)
class Error:
    """The server answers a statement with this error; those before it in the same go are done."""

    number: int
    state: str = "HY000"
    undoes: bool = False  # the server rolls the transaction back, as in a deadlock

    def statement(self) -> str:
        signal = SIGNAL.format(state=self.state, number=self.number)
        return f"BEGIN NOT ATOMIC ROLLBACK; {signal}; END" if self.undoes else signal


@dataclass(frozen=True, slots=True)
class Cut:
    """The connection is lost: before the server hears of a statement, or once it is done."""

    is_done: bool
    share: float = 0  # of the answer that still comes through


@dataclass(frozen=True, slots=True)
class Hold:
    """As a cut, but the bot hears nothing of it: it waits for an answer that never comes."""

    is_done: bool


@dataclass(frozen=True, slots=True)
class Unnoticed:
    """The connection is lost before the server hears of a statement, and it never hears of that."""


Fault = Error | Cut | Hold | Unnoticed


class Plan(Protocol):
    def fault(self, statements: Sequence[str]) -> tuple[int, Fault] | None:
        """What goes wrong with these, which were sent in one go, and with which of them."""


class Nth:
    """Strikes once: the n-th statement that `is_counted`, from 1.

    What is lost is lost together: for a cut, statements that are sent in one go count as one.
    """

    def __init__(
        self, number: int, fault: Fault, is_counted: Callable[[str], bool] = lambda _: True
    ) -> None:
        self._left, self._fault, self._is_counted = number, fault, is_counted
        self.struck = ""

    def fault(self, statements: Sequence[str]) -> tuple[int, Fault] | None:
        counted = [index for index, sql in enumerate(statements) if self._is_counted(sql)]
        if not isinstance(self._fault, Error):
            counted = counted[:1]
        for index in counted:
            self._left -= 1
            if self._left == 0:
                self.struck = statements[index]
                return index, self._fault
        return None


class Following:
    """Leads to another plan once a statement like this one was sent."""

    def __init__(self, first: Callable[[str], bool], plan: Plan) -> None:
        self._first, self._plan = first, plan
        self._is_on = False

    def fault(self, statements: Sequence[str]) -> tuple[int, Fault] | None:
        found = self._plan.fault(statements) if self._is_on else None
        self._is_on = self._is_on or any(map(self._first, statements))
        return found


def like(pattern: str) -> Callable[[str], bool]:
    """A condition for statements that match from their beginning, whatever their spaces."""
    return lambda sql: re.match(pattern, " ".join(sql.split())) is not None


class DatabaseProxy:
    """`settings` leads through it; without a plan everything passes."""

    def __init__(self, database: DatabaseSettings, port: int = 0) -> None:
        self._server = (database.host, database.port)
        self._listener = socket.create_server(("127.0.0.1", port))
        self.settings = replace(database, port=self._listener.getsockname()[1])
        self.plan: Plan | None = None
        self.is_holding = threading.Event()
        self._lock = threading.Lock()
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Cut everything, and take no more connections."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut_all()

    def cut_all(self) -> None:
        """Every connection ends, as when the server is restarted."""
        with self._lock:
            ended, self._open = self._open, []
        for each in ended:
            _end(each)

    def ask(self, statements: Sequence[str]) -> tuple[int, Fault] | None:
        with self._lock:
            return self.plan.fault(statements) if self.plan else None

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self._server, timeout=5)
            except OSError:  # the server is away: so are we
                _end(client)
                continue
            server.settimeout(None)
            with self._lock:
                self._open += [client, server]
            threading.Thread(target=_Relay(self, client, server).run, daemon=True).start()


class _Relay:
    """One connection."""

    def __init__(self, proxy: DatabaseProxy, client: socket.socket, server: socket.socket) -> None:
        self._proxy, self._client, self._server = proxy, client, server
        self._kept: bytearray | None = None  # of an answer that must not come through
        self._answers = threading.Thread(target=self._bring_answers, daemon=True)

    def run(self) -> None:
        for each in (self._client, self._server):
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._answers.start()
        with suppress(OSError):
            while (packet := self._packet()) and self._pass(packet):
                pass
        _end(self._client)
        _end(self._server)

    def _pass(self, packet: bytes) -> bool:
        """Whether the connection goes on afterwards."""
        is_statement = packet[3] == 0 and packet[HEADER : HEADER + 1] == QUERY
        # none of our statements holds a semicolon in a text
        statements = packet[HEADER + 1 :].decode().split(";") if is_statement else []
        found = self._proxy.ask(statements) if statements else None
        if found is None:
            self._server.sendall(packet)
            return True
        index, fault = found
        if isinstance(fault, Error):
            self._server.sendall(_query(";".join([*statements[:index], fault.statement()])))
            return True
        if isinstance(fault, Unnoticed):
            self._kept = bytearray()
            _end(self._client)
            self._answers.join()  # until the server ends it, or we do
            return False
        answer = self._answer_of(packet) if fault.is_done else b""
        if isinstance(fault, Hold):
            self._proxy.is_holding.set()
            self._client.recv(1)  # until it gives up, or is no more
        else:
            self._client.sendall(answer[: int(len(answer) * fault.share)])
        return False

    def _answer_of(self, packet: bytes) -> bytes:
        """All that the server says to it: it ends the connection once everything is done."""
        self._kept = bytearray()
        self._server.sendall(packet)
        self._server.shutdown(socket.SHUT_WR)
        self._answers.join()
        return bytes(self._kept)

    def _packet(self) -> bytes:
        header = self._read(HEADER)
        return header + self._read(int.from_bytes(header[:3], "little")) if header else b""

    def _read(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            more = self._client.recv(size - len(data))
            if not more:
                return b""
            data += more
        return bytes(data)

    def _bring_answers(self) -> None:
        with suppress(OSError):
            self._client.sendall(_plain(self._server.recv(65_536)))
            while data := self._server.recv(65_536):
                if self._kept is None:
                    self._client.sendall(data)
                else:
                    self._kept += data
        if self._kept is None:
            _end(self._client)


def _plain(greeting: bytes) -> bytes:
    """The server's first packet without what would hide the statements.

    That is TLS, and the attributes that MySQL lets stand before a statement.
    """
    if greeting[HEADER : HEADER + 1] != PROTOCOL:  # it takes no connection
        return greeting
    packet = bytearray(greeting)
    rights = greeting.index(b"\0", HEADER) + 1 + SESSION_AND_SALT
    packet[rights + 1] &= ~TLS
    packet[rights + 2 + LETTERS_AND_STATUS + 1] &= ~ATTRIBUTES
    return bytes(packet)


def _query(sql: str) -> bytes:
    payload = QUERY + sql.encode()
    return struct.pack("<I", len(payload)) + payload


def _end(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
