"""Recorded prices in CSV, gzipped or not, told apart by their header.

- quotes and quote bars: timestamp,bid,...,ask,...
- bars: timestamp,open,high,low,close[,volume]
- trades: timestamp,price[,size,side]

`timestamp` is in nanoseconds since the epoch, UTC.  A bad row is named by its line.
"""

from __future__ import annotations

import csv
import gzip
import zlib
from array import array
from collections.abc import Iterator
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from pathlib import Path
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from dca_bot.backtest.prices.recording import DIGITS_MAX, Form, Recording
from dca_bot.program.errors import DcaError, SettingsError

FINEST = Decimal(1).scaleb(-DIGITS_MAX)
PRICE_MAX = Decimal(10) ** 8  # in the finest steps that is what 64 bits can hold, with room


def read_prices(path: Path, symbol: str) -> Recording:
    """Read a whole file.

    Raises SettingsError where it can't be opened, and DcaError where it is no price file or a row
    of it is broken, with the row's line number.
    """
    try:
        with _open(path) as lines:
            rows = csv.reader(lines)
            form, places = _layout(next(rows, []), path)
            times, seen, columns = _read_rows(rows, places, path)
    except (EOFError, gzip.BadGzipFile, zlib.error, UnicodeDecodeError, csv.Error) as error:
        raise DcaError(f"{path}: the file is damaged ({error}): fetch it again") from error
    except OSError as error:
        reason = error.strerror or error
        raise SettingsError(f"cannot read {path}: {reason}: name a file of prices") from error
    numbers = _Numbers(path, list(seen))
    arrays = {
        name: numbers.steps_of(np.frombuffer(column, np.int32))
        for name, column in zip(form.columns, columns, strict=True)
    }
    recording = Recording(symbol, form, np.frombuffer(times, np.int64), arrays, numbers.digits)
    _check(recording, path)
    return recording


def _open(path: Path) -> TextIO:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", newline="", encoding="utf-8")
    return path.open(newline="", encoding="utf-8")


def _layout(header: list[str], path: Path) -> tuple[Form, list[int]]:
    place = {name.strip(): number for number, name in enumerate(header)}
    if header[:1] == ["timestamp"]:
        for form in Form:
            if all(name in place for name in form.columns):
                return form, [place[name] for name in form.columns]
    raise DcaError(
        f"{path}: line 1: neither quotes (timestamp,bid,ask), bars (timestamp,open,high,low,close) "
        f"nor trades (timestamp,price): {','.join(header)[:80]!r}"
    )


def _read_rows(
    rows: Iterator[list[str]], places: list[int], path: Path
) -> tuple[array[int], dict[str, int], list[array[int]]]:
    """Times, the different texts of prices, and for each column which text stands in each row.

    Prices repeat a lot, so each text is read as a number only once.
    """
    times, seen = array("q"), dict[str, int]()
    columns = [array("i") for _ in places]
    number = seen.setdefault
    filling = [(place, column.append) for place, column in zip(places, columns, strict=True)]
    for row in rows:
        if not row:
            continue
        try:
            times.append(int(row[0]))
            for place, append in filling:
                append(number(row[place], len(seen)))
        except (ValueError, OverflowError) as error:
            raise _bad_row(
                path, len(times), f"timestamp {row[0]!r} is not a whole number"
            ) from error
        except IndexError as error:
            raise _bad_row(path, len(times) - 1, f"only {len(row)} columns") from error
    return times, seen, columns


class _Numbers:
    """The different texts of a file as numbers, in steps that fit them all."""

    def __init__(self, path: Path, texts: list[str]) -> None:
        self._path = path
        self._texts = texts
        self._values = [_price(text) for text in texts]
        self.digits = max(
            (_digits(value) for value in self._values if value is not None), default=0
        )

    def steps_of(self, column: NDArray[np.int32]) -> NDArray[np.int64]:
        """A column's texts as steps; raises DcaError with the line of the first bad one."""
        bad = [number for number, value in enumerate(self._values) if value is None]
        if bad:
            rows = np.flatnonzero(np.isin(column, bad))
            if len(rows):
                text = self._texts[column[rows[0]]]
                raise _bad_row(self._path, int(rows[0]), f"{text!r} is not a price above 0")
        steps = [int(value.scaleb(self.digits)) if value else 0 for value in self._values]
        result: NDArray[np.int64] = np.array(steps, np.int64)[column]
        return result


def _price(text: str) -> Decimal | None:
    try:
        value = Decimal(text)
    except InvalidOperation:
        return None
    if not value.is_finite() or not 0 < value < PRICE_MAX:
        return None
    return value.quantize(FINEST, ROUND_HALF_EVEN) if _digits(value) > DIGITS_MAX else value


def _digits(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _check(recording: Recording, path: Path) -> None:
    columns = recording.columns
    claims = [(np.diff(recording.times, prepend=recording.times[:1]) < 0, "earlier than before it")]
    if recording.form is Form.QUOTES:
        claims.append((columns["bid"] > columns["ask"], "the bid is above the ask"))
    if recording.form is Form.BARS:
        inner = (columns["open"], columns["close"])
        claims.append((columns["high"] < np.maximum(*inner), "the high is below open or close"))
        claims.append((columns["low"] > np.minimum(*inner), "the low is above open or close"))
    for wrong, what in claims:
        rows = np.flatnonzero(wrong)
        if len(rows):
            raise _bad_row(path, int(rows[0]), what)


def _bad_row(path: Path, row: int, what: str) -> DcaError:
    return DcaError(f"{path}: line {_line_of(path, row)}: {what}: correct it or leave the row out")


def _line_of(path: Path, row: int) -> int:
    """The line of a row; counted again only here, where a file turned out to be broken."""
    with _open(path) as lines:
        rows = csv.reader(lines)
        next(rows)
        filled = (rows.line_num for fields in rows if fields)
        return next((line for number, line in enumerate(filled) if number == row), rows.line_num)
