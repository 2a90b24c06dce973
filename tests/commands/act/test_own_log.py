"""LOG_DIR/dca.log: what was asked for by hand and what came of it, and nothing else."""

import errno
import logging
import re
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from dca_bot.commands.act import own_log
from tests.commands.act.small_exchange import BTC, Desk

LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (INFO|WARNING|ERROR) \S+ .+")


def log_of(desk: Desk) -> Path:
    return Path(desk.env["LOG_DIR"]) / "dca.log"


@pytest.fixture
def own_logger() -> Iterator[logging.Logger]:
    """As it is before and after."""
    own = logging.getLogger("dca_bot")
    before, level, raises = list(own.handlers), own.level, logging.raiseExceptions
    yield own
    for handler in [each for each in own.handlers if each not in before]:
        own.removeHandler(handler)
        handler.close()
    own.setLevel(level)
    logging.raiseExceptions = raises


def test_each_decision_and_result_is_a_line(desk: Desk) -> None:
    desk.add(BTC)
    desk.start_bot()
    held = desk.hold()
    desk.put(49_500)
    desk.run("buy", BTC, "25", typed="y\n")
    desk.dca("set", BTC, "take_profit_percent=2")
    desk.run("enable", "NONE/USD", "--yes")
    lines = log_of(desk).read_text().splitlines()
    assert all(map(LINE.fullmatch, lines))
    assert 'INFO dca asked for by hand call="buy BTC/USD 25"' in lines[0]
    assert f"INFO BTC/USD c{held['id']} extra order placed ask=49500 " in lines[1]
    bought = next(line for line in lines if "dca BTC/USD: bought 0.000505" in line)
    after = lines.index(bought) + 1
    assert "INFO dca left at Alpaca: BTC/USD: " in lines[after]
    assert 'call="set BTC/USD take_profit_percent=2 --yes --json"' in lines[after + 1]
    assert lines[after + 2].endswith("INFO dca BTC/USD: take_profit_percent = 2")
    assert not stat.S_IMODE(log_of(desk).stat().st_mode) & 0o022


def test_what_only_looks_and_what_is_not_agreed_to_leaves_no_line(desk: Desk) -> None:
    desk.add(BTC)
    desk.run("pause", typed="n\n")
    desk.run("pause")
    for verb in ("status", "cycles", "doctor"):
        desk.run(verb)
    assert not log_of(desk).exists()


def test_a_log_that_cannot_be_written_stops_no_panic(desk: Desk, tmp_path: Path) -> None:
    desk.add(BTC)
    precious = tmp_path / "precious"
    precious.write_text("precious")
    log_of(desk).parent.mkdir(exist_ok=True)
    log_of(desk).symlink_to(precious)
    done = desk.run("panic", "--yes")
    assert "BTC/USD: paused, no BUYs any more" in done.stdout
    assert (done.returncode, desk.allowed()) == (0, {BTC: "exit"})
    assert "dca.log is not written, dca_events tells what is done" in done.stderr
    assert precious.read_text() == "precious"


def test_no_secret_stands_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_logger: logging.Logger
) -> None:
    monkeypatch.setenv("APCA_API_SECRET_KEY", "hush-hush-hush")
    own_log.begin(tmp_path, "INFO", "pause hush-hush-hush")
    own_logger.error("it was hush-hush-hush\x1b[2J\nall along")
    written = (tmp_path / "dca.log").read_text()
    assert "hush" not in written
    assert written.count("***") == 2
    assert (written.count("\n"), "\x1b" in written) == (2, False)


def test_neither_a_missing_directory_nor_a_full_disk_stops_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_logger: logging.Logger
) -> None:
    own_log.begin(Path("/dev/null"), "INFO", "panic")
    own_log.begin(tmp_path, "INFO", "panic")
    [*_, handler] = own_logger.handlers
    with monkeypatch.context() as patch:
        patch.setattr(handler, "flush", disk_is_full)
        own_logger.info("goes on")
    own_logger.info("and on")
    assert (tmp_path / "dca.log").read_text().endswith("and on\n")


def disk_is_full() -> None:
    raise OSError(errno.ENOSPC, "No space left on device")
