"""What travels between us and the database server, byte for byte."""

import socket
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from mysql.connector.connection import MySQLConnection
from mysql.connector.constants import ClientFlag
from mysql.connector.errors import DatabaseError, Error, InterfaceError, ReadTimeoutError

from dca_bot.program.settings import DatabaseSettings
from dca_bot.store.values import Value
from dca_bot.store.wire import PACKET_BYTES_MAX, Wire

Ends = tuple[Wire, socket.socket]
OK = b"\x00\x02\x07\x02\x00\x00\x00"  # two rows matched, id 7, nothing follows
DENIED = b"\xff\x26\x04#23000Duplicate entry 'x'"  # 1062
END = b"\xfe\x00\x00\x02\x00"
LONG_TEXTS = (b"", b"x" * 250, b"x" * 251, b"x" * 70_000)


def packets(*contents: bytes) -> bytes:
    return b"".join(
        len(each).to_bytes(3, "little") + bytes([number % 256]) + each
        for number, each in enumerate(contents, start=1)
    )


def column(name: bytes, kind: int) -> bytes:
    """The description of a column; of its six names only one matters, and only to people."""
    names = b"\x03def" + b"\x00" * 3 + bytes([len(name)]) + name + b"\x00"
    return names + b"\x0c\x2d\x00\xff\x00\x00\x00" + bytes([kind]) + b"\x00\x00\x00\x00\x00"


ONE_ROW = packets(b"\x02", column(b"n", 3), column(b"t", 253), END, b"\x0212\xfb", END)


def wire_of(end: Any, flags: int = 0) -> Wire:
    connection = SimpleNamespace(_socket=SimpleNamespace(sock=end), _client_flags=flags)
    return Wire(connection, timeout_seconds=0.2)


@pytest.fixture
def ends() -> Iterator[Ends]:
    """A wire, and the server's end of it."""
    ours, servers = socket.socketpair()
    with ours, servers:
        yield wire_of(ours), servers


@pytest.fixture
def wire(database: DatabaseSettings) -> Iterator[Wire]:
    """A wire to a real server."""
    connection = MySQLConnection(
        host=database.host,
        port=database.port,
        user=database.user,
        password=database.password,
        database=database.name,
        charset="utf8mb4",
        collation="utf8mb4_general_ci",
    )
    yield Wire(connection, timeout_seconds=5)
    connection.close()


def ask(wire: Wire, sql: str) -> list[list[Value]]:
    wire.send(sql.encode())
    return [list(row) for row in wire.answer().rows]


def test_the_private_parts_of_the_connector_are_where_they_were(database: DatabaseSettings) -> None:
    connection = MySQLConnection(
        host=database.host, port=database.port, user=database.user, password=database.password
    )
    assert isinstance(connection._socket.sock, socket.socket)
    assert connection._client_flags & ClientFlag.PROTOCOL_41
    # with either of them answers would end in another way
    assert not connection._client_flags & (ClientFlag.DEPRECATE_EOF | ClientFlag.COMPRESS)
    connection.close()


@pytest.mark.parametrize(
    ("sql", "value"),
    [
        ("NULL", None),
        ("42", 42),
        ("-9223372036854775808", -(2**63)),
        ("TRUE", 1),
        ("CAST('1.500' AS DECIMAL(30, 15))", Decimal("1.5")),
        ("CAST(-100 AS DECIMAL(20, 10))", Decimal(-100)),
        ("''", ""),
        ("'ä 😀'", "ä 😀"),
        ("CAST('2026-02-28 23:59:59.000001' AS DATETIME(6))", datetime(2026, 2, 28, 23, 59, 59, 1)),  # noqa: DTZ001 - as a column holds it
        ("CAST('2026-02-28' AS DATETIME)", datetime(2026, 2, 28)),  # noqa: DTZ001 - the same
        ("CAST('2026-02-28' AS DATE)", date(2026, 2, 28)),
        ("CAST(0.5 AS DOUBLE)", 0.5),
    ],
)
def test_every_kind_of_value_comes_back(wire: Wire, sql: str, value: Value) -> None:
    assert ask(wire, f"SELECT {sql}, 'next'") == [[value, "next"]]


