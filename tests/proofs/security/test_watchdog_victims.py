"""Whatever is planted in LOG_DIR, the watchdog ends nothing but this installation's main_app.py."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dca_bot.program.clock import utc_now
from dca_bot.watchdog import heartbeat, process
from dca_bot.watchdog.bot_process import BotProcess
from dca_bot.watchdog.health import ProcessHealth
from dca_bot.watchdog.heartbeat import FILE_NAME, PID_FILE_NAME, Heartbeat
from tests.helpers import eventually, run_script
from tests.tally import struck

NOBODY = 65534
SLEEPER = "import time\nprint('up', flush=True)\ntime.sleep(600)\n"
MOUNTED_OVER = 'mount --bind "$1" "$2" && exec "$3" "$4"'
VICTIMS: dict[str, Callable[[Path, Path], list[str]]] = {
    "another program": lambda ours, other: ["sleep", "600"],
    "one that reads our script": lambda ours, other: ["tail", "-f", str(ours / "main_app.py")],
    "one that calls itself python": lambda ours, other: [
        *("bash", "-c", f"exec -a python tail -f {ours / 'main_app.py'}")
    ],
    "python with our script as an argument": lambda ours, other: [
        *(sys.executable, str(other / "idle.py"), str(ours / "main_app.py"))
    ],
    "the same with options": lambda ours, other: [
        *(sys.executable, "-W", "ignore", "-u", str(other / "idle.py"), str(ours / "main_app.py"))
    ],
    "python -c with our script as an argument": lambda ours, other: [
        *(sys.executable, "-c", SLEEPER, str(ours / "main_app.py"))
    ],
    "python -m with our script as an argument": lambda ours, other: [
        *(sys.executable, "-m", "idle", str(ours / "main_app.py"))
    ],
    "python -m without a blank": lambda ours, other: [
        *(sys.executable, "-umidle", str(ours / "main_app.py"))
    ],
    "another installation": lambda ours, other: [sys.executable, str(other / "main_app.py")],
    "another installation by a relative path": lambda ours, other: [sys.executable, "main_app.py"],
    "a watchdog": lambda ours, other: [
        *(sys.executable, str(other / "watchdog.py"), str(ours / "main_app.py"))
    ],
}


@pytest.fixture
def ours() -> Iterator[Path]:
    """An installation whose main_app.py only sleeps."""
    folder = Path(tempfile.mkdtemp(prefix="ours-"))
    (folder / "main_app.py").write_text(SLEEPER)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """Another installation, with programs of its own."""
    folder = tmp_path / "other"
    folder.mkdir()
    for name in ("main_app.py", "idle.py", "watchdog.py"):
        (folder / name).write_text(SLEEPER)
    return folder


@pytest.fixture
def log_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "logs"
    folder.mkdir()
    return folder


@pytest.fixture
def bot(log_dir: Path, ours: Path) -> BotProcess:
    return BotProcess(
        log_dir,
        beat_age_max=60,
        clock=utc_now,
        script=ours / "main_app.py",
        sleep=lambda seconds: None,
    )


def plant(log_dir: Path, pid: int) -> None:
    """A PID file and a heartbeat an hour old, as a bot that hangs would have left them."""
    start = heartbeat.process_start(pid)
    at = utc_now() - timedelta(hours=1)
    heartbeat.write(Heartbeat(pid, start, started_at=at, at=at), log_dir)
    (log_dir / PID_FILE_NAME).write_text(f"{pid}\n")
    struck("planted PID file and heartbeat")


def begun(
    command: list[str], cwd: Path | None = None, *, blocks_term: bool = True
) -> subprocess.Popen[bytes]:
    """A process that has got as far as its own program.

    A signal that it blocks stays visible as pending, so that nobody must wait for its effect.
    """
    blocked = {signal.SIGTERM} if blocks_term else set()
    started = subprocess.Popen(
        command,
        cwd=cwd,
        stdout=subprocess.PIPE,
        preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_BLOCK, blocked) and None,
    )
    name = Path(command[0]).name
    if "python" in name or name == "unshare":
        assert started.stdout is not None
        assert started.stdout.readline() == b"up\n"
    else:
        eventually(lambda: Path(f"/proc/{started.pid}/comm").read_text().strip() != "python")
    return started


def is_untouched(victim: subprocess.Popen[bytes]) -> bool:
    """Whether it lives and no signal has reached it."""
    status = Path(f"/proc/{victim.pid}/status").read_text()
    pending = [line.split()[1] for line in status.splitlines() if "Pnd:" in line]
    return victim.poll() is None and not any(int(mask, 16) for mask in pending)


def ended(victim: subprocess.Popen[bytes]) -> None:
    victim.kill()
    victim.wait()
    if victim.stdout:
        victim.stdout.close()


@pytest.mark.parametrize("which", VICTIMS)
def test_the_process_of_somebody_else_survives(
    which: str, bot: BotProcess, log_dir: Path, ours: Path, other: Path
) -> None:
    victim = begun(VICTIMS[which](ours, other), cwd=other)
    try:
        plant(log_dir, victim.pid)
        assert bot.verdict().health is ProcessHealth.STOPPED
        assert bot.stop()
        assert not process.runs_script(victim.pid, bot.script)
        assert bot.user_elsewhere() == ""
        assert process.stop(victim.pid, bot.script)
        assert is_untouched(victim)
    finally:
        ended(victim)


@pytest.mark.parametrize("options", [[], ["-u"], ["-X", "utf8"], ["-W", "ignore", "-B"]])
@pytest.mark.parametrize("by_path", [True, False])
def test_our_own_hung_bot_is_ended(
    bot: BotProcess, log_dir: Path, ours: Path, options: list[str], *, by_path: bool
) -> None:
    script = str(ours / "main_app.py") if by_path else "main_app.py"
    hung = begun([sys.executable, *options, script], cwd=ours, blocks_term=False)
    try:
        plant(log_dir, hung.pid)
        assert bot.user_elsewhere() == ""
        assert bot.verdict().health is ProcessHealth.HUNG
        assert bot.stop()
        assert hung.wait(10) == -signal.SIGTERM
    finally:
        ended(hung)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_our_script_run_by_another_user_survives(
    bot: BotProcess, log_dir: Path, ours: Path
) -> None:
    script = ours / "main_app.py"
    script.write_text(f"import os\nos.setuid({NOBODY})\n{SLEEPER}")
    victim = begun([sys.executable, str(script)])
    try:
        plant(log_dir, victim.pid)
        assert bot.verdict().health is ProcessHealth.STOPPED
        assert bot.stop()
        assert is_untouched(victim)
        assert bot.user_elsewhere() == pwd.getpwuid(NOBODY).pw_name
    finally:
        ended(victim)
    assert bot.user_elsewhere() == ""


def test_the_same_path_in_a_container_is_another_installation(
    bot: BotProcess, log_dir: Path, ours: Path, other: Path
) -> None:
    if subprocess.run(["unshare", "-m", "true"], check=False, capture_output=True).returncode:
        pytest.skip("this user can't make a mount namespace")
    arguments = [str(other), str(ours), sys.executable, str(ours / "main_app.py")]
    victim = begun(["unshare", "-m", "sh", "-c", MOUNTED_OVER, "sh", *arguments])
    try:
        plant(log_dir, victim.pid)
        assert bot.verdict().health is ProcessHealth.STOPPED
        assert bot.stop()
        assert is_untouched(victim)
    finally:
        ended(victim)


def test_a_number_that_changes_hands_while_the_bot_ends_is_left_alone(
    bot: BotProcess, ours: Path
) -> None:
    """The bot dies of the first signal, and its number is given to another program at once."""
    counter = Path("/proc/sys/kernel/ns_last_pid")
    if not os.access(counter, os.W_OK):
        pytest.skip("this user can't choose the number of a process")
    hung = begun([sys.executable, str(ours / "main_app.py")], blocks_term=False)
    strangers: list[subprocess.Popen[bytes]] = []

    def change_hands(_seconds: float) -> None:
        hung.wait()
        for _ in range(50):  # other programs start too, and take numbers
            counter.write_text(str(hung.pid - 1))
            strangers.append(begun(["sleep", "600"]))
            if strangers[-1].pid == hung.pid:
                return

    try:
        assert process.stop(hung.pid, bot.script, sleep=change_hands)
        assert all(map(is_untouched, strangers))
    finally:
        for each in (hung, *strangers):
            ended(each)


@pytest.mark.parametrize(
    "text",
    ["", "0", "-1", "+1", "1", "00", "1_0", "4194305", "9" * 30, "9" * 5000, "1e3", "abc", "\0"]
    + ["½", "٣", "12 34", "12\n34", "../self", "self"],
)
def test_a_pid_file_with_nonsense_names_nobody(bot: BotProcess, log_dir: Path, text: str) -> None:
    (log_dir / PID_FILE_NAME).write_text(text)
    assert bot.pid() is None
    assert bot.stop()


@pytest.mark.parametrize(
    "changes",
    [
        {"pid": "self"},
        {"pid": 0},
        {"pid": -1},
        {"pid": True},
        {"pid": 1.5},
        {"pid": None},
        {"pid": [1]},
        {"pid": 10**40},
        {"process_start": "1"},
        {"at": "2026-01-01T00:00:00"},
        {"at": 5},
        {"quote_age_seconds": float("nan")},
        {"trade_stream_age_seconds": float("inf")},
        {"quote_age_seconds": "1"},
        {"symbols": "many"},
        {"problems": "many"},
    ],
)
def test_a_heartbeat_with_nonsense_is_none(
    log_dir: Path, bot: BotProcess, changes: dict[str, object]
) -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    raw = asdict(Heartbeat(os.getpid(), 1, started_at=at, at=at)) | changes
    (log_dir / FILE_NAME).write_text(json.dumps(raw, default=str))
    if changes.get("pid") != 10**40:
        assert heartbeat.read(log_dir) is None
    assert bot.verdict().health is ProcessHealth.STOPPED


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
FIELDS = st.sampled_from(list(Heartbeat.__dataclass_fields__))


@given(st.dictionaries(FIELDS, JSON) | JSON)
def test_no_content_of_a_heartbeat_stops_the_watchdog(raw: object) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / FILE_NAME).write_text(json.dumps(raw))
        BotProcess(Path(folder), beat_age_max=60, clock=utc_now).verdict()


@given(st.binary())
def test_no_bytes_in_its_files_stop_the_watchdog(raw: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name in (FILE_NAME, PID_FILE_NAME):
            (Path(folder) / name).write_bytes(raw)
        BotProcess(Path(folder), beat_age_max=60, clock=utc_now).verdict()


def test_brackets_without_end_are_no_heartbeat(log_dir: Path) -> None:
    (log_dir / FILE_NAME).write_text("[" * 4000)
    assert heartbeat.read(log_dir) is None


def make_fifo(path: Path, target: Path) -> None:
    os.mkfifo(path)


def make_huge(path: Path, target: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 40)


def make_link(path: Path, target: Path) -> None:
    path.symlink_to(target)


def make_folder(path: Path, target: Path) -> None:
    path.mkdir()


def make_foreign(path: Path, target: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    shutil.copy(target, path)
    os.chown(path, NOBODY, NOBODY)


@pytest.mark.parametrize("make", [make_fifo, make_huge, make_link, make_folder, make_foreign])
def test_files_that_are_none_of_ours_are_not_believed(
    make: Callable[[Path, Path], None], bot: BotProcess, log_dir: Path, ours: Path, tmp_path: Path
) -> None:
    hung = begun([sys.executable, str(ours / "main_app.py")])
    try:
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        plant(elsewhere, hung.pid)
        for name in (FILE_NAME, PID_FILE_NAME):
            make(log_dir / name, elsewhere / name)
        assert bot.pid() is None
        assert bot.stop()
        assert is_untouched(hung)
    finally:
        ended(hung)


def test_a_heartbeat_from_the_future_is_no_sign_of_life(
    bot: BotProcess, log_dir: Path, ours: Path
) -> None:
    hung = begun([sys.executable, str(ours / "main_app.py")])
    try:
        at = utc_now() + timedelta(hours=1)
        start = heartbeat.process_start(hung.pid)
        heartbeat.write(Heartbeat(hung.pid, start, started_at=at, at=at), log_dir)
        verdict = bot.verdict()
        assert verdict.health is ProcessHealth.HUNG
        assert "in the future" in verdict.why
    finally:
        ended(hung)


@pytest.mark.parametrize("make", [make_fifo, make_huge, make_link, make_folder])
def test_a_run_ends_and_says_so_whatever_was_planted_in_the_log_directory(
    make: Callable[[Path, Path], None], bot_env: dict[str, str], log_dir: Path, tmp_path: Path
) -> None:
    target = tmp_path / "target"
    target.write_text("precious\n")
    for name in (FILE_NAME, PID_FILE_NAME, "watchdog.state", "main_app.log", "watchdog.lock"):
        make(log_dir / name, target)
        make(log_dir / f"{name}.new", target)
    struck("planted files in LOG_DIR", 10, kind=make.__name__)
    done = run_script("watchdog.py", env=bot_env | {"LOG_DIR": str(log_dir)}, timeout=60)
    assert "Traceback" not in done.stderr + done.stdout
    assert done.returncode in (0, 1, 2)
    assert target.read_text() == "precious\n"
    bot = BotProcess(log_dir, beat_age_max=60, clock=utc_now)
    assert bot.stop()
