"""The demo as a user meets it: one command on a terminal, a cycle within minutes, no trace left."""

import fcntl
import os
import shutil
import signal
import site
import struct
import subprocess
import termios
import venv
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from dca_bot.program.settings import PROJECT_ROOT, Settings, read_settings
from dca_bot.store.connection import Session
from dca_bot.store.values import Row
from tests.helpers import eventually

# The user's own settings.  Whichever of them reached the demo would stop it from trading.
HOSTILE = {
    "APCA_API_KEY_ID": "AKLIVE0000000000",
    "APCA_API_SECRET_KEY": "the-users-own-secret",
    "APCA_API_BASE_URL": "https://api.alpaca.markets",
    "APCA_API_DATA_URL": "https://data.invalid",
    "APCA_API_STREAM_URL": "wss://stream.invalid",
    "DB_HOST": "database.invalid",
    "DB_PORT": "1",
    "DB_USER": "the_user",
    "DB_PASSWORD": "the-users-own-password",
    "DB_NAME": "the_users_own",
    "LOG_DIR": "the_users_logs",
    "LOG_LEVEL": "CRITICAL",
    "ALERT_EMAIL_SENDER": "the-user@example.invalid",
    "ALERT_EMAIL_RECEIVER": "the-user@example.invalid",
    "ALERT_EMAIL_SMTP_SERVER": "smtp.invalid",
}
TAKE_PROFIT_TO_NEXT_BASE_ORDER = """
SELECT next_order.id
  FROM dca_cycles done
  JOIN dca_cycles next_cycle ON next_cycle.asset_id = done.asset_id AND next_cycle.id > done.id
  JOIN dca_orders next_order ON next_order.cycle_id = next_cycle.id
 WHERE done.status = 'complete' AND next_order.kind = 'base' AND next_order.status = 'filled'
"""
FILLED_BASE_ORDERS = "SELECT id FROM dca_orders WHERE kind = 'base' AND status = 'filled'"
NO_FILE = Path("/nonexistent")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The project somewhere else, with a venv and a `.env` of its own."""
    root = tmp_path / "a check out"
    shutil.copytree(PROJECT_ROOT / "src", root / "src")
    shutil.copytree(PROJECT_ROOT / "sql", root / "sql")
    for script in PROJECT_ROOT.glob("*.py"):
        shutil.copy(script, root)
    (root / ".env").write_text("".join(f"{name}={value}\n" for name, value in HOSTILE.items()))
    venv.create(root / "venv", symlinks=True)
    packages = next((root / "venv").glob("lib/python*/site-packages"))
    # this checkout first, then what is installed already, of which the other checkout is no part
    paths = [root / "src", *site.getsitepackages()]
    (packages / "here.pth").write_text("".join(f"{path}\n" for path in paths))
    return root


def demo_command(checkout: Path) -> list[str]:
    return [str(checkout / "venv" / "bin" / "python"), str(checkout / "main_app.py"), "--demo"]


def processes_in(checkout: Path) -> dict[int, list[str]]:
    """The command lines that name the checkout: all its scripts, the exchange, the database."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if str(checkout).encode() in (line := entry.read_bytes()):
                found[int(entry.parent.name)] = line.decode(errors="replace").split("\0")
    return found


def bot_pids(checkout: Path) -> set[int]:
    """The main_app.py that trades for the demo."""
    script = str(checkout / "main_app.py")
    return {
        pid
        for pid, words in processes_in(checkout).items()
        if script in words and "--demo" not in words
    }


def bot_settings(checkout: Path) -> Settings | None:
    """What the demo has told its main_app.py."""
    for pid in bot_pids(checkout):
        entries = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
        return read_settings(dict(entry.split("=", 1) for entry in entries if entry), NO_FILE)
    return None


