"""What a log line looks like, and where it goes.  People tail this.

Rule: a line is `time LEVEL subject sentence key=value`, always one line of bounded length, never
with a secret.  The subject is `BTC/USD c42` (`log_text.asset_log`) or the program's name.
"""

import io
import logging
import os
import re
import sys
import threading
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from dca_bot.program.files import exposed
from dca_bot.program.log_text import Event, printable
from dca_bot.program.masking import SECRET_LENGTH_MIN, Mask
from dca_bot.program.setting_groups import PROJECT_ROOT, LogSettings
from dca_bot.program.setting_values import Values

LINE_LENGTH_MAX = 2_000
TRACEBACK_LENGTH_MAX = 10_000
# These say what they send at DEBUG, keys included, whatever LOG_LEVEL is meant for.
TALKATIVE_LIBRARIES = ("alpaca", "websockets", "urllib3", "mysql", "asyncio", "aiohttp")
LOOKS_LIKE_A_FACT = re.compile(r" ?(?<![<>!])= ?")

log = logging.getLogger(__name__)


def set_up_logging(
    settings: LogSettings,
    *,
    program: str,
    secrets: Iterable[str] = (),
    to_file: bool = False,
    is_asked: bool = False,
    env_file: Path = PROJECT_ROOT / ".env",
) -> None:
    """Log to stdout, and with `to_file` to `LOG_DIR/<program>.log` too, rotated by size.

    `is_asked`: what is logged answers a person, so no LOG_LEVEL hides what INFO shows.
    From here on everything that Python itself would print goes the same way.  What endangers the
    secrets is said at once, and so is a misspelt setting.  Raises DcaError when the file cannot be
    written.
    """
    mask = Mask(secrets)
    handlers: list[logging.Handler] = []
    if to_file:
        # Only here: loading it takes time that a command without a log file need not pay.
        from dca_bot.program.log_file import rotating_file

        handlers.append(rotating_file(settings.dir / f"{program}.log"))
    if not (to_file and _stdout_is(settings.dir / f"{program}.log")):
        handlers.append(logging.StreamHandler(sys.stdout))
    is_debug = settings.level == "DEBUG"
    formatter = LineFormatter(program, mask, tracebacks=is_debug)
    for handler in handlers:
        handler.setFormatter(formatter)
    level = logging.getLevelNamesMapping()[settings.level]
    if is_asked:
        level = min(level, logging.INFO)
    logging.basicConfig(level=level, handlers=handlers, force=True)
    level_of_others = max(logging.WARNING, level)
    for name in TALKATIVE_LIBRARIES:
        logging.getLogger(name).setLevel(level_of_others)
    # A full disk or a closed pipe must neither stop trading nor answer each line with a traceback.
    logging.raiseExceptions = False
    _log_what_python_prints()
    for danger in (*exposed(env_file, settings.dir), *Values({}, env_file).misspelt()):
        log.warning("%s", danger)
    if mask.too_short:
        log.warning(
            "a password of .env has fewer than %d characters, too few to be masked in what is "
            "logged: choose a longer one",
            SECRET_LENGTH_MIN,
        )


def warn_on_stderr(program: str) -> None:
    """What a command must say beside its answer; without the time where a person reads along."""
    is_debug = os.environ.get("LOG_LEVEL") == "DEBUG"
    handler = logging.StreamHandler(sys.stderr)
    handler.setLevel(logging.WARNING)  # a file may want more of them (`also_log_to`)
    handler.setFormatter(
        LineFormatter(program, Mask(()), tracebacks=is_debug, times=not sys.stderr.isatty())
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)


def also_log_to(path: Path, level: str, *, program: str, secrets: Iterable[str]) -> None:
    """Write what the bot's own code logs into this file too.  Raises DcaError where that can't be.

    It is opened anew by every run, and not rotated: two runs at once write to the same file.
    """
    from dca_bot.program.log_file import appended_file

    handler = appended_file(path)
    handler.setFormatter(LineFormatter(program, Mask(secrets), tracebacks=level == "DEBUG"))
    own = logging.getLogger("dca_bot")
    own.addHandler(handler)
    own.setLevel(level)
    logging.raiseExceptions = False  # a full disk must not stop what a person asks for


class LineFormatter(logging.Formatter):
    """Folds a record, exception included, into one printable line and masks the secrets."""

    def __init__(
        self, program: str, mask: Mask, *, tracebacks: bool = False, times: bool = True
    ) -> None:
        super().__init__()
        self._program, self._mask = program, mask
        self._tracebacks, self._times = tracebacks, times

    def format(self, record: logging.LogRecord) -> str:
        """The whole line, without its end."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        message, facts = record.msg, ""
        if isinstance(message, Event):
            sentence, facts = message.sentence, message.facts
        else:
            sentence = record.getMessage()
        # Masked first: a secret may hold a `=` itself.
        text = self._mask("\n".join([sentence, *self._exception(record)]))
        subject = self._mask(getattr(record, "subject", self._program))
        text = f"{subject}{'' if self._times else ':'} {text}"
        line = printable(LOOKS_LIKE_A_FACT.sub(" = ", text) + self._mask(facts))
        length_max = TRACEBACK_LENGTH_MAX if self._tracebacks else LINE_LENGTH_MAX
        line = _cut(line, length_max)
        return f"{at.removesuffix('+00:00')}Z {record.levelname} {line}" if self._times else line

    def _exception(self, record: logging.LogRecord) -> list[str]:
        if not record.exc_info or record.exc_info[1] is None:
            return []
        if self._tracebacks:
            return [self.formatException(record.exc_info)]
        error = record.exc_info[1]
        return [f"{type(error).__name__}: {error}"]


def _stdout_is(path: Path) -> bool:
    # Cron and the watchdog append our stdout to the very file that we rotate.  Then every line
    # would stand there twice, and stdout would go on in the renamed file after a rotation: so if
    # both are the same file (device and inode, whatever its name), only the handler writes.
    try:
        return os.path.samestat(os.fstat(sys.stdout.fileno()), path.stat())
    except (OSError, ValueError, AttributeError):
        return False  # stdout is closed, or not a real file


def _cut(line: str, length_max: int) -> str:
    """The line without its middle: what to do stands at its end."""
    if len(line) <= length_max:
        return line
    half = length_max // 2 - 3
    return f"{line[:half]} ... {line[-half:]}"


def _log_what_python_prints() -> None:
    """Uncaught exceptions and warnings as lines like all others, instead of tracebacks."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a locale must not lose a line
    sys.excepthook = _log_uncaught
    threading.excepthook = lambda ended: _log_uncaught(
        ended.exc_type, ended.exc_value, ended.exc_traceback
    )
    sys.unraisablehook = lambda lost: _log_uncaught(
        lost.exc_type, lost.exc_value, lost.exc_traceback
    )
    logging.captureWarnings(True)


def _log_uncaught(
    kind: type[BaseException], error: BaseException | None, traceback: TracebackType | None
) -> None:
    error = error or kind()
    log.critical(
        "unexpected error; LOG_LEVEL DEBUG shows where it came from",
        exc_info=(kind, error, traceback),
    )
