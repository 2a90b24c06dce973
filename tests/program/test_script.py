"""The frame of every script: exit statuses, last words, locks and time limits."""

import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dca_bot.program.errors import AlreadyRunning, DcaError, SettingsError, StoreUnavailable
from dca_bot.program.script import argument_parser, deadline, only_once, run

PROGRAM = """
import signal, socket, sys, time
from pathlib import Path
from dca_bot.program.script import argument_parser, deadline, only_once, run
from dca_bot.program.errors import *
from dca_bot.program.logs import set_up_logging
from dca_bot.program.settings import LogSettings

# a run in the background leaves it ignored, which children inherit
signal.signal(signal.SIGINT, signal.default_int_handler)

def hang():
    with deadline(1):
        try:
            a, b = socket.socketpair()
            a.recv(1)  # nobody will ever send
        except Exception:  # a containment, which must not swallow the deadline
            pass

def hang_where_no_signal_reaches():
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
    with deadline(1):
        time.sleep(600)

def wait():
    try:
        print("waiting", flush=True)
        while True:  # signal.pause() would sleep through one that comes a moment before it
            time.sleep(0.1)
    finally:
        print("released", flush=True)

def flood():
    for _ in range(100_000):
        print("line")
    return 0

def logged_bug():
    set_up_logging(LogSettings("INFO", Path("logs")), program="x")
    raise ValueError("first\\nsecond")

def already_running():
    set_up_logging(LogSettings("CRITICAL", Path("logs")), program="x")
    raise AlreadyRunning("another x is still running: nothing to do")

def settings():
    raise SettingsError(["DB_HOST is missing", "DB_USER is missing"])

def helped():
    argument_parser("It tidies.", is_caretaker=True).parse_args(["--help"])
    return 0

sys.exit(run(globals()[sys.argv[1]], stop_is_success="daemon" in sys.argv))
"""


def program(*arguments: str) -> list[str]:
    return [sys.executable, "-c", PROGRAM, *arguments]


def ended(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        program(*arguments), capture_output=True, text=True, timeout=60, check=False
    )


def raising(error: BaseException) -> Callable[[], int]:
    def main() -> int:
        raise error

    return main


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (SettingsError("DB_HOST is missing"), 2),
        (StoreUnavailable("the database does not answer"), 1),
        (AlreadyRunning("another one is running"), 0),
        (ExceptionGroup("tasks", [ValueError(), SettingsError("no key")]), 2),
        (ExceptionGroup("tasks", [ValueError("bug")]), 1),
        (ValueError("bug"), 1),
        (KeyboardInterrupt(), 130),
    ],
)
def test_what_ends_a_script_decides_its_status(error: BaseException, status: int) -> None:
    assert run(raising(error)) == status


def test_a_script_that_succeeds_decides_its_own_status() -> None:
    assert [run(lambda: 0), run(lambda: 1)] == [0, 1]


def test_settings_are_one_line_on_stderr_that_names_them_all() -> None:
    done = ended("settings")
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert "DB_HOST" in line
    assert "DB_USER" in line
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ ERROR ", line)  # cron's log has no other time


def test_a_bug_is_one_log_line() -> None:
    done = ended("logged_bug")
    assert (done.returncode, done.stderr) == (1, "")
    assert len(done.stdout.splitlines()) == 1


def test_why_a_script_ends_is_told_whatever_the_level() -> None:
    done = ended("already_running")
    assert done.returncode == 0
    assert "INFO x another x is still running" in done.stdout


@pytest.mark.parametrize(
    ("number", "kind", "status"),
    [
        (signal.SIGTERM, "script", 143),
        (signal.SIGINT, "script", 130),
        (signal.SIGTERM, "daemon", 0),
        (signal.SIGINT, "daemon", 0),
    ],
)
def test_a_stopped_script_unwinds(number: signal.Signals, kind: str, status: int) -> None:
    with subprocess.Popen(program("wait", kind), stdout=subprocess.PIPE, text=True) as script:
        assert script.stdout is not None
        assert script.stdout.readline() == "waiting\n"
        script.send_signal(number)
        assert script.stdout.read() == "released\n"
        assert script.wait(timeout=30) == status


def test_a_reader_that_leaves_early_is_no_trouble() -> None:
    with subprocess.Popen(
        program("flood"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as script:
        assert script.stdout is not None
        assert script.stderr is not None
        script.stdout.readline()
        script.stdout.close()
        assert script.stderr.read() == ""


@pytest.mark.parametrize("how", ["hang", "hang_where_no_signal_reaches"])
def test_a_script_that_hangs_ends_with_one_line(how: str) -> None:
    done = ended(how)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)


def test_work_in_time_is_left_alone() -> None:
    before = signal.getsignal(signal.SIGALRM)
    with deadline(30):
        pass
    assert signal.alarm(0) == 0
    assert signal.getsignal(signal.SIGALRM) == before


def test_an_error_before_the_deadline_stays_what_it_is() -> None:
    with pytest.raises(StoreUnavailable), deadline(30):
        raise StoreUnavailable("gone")


def test_a_second_run_finds_the_lock_taken_and_a_third_finds_it_free(tmp_path: Path) -> None:
    with (
        only_once("order_manager", tmp_path / "logs"),
        pytest.raises(AlreadyRunning),
        only_once("order_manager", tmp_path / "logs"),
    ):
        pass
    with only_once("order_manager", tmp_path / "logs"):
        pass


def test_different_caretakers_run_side_by_side(tmp_path: Path) -> None:
    with only_once("order_manager", tmp_path), only_once("cooldown_manager", tmp_path):
        pass


def test_a_log_directory_that_cannot_be_made_is_a_setting_to_edit(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="LOG_DIR"), only_once("x", tmp_path / "file" / "logs"):
        pass


def test_every_error_is_ours() -> None:
    assert issubclass(SettingsError, DcaError)


def test_help_shows_the_docstring_and_caretakers_can_rehearse() -> None:
    done = ended("helped")
    assert done.returncode == 0
    assert "It tidies." in done.stdout
    assert argument_parser("x", is_caretaker=True).parse_args(["--dry-run"]).dry_run is True