class Demo:
    """A running `main_app.py --demo` on a terminal of 80 columns and 24 lines."""

    def __init__(self, checkout: Path) -> None:
        self._checkout = checkout
        self._terminal, its_end = os.openpty()
        fcntl.ioctl(its_end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        os.set_blocking(self._terminal, False)
        self._output = b""
        self._process = subprocess.Popen(
            demo_command(checkout),
            cwd="/",
            env={**HOSTILE, "PATH": "/usr/bin:/bin", "TERM": "xterm-256color"},
            stdin=its_end,
            stdout=its_end,
            stderr=its_end,
            start_new_session=True,
            # as in a script's background: Ctrl-C must end the demo all the same
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
        )
        os.close(its_end)

    def output(self) -> str:
        """All that was drawn so far."""
        with suppress(OSError):  # nothing new, or the other end is closed
            while chunk := os.read(self._terminal, 65536):
                self._output += chunk
        return self._output.decode(errors="replace")

    def rows(self, sql: str) -> list[Row]:
        """From the demo's database, once main_app.py has been told where that is."""
        self.output()  # a terminal that nobody reads would bring the demo to a halt
        assert self._process.poll() is None, self.output()
        settings = bot_settings(self._checkout)
        if settings is None:
            return []
        session = Session(settings.database, lock_wait_seconds=5)
        try:
            return session.rows(sql)
        finally:
            session.close()

    def end(self, number: signal.Signals) -> int:
        """Send a signal; the exit status."""
        self._process.send_signal(number)
        eventually(lambda: self.output() and self._process.poll() is not None, timeout=60)
        os.close(self._terminal)
        return self._process.returncode


@pytest.fixture
def demos(checkout: Path) -> Iterator[Callable[[], Demo]]:
    """Starts demos; whatever happens, none outlives the test."""
    yield lambda: Demo(checkout)
    for pid in processes_in(checkout):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def test_a_full_cycle_within_two_minutes_and_no_trace_after_ctrl_c(
    checkout: Path, demos: Callable[[], Demo]
) -> None:
    env_file = checkout / ".env"
    env_before = env_file.read_bytes(), env_file.stat().st_mtime_ns
    files_before = set(os.listdir(checkout))
    demo = demos()
    eventually(lambda: "Ctrl-C ends it" in demo.output(), timeout=60)
    eventually(lambda: demo.rows(FILLED_BASE_ORDERS), timeout=60)
    eventually(lambda: demo.rows(TAKE_PROFIT_TO_NEXT_BASE_ORDER), timeout=120)
    assert demo.end(signal.SIGINT) == 0
    assert processes_in(checkout) == {}
    assert set(os.listdir(checkout)) == files_before | {".demo"}
    assert set(os.listdir(checkout / ".demo")) == {"lock", "logs"}
    assert (env_file.read_bytes(), env_file.stat().st_mtime_ns) == env_before


@pytest.mark.proof
def test_a_bot_that_the_watchdog_started_ends_with_the_demo(
    checkout: Path, demos: Callable[[], Demo]
) -> None:
    demo = demos()
    eventually(lambda: demo.rows(FILLED_BASE_ORDERS), timeout=60)
    [first] = bot_pids(checkout)
    os.kill(first, signal.SIGKILL)
    eventually(lambda: demo.output() and bot_pids(checkout) - {first}, timeout=120)
    assert demo.end(signal.SIGINT) == 0
    assert processes_in(checkout) == {}


def test_a_killed_demo_takes_everything_along_and_the_next_starts_clean_and_alone(
    checkout: Path, demos: Callable[[], Demo]
) -> None:
    killed = demos()
    eventually(lambda: killed.rows(FILLED_BASE_ORDERS), timeout=60)
    assert killed.end(signal.SIGKILL) == -signal.SIGKILL
    eventually(lambda: processes_in(checkout) == {})
    following = demos()
    eventually(lambda: "starting" in following.output(), timeout=60)
    second = subprocess.run(demo_command(checkout), capture_output=True, text=True, check=False)
    assert second.returncode == 1
    assert len(second.stderr.splitlines()) == 1
    eventually(lambda: following.rows(FILLED_BASE_ORDERS), timeout=60)
    assert len(following.rows("SELECT id FROM dca_assets")) == 3
    assert following.end(signal.SIGTERM) == 0
    assert processes_in(checkout) == {}
