"""`dca` called in this process: the same as from a shell, without the start of an interpreter."""

from __future__ import annotations

import io
import logging
import os
import signal
import subprocess
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from unittest.mock import patch

from dca_bot.commands.main import main


def called(
    *words: str, env: Mapping[str, str], typed: str | Callable[[], str] = ""
) -> subprocess.CompletedProcess[str]:
    """What `dca` says and how it ends, with exactly this environment.

    What is typed may be known only when it is read.
    """
    out, err = io.StringIO(), io.StringIO()
    with (
        traceless(),
        warnings.catch_warnings(action="ignore"),  # of libraries: our tests' make them errors
        patch.dict(os.environ, env, clear=True),
        patch("sys.argv", ["dca", *words]),
        patch("sys.stdin", io.StringIO(typed) if isinstance(typed, str) else Keyboard(typed)),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            status = main()
        except SystemExit as end:  # of argparse
            status = int(end.code or 0)
    return subprocess.CompletedProcess(words, status, out.getvalue(), err.getvalue())


class Keyboard(io.StringIO):
    """Somebody who answers when asked."""

    def __init__(self, answer: Callable[[], str]) -> None:
        super().__init__()
        self._answer = answer

    def readline(self, _size: int | None = -1, /) -> str:
        return self._answer()


@contextmanager
def traceless() -> Iterator[None]:
    """Ends with the block what a command leaves to the end of its process."""
    loggers = [logging.getLogger(name) for name in (None, "dca_bot")]
    before = [(each, each.handlers[:], each.level) for each in loggers]
    raises, mask = logging.raiseExceptions, os.umask(0o022)
    hangup = signal.getsignal(signal.SIGHUP)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, hangup)
        os.umask(mask)
        logging.raiseExceptions = raises
        for logger, handlers, level in before:
            for handler in set(logger.handlers) - set(handlers):
                handler.close()
            logger.handlers[:] = handlers
            logger.setLevel(level)
