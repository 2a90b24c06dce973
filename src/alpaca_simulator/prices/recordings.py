"""Recorded prices: CSV files, gzipped or not, recognised by their header.

- quotes: timestamp,bid,bid_size,ask,ask_size
- quote bars: timestamp,bid,ask[,...]
- bars: timestamp,open,high,low,close,volume; the close counts
- trades: timestamp,price,size[,side]

`timestamp` is in nanoseconds since the epoch, UTC.
"""

import csv
import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import NamedTuple, TextIO

from alpaca_simulator.decimals import ZERO

ONE = Decimal(1)
PRICE_MOST = 10**12


class PriceFileError(Exception):
    """A file that is missing, or that is no price file."""


class Point(NamedTuple):
    """One moment of a recording."""

    origin: int
    bid: Decimal
    ask: Decimal
    bid_size: Decimal
    ask_size: Decimal


@dataclass(frozen=True, slots=True)
class _Columns:
    bid: int
    ask: int
    bid_size: int | None
    ask_size: int | None


def read_prices(path: Path, *, spread_bps: Decimal = ZERO) -> Iterator[Point]:
    """Given a file, yields its points; a spread is put around prices that have none."""
    try:
        with _open(path) as lines:
            rows = csv.reader(lines)
            columns = _columns(next(rows, []), path)
            half = spread_bps / 20_000 if columns.bid == columns.ask else ZERO
            for row in rows:
                if row:
                    yield _point(row, columns, half, f"{path}, line {rows.line_num}")
    except (OSError, EOFError, zlib.error, csv.Error) as e:
        raise PriceFileError(f"{path}: {getattr(e, 'strerror', None) or e}") from e
    except UnicodeDecodeError as e:
        raise PriceFileError(f"{path}: it is no text; does a gzipped file end in .gz?") from e


def check_prices(path: Path) -> None:
    """Given a file, reads all of it; raises PriceFileError when a row is bad or there is none."""
    if not sum(1 for _ in read_prices(path)):
        raise PriceFileError(f"{path}: it has a header, but no rows")


def _open(path: Path) -> TextIO:
    return gzip.open(path, "rt") if path.suffix == ".gz" else path.open()


def _columns(header: list[str], path: Path) -> _Columns:
    place = {name: number for number, name in enumerate(header)}
    if header[:1] == ["timestamp"]:
        if "bid" in place and "ask" in place:
            return _Columns(
                place["bid"], place["ask"], place.get("bid_size"), place.get("ask_size")
            )
        for name in ("close", "price"):
            if name in place:
                return _Columns(place[name], place[name], None, None)
    raise PriceFileError(f"{path}: neither quotes, bars nor trades: {','.join(header)}")


def _point(row: list[str], columns: _Columns, half: Decimal, place: str) -> Point:
    try:
        origin, bid, ask = int(row[0]), Decimal(row[columns.bid]), Decimal(row[columns.ask])
        bid_size = ONE if columns.bid_size is None else Decimal(row[columns.bid_size])
        ask_size = ONE if columns.ask_size is None else Decimal(row[columns.ask_size])
    except (ValueError, InvalidOperation, IndexError) as e:
        raise PriceFileError(f"{place}: a row that can't be read: {','.join(row)[:80]}") from e
    if origin < 0:
        raise PriceFileError(f"{place}: a time before 1970: {origin}")
    if not (0 <= bid < PRICE_MOST and 0 <= ask < PRICE_MOST):
        raise PriceFileError(f"{place}: a price that can't be: {','.join(row)[:80]}")
    if half:
        bid, ask = bid * (1 - half), ask * (1 + half)
    return Point(origin, bid, ask, bid_size, ask_size)
