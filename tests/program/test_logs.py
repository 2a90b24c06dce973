"""Log lines: one line each, the same columns, no secret."""

import logging
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from dca_bot.program.log_file import rotating_file
from dca_bot.program.log_text import asset_log, event
from dca_bot.program.logs import LineFormatter
from dca_bot.program.masking import Mask

PROGRAM = """
import logging, sys
from pathlib import Path
from dca_bot.program.log_text import asset_log, event
from dca_bot.program.logs import set_up_logging
from dca_bot.program.settings import LogSettings

settings = LogSettings(level=sys.argv[2], dir=Path(sys.argv[1]))
set_up_logging(
    settings,
    program="main_app",
    secrets=["secret-key"],
    to_file=True,
    is_asked="asked" in sys.argv,
)
log = logging.getLogger("dca_bot.test")
log.info(event("started", host="paper", key="secret-key"))
asset_log(log, "BTC/USD", 42).warning("it fell 1.5%")
logging.getLogger("websockets.client").debug("> secret-key")
"""


def formatted(message: str, *, error: Exception | None = None, tracebacks: bool = False) -> str:
    formatter = LineFormatter("main_app", Mask(["pass word", "ab"]), tracebacks=tracebacks)
    exc_info = (type(error), error, error.__traceback__) if error else None
    record = logging.LogRecord("dca_bot", logging.INFO, "x.py", 1, message, None, exc_info)
    record.created = datetime(2026, 11, 22, 18, 16, 59, 123000, tzinfo=UTC).timestamp()
    return formatter.format(record)


def raised(text: str) -> ValueError:
    try:
        raise ValueError(text)
    except ValueError as error:
        return error


def run_program(
    log_dir: Path, *others: str, level: str = "INFO", output: Path | None = None
) -> str:
    arguments = [sys.executable, "-c", PROGRAM, str(log_dir), level, *others]
    if output is None:
        return subprocess.run(arguments, capture_output=True, text=True, check=True).stdout
    with output.open("a") as stdout:
        subprocess.run(arguments, stdout=stdout, check=True)
    return output.read_text()


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (Decimal("0.000012500"), "0.0000125"),
        (Decimal("1E+3"), "1000"),
        (Decimal("64120.50"), "64120.5"),
        (Decimal("100"), "100"),
        (Decimal("123456789012345.123456789012345"), "123456789012345.123456789012345"),
        (datetime(2026, 11, 22, 18, 0, tzinfo=UTC), "2026-11-22T18:00:00Z"),
        (None, "none"),
        ("2/5", "2/5"),
        ("", '""'),
        ("insufficient balance", '"insufficient balance"'),
        ('a\n"b"', '"a\\n\\"b\\""'),
    ],
)
def test_facts_are_plain_and_can_be_cut_apart(value: object, shown: str) -> None:
    assert event("order placed", fact=value) == f"order placed fact={shown}"


def test_a_line_begins_with_time_level_and_program() -> None:
    assert formatted("started") == "2026-11-22T18:16:59.123Z INFO main_app started"


def test_an_assets_lines_begin_with_its_symbol_and_cycle() -> None:
    adapter = asset_log(logging.getLogger("x"), "BTC/USD", 42)
    assert adapter.extra == {"subject": "BTC/USD c42"}
    assert asset_log(logging.getLogger("x"), "ETH/USD").extra == {"subject": "ETH/USD"}


def test_many_lines_and_control_codes_become_one_readable_line() -> None:
    line = formatted("first\r\n  second\u2028third \x1b[31mred")
    assert line.endswith("first | second | third ?[31mred")


def test_words_that_look_like_a_fact_are_none_and_a_comparison_stays() -> None:
    assert formatted("it said order=5").endswith("it said order = 5")
    assert formatted("'<=' is not supported").endswith("'<=' is not supported")


@pytest.mark.parametrize("tracebacks", [False, True])
def test_an_exception_is_one_line_without_secrets(*, tracebacks: bool) -> None:
    line = formatted("failed", error=raised("login with\npass word"), tracebacks=tracebacks)
    assert "\n" not in line
    assert "ValueError: login with | ***" in line
    assert ("Traceback" in line) is tracebacks


def test_secrets_are_masked_in_every_spelling_but_not_short_words() -> None:
    assert formatted("a pass%20word about").endswith("a *** about")


def test_what_is_logged_goes_to_stdout_and_to_the_file(tmp_path: Path) -> None:
    shown = run_program(tmp_path)
    assert len(shown.splitlines()) == 2
    assert (tmp_path / "main_app.log").read_text() == shown


def test_stdout_that_is_the_file_already_doubles_nothing(tmp_path: Path) -> None:
    file = tmp_path / "main_app.log"
    assert len(run_program(tmp_path, output=file).splitlines()) == 2
    (tmp_path / "link").symlink_to(tmp_path)
    assert len(run_program(tmp_path / "link", output=file).splitlines()) == 4


@pytest.mark.parametrize("is_kept", [True, False])
def test_a_log_that_was_moved_away_or_deleted_is_begun_anew(tmp_path: Path, is_kept: bool) -> None:
    path = tmp_path / "main_app.log"
    handler = rotating_file(path)
    with closing(handler):
        for line in ("first", "second", "third"):
            handler.handle(logging.LogRecord("dca_bot", logging.INFO, "x.py", 1, line, None, None))
            if line == "first":
                path.rename(tmp_path / "moved")
                if not is_kept:
                    (tmp_path / "moved").unlink()
    assert path.read_text() == "second\nthird\n"
    assert not is_kept or (tmp_path / "moved").read_text() == "first\n"


def test_libraries_tell_no_keys_even_in_debug(tmp_path: Path) -> None:
    shown = run_program(tmp_path, level="DEBUG")
    assert len(shown.splitlines()) == 2
    assert "secret-key" not in shown


def test_answers_to_a_person_are_shown_whatever_the_level(tmp_path: Path) -> None:
    assert run_program(tmp_path, level="CRITICAL") == ""
    assert len(run_program(tmp_path, "asked", level="CRITICAL").splitlines()) == 2
    assert len(run_program(tmp_path, "asked", level="DEBUG").splitlines()) == 2


def test_at_a_terminal_a_line_has_no_time() -> None:
    formatter = LineFormatter("dca", Mask([]), times=False)
    record = logging.LogRecord("dca_bot", logging.WARNING, "x.py", 1, "it is away", None, None)
    assert formatter.format(record) == "dca: it is away"
    record.subject = "BTC/USD c42"
    assert formatter.format(record) == "BTC/USD c42: it is away"
