"""A MariaDB server of our own, for the demo and the tests: free port, own data, gone at the end.

Rule: the system's own server is never touched: no default files are read, and nothing outside
the given directory is written.
"""

import fcntl
import os
import re
import secrets
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import mysql.connector

from dca_bot.program.errors import DcaError
from dca_bot.program.setting_groups import DatabaseSettings
from dca_sandbox.children import die_with
from dca_sandbox.mariadb_programs import ServerPrograms, ensure_server_installed

HOST = "127.0.0.1"
USER = "dca_bot"
READY_SECONDS = 90
CLAIM_SECONDS = 2
DROP_SECONDS = 60
START_ATTEMPTS = 3
# Below those that the kernel gives to whoever asks for none in particular, so that nobody is given
# this one while the server is halted.
PORTS = range(20_000, 32_768)
OUR_FILES = {"lock", "data", "tmp", "init.sql", "server.log"}
NO_LOCK = -1


class PrivateMariaDb:
    """A running server while the `with` block lasts; the directory is removed at its end.

    `durable=False` trades what a power cut would lose for speed; `options` are the server's, and
    win over ours.  Start it from a thread that
    lives as long as the server is needed: the kernel ties the server's life to that thread.
    """

    def __init__(
        self, data_dir: Path, *, durable: bool = True, options: Sequence[str] = ()
    ) -> None:
        self.data_dir = data_dir.resolve()
        self.port = 0
        self._durable = durable
        self._options = options
        self._password = secrets.token_urlsafe(16)
        self._process: subprocess.Popen[bytes] | None = None
        self._lock_fd = NO_LOCK

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Make a fresh data directory and wait until the server answers; raise DcaError."""
        programs = ensure_server_installed()
        self._lock_fd = _claim(self.data_dir)
        try:
            self._make_data(programs)
            for attempt in range(1, START_ATTEMPTS + 1):
                self.port = secrets.choice(PORTS)
                try:
                    return self.resume()
                except DcaError:
                    # it was somebody else's
                    if attempt == START_ATTEMPTS or "Address already in use" not in self._log():
                        raise
        except BaseException:
            self.stop()
            raise

    def resume(self) -> None:
        """Start the server on the data and port it has, as after `halt`."""
        self._process = self._spawn(ensure_server_installed().server)
        self._wait_until_ready(self._process)

    def halt(self) -> None:
        """End the server at once, as a power cut would; its data stays for `resume`."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        """End the server and remove its directory."""
        self.halt()
        if self._lock_fd != NO_LOCK:
            shutil.rmtree(self.data_dir, ignore_errors=True)
            os.close(self._lock_fd)
            self._lock_fd = NO_LOCK

    @property
    def pid(self) -> int | None:
        """The server's process id while it runs."""
        return self._process.pid if self._process else None

    def create_database(self, name: str) -> DatabaseSettings:
        """Create an empty database and return how to connect to it."""
        self._execute(f"CREATE DATABASE `{_checked(name)}`")
        return DatabaseSettings(HOST, self.port, USER, self._password, name)

    def drop_database(self, name: str) -> None:
        """Remove a database that `create_database` made."""
        self._execute(f"DROP DATABASE `{_checked(name)}`")

    def _execute(self, statement: str) -> None:
        connection = mysql.connector.connect(
            host=HOST,
            port=self.port,
            user=USER,
            password=self._password,
            use_pure=True,
            connection_timeout=5,
            collation="utf8mb4_general_ci",
        )
        try:
            connection.cursor().execute(statement)
        finally:
            connection.close()

    def _make_data(self, programs: ServerPrograms) -> None:
        for name in ("data", "tmp"):
            shutil.rmtree(self.data_dir / name, ignore_errors=True)
        (self.data_dir / "tmp").mkdir()
        with (self.data_dir / "server.log").open("wb") as output:
            done = subprocess.run(  # noqa: S603 - programs that we looked up
                [
                    programs.install_db,
                    "--no-defaults",
                    "--datadir=./data",  # relative, since it cannot take a path with spaces
                    "--auth-root-authentication-method=socket",
                    "--skip-test-db",
                    "--skip-name-resolve",
                    *_as_root(),
                ],
                cwd=self.data_dir,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=READY_SECONDS,
                check=False,
            )
        if done.returncode != 0:
            raise self._failure("could not make its data directory")
        # USER comes from 127.0.0.1 alone, since the server listens nowhere else
        init_file = self.data_dir / "init.sql"
        init_file.touch(mode=0o600)  # before the password is in it
        init_file.write_text(
            f"CREATE USER IF NOT EXISTS '{USER}'@'%' IDENTIFIED BY '{self._password}';\n"
            f"GRANT ALL PRIVILEGES ON *.* TO '{USER}'@'%' WITH GRANT OPTION;\n"
        )

    def _spawn(self, server: str) -> subprocess.Popen[bytes]:
        command = [
            server,
            "--no-defaults",
            f"--datadir={self.data_dir / 'data'}",
            f"--init-file={self.data_dir / 'init.sql'}",
            f"--bind-address={HOST}",
            f"--port={self.port}",
            # Relative to the data directory, where the server goes at its start: a path to a
            # socket must be shorter than 108 bytes, and a temporary directory's often is not.
            "--socket=server.sock",
            "--pid-file=server.pid",
            "--skip-name-resolve",
            "--performance-schema=OFF",
            # DROP DATABASE fails rather than wait for ever behind a forgotten transaction
            f"--lock-wait-timeout={DROP_SECONDS}",
            "--innodb-buffer-pool-size=16M",
            "--innodb-log-file-size=32M",
            "--key-buffer-size=1M",
            "--aria-pagecache-buffer-size=1M",
            f"--innodb-flush-log-at-trx-commit={int(self._durable)}",
            # MariaDB 11.4 and newer offer TLS by themselves; nothing here leaves the machine
            "--skip-ssl",
            *_as_root(),
            *self._options,
        ]
        with (self.data_dir / "server.log").open("ab") as output:
            return subprocess.Popen(  # noqa: S603 - a program that we looked up
                command,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=[self._lock_fd],  # the directory is taken until the server is gone too
                # Ctrl-C is for us alone: our programs still need the database to end cleanly
                start_new_session=True,
                preexec_fn=die_with(os.getpid()),  # noqa: PLW1509 - two system calls only
            )

    def _environment(self) -> dict[str, str]:
        # A server begins by deleting every temporary table in its directory for them, also those of
        # other servers: in /tmp two that start at the same time would end each other.
        return {**os.environ, "TMPDIR": str(self.data_dir / "tmp")}

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> None:
        give_up_at = time.monotonic() + READY_SECONDS
        while time.monotonic() < give_up_at:
            if process.poll() is not None:
                self._process = None
                raise self._failure("ended while it started")
            try:
                return self._execute("SET @ready = 1")
            except mysql.connector.Error:
                time.sleep(0.05)
        self.halt()
        raise self._failure(f"did not answer within {READY_SECONDS} s")

    def _failure(self, what: str) -> DcaError:
        lines = self._log().strip().splitlines()
        # after its reason, mariadb-install-db gives pages of advice
        telling = [line for line in lines if "ERROR" in line.upper()] or lines
        said = " | ".join(telling[-3:])
        return DcaError(
            f"the private MariaDB server {what}: {said}: free memory or disk, try again"
        )

    def _log(self) -> str:
        return (self.data_dir / "server.log").read_text(errors="replace")


def _claim(data_dir: Path) -> int:
    """Lock the directory, which must be new or left over from us; raise DcaError."""
    data_dir.mkdir(parents=True, exist_ok=True)
    foreign = {path.name for path in data_dir.iterdir()} - OUR_FILES
    if foreign:
        raise DcaError(f"{data_dir} holds other files: choose an empty directory")
    lock_fd = os.open(data_dir / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    give_up_at = time.monotonic() + CLAIM_SECONDS
    while not _locks(lock_fd):
        if time.monotonic() > give_up_at:
            os.close(lock_fd)
            raise DcaError(
                f"another private database runs in {data_dir}: end it or choose another directory"
            )
        time.sleep(0.05)  # a server whose parent was just killed needs a moment to go, too
    return lock_fd


def _locks(lock_fd: int) -> bool:
    try:
        fcntl.flock(lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _as_root() -> list[str]:
    # The server refuses to run as root by accident.  With plain --user mariadb-install-db would
    # give a directory of the installed server to that user; with "loose" it only passes it on.
    return ["--loose-user=root"] if os.geteuid() == 0 else []


def _checked(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_]{1,64}", name):
        raise DcaError(f"{name!r} cannot name a database: use letters, digits and _")
    return name
