"""The private database server: there when asked for, gone whatever happens."""

import os
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import mysql.connector
import pytest

from dca_bot.program.errors import DcaError
from dca_bot.program.settings import DatabaseSettings
from dca_sandbox.private_mariadb import PrivateMariaDb
from tests.helpers import apply_sql, eventually, sql_client

PARENT = """
import sys, time
from pathlib import Path
from dca_sandbox.private_mariadb import PrivateMariaDb

with PrivateMariaDb(Path(sys.argv[1])) as server:
    print(server.pid, flush=True)
    time.sleep(600)
"""


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def test_a_new_database_is_empty_and_takes_sql(empty_database: DatabaseSettings) -> None:
    apply_sql(empty_database, b"CREATE TABLE t (n INT); INSERT INTO t VALUES (1);")
    with pytest.raises(mysql.connector.Error, match="already exists"):
        apply_sql(empty_database, b"CREATE TABLE t (n INT);")


def test_an_odd_database_name_is_refused(mariadb: PrivateMariaDb) -> None:
    with pytest.raises(DcaError):
        mariadb.create_database("a`; DROP DATABASE mysql; --")


def test_a_long_path_with_spaces_works_and_is_removed(tmp_path: Path) -> None:
    data_dir = tmp_path / "my bot" / ("x" * 120)
    with PrivateMariaDb(data_dir, durable=False) as server:
        apply_sql(server.create_database("d"), b"CREATE TABLE t (n INT);")
        pid = server.pid
    assert pid is not None
    assert not is_running(pid)
    assert not data_dir.exists()


def test_what_was_committed_survives_a_power_cut(tmp_path: Path) -> None:
    with PrivateMariaDb(tmp_path / "data") as server:
        database = server.create_database("d")
        apply_sql(database, b"CREATE TABLE t (n INT PRIMARY KEY); INSERT INTO t VALUES (1);")
        server.halt()
        server.resume()
        with pytest.raises(mysql.connector.Error, match="Duplicate entry"):
            apply_sql(database, b"INSERT INTO t VALUES (1);")


def test_two_servers_never_share_a_directory(mariadb: PrivateMariaDb) -> None:
    with pytest.raises(DcaError, match="another private database runs"):
        PrivateMariaDb(mariadb.data_dir).start()


def test_a_server_keeps_its_temporary_tables_to_itself(
    mariadb: PrivateMariaDb, empty_database: DatabaseSettings
) -> None:
    """In a directory that servers share, each start would delete those of all others."""
    with closing(sql_client(empty_database)) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT @@tmpdir")
        assert cursor.fetchone() == (str(mariadb.data_dir / "tmp"),)


def test_a_directory_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "diary.txt").write_text("mine")
    with pytest.raises(DcaError, match="other files"):
        PrivateMariaDb(tmp_path).start()
    assert (tmp_path / "diary.txt").read_text() == "mine"


def test_the_server_dies_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(data_dir)], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        server_pid = int(parent.stdout.readline())
        assert is_running(server_pid)
        os.kill(parent.pid, signal.SIGKILL)
    eventually(lambda: not is_running(server_pid))

    with PrivateMariaDb(data_dir, durable=False) as server:  # and its leftovers are no obstacle
        assert server.pid != server_pid
