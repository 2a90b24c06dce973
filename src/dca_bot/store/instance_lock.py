"""Lets one main_app.py trade a database, on whichever host it runs.

Rule: the lock lives in the database server (GET_LOCK) and on a connection of its own, so it ends
with the process however that ends.  It guards against a second bot started by mistake; what keeps
two of them from placing one order twice is the asset's row lock.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Self

from dca_bot.program.errors import DcaError, StoreUnavailable
from dca_bot.program.peer import process_behind
from dca_bot.program.setting_groups import DatabaseSettings
from dca_bot.store.connection import LOCK_WAIT_SECONDS, Session
from dca_bot.store.failures import Failure
from dca_bot.store.values import Value

NAME_LENGTH_MAX = 64  # MySQL's limit for the names of locks
WAIT_SECONDS = 2  # a predecessor that was just killed needs a moment to be noticed
# After so long without a sign of life the server ends the connection and with it the lock: a host
# that lost its power must not keep the others from trading.  `acquire` is the sign of life.
SILENCE_SECONDS = 60

SET_SILENCE = "SET SESSION wait_timeout = %s"
TAKE_LOCK = "SELECT GET_LOCK(%s, %s)"
WHO_HOLDS = "SELECT IS_USED_LOCK(%s)"
HOST_OF = "SELECT host FROM information_schema.processlist WHERE id = %s"


class InstanceLock:
    """Held from `acquire` to `release`, unless the connection is lost: `acquire` takes it again.

    Thread-safe.  Call `acquire` at least every SILENCE_SECONDS / 2.
    """

    def __init__(
        self,
        settings: DatabaseSettings,
        *,
        wait_seconds: int = WAIT_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._wait_seconds = wait_seconds
        self._monotonic = monotonic
        self._name = lock_name(settings.name)
        self._session: Session | None = None
        self._lost_id = 0  # the connection that was lost last, and when
        self._lost_at = 0.0
        self._guard = threading.Lock()

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def acquire(self) -> None:
        """Take the lock, also again after it was lost; does nothing while it is held.

        Raises DcaError when another main_app.py has it, StoreUnavailable when nobody can tell.
        """
        with self._guard:
            if self._is_held():
                return
            session = Session(self._settings, LOCK_WAIT_SECONDS)
            try:
                session.write(SET_SILENCE, (SILENCE_SECONDS,))
                if session.rows(TAKE_LOCK, (self._name, self._wait_seconds))[0][0] != 1:
                    raise self._refusal(session)
            except BaseException:
                session.close()
                raise
            self._session = session

    def release(self) -> None:
        """Let go of the lock; the server does it when the connection ends."""
        with self._guard:
            self._drop()

    def _is_held(self) -> bool:
        if self._session is None:
            return False
        connection_id = self._session.connection_id
        with suppress(Failure):
            if self._session.rows(WHO_HOLDS, (self._name,))[0][0] == connection_id:
                return True
        self._lost_id, self._lost_at = connection_id, self._monotonic()
        self._drop()
        return False

    def _refusal(self, session: Session) -> DcaError:
        """Why the lock is not ours.  Only a holder that is another one is a reason to end."""
        holder = session.rows(WHO_HOLDS, (self._name,))[0][0]
        if holder is None:
            return StoreUnavailable("another main_app.py let go of the lock just now: try again")
        # The number alone would not do: a server that was restarted counts from 1 again.
        if holder == self._lost_id and self._monotonic() < self._lost_at + SILENCE_SECONDS:
            return StoreUnavailable(
                f"our connection {holder} was lost, and the database server, which has not "
                f"noticed yet, does so within {SILENCE_SECONDS} s: the lock is taken again then"
            )
        return DcaError(
            f"another main_app.py{self._describe(holder, session)} already trades this database: "
            "stop it first, or give this one a database of its own"
        )

    def _describe(self, holder: Value, session: Session) -> str:
        hosts = session.rows(HOST_OF, (holder,))
        if not hosts:
            return ""
        client = str(hosts[0][0])
        pid = process_behind(client, self._settings.port)
        return f" ({f'pid {pid}, ' if pid else ''}from {client}, connection {holder})"

    def _drop(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None


def lock_name(database: str) -> str:
    """The lock's name on the server, which may have many databases; long ones are shortened."""
    name = f"dca_bot trades {database}"
    if len(name) <= NAME_LENGTH_MAX:
        return name
    digest = hashlib.sha256(database.encode()).hexdigest()[:16]
    return f"{name[: NAME_LENGTH_MAX - 17]}#{digest}"
