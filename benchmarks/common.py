"""What the benchmarks share: a table and JSON, medians of interleaved rounds, and the bot's world.

Rule: a figure is worth something only beside another one of the same run, so everything that is
compared is measured in turns (A B A B ...), and the medians of the turns are compared.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from dca_bot.program.settings import PROJECT_ROOT, DatabaseSettings
from dca_sandbox.exchange import SimulatedExchange
from dca_sandbox.private_mariadb import PrivateMariaDb

Found = TypeVar("Found")
KEY_ID, SECRET_KEY = "bot", "secret"
STOP_SECONDS = 10
HOLDING_ASSETS = """
INSERT INTO dca_assets (asset_symbol, base_order_amount, safety_order_amount, max_safety_orders,
    safety_order_deviation, take_profit_percent, cooldown_period,
    buy_order_price_deviation_percent)
VALUES {assets};
INSERT INTO dca_cycles (asset_id, status, quantity, average_purchase_price, last_order_fill_price)
SELECT id, 'watching', 1, 100, 100 FROM dca_assets;
"""


def report(name: str, tables: Mapping[str, Sequence[Mapping[str, Any]]], **facts: Any) -> None:
    """Print every table for people, then all of it as one JSON document on one line."""
    for title, rows in tables.items():
        print(f"\n{title}")
        print(table(rows))
    print()
    print(json.dumps({"benchmark": name, "machine": machine(), **facts, "tables": tables}))


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows with the same keys as columns; numbers to the right."""
    heads = list(rows[0])
    cells = [[_shown(row[head]) for head in heads] for row in rows]
    widths = [max(map(len, column)) for column in zip(heads, *cells, strict=True)]
    is_text = [isinstance(rows[0][head], str) for head in heads]
    lines = []
    for line in (heads, ["-" * width for width in widths], *cells):
        pairs = zip(line, widths, is_text, strict=True)
        lines.append("  ".join(c.ljust(w) if text else c.rjust(w) for c, w, text in pairs))
    return "\n".join(line.rstrip() for line in lines)


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def machine() -> dict[str, Any]:
    """What it ran on, and how busy that was when the figures were printed."""
    return {
        "cpus": os.cpu_count(),
        "load_1_5_15": os.getloadavg(),
        "system": platform.platform(),
        "python": platform.python_version(),
    }


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that `percent` of all values don't exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100).__int__() - 1)]


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def eventually(condition: Callable[[], Found | None], seconds: float = 30.0) -> Found:
    """Call `condition` until what it returns is true, and return that."""
    give_up_at = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > give_up_at:
            raise SystemExit(f"still not so after {seconds} s: {condition!r}")
        time.sleep(0.005)
    return found


@contextmanager
def scratch() -> Iterator[Path]:
    """A directory that is gone at the end."""
    with tempfile.TemporaryDirectory(prefix="dca_benchmark_") as name:
        yield Path(name)


@contextmanager
def database_server(directory: Path) -> Iterator[PrivateMariaDb]:
    """A private MariaDB server that writes each commit to the disk before it answers."""
    with PrivateMariaDb(directory / "mariadb", durable=True) as server:
        yield server


def new_database(server: PrivateMariaDb, name: str) -> DatabaseSettings:
    """A database with the bot's schema and nothing else."""
    database = server.create_database(name)
    execute(database, (PROJECT_ROOT / "sql" / "schema.sql").read_text())
    return database


def execute(database: DatabaseSettings, sql: str) -> str:
    """Pipe SQL into the database's own client, as a user would; what it prints."""
    client = shutil.which("mariadb") or shutil.which("mysql")
    if client is None:
        raise SystemExit("no MariaDB client: run `apt-get install mariadb-client`")
    command = [client, "--no-defaults", "--protocol=tcp", "--batch", "--skip-column-names"]
    command += [f"--host={database.host}", f"--port={database.port}", f"--user={database.user}"]
    done = subprocess.run(
        [*command, database.name],
        input=sql,
        env={**os.environ, "MYSQL_PWD": database.password},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    return done.stdout


def symbols(count: int) -> list[str]:
    """So many symbols in Alpaca's spelling."""
    return [f"C{number:03}/USD" for number in range(count)]


def holding_assets(names: Sequence[str]) -> str:
    """SQL for assets whose cycle holds coins bought at 100; quotes of 95 to 105 trigger nothing."""
    assets = ", ".join(f"('{name}', 20, 20, 5, 10, 10, 60, 1)" for name in names)
    return HOLDING_ASSETS.format(assets=assets)


def alpaca_environment(
    url: str, *, key_id: str = KEY_ID, secret_key: str = SECRET_KEY, stream_path: str = ""
) -> dict[str, str]:
    """The variables that point our programs at an exchange."""
    return {
        "APCA_API_KEY_ID": key_id,
        "APCA_API_SECRET_KEY": secret_key,
        "APCA_API_BASE_URL": url,
        "APCA_API_DATA_URL": url,
        "APCA_API_STREAM_URL": url.replace("http", "ws", 1) + stream_path,
    }


def environment(
    database: DatabaseSettings, alpaca: Mapping[str, str], logs: Path
) -> dict[str, str]:
    """Exactly what a program of ours gets, and no developer's own settings."""
    return {
        "PATH": os.defpath,
        "DB_HOST": database.host,
        "DB_PORT": str(database.port),
        "DB_USER": database.user,
        "DB_PASSWORD": database.password,
        "DB_NAME": database.name,
        "ALERT_EMAIL_SENDER": "",
        "ALERT_EMAIL_RECEIVER": "",
        "ALERT_EMAIL_SMTP_SERVER": "",
        "LOG_DIR": str(logs),
        **alpaca,
    }


@contextmanager
def simulated_exchange(directory: Path, *options: str) -> Iterator[str]:
    """A simulated Alpaca in a process of its own; where it listens."""
    exchange = SimulatedExchange(directory, *options)
    try:
        yield exchange.url
    finally:
        exchange.stop()


class Bot:
    """A real `main_app.py`, with exactly this database, this exchange and no mail."""

    def __init__(self, database: DatabaseSettings, alpaca: Mapping[str, str], logs: Path) -> None:
        logs.mkdir(exist_ok=True)
        self.output = logs / "output.log"
        with self.output.open("ab") as output:
            self.started_at = time.monotonic()
            self.process = subprocess.Popen(
                [sys.executable, str(PROJECT_ROOT / "main_app.py")],
                cwd="/",
                env=environment(database, alpaca, logs),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def __enter__(self) -> Bot:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def kill(self) -> None:
        """SIGKILL, as the kernel does it when memory runs out."""
        self.process.kill()
        self.process.wait()

    def status(self, field: str) -> int:
        """A figure in bytes of its memory, such as VmRSS or VmHWM."""
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in text.splitlines() if line.startswith(f"{field}:"))
        return int(line.split()[1]) * 1024

    def cpu_seconds(self) -> float:
        """The processor time that it has used so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
