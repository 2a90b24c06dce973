"""What the server's and the connector's error numbers mean, and what a user can do about them.

Rule: every message ends with what to do, and none ever holds the password.
"""

from __future__ import annotations

import re

from dca_bot.program.errors import RowLocked, StoreUnavailable
from dca_bot.program.setting_groups import DatabaseSettings

DUPLICATE_KEY = 1062
LOCK_WAIT = 1205
DEADLOCK = 1213
NO_PARENT_ROW = 1452
NO_SUCH_TABLE = 1146
NO_SUCH_COLUMN = 1054
STATEMENT_BINLOG = 1665

# The session is gone: closed while idle, killed, or the server went away.
LOST = frozenset({-1, 1053, 1080, 1152, 1159, 1161, 1184, 1927, 2006, 2013, 2014, 2048, 2055, 4031})
TIMED_OUT = 3024  # the connector's number for a read or write that took too long
UNREACHABLE = frozenset({2001, 2002, 2003, 2005})
WRONG_PASSWORD = frozenset({1045, 1698})
NO_SUCH_DATABASE = 1049
HOST_NOT_ALLOWED = 1130
NOT_THIS_DATABASE = 1044
# An old password format, an expired password, a locked account (MySQL's and MariaDB's number).
NOT_LET_IN = frozenset({1251, 1820, 1862, 3118, 4151})
NOT_GRANTED = frozenset({1142, 1143, 1227, 1370})
REFUSED = (
    WRONG_PASSWORD
    | NOT_LET_IN
    | NOT_GRANTED
    | {NO_SUCH_DATABASE, HOST_NOT_ALLOWED, NOT_THIS_DATABASE}
)
NOT_WRITABLE = frozenset({28, 1021, 1026, 1030, 1036, 1114, 1290, 1792, 1836})


# What the database user needs: to run, and besides to create the tables or add what they lack.
TO_TRADE = "SELECT, INSERT, UPDATE"
TO_COMPLETE = "CREATE, ALTER, REFERENCES"
ACCOUNT = re.compile(r"'[^']*'@'[^']*'")


class Failure(StoreUnavailable):
    """A StoreUnavailable that remembers the error number, for the store's own decisions."""

    def __init__(self, message: str, number: int) -> None:
        self.number = number
        super().__init__(message)

    @property
    def session_is_lost(self) -> bool:
        return self.number in LOST or self.number == TIMED_OUT

    @property
    def is_refusal(self) -> bool:
        """Whether the server has clearly said no to the login, the database or a right."""
        return self.number in REFUSED

    @property
    def is_worth_repeating(self) -> bool:
        """Whether the same transaction, from its start, may well succeed the next time."""
        return self.number in (LOCK_WAIT, DEADLOCK)


class LockWait(Failure, RowLocked):
    """The Failure of one asset's row that somebody else keeps locked."""


def grant(rights: str, settings: DatabaseSettings, message: str) -> str:
    """The statement that gives the rights to the user whom the server names in its message."""
    # in the name of a database _ and % would stand for any letter
    database = re.sub(r"([_%])", r"\\\1", settings.name.replace("`", "``"))
    account = ACCOUNT.search(message)
    user = account[0] if account else f"'{settings.user}'@'localhost'"
    return f"GRANT {rights} ON `{database}`.* TO {user}"


def explain(number: int, message: str, settings: DatabaseSettings) -> Failure:
    """The failure with this number, from what the server or the connector said."""
    message = " ".join(message.split())
    kind = LockWait if number == LOCK_WAIT else Failure
    return kind(_sentence(number, message, settings), number)


def _sentence(number: int, message: str, settings: DatabaseSettings) -> str:
    where, user, name = f"{settings.host}:{settings.port}", settings.user, settings.name
    if number in WRONG_PASSWORD:
        return (
            f"the database server at {where} refuses user {user!r} with this password ({message}): "
            "correct DB_USER and DB_PASSWORD"
        )
    if number in NOT_LET_IN or number == HOST_NOT_ALLOWED:
        return (
            f"the database server at {where} does not let user {user!r} in ({message}): as an "
            "administrator change the account, or correct DB_HOST and DB_USER"
        )
    if number == NOT_THIS_DATABASE:
        return (
            f"user {user!r} may not use the database {name!r} ({message}): correct DB_NAME, or as "
            f"an administrator run {grant(TO_TRADE, settings, message)}"
        )
    if number == NO_SUCH_DATABASE:
        return (
            f"the server at {where} has no database {name!r} ({message}): correct DB_NAME or "
            f"create it with CREATE DATABASE `{name}`"
        )
    if number in NOT_GRANTED:
        return (
            f"user {user!r} lacks a privilege in the database {name!r} ({message}): as an "
            f"administrator run {grant(TO_TRADE, settings, message)}"
        )
    if number in UNREACHABLE:
        return (
            f"no database server answers at {where} ({message}): start it or correct DB_HOST "
            "and DB_PORT"
        )
    return _trouble_while_running(number, message, settings)


def _trouble_while_running(number: int, message: str, settings: DatabaseSettings) -> str:
    where = f"{settings.host}:{settings.port}"
    if number == TIMED_OUT:
        return (
            f"the database server at {where} took too long to answer: it is tried again; if that "
            "lasts, see what keeps the server busy (SHOW PROCESSLIST)"
        )
    if number in LOST:
        return (
            f"the connection to the database at {where} was lost ({message}): it is made again at "
            "the next try; if that lasts, see that the server runs"
        )
    if number == LOCK_WAIT:
        return (
            "another connection holds a row of this asset locked: end the transaction of the SQL "
            "client or program that does (SHOW PROCESSLIST names it); it is tried again"
        )
    if number == DEADLOCK:
        return "two transactions met in a deadlock, and ours gave way: try again"
    if number in (NO_SUCH_TABLE, NO_SUCH_COLUMN):
        return (
            f"the database {settings.name!r} is incomplete ({message}): pipe sql/schema.sql into it"
        )
    if number in (1040, 1203, 1226):
        return (
            f"the database server at {where} has no connection left ({message}): raise "
            "max_connections or end other programs"
        )
    if number == STATEMENT_BINLOG:
        return (
            f"the database server at {where} logs statements, which READ COMMITTED forbids: set "
            "its binlog_format to ROW or MIXED"
        )
    if number in NOT_WRITABLE:
        return (
            f"the database server at {where} can't write ({message}): free its disk or end its "
            "read-only mode; the bot goes on as soon as it can write again"
        )
    return f"the database gave up with error {number} ({message}): look into the server's error log"
