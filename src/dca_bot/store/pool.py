"""A few connections, kept open and shared by threads.

Rule: a transaction begins with its first statement, which locks or reads and never writes.  So
whatever goes wrong with that one (an idle connection that the server has closed, a restarted
server, a lock not granted) can be repeated here, unnoticed by anybody; nothing later can.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence

from dca_bot.program.errors import StoreUnavailable
from dca_bot.program.setting_groups import DatabaseSettings
from dca_bot.store.connection import Session
from dca_bot.store.failures import TIMED_OUT, Failure
from dca_bot.store.values import Row, Value

FREE_SLOT_SECONDS = 10
FIRST_STATEMENT_TRIES = 2


class Pool:
    """At most `size` connections at a time; thread-safe."""

    def __init__(self, settings: DatabaseSettings, *, size: int, lock_wait_seconds: int) -> None:
        self._settings = settings
        self._size = size
        self._lock_wait_seconds = lock_wait_seconds
        self._slots = threading.BoundedSemaphore(size)
        # First in, first out: with a read every second each idle connection gets its turn long
        # before the server's wait_timeout, and stays warm.
        self._idle: deque[Session] = deque()

    def begin(self, sql: str, params: Sequence[Value] = ()) -> tuple[Session, list[Row]]:
        """Run `sql` as a transaction's first statement; its rows, and the session to go on with.

        `end` must follow.  Raises StoreUnavailable.
        """
        if not self._slots.acquire(timeout=FREE_SLOT_SECONDS):
            raise StoreUnavailable(
                f"all {self._size} database connections were busy for {FREE_SLOT_SECONDS} s: "
                "it is tried again; if that lasts, see what holds locks (SHOW PROCESSLIST)"
            )
        try:
            return self._first(sql, params)
        except BaseException:
            self._slots.release()
            raise

    def end(self, session: Session) -> None:
        """Take the session back; what it has not committed is rolled back."""
        try:
            self._settle(session)
        finally:
            self._slots.release()

    def close(self) -> None:
        """Close the idle connections; the pool can go on to be used."""
        while self._idle:
            self._idle.popleft().close()

    def _first(self, sql: str, params: Sequence[Value]) -> tuple[Session, list[Row]]:
        session = self._take_idle()
        if session is not None:
            try:
                return session, self._repeated(session, sql, params)
            except Failure as failure:
                if not failure.session_is_lost:
                    raise
                self.close()  # its neighbours have most likely gone the same way
                if failure.number == TIMED_OUT:
                    raise  # enough time has passed; the next try gets a new connection
        session = Session(self._settings, self._lock_wait_seconds)
        return session, self._repeated(session, sql, params)

    def _repeated(self, session: Session, sql: str, params: Sequence[Value]) -> list[Row]:
        """The rows of a first statement, asked for again after a lock wait or a deadlock."""
        tries_left = FIRST_STATEMENT_TRIES
        try:
            while True:
                tries_left -= 1
                try:
                    return session.rows(sql, params)
                except Failure as failure:
                    if not (failure.is_worth_repeating and tries_left):
                        raise
                    session.rollback()
        except BaseException:
            self._settle(session)
            raise

    def _take_idle(self) -> Session | None:
        try:
            return self._idle.popleft()
        except IndexError:
            return None

    def _settle(self, session: Session) -> None:
        """Roll back and keep the session for the next one, or close it when it is not sound."""
        try:
            if session.is_sound:
                session.rollback()
        except Failure:
            pass  # the server rolls back by itself when it loses the connection
        finally:
            if session.is_sound:
                self._idle.append(session)
            else:
                session.close()
