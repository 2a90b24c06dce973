"""What the bot writes into LOG_DIR overwrites nothing else, and nobody else may change it."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dca_bot.program.errors import SettingsError
from dca_bot.program.files import append_to, exposed, keep_others_from_writing, replace_own
from dca_bot.program.script import only_once
from dca_bot.watchdog import heartbeat
from dca_bot.watchdog.incidents import PAUSE_FILE_NAME, Incidents
from dca_bot.watchdog.memory import FILE_NAME
from tests.caretakers.installation import install
from tests.helpers import run_script

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def beat(folder: Path) -> None:
    heartbeat.write(heartbeat.first(NOW), folder)


def pause(folder: Path) -> None:
    with Incidents(folder, None, NOW) as incidents:
        incidents.pause(on=True)


WRITERS: dict[str, Callable[[Path], None]] = {
    heartbeat.FILE_NAME: beat,
    heartbeat.PID_FILE_NAME: heartbeat.write_pid,
    FILE_NAME: pause,
}


@pytest.fixture
def precious(tmp_path: Path) -> Iterator[Path]:
    """A file elsewhere that nothing may overwrite."""
    file = tmp_path / "precious"
    file.write_text("precious\n")
    yield file
    assert file.read_text() == "precious\n"


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("suffix", ["", ".new"])
def test_a_planted_link_is_replaced_and_not_followed(
    name: str, suffix: str, tmp_path: Path, precious: Path
) -> None:
    planted = tmp_path / f"{name}{suffix}"
    planted.symlink_to(precious)
    WRITERS[name](tmp_path)
    assert (tmp_path / name).stat().st_ino != precious.stat().st_ino
    assert not (tmp_path / name).is_symlink()


@pytest.mark.parametrize("name", ["main_app.lock", PAUSE_FILE_NAME])
def test_a_file_that_stays_is_not_made_at_the_end_of_a_link(name: str, tmp_path: Path) -> None:
    target = tmp_path / "not-there"
    (tmp_path / name).symlink_to(target)
    with pytest.raises(OSError, match="symbolic link"):
        append_to(tmp_path / name)
    assert not target.exists()


def test_a_lock_that_is_a_link_is_a_setting_to_correct(tmp_path: Path, precious: Path) -> None:
    (tmp_path / "order_manager.lock").symlink_to(precious)
    with (
        pytest.raises(SettingsError, match="symbolic link: remove it"),
        only_once("order_manager", tmp_path),
    ):
        pass


def test_a_fifo_is_no_log_even_when_somebody_reads_it(tmp_path: Path) -> None:
    fifo = tmp_path / "main_app.log"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with pytest.raises(OSError, match="not a regular file"):
            append_to(fifo)
    finally:
        os.close(reader)


def test_a_directory_that_was_removed_is_made_again(tmp_path: Path) -> None:
    replace_own(tmp_path / "logs" / "state", "new")
    assert (tmp_path / "logs" / "state").read_text() == "new"


def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    file = tmp_path / "state"
    replace_own(file, "old")
    with file.open() as reader:
        replace_own(file, "new")
        assert reader.read() == "old"
    assert file.read_text() == "new"
    assert [each.name for each in tmp_path.iterdir()] == ["state"]


def test_a_log_that_is_a_link_is_not_followed(
    bot_env: dict[str, str], tmp_path: Path, precious: Path
) -> None:
    log_dir = Path(bot_env["LOG_DIR"])
    log_dir.mkdir()
    (log_dir / "main_app.log").symlink_to(precious)
    done = run_script("main_app.py", env=bot_env)
    assert done.returncode == 2
    assert "LOG_DIR" in done.stderr
    assert "symbolic link: remove it" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_nobody_else_may_write_what_a_script_creates(
    bot_env: dict[str, str], tmp_path: Path
) -> None:
    generous = os.umask(0)
    try:
        run_script("watchdog.py", env=bot_env | {"DB_PORT": "1"})
        run_script("cooldown_manager.py", env=bot_env)
    finally:
        os.umask(generous)
    log_dir = Path(bot_env["LOG_DIR"])
    # without a database it waits, and would do so when this test is long over
    os.kill(int((log_dir / "main_app.pid").read_text()), signal.SIGKILL)
    found = {path.name: stat.S_IMODE(path.stat().st_mode) for path in log_dir.iterdir()}
    assert {"main_app.log", "watchdog.state", "watchdog.lock", "cooldown_manager.lock"} <= set(
        found
    )
    assert [name for name, mode in found.items() if mode & 0o022] == []
    assert not log_dir.stat().st_mode & 0o022


def test_a_careful_umask_is_kept() -> None:
    before = os.umask(0o077)
    try:
        keep_others_from_writing()
        assert os.umask(0) == 0o077
    finally:
        os.umask(before)


@pytest.fixture
def exposed_copy(tmp_path: Path, bot_env: dict[str, str]) -> tuple[Path, dict[str, str]]:
    """An installation with a .env as `cp` makes it, and an environment that adds nothing."""
    project = install(tmp_path, bot_env)
    (project / ".env").chmod(0o644)
    return project, {"PATH": "/usr/bin:/bin"}


@pytest.mark.proof
def test_every_script_says_once_that_others_can_read_the_keys(
    exposed_copy: tuple[Path, dict[str, str]],
) -> None:
    project, env = exposed_copy
    scripts = ["order_manager.py", "cooldown_manager.py", "consistency_checker.py"]
    for script in [*scripts, "watchdog.py", "main_app.py"]:
        # the watchdog only looks; the bot ends at once where there is no such database
        more = {"DB_NAME": "nowhere"} if script == "main_app.py" else {}
        arguments = ["--status"] if script == "watchdog.py" else []
        command = [str(project / "venv" / "bin" / "python"), str(project / script), *arguments]
        done = subprocess.run(
            command, env=env | more, capture_output=True, text=True, timeout=60, check=False
        )
        said = [line for line in done.stdout.splitlines() if "can read" in line]
        assert len(said) == 1, script
        assert " WARNING " in said[0]
        assert said[0].endswith(f"run chmod 600 {project / '.env'}")


@pytest.mark.parametrize(
    ("mode", "is_exposed"),
    [(0o600, False), (0o400, False), (0o700, False), (0o640, True), (0o604, True), (0o666, True)],
)
def test_only_what_others_can_read_is_reported(
    tmp_path: Path, mode: int, *, is_exposed: bool
) -> None:
    env_file, log_dir = tmp_path / "my .env", tmp_path / "logs"
    env_file.touch()
    env_file.chmod(mode)
    log_dir.mkdir(mode=0o755)
    found = exposed(env_file, log_dir)
    assert bool(found) is is_exposed
    assert all(each.endswith(f"run chmod 600 '{env_file}'") for each in found)


def test_a_log_directory_that_everybody_can_write_to_is_reported(tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)
    [said] = exposed(tmp_path / "no .env", tmp_path)
    assert said.endswith(f"run chmod o-w {tmp_path}")
    tmp_path.chmod(0o775)
    assert exposed(tmp_path / "no .env", tmp_path) == []
