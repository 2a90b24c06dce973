"""One connection to MySQL or MariaDB, set up the only way the store works with.

Rule: the connector is used here and in wire.py, and nowhere else; what leaves this file is typed,
and every error is a Failure.  Statements travel as text; the connector's cursors would parse every
one again, which costs as much as the statement itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from decimal import Decimal
from typing import Any

from mysql.connector.connection import MySQLConnection
from mysql.connector.constants import ClientFlag
from mysql.connector.conversion import MySQLConverter
from mysql.connector.errors import Error

from dca_bot.program.setting_groups import DatabaseSettings
from dca_bot.store.failures import Failure, explain
from dca_bot.store.values import Row, Value
from dca_bot.store.wire import Answer, Wire

CONNECT_SECONDS = 5
ANSWER_SECONDS = 10  # for one statement; longer than the wait for a lock
LOCK_WAIT_SECONDS = 5

# Strict, so that nothing is ever cut or rounded to fit; without NO_BACKSLASH_ESCAPES and
# ANSI_QUOTES, which would change how text has to be escaped.
SQL_MODE = "STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION"
# A collation that every server knows; MariaDB's newest defaults are unknown to the connector.
COLLATION = "utf8mb4_general_ci"

# Locking reads take no gap locks, and plain reads see what was committed last.  The variable
# behind it has two names in MySQL and MariaDB, this statement has one.
SET_ISOLATION = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"
# The other two are for people at a client, and a server may have them for everybody: they refuse
# statements that name no key, and cut answers.
SET_VARIABLES = (
    "SET SESSION innodb_lock_wait_timeout = %s, sql_safe_updates = 0,"
    f" sql_select_limit = {2**64 - 1}"
)
COMMIT = b"COMMIT"


class Session:
    """A connection with autocommit off: every statement belongs to a transaction.

    Not for two threads at a time.  `is_sound` is False while a statement is under way and stays so
    when it was cut short (a lost connection, a signal): such a session must be closed, not used.
    """

    def __init__(
        self,
        settings: DatabaseSettings,
        lock_wait_seconds: int,
        *,
        answer_seconds: int = ANSWER_SECONDS,
    ) -> None:
        self._settings = settings
        self._answer_seconds = answer_seconds
        self.is_sound = False
        self._in_transaction = False
        self._cnx = self._connect()
        self._wire = Wire(self._cnx, timeout_seconds=answer_seconds)
        self._converter: MySQLConverter = self._cnx.converter
        try:
            self.write(SET_ISOLATION)
            self.write(SET_VARIABLES, (lock_wait_seconds,))
        except Failure:
            self.close()
            raise
        self._in_transaction = False

    def _connect(self) -> Any:
        try:
            # the pure Python class: the C extension fails to load where OpenSSL differs
            return MySQLConnection(
                host=self._settings.host,
                port=self._settings.port,
                user=self._settings.user,
                password=self._settings.password,
                database=self._settings.name,
                charset="utf8mb4",
                collation=COLLATION,
                # a compare-and-set that writes equal values has found its row all the same; and no
                # attributes, for which the connector would ask `lsb_release` at every connection
                client_flags=[ClientFlag.FOUND_ROWS, -ClientFlag.CONNECT_ARGS],
                time_zone="+00:00",
                sql_mode=SQL_MODE,
                autocommit=False,
                connection_timeout=CONNECT_SECONDS,
                read_timeout=self._answer_seconds,
                write_timeout=self._answer_seconds,
            )
        except (Error, OSError) as error:
            raise self._failure(error) from error

    @property
    def connection_id(self) -> int:
        """The server's number for this connection, as in SHOW PROCESSLIST."""
        number: int = self._cnx.connection_id
        return number

    def rows(self, sql: str, params: Sequence[Value] = ()) -> list[Row]:
        """All rows of a SELECT."""
        return self._run(sql, params).rows

    def write(self, sql: str, params: Sequence[Value] = ()) -> Answer:
        """Run any other statement."""
        return self._run(sql, params)

    def write_all(
        self, statements: Sequence[tuple[str, Sequence[Value]]], *, then_commit: bool = False
    ) -> Iterator[Answer]:
        """Run them in one go, and COMMIT if all went well; the first that fails is the last run.

        Each answer must be taken.  A Failure of the COMMIT leaves open whether it was done.
        """
        texts = [self._bind(sql, params) for sql, params in statements]
        with self._under_way():
            self._wire.send(b";".join(texts + [COMMIT] * then_commit))
            while not (answer := self._wire.answer()).is_last:
                yield answer
            yield answer
        self._in_transaction = not then_commit

    def commit(self) -> None:
        """Make it so.  A Failure leaves open whether it was: reload before deciding again."""
        self._run(COMMIT.decode())
        self._in_transaction = False

    def rollback(self) -> None:
        """Undo what is uncommitted and let go of all locks; does nothing when there is nothing."""
        if self._in_transaction:
            self._run("ROLLBACK")
            self._in_transaction = False

    def close(self) -> None:
        """Close without waiting for anybody; the server rolls back."""
        if not self.is_sound:
            self._cnx.shutdown()  # don't send COM_QUIT: the peer may be gone
        self.is_sound = False
        with suppress(Error, OSError):
            self._cnx.close()

    def _run(self, sql: str, params: Sequence[Value] = ()) -> Answer:
        statement = self._bind(sql, params)
        with self._under_way():
            self._wire.send(statement)
            return self._wire.answer()

    @contextmanager
    def _under_way(self) -> Iterator[None]:
        self.is_sound = False
        self._in_transaction = True
        try:
            yield
        except (Error, OSError) as error:
            failure = self._failure(error)
            self.is_sound = not failure.session_is_lost
            raise failure from error
        self.is_sound = True

    def _bind(self, sql: str, params: Sequence[Value]) -> bytes:
        return (sql % tuple(map(self._literal, params)) if params else sql).encode()

    def _literal(self, value: Value) -> str:
        match value:
            case None:
                return "NULL"
            case str():
                return f"'{self._converter.escape(value)}'"
            case Decimal():
                # never in quotes or with an exponent: both would be compared as floats
                return f"{value:f}"
            case int():
                return str(value)
            case datetime():
                return f"'{value.isoformat(' ')}'"
        raise TypeError(f"{value!r} is a {type(value).__name__}: no column takes it")

    def _failure(self, error: Error | OSError) -> Failure:
        number = error.errno if isinstance(error.errno, int) else -1
        message = getattr(error, "msg", None) or str(error)
        return explain(number, str(message), self._settings)