@pytest.mark.parametrize("text", LONG_TEXTS, ids=lambda text: str(len(text)))
def test_texts_of_any_length_come_back(wire: Wire, text: bytes) -> None:
    assert ask(wire, f"SELECT '{text.decode()}', 1") == [[text.decode(), 1]]


def test_many_rows_come_back_in_order(wire: Wire) -> None:
    assert ask(wire, "SELECT seq FROM seq_1_to_30000") == [[n] for n in range(1, 30_001)]
    assert ask(wire, "SELECT seq FROM seq_1_to_3 WHERE FALSE") == []


def test_one_statement_may_have_other_columns_than_the_one_before(wire: Wire) -> None:
    for _ in range(2):
        assert ask(wire, "SELECT 1, 'a'") == [[1, "a"]]
        assert ask(wire, "SELECT 'a', 1") == [["a", 1]]


def test_the_first_of_several_that_fails_is_the_last_answered(wire: Wire) -> None:
    wire.send(b"DO 1;SELECT * FROM dca_nothing;DO 2")
    assert not wire.answer().is_last
    with pytest.raises(DatabaseError, match="dca_nothing"):
        wire.answer()
    assert ask(wire, "SELECT 3") == [[3]]


# -- a server that does what real ones hardly do --


class Dripping:
    """A socket that brings one byte at a time."""

    def __init__(self, content: bytes) -> None:
        self._content = iter(content)

    def settimeout(self, seconds: float) -> None:
        pass

    def recv(self, size: int) -> bytes:
        assert size
        return bytes([next(self._content)])


def test_an_answer_may_come_in_single_bytes() -> None:
    assert wire_of(Dripping(ONE_ROW)).answer().rows == [[12, None]]


def test_a_statement_travels_as_one_packet(ends: Ends) -> None:
    ends[0].send(b"SELECT 1")
    assert ends[1].recv(100) == b"\x09\x00\x00\x00\x03SELECT 1"


def test_several_answers_may_come_at_once(ends: Ends) -> None:
    wire, server = ends
    more = b"\x00\x01\x00\x0a\x00\x00\x00"
    server.send(packets(more, OK))
    first, second = wire.answer(), wire.answer()
    assert (first.matched, first.insert_id, first.is_last) == (1, 0, False)
    assert (second.matched, second.insert_id, second.is_last) == (2, 7, True)


def test_an_error_keeps_its_number_also_among_the_rows(ends: Ends) -> None:
    wire, server = ends
    server.send(packets(DENIED))
    with pytest.raises(Error) as caught:
        wire.answer()
    assert caught.value.errno == 1062
    server.send(packets(b"\x01", column(b"n", 3), END, b"\x0212", DENIED))
    with pytest.raises(Error) as caught:
        wire.answer()
    assert caught.value.errno == 1062


@pytest.mark.parametrize(
    "answer",
    [b"", packets(b""), packets(b"\xfb/etc/passwd"), packets(b"\x00\xfc"), ONE_ROW[:-12]],
    ids=["nothing", "empty", "asks for a file", "cut number", "cut rows"],
)
def test_what_can_not_be_read_is_a_lost_connection(ends: Ends, answer: bytes) -> None:
    wire, server = ends
    server.send(answer)
    server.close()
    with pytest.raises(InterfaceError) as caught:
        wire.answer()
    assert caught.value.errno == 2013


def test_an_answer_that_does_not_come_is_waited_for_so_long(ends: Ends) -> None:
    with pytest.raises(ReadTimeoutError) as caught:
        ends[0].answer()
    assert caught.value.errno == 3024


def test_what_is_left_of_an_answer_is_no_part_of_the_next(ends: Ends) -> None:
    wire, server = ends
    server.send(ONE_ROW)
    wire.answer()
    wire.send(b"DO 1")
    server.send(packets(OK))
    assert wire.answer().matched == 2


def test_a_server_that_knows_attributes_is_told_that_there_are_none() -> None:
    ours, server = socket.socketpair()
    with ours, server:
        wire_of(ours, ClientFlag.CLIENT_QUERY_ATTRIBUTES).send(b"DO 1")
        assert server.recv(100) == b"\x07\x00\x00\x00\x03\x00\x01DO 1"


def test_a_statement_that_no_packet_holds_is_not_sent(ends: Ends) -> None:
    with pytest.raises(InterfaceError, match="packet"):
        ends[0].send(b"x" * PACKET_BYTES_MAX)
