"""What several tests share.  Rule: helpers wait and start things, they never judge."""

import inspect
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial, wraps
from pathlib import Path
from typing import IO, Any, TypeVar

import mysql.connector
import requests

from dca_bot.program.settings import PROJECT_ROOT, DatabaseSettings
from tests import warm

Found = TypeVar("Found")
# A machine with much else to do may take long over a simulator's answer, which proves nothing.
ANSWER_SECONDS = 60
SAMPLE = """
INSERT INTO dca_assets (
    asset_symbol, is_enabled, base_order_amount, safety_order_amount,
    max_safety_orders, safety_order_deviation, take_profit_percent,
    cooldown_period, buy_order_price_deviation_percent
) VALUES ('{symbol}', TRUE, 20.00, 20.00, 5, 1.5, 1.0, 300, 2.0);
"""
READY_LINE = re.compile(r"ready on (http://\S+) \(key (\S+?),? secret (\S+?)\)")


def eventually(condition: Callable[[], Found | None], timeout: float = 10.0) -> Found:
    """Call `condition` until what it returns is true, and return that; fail after `timeout`."""
    give_up_at = time.monotonic() + timeout
    pause = 0.01
    while True:
        # taken before the look: one that a stalled machine has drawn out is not the last
        is_last = time.monotonic() > give_up_at
        found = condition()
        if found:
            return found
        if is_last:
            what = getattr(condition, "__name__", str(condition))
            raise AssertionError(f"still not so after {timeout} s: {what}, last seen {found!r}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)  # what takes long is not asked for all the time


def apply_sql(database: DatabaseSettings, sql: bytes) -> None:
    """Run any number of statements."""
    with closing(sql_client(database)) as connection, closing(connection.cursor()) as cursor:
        cursor.execute(sql.decode())
        while cursor.nextset():
            pass
        connection.commit()


def add_samples(database: DatabaseSettings, *symbols: str) -> None:
    """The row that the README inserts, for each of these symbols."""
    for symbol in symbols:
        apply_sql(database, SAMPLE.format(symbol=symbol).encode())


def pipe_sql(database: DatabaseSettings, sql: bytes) -> None:
    """Pipe SQL into the database's own command-line client, as a user would."""
    client = shutil.which("mariadb") or shutil.which("mysql")
    assert client, "no MariaDB client: run `apt-get install mariadb-client`"
    command = [client, "--no-defaults", "--protocol=tcp", f"--host={database.host}"]
    command += [f"--port={database.port}", f"--user={database.user}", database.name]
    done = subprocess.run(
        command,
        input=sql,
        env={**os.environ, "MYSQL_PWD": database.password},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()


def sql_client(database: DatabaseSettings) -> Any:
    """A connection as a user's SQL client makes it."""
    return mysql.connector.connect(
        host=database.host,
        port=database.port,
        user=database.user,
        password=database.password,
        database=database.name,
        use_pure=True,
        collation="utf8mb4_general_ci",
    )


@contextmanager
def locked_asset(database: DatabaseSettings, symbol: str) -> Iterator[None]:
    """An SQL client that has begun a transaction, and whose user has gone for lunch."""
    with closing(sql_client(database)) as connection, closing(connection.cursor()) as cursor:
        sql = "SELECT id FROM dca_assets WHERE asset_symbol = %s FOR UPDATE"
        cursor.execute(sql, (symbol,))
        cursor.fetchall()
        yield


def database_environment(database: DatabaseSettings) -> dict[str, str]:
    """The DB_* variables for our scripts."""
    return {
        "DB_HOST": database.host,
        "DB_PORT": str(database.port),
        "DB_USER": database.user,
        "DB_PASSWORD": database.password,
        "DB_NAME": database.name,
    }


class Simulator:
    """A simulated Alpaca with its control API, as the owner of a key sees it."""

    def __init__(self, base_url: str, key_id: str, secret_key: str) -> None:
        self.base_url, self.key_id, self.secret_key = base_url, key_id, secret_key
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy, no ~/.netrc
        self._session.headers["APCA-API-KEY-ID"] = key_id
        self._session.headers["APCA-API-SECRET-KEY"] = secret_key

    def get(self, path: str) -> Any:
        """The JSON answer to a GET; fails on an error status."""
        return self._answer(self._session.get(self.base_url + path, timeout=ANSWER_SECONDS))

    def post(self, path: str, json: Any = None) -> Any:
        """The JSON answer to a POST; fails on an error status."""
        answer = self._session.post(self.base_url + path, json=json, timeout=ANSWER_SECONDS)
        return self._answer(answer)

    def patch(self, path: str, json: Any) -> Any:
        """The JSON answer to a PATCH; fails on an error status."""
        answer = self._session.patch(self.base_url + path, json=json, timeout=ANSWER_SECONDS)
        return self._answer(answer)

    def env(self) -> dict[str, str]:
        """The APCA_* variables that point our scripts at this exchange."""
        return {
            "APCA_API_KEY_ID": self.key_id,
            "APCA_API_SECRET_KEY": self.secret_key,
            "APCA_API_BASE_URL": self.base_url,
            "APCA_API_DATA_URL": self.base_url,
            "APCA_API_STREAM_URL": self.base_url.replace("http", "ws", 1),
        }

    def close(self) -> None:
        self._session.close()

    @staticmethod
    def _answer(response: requests.Response) -> Any:
        assert response.ok, f"{response.url} answered {response.status_code}: {response.text}"
        return response.json() if response.content else None


class SimulatorProcess(Simulator):
    """A process of its own."""

    def __init__(self, directory: Path, *arguments: str) -> None:
        """Start it with more command-line arguments and wait until it says that it is ready."""
        self._log = directory / "alpaca_simulator.log"
        self._process = warm.WarmProcess(
            *("-m", "alpaca_simulator", "--port", "0", *arguments),
            env=os.environ,
            output=self._log,
        )
        try:
            super().__init__(*self._wait_until_ready().groups())
        except BaseException:
            self._end()
            raise

    @property
    def output(self) -> str:
        """What it has printed so far."""
        return self._log.read_text(errors="replace")

    def stop(self) -> int:
        """End it; asking twice does no harm.  Its exit status."""
        self.close()
        return self._end()

    def _end(self) -> int:
        self._process.terminate()
        try:
            return self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def _wait_until_ready(self) -> re.Match[str]:
        def ready_line() -> re.Match[str] | None:
            assert self._process.poll() is None, f"alpaca_simulator ended: {self.output}"
            return READY_LINE.search(self.output)

        return eventually(ready_line, timeout=30)


def start_script(
    name: str, *arguments: str, env: dict[str, str], output: IO[bytes] | int = subprocess.PIPE
) -> subprocess.Popen[bytes]:
    """Start one of the top-level scripts as cron would, with exactly this environment."""
    return subprocess.Popen(
        [sys.executable, str(PROJECT_ROOT / name), *arguments],
        cwd="/",
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
    )


def run_script(
    name: str, *arguments: str, env: dict[str, str], timeout: float = 60
) -> subprocess.CompletedProcess[str]:
    """Run one of the top-level scripts to its end, with exactly this environment (`warm.py`)."""
    return warm.run(str(PROJECT_ROOT / name), *arguments, env=env, timeout=timeout)


def played_by(play: Callable[..., None], *arguments: Any, **options: Any) -> Any:
    """Of a coroutine a test that `play` runs: what `play` gives is its first argument."""

    def made(scenario: Callable[..., Any]) -> Callable[..., None]:
        @wraps(scenario)
        def test(**given: Any) -> None:
            play(partial(scenario, **given), *arguments, **options)

        signature = inspect.signature(scenario)
        _, *rest = signature.parameters.values()
        test.__signature__ = signature.replace(parameters=rest)  # type: ignore[attr-defined]
        return test

    return made
