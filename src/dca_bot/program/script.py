"""The outermost frame of every script: arguments, exit status, lock and time limit.

Rule: exit statuses and last words are decided here alone.  Status 0 means done (or nothing to
do), 1 means that something must be looked at, 2 that the settings must be edited first.
"""

import argparse
import fcntl
import logging
import os
import re
import shutil
import signal
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

from dca_bot.program.clock import utc_now
from dca_bot.program.errors import AlreadyRunning, DcaError, SettingsError
from dca_bot.program.files import append_to, keep_others_from_writing, unusable_log_dir
from dca_bot.program.log_text import always, printable

DEADLINE_SECONDS = 45
# How long a passed deadline may take to unwind before the process is ended without asking.
UNWIND_SECONDS = 5


def program_name() -> str:
    """The script's name without its path and ending, as in its log file's name."""
    name = Path(sys.argv[0]).stem
    return "dca" if name == "__main__" else name  # python -m dca_bot


def folded(docstring: str | None) -> str:
    """What `--help` shows of it: prose is as wide as the terminal, lists and examples stay."""
    width = shutil.get_terminal_size().columns
    shown = []
    for paragraph in (docstring or "").split("\n\n"):
        is_prose = not re.search("^[ -]", paragraph, re.MULTILINE)
        shown.append(textwrap.fill(paragraph, width) if is_prose else paragraph)
    return "\n\n".join(shown)


def argument_parser(
    description: str | None, *, is_caretaker: bool = False
) -> argparse.ArgumentParser:
    """A parser with `--help` that shows the script's docstring; caretakers have `--dry-run`."""
    parser = argparse.ArgumentParser(
        description=folded(description), formatter_class=argparse.RawDescriptionHelpFormatter
    )
    if is_caretaker:
        parser.add_argument(
            "--dry-run", action="store_true", help="say what would be done, change nothing"
        )
    return parser


def run(main: Callable[[], int], *, stop_is_success: bool = False) -> int:
    """Call `main`, turn whatever ends it into an exit status and at most one line.

    SIGTERM unwinds like Ctrl-C, so locks are released and children are stopped.  With
    `stop_is_success` (a daemon is stopped on purpose) both end with status 0.
    """
    keep_others_from_writing()
    previous = signal.signal(signal.SIGTERM, _interrupt)
    try:
        return main()
    except KeyboardInterrupt as interrupt:
        number = interrupt.args[0] if interrupt.args else signal.SIGINT
        return 0 if stop_is_success else 128 + int(number)
    except Exception as error:  # noqa: BLE001 - the outermost frame: nobody else can say it
        return _last_words(_innermost(error))
    finally:
        signal.signal(signal.SIGTERM, previous)
        _flush_stdout()


@contextmanager
def only_once(name: str, lock_dir: Path) -> Iterator[None]:
    """Hold the lock `name` while the block runs; raise AlreadyRunning when another run has it."""
    path = lock_dir / f"{name}.lock"
    try:
        lock_dir.mkdir(parents=True, exist_ok=True)
        lock = os.fdopen(append_to(path), "a")
    except OSError as error:
        raise unusable_log_dir(error) from error
    # The kernel lets go of an flock however the process ends, so no lock is ever left behind;
    # the file stays, because removing it would let two runs lock two files of one name.
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(f"another {name} is still running: nothing to do") from None
        yield


@contextmanager
def deadline(seconds: int = DEADLINE_SECONDS) -> Iterator[None]:
    """Raise DcaError when the block takes longer, even if a socket or a lock hangs.

    1. At the deadline SIGALRM raises inside whatever the main thread waits for.  What it raises
       is no Exception, so no containment inside the block can take it for its own trouble.
    2. A call that signals do not interrupt (a name lookup) is ended a little later by a thread.
       A killed script loses nothing: the database rolls back and the lock is released.
    """
    problem = (
        f"not finished after {seconds} s: what was done stands, the next run goes on with the "
        "rest; if this line comes again, see whether Alpaca and the database answer"
    )
    backstop = threading.Timer(seconds + UNWIND_SECONDS, _end_process, [problem])
    backstop.daemon = True
    previous = signal.signal(signal.SIGALRM, _raise_deadline)
    signal.alarm(seconds)
    backstop.start()
    try:
        yield
    except _DeadlinePassed:
        raise DcaError(problem) from None
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous)
        backstop.cancel()


class _DeadlinePassed(BaseException):
    """Passes through every `except Exception` on its way out of the block."""


def _raise_deadline(_number: int, _frame: FrameType | None) -> NoReturn:
    raise _DeadlinePassed


def _end_process(problem: str) -> NoReturn:
    _say(logging.ERROR, problem)
    os._exit(1)


def _interrupt(number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt(number)


def _innermost(error: Exception) -> Exception:
    # A TaskGroup wraps what ended its task; an error that a user can act upon speaks first.
    if not isinstance(error, ExceptionGroup):
        return error
    inner = [_innermost(each) for each in error.exceptions]
    return next((each for each in inner if isinstance(each, DcaError)), inner[0])


def _last_words(error: Exception) -> int:
    match error:
        case SettingsError():
            _say_on_stderr(str(error))
            return 2
        case AlreadyRunning():
            _say(logging.INFO, str(error))
            return 0
        case DcaError():
            _say(logging.ERROR, str(error))
        case BrokenPipeError():
            pass  # whoever read our output is gone, so there is nobody to tell
        case _:
            what = "stopped by an unexpected error; LOG_LEVEL DEBUG shows where it came from"
            _say(logging.CRITICAL, what, error)
    return 1


def _say(level: int, message: str, error: Exception | None = None) -> None:
    # Once logging is set up, last words stand in the log like all others; before, on stderr.
    if logging.getLogger().hasHandlers():
        always.log(level, message, exc_info=error)
    else:
        _say_on_stderr(f"{message}: {type(error).__name__}: {error}" if error else message)


def _say_on_stderr(message: str) -> None:
    line = f"{program_name()}: {printable(' '.join(message.split()))}"
    if not sys.stderr.isatty():  # cron's log: which run was it?
        line = f"{utc_now():%Y-%m-%dT%H:%M:%SZ} ERROR {line}"
    print(line, file=sys.stderr)  # noqa: T201


def _flush_stdout() -> None:
    try:
        if sys.stdout is not None:  # the caller may have closed it
            sys.stdout.flush()
    except BrokenPipeError:
        # `order_manager.py | head -1` is no error; without this Python complains at its exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
