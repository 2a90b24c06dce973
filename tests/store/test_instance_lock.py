"""One database, one trading program, whatever happens to the one before."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from dca_bot.program.errors import DcaError, StoreUnavailable
from dca_bot.program.settings import DatabaseSettings
from dca_bot.store.instance_lock import SILENCE_SECONDS, InstanceLock, lock_name
from dca_bot.store.values import Value
from tests.helpers import eventually, start_script
from tests.proofs.whole.database_proxy import Cut, DatabaseProxy, Nth, Unnoticed, like
from tests.store.sql_helpers import SqlClient

HOLD_IT = """
import sys
from dca_bot.program.settings import DatabaseSettings
from dca_bot.store.instance_lock import InstanceLock
host, port, user, password, name = sys.argv[1:]
with InstanceLock(DatabaseSettings(host, int(port), user, password, name)):
    print("held", flush=True)
    sys.stdin.read()
"""

# Seconds that a server which stands still may take to let go of a lock; less than a statement has.
PATIENCE = 8

LOCK_WAITS = "SELECT COUNT(*) FROM information_schema.processlist WHERE state = 'User lock'"


@pytest.fixture
def sql(empty_database: DatabaseSettings) -> Iterator[SqlClient]:
    client = SqlClient(empty_database)
    yield client
    client.close()


class Server:
    """What the server says of the lock."""

    def __init__(self, sql: SqlClient, database: DatabaseSettings) -> None:
        self.sql, self._name = sql, lock_name(database.name)

    def holder(self) -> Value:
        """The number of the connection that has it; None: nobody."""
        return self.sql.value("SELECT IS_USED_LOCK(%s)", self._name)

    def end_all(self) -> None:
        """Kill every other connection, and wait until the lock is free."""
        self.sql.kill(self.sql.connections())
        eventually(lambda: self.holder() is None)


@pytest.fixture
def server(sql: SqlClient, empty_database: DatabaseSettings) -> Server:
    return Server(sql, empty_database)


def test_a_second_program_is_refused_and_told_where_the_first_is(
    empty_database: DatabaseSettings, server: Server
) -> None:
    with InstanceLock(empty_database):
        before = server.holder()
        holder = rf"another main_app.py \(pid {os.getpid()}, from .+\) already trades"
        with pytest.raises(DcaError, match=holder):
            InstanceLock(empty_database, wait_seconds=0).acquire()
        assert server.holder() == before is not None


def test_taking_it_twice_is_taking_it_once_and_it_is_free_again_afterwards(
    empty_database: DatabaseSettings, server: Server
) -> None:
    with InstanceLock(empty_database) as lock:
        first = server.holder()
        lock.acquire()
        assert server.holder() == first is not None
    eventually(lambda: server.holder() is None)
    with InstanceLock(empty_database):
        assert server.holder() not in (None, first)


def test_other_databases_of_the_server_are_free(
    empty_database: DatabaseSettings, sql: SqlClient
) -> None:
    sql.run("CREATE DATABASE another_bot")
    with InstanceLock(empty_database), InstanceLock(replace(empty_database, name="another_bot")):
        sql.run("DROP DATABASE another_bot")


def test_a_killed_program_leaves_it_free(empty_database: DatabaseSettings) -> None:
    database = empty_database
    arguments = [database.host, str(database.port), database.user, database.password, database.name]
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD_IT, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with holder:
        assert holder.stdout
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(DcaError):
            InstanceLock(database, wait_seconds=0).acquire()
        holder.kill()
        with InstanceLock(database, wait_seconds=PATIENCE):
            pass


def test_a_lost_connection_is_noticed_and_the_lock_taken_again(
    empty_database: DatabaseSettings, server: Server
) -> None:
    with InstanceLock(empty_database, wait_seconds=PATIENCE) as lock:
        server.end_all()
        lock.acquire()
        assert server.holder() is not None


def test_a_lock_that_another_took_meanwhile_is_not_taken_again(
    empty_database: DatabaseSettings, server: Server
) -> None:
    with InstanceLock(empty_database) as lock:
        server.end_all()
        with InstanceLock(empty_database):
            others = server.holder()
            with pytest.raises(DcaError, match="already trades"):
                lock.acquire()
            assert server.holder() == others


WHO_HOLDS = like("SELECT IS_USED_LOCK")


def test_its_own_lost_connection_is_not_taken_for_another_bot(
    empty_database: DatabaseSettings, sql: SqlClient
) -> None:
    now = 0.0
    with (
        closing(DatabaseProxy(empty_database)) as proxy,
        InstanceLock(proxy.settings, wait_seconds=0, monotonic=lambda: now) as lock,
    ):
        proxy.plan = Nth(1, Unnoticed(), WHO_HOLDS)
        for _ in range(2):
            with pytest.raises(StoreUnavailable, match="has not noticed yet"):
                lock.acquire()
        now = SILENCE_SECONDS  # by then the server has ended it: its number is somebody else's
        with pytest.raises(DcaError, match="already trades"):
            lock.acquire()
        sql.kill(sql.connections())
        eventually(lambda: not sql.connections())
        lock.acquire()


class Meanwhile:
    """Lets something happen just before the server is asked who holds the lock."""

    def __init__(self, what: Callable[[], None]) -> None:
        self._what = what

    def fault(self, statements: Sequence[str]) -> None:
        if any(map(WHO_HOLDS, statements)):
            self._what()


def test_not_knowing_who_holds_it_is_not_another_bot(
    empty_database: DatabaseSettings, server: Server
) -> None:
    def let_go() -> None:
        first.release()
        eventually(lambda: server.holder() is None)

    with (
        InstanceLock(empty_database) as first,
        closing(DatabaseProxy(empty_database)) as proxy,
    ):
        lock = InstanceLock(proxy.settings, wait_seconds=0)
        proxy.plan = Nth(1, Cut(is_done=False), WHO_HOLDS)
        with pytest.raises(StoreUnavailable):
            lock.acquire()
        proxy.plan = Meanwhile(let_go)
        with pytest.raises(StoreUnavailable, match="let go of the lock"):
            lock.acquire()
        proxy.plan = None
        lock.acquire()
        lock.release()


def test_a_bot_whose_lock_another_has_taken_ends(
    bot_env: dict[str, str], empty_database: DatabaseSettings, server: Server, tmp_path: Path
) -> None:
    log = tmp_path / "main_app.out"
    other = InstanceLock(empty_database, wait_seconds=PATIENCE)
    with log.open("wb") as output, ThreadPoolExecutor(1) as pool:
        bot = start_script("main_app.py", env=bot_env, output=output)
        try:
            eventually(lambda: "trade stream connected" in log.read_text(), timeout=60)
            waiting = pool.submit(other.acquire)
            eventually(lambda: server.sql.value(LOCK_WAITS) == 1)
            server.sql.kill([server.holder()])
            waiting.result(timeout=20)
            assert bot.wait(timeout=30) == 1
            assert "already trades this database" in log.read_text()
        finally:
            bot.kill()
            bot.wait()
            other.release()


@pytest.mark.parametrize("database", ["d", "d" * 47, "d" * 48, "d" * 64])
def test_lock_names_fit_and_differ(database: str) -> None:
    assert len(lock_name(database)) <= 64
    assert lock_name(database) != lock_name(database[:-1] + "e")
