"""Where the demo is shown: live on a terminal, line by line anywhere else.

Rule: a display is handed states and keeps nothing but what it needs to see a change.
"""

from __future__ import annotations

import codecs
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext

from rich.console import Console
from rich.live import Live
from rich.text import Text

from dca_demo.state import DemoState
from dca_demo.view import render, summary

# The view's few signs for a terminal that knows ASCII alone; each is as wide as what it stands for.
SPELLED_PLAINLY = {"●": "o", "┿": "+", "━": "=", "─": "-", "…": "~"}


def spell_plainly(environ: Mapping[str, str] = os.environ) -> None:
    """Where the locale promises no UTF-8, as with LANG=C, let stdout take ASCII alone."""
    # Python changes LC_CTYPE from C to C.UTF-8 by itself, which says nothing of the terminal.
    of_characters = environ.get("LC_CTYPE", "").replace("C.UTF-8", "")
    locale = environ.get("LC_ALL") or of_characters or environ.get("LANG", "")
    if "UTF" not in locale.upper() and hasattr(sys.stdout, "reconfigure"):
        codecs.register_error("plainly", _plain)
        sys.stdout.reconfigure(encoding="ascii", errors="plainly")


def _plain(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    cut_out = error.object[error.start : error.end]
    return "".join(SPELLED_PLAINLY.get(sign, "?") for sign in cut_out), error.end


def display_on(console: Console) -> LiveDisplay | PlainDisplay:
    """The live view where it can be drawn; plain lines in a file, a pipe or a dumb terminal."""
    is_able = console.is_terminal and not console.is_dumb_terminal
    return LiveDisplay(console) if is_able else PlainDisplay(console)


class LiveDisplay:
    """Fills the terminal, and gives it back as it was."""

    def __init__(self, console: Console) -> None:
        self._console = console
        # No thread of its own: what starts processes here must be the main thread, alone.
        self._live = Live(console=console, screen=True, auto_refresh=False)

    def shown(self) -> AbstractContextManager[object]:
        return self._live

    def show(self, state: DemoState) -> None:
        if not self._console.is_terminal:  # any more: nobody looks on
            raise KeyboardInterrupt(signal.SIGHUP)
        width, height = self._console.size
        self._live.update(render(state, width=width, height=height), refresh=True)


class PlainDisplay:
    """Prints each new line of the bot's log, each deed of a caretaker, and the profit."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._printed: dict[str, str] = {}

    def shown(self) -> AbstractContextManager[object]:
        return nullcontext()

    def show(self, state: DemoState) -> None:
        for line in state.new_log_lines:
            self._print(f"main_app.py: {line}")
        for caretaker in state.caretakers:
            self._tell(caretaker.script, caretaker.deed, known_by=caretaker.deed)
        self._tell("demo", summary(state), known_by=str(state.cycles_completed or ""))

    def _tell(self, subject: str, words: str, *, known_by: str) -> None:
        if known_by and self._printed.get(subject) != known_by:
            self._printed[subject] = known_by
            self._print(f"{subject}: {words}")

    def _print(self, line: str) -> None:
        self._console.print(Text(line), soft_wrap=True)
