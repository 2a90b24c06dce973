"""What verbs print: one JSON object, or tables for people.

Rule: a table is readable at 80 columns, without colours (NO_COLOR, a pipe) and without UTF-8.
Money, prices and quantities are strings in JSON, times ISO 8601 in UTC; tables show local time.
"""

from __future__ import annotations

import csv
import os
import sys
from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, TextIO, cast

from dca_bot.commands.as_json import print_json as print_json
from dca_bot.program.clock import utc_now
from dca_bot.program.errors import DcaError
from dca_bot.program.log_text import printable
from dca_bot.report.numbers import age_in_words, price_in_words

if TYPE_CHECKING:  # `--json` needs none of it, and loading it takes longer than most verbs
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

DIGITS_MAX = 9  # that an exchange knows after the point
IN_ASCII = str.maketrans(
    {"●": "o", "┿": "+", "━": "=", "─": "-", "…": "~", "–": "-", "≤": "<", "│": "|", "→": ">"}
)


def console() -> Console:
    """Where tables go; rich leaves colours out by itself where they can't be shown."""
    from dca_bot.commands.clean_console import CleanConsole

    out = sys.stdout if _shows_utf8() else cast(TextIO, _Ascii(sys.stdout))
    return CleanConsole(file=out, highlight=False, markup=False)


def table(*headings: str, left: int = 1, title: str | None = None) -> Table:
    """A table without frames; the first `left` columns are text, the others numbers."""
    from rich.table import Table

    made = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), title=title, title_justify="left")
    for number, heading in enumerate(headings):
        made.add_column(
            heading,
            justify="left" if number < left else "right",
            no_wrap=True,
            overflow="ellipsis",
            header_style="dim",
        )
    return made


def write_csv(path: Path, headings: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    """Raises DcaError where the file can't be written."""
    try:
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(chain([headings], rows))
    except OSError as error:
        raise DcaError(f"{path} can't be written ({error}): name another file") from error


def say_to_correct(told: Iterable[str]) -> None:
    """Name on stderr the rows that a person must correct; what is shown does without them."""
    for line in told:
        sys.stderr.write(f"dca: {printable(line)}\n")


def local(at: datetime | None, *, seconds: bool = False) -> str:
    """A time as the user's clock shows it; the zone is named once, by `zone`."""
    if at is None:
        return "-"
    return f"{at.astimezone():%Y-%m-%d %H:%M:%S}"[: None if seconds else 16]


def zone() -> str:
    """The name of the user's time zone."""
    return utc_now().astimezone().tzname() or "local time"


def price(value: Decimal | None) -> str:
    return price_in_words(value)


def amount(value: Decimal | None, places: int = 2) -> str:
    """Money; a dash where it isn't known."""
    return "-" if value is None else f"{value:,.{places}f}"


def short_quantity(value: Decimal) -> str:
    """With six digits that count."""
    digits = max(0, min(DIGITS_MAX, 5 - value.adjusted())) if value else 0
    return f"{value:.{digits}f}"


def signed(value: Decimal | None) -> Text:
    """A gain in green, a loss in red; a dash where it isn't known."""
    from rich.text import Text

    if value is None:
        return Text("-", "dim")
    return Text(f"{value:+,.2f}", "green" if value >= 0 else "red")


def percent(value: Decimal | None) -> str:
    return "-" if value is None else f"{value:+.2f} %"


def age(seconds: float | None) -> str:
    """How long ago something was."""
    return "never" if seconds is None else age_in_words(timedelta(seconds=seconds))


def _shows_utf8() -> bool:
    # Python itself makes C.UTF-8 out of the locale C, so that this alone says nothing.
    names = [os.environ.get(name, "") for name in ("LC_ALL", "LC_CTYPE", "LANG")]
    if names[1] == "C.UTF-8" and names[2] in ("", "C", "POSIX") and not names[0]:
        return False
    locale = next((name for name in names if name), "")
    return "utf" in locale.lower()


class _Ascii:
    """Writes what an ASCII terminal can show."""

    encoding = "ascii"

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def write(self, text: str) -> int:
        return self._out.write(text.translate(IN_ASCII).encode("ascii", "replace").decode())

    def flush(self) -> None:
        self._out.flush()

    def isatty(self) -> bool:
        return self._out.isatty()

    def fileno(self) -> int:
        return self._out.fileno()
