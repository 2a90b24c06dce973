"""The database, as reports see it: one session that can't write.

Rule: the server itself refuses every change (READ ONLY), so a user with SELECT alone suffices, and
one look is one snapshot: numbers that are shown together belong together.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Self

from dca_bot.core.model import ZERO
from dca_bot.program.setting_groups import DatabaseSettings
from dca_bot.store.connection import LOCK_WAIT_SECONDS, Session
from dca_bot.store.values import Row, Value

READ_ONLY = "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
# MySQL would cut what is joined to one text after a thousand bytes.
WHOLE_TEXTS = "SET SESSION group_concat_max_len = 4194304"


class Reader:
    """Connects when first asked, and again after the connection was lost; not for two threads."""

    def __init__(self, settings: DatabaseSettings) -> None:
        self._settings = settings
        self._session: Session | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def rows(self, sql: str, *params: Value) -> list[Row]:
        """All rows of a SELECT, of the snapshot that the first one began; raises StoreUnavailable.

        A time is compared as UTC: the session's zone.
        """
        if self._session is None or not self._session.is_sound:
            self.close()
            session = Session(self._settings, LOCK_WAIT_SECONDS)
            session.write(READ_ONLY)
            session.write(WHOLE_TEXTS)
            session.commit()
            self._session = session
        return self._session.rows(sql, [_bound(value) for value in params])

    def row(self, sql: str, *params: Value) -> Row:
        """The one row of a SELECT that always has one."""
        return self.rows(sql, *params)[0]

    def look_again(self) -> None:
        """End the snapshot: what is asked next is as things are then."""
        if self._session is not None and self._session.is_sound:
            self._session.rollback()

    def close(self) -> None:
        """Let go of the connection."""
        if self._session is not None:
            self._session.close()
            self._session = None


def money(value: Value) -> Decimal:
    """A sum; none at all is nothing."""
    return ZERO if value is None else Decimal(str(value))


def known(value: Value) -> Decimal | None:
    """A number that may not be known."""
    return None if value is None else Decimal(str(value))


def whole(value: Value) -> int:
    """A count; none at all is nothing."""
    return 0 if value is None else int(str(value))


def moment(value: Value) -> datetime:
    """A TIMESTAMP column."""
    assert isinstance(value, datetime), value  # noqa: S101 - the column's type
    return value.replace(tzinfo=UTC)


def texts(rows: Sequence[Row]) -> list[str]:
    """The first column of each row."""
    return [str(row[0]) for row in rows]


def _bound(value: Value) -> Value:
    return value.astimezone(UTC).replace(tzinfo=None) if isinstance(value, datetime) else value
