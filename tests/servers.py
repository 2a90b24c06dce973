"""Which database server the tests use: a private MariaDB, or the one of TEST_DATABASE_URL.

    TEST_DATABASE_URL=mysql://root@127.0.0.1:3306 ./run_script_wrapper.sh -m pytest tests/store

Its user must be able to create databases and users, and its global variables are changed: give a
server that is there for tests alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

import mysql.connector
import pytest

from dca_bot.program.settings import DatabaseSettings
from dca_sandbox.private_mariadb import PrivateMariaDb

VARIABLE = "TEST_DATABASE_URL"


class GivenServer:
    """Somebody's server, for whatever tests need no more than databases of their own."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("mysql", "mariadb") or not (parts.hostname and parts.username):
            raise pytest.UsageError(
                f"{VARIABLE} must look like mysql://root:password@127.0.0.1:3306"
            )
        self._host, self.port = parts.hostname, parts.port or 3306
        self._user, self._password = unquote(parts.username), unquote(parts.password or "")

    def create_database(self, name: str) -> DatabaseSettings:
        self._run(f"CREATE DATABASE `{name}`")
        return DatabaseSettings(self._host, self.port, self._user, self._password, name)

    def drop_database(self, name: str) -> None:
        self._run(f"DROP DATABASE `{name}`")

    def halt(self) -> None:
        pytest.skip(f"the server of {VARIABLE} is not ours to stop")

    def resume(self) -> None:
        """It was never stopped."""

    def _run(self, statement: str) -> None:
        with closing(
            mysql.connector.connect(
                host=self._host,
                port=self.port,
                user=self._user,
                password=self._password,
                use_pure=True,
                connection_timeout=5,
                collation="utf8mb4_general_ci",
            )
        ) as connection:
            cursor = connection.cursor()
            # fail rather than wait for ever behind a transaction that a test has forgotten
            cursor.execute("SET SESSION lock_wait_timeout = 60")
            cursor.execute(statement)


Server = PrivateMariaDb | GivenServer


@contextmanager
def a_server(directory: Path) -> Iterator[Server]:
    """The server of TEST_DATABASE_URL, or else a private one whose data are in the directory."""
    url = os.environ.get(VARIABLE)
    if url:
        yield GivenServer(url)
        return
    with PrivateMariaDb(directory, durable=False) as server:
        yield server
