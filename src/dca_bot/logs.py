"""What a log line looks like, and where it goes.

Rule: a line is `time LEVEL subject sentence key=value`, always one line, never with a secret.
The subject is `BTC/USD c42` (see `asset_log`) or the program's name.  People tail this.
"""

import json
import logging
import os
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from urllib.parse import quote

from dca_bot.errors import SettingsError
from dca_bot.own_files import append_to
from dca_bot.settings import LogSettings

FILE_BYTES_MAX = 10_000_000
FILES_KEPT = 5
# Shorter "secrets" are words of ordinary lines; masking them would garble what people read.
SECRET_LENGTH_MIN = 6
# These say what they send at DEBUG, keys included, whatever LOG_LEVEL is meant for.
TALKATIVE_LIBRARIES = ("alpaca", "websockets", "urllib3", "mysql", "asyncio", "aiohttp")


def event(sentence: str, /, **facts: object) -> str:
    """A log message: the sentence, then `key=value` with Decimals plain and blanks quoted."""
    return " ".join([sentence, *(f"{key}={_shown(value)}" for key, value in facts.items())])


def asset_log(
    log: logging.Logger, symbol: str, cycle_id: int | None = None
) -> logging.LoggerAdapter[logging.Logger]:
    """The same logger, whose lines begin with the asset and, if given, the cycle."""
    cycle = [] if cycle_id is None else [f"c{cycle_id}"]
    return logging.LoggerAdapter(log, {"subject": " ".join([_shown(symbol), *cycle])})


def set_up_logging(
    settings: LogSettings, *, program: str, secrets: Iterable[str] = (), to_file: bool = False
) -> None:
    """Log to stdout, and with `to_file` to `LOG_DIR/<program>.log` too, rotated by size.

    Raises SettingsError when the file cannot be written.
    """
    handlers: list[logging.Handler] = []
    if to_file:
        handlers.append(_rotating_file(settings.dir / f"{program}.log"))
    if not (to_file and _stdout_is(settings.dir / f"{program}.log")):
        handlers.append(logging.StreamHandler(sys.stdout))
    is_debug = settings.level == "DEBUG"
    formatter = LineFormatter(program, secrets=secrets, tracebacks=is_debug)
    for handler in handlers:
        handler.setFormatter(formatter)
    logging.basicConfig(level=settings.level, handlers=handlers, force=True)
    level_of_others = max(logging.WARNING, logging.getLogger().level)
    for name in TALKATIVE_LIBRARIES:
        logging.getLogger(name).setLevel(level_of_others)
    # A full disk or a closed pipe must neither stop trading nor answer each line with a traceback.
    logging.raiseExceptions = False


def masked(text: str, secrets: Iterable[str]) -> str:
    """The text as a log may hold it, without the secrets in any of their spellings."""
    for form in _forms(secrets):
        text = text.replace(form, "***")
    return text


class LineFormatter(logging.Formatter):
    """Folds a record, exception included, into one printable line and masks the secrets."""

    def __init__(
        self, program: str, *, secrets: Iterable[str] = (), tracebacks: bool = False
    ) -> None:
        super().__init__()
        self._program = program
        self._secret_forms = _forms(secrets)
        self._tracebacks = tracebacks

    def format(self, record: logging.LogRecord) -> str:
        """The whole line, without its end."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        subject = getattr(record, "subject", self._program)
        text = "\n".join([record.getMessage(), *self._exception(record)])
        for form in self._secret_forms:
            text = text.replace(form, "***")
        return f"{at.removesuffix('+00:00')}Z {record.levelname} {subject} {_folded(text)}"

    def _exception(self, record: logging.LogRecord) -> list[str]:
        if not record.exc_info or record.exc_info[1] is None:
            return []
        if self._tracebacks:
            return [self.formatException(record.exc_info)]
        error = record.exc_info[1]
        return [f"{type(error).__name__}: {error}"]


def _rotating_file(path: Path) -> RotatingFileHandler:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return _LogFile(path, maxBytes=FILE_BYTES_MAX, backupCount=FILES_KEPT, encoding="utf-8")
    except OSError as error:
        raise SettingsError(
            f"LOG_DIR does not work: {error}; make it a directory that this user can write"
        ) from error


class _LogFile(RotatingFileHandler):
    def _open(self) -> TextIOWrapper:
        fd = append_to(Path(self.baseFilename))
        return open(fd, "a", encoding=self.encoding, errors=self.errors)


def _stdout_is(path: Path) -> bool:
    # Cron and the watchdog append our stdout to the very file that we rotate.  Then every line
    # would stand there twice, and stdout would go on in the renamed file after a rotation: so if
    # both are the same file (device and inode, whatever its name), only the handler writes.
    try:
        return os.path.samestat(os.fstat(sys.stdout.fileno()), path.stat())
    except (OSError, ValueError, AttributeError):
        return False  # stdout is closed, or not a real file


def _shown(value: object) -> str:
    if isinstance(value, Decimal):
        text = format(value, "f")
        return text.rstrip("0").rstrip(".") if "." in text else text
    if value is None:
        return "none"
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    text = str(value)
    is_plain = text.isprintable() and not set(text) & set(' "=')
    return text if text and is_plain else json.dumps(text, ensure_ascii=False)


def _forms(secrets: Iterable[str]) -> list[str]:
    # A secret may come back quoted (a fact with blanks) or percent-encoded (a URL).
    forms: set[str] = set()
    for secret in secrets:
        if len(secret) >= SECRET_LENGTH_MIN:
            quoted = json.dumps(secret, ensure_ascii=False)[1:-1]
            forms |= {secret, quoted, repr(secret)[1:-1], quote(secret, safe="")}
    return sorted(forms, key=len, reverse=True)


def _folded(text: str) -> str:
    # Text from outside may hold line ends or escape codes; a line must stay one readable line.
    line = " | ".join(part.strip() for part in text.splitlines() if part.strip())
    return line if line.isprintable() else "".join(c if c.isprintable() else "?" for c in line)
