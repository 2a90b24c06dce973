"""The kinds of columns: a value as the bot has it, and as the column holds it.

Rule: what a column can't hold exactly is refused here, since MySQL would round it without a word;
what nothing can be made of is refused on the way back.  Times are aware, in columns naive UTC.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Context, Decimal, InvalidOperation
from enum import StrEnum
from typing import Any

Value = int | str | Decimal | datetime | None  # what is bound, and what a column holds
Row = Sequence[Value]

INT_MAX = 2**31 - 1
INT_DIGITS_MAX = 20  # more is no number that anybody means

Digits = tuple[int, int]  # before and after the point
PRICE_DIGITS = (10, 10)  # DECIMAL(20, 10)
QUANTITY_DIGITS = (15, 15)  # DECIMAL(30, 15)
PERCENT_DIGITS = (6, 4)  # DECIMAL(10, 4)
RATE_DIGITS = (2, 4)  # DECIMAL(6, 4)
WIDE = Context(prec=60)  # holds every digit of a column; the usual one does not


class UnreadableValue(ValueError):
    """What a column holds is nothing that the bot can work with."""


class UnusableValue(ValueError):
    """What a person wrote can't stand in its column."""


@dataclass(frozen=True, slots=True)
class ColumnType:
    """What kind of value a column holds.

    `read` makes the value that the bot works with, or raises UnreadableValue.  `write` is the way
    back, and raises ValueError or TypeError.  `parse` takes what a person wrote, and raises
    UnusableValue.
    """

    read: Callable[[Any], Any]
    write: Callable[[Any], Value]
    parse: Callable[[str], Value] = str


def exact(value: Decimal, column: Digits) -> Decimal:
    """`value` if a column with so many digits holds it exactly; else ValueError or TypeError."""
    if not isinstance(value, Decimal):
        raise TypeError(f"{value!r} is a {type(value).__name__}: money and quantities are Decimal")
    before, after = column
    _, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int):
        raise ValueError(f"{value} is no number")
    surplus = -exponent - after
    if surplus > 0 and any(digits[-surplus:]):
        raise ValueError(f"{value} has more than {after} digits after the point: round it first")
    if value and value.adjusted() >= before:
        raise ValueError(f"{value} has more than {before} digits before the point")
    return value


def rounded(value: Decimal, column: Digits) -> Decimal | None:
    """What the column can hold of a number that nothing is computed from; None where it can't.

    A market's own prices may have more digits than a column: the order that they decide must not
    fail because of the row that tells of it.
    """
    if not value.is_finite():
        return None
    before, after = column
    if value and value.adjusted() >= before:
        return None
    kept = value.quantize(Decimal(1).scaleb(-after), context=WIDE)
    return kept if kept.adjusted() < before else None


def nearest(value: Decimal, column: Digits) -> Decimal:
    """The number that the column can hold which is nearest to one that is only reported."""
    kept = rounded(value, column)
    if kept is not None:
        return kept
    before, after = column
    largest = WIDE.subtract(Decimal(10) ** before, Decimal(10) ** -after)
    return largest.copy_sign(value)


def _read_decimal(value: Value) -> Decimal:
    if not isinstance(value, Decimal):
        raise UnreadableValue(" instead of a decimal number")
    return value


def _read_rate(value: Value) -> Decimal:
    rate = _read_decimal(value)
    if not 0 <= rate < 1:
        raise UnreadableValue(", must be 0 or more and below 1 (or NULL)")
    return rate


def _read_whole(value: Value) -> int:
    if not isinstance(value, int):
        raise UnreadableValue(" instead of a whole number")
    return value


def _write_whole(value: int) -> int:
    if not isinstance(value, int) or not -INT_MAX <= value <= INT_MAX:
        raise ValueError(f"{value!r} does not fit an INT column")
    return value


def _read_text(value: Value) -> str:
    if not isinstance(value, str):
        raise UnreadableValue(" instead of text")
    return value


def _read_time(value: Value) -> datetime:
    if not isinstance(value, datetime):
        raise UnreadableValue(" instead of a time")
    return value.replace(tzinfo=UTC)


def _write_moment(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError(f"{at} has no time zone: times are aware UTC")
    return at.astimezone(UTC).replace(tzinfo=None)


def _write_second(at: datetime) -> datetime:
    # MySQL would round a fraction up, into the future
    if at.microsecond:
        raise ValueError(f"{at} is no whole second: cut it first")
    return _write_moment(at)


def _parse_number(text: str, digits: Digits) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite():
        raise UnusableValue("must be a number")
    try:
        return exact(value, digits)
    except ValueError as error:
        raise UnusableValue(f"must fit its column: {error}") from None


def _parse_whole(text: str) -> int:
    if not (text.isascii() and text.removeprefix("-").isdigit() and len(text) <= INT_DIGITS_MAX):
        raise UnusableValue("must be a whole number")
    try:
        return _write_whole(int(text))
    except ValueError as error:
        raise UnusableValue(f"must fit its column: {error}") from None


def _parse_truth(text: str) -> int:
    words = {"true": 1, "1": 1, "yes": 1, "false": 0, "0": 0, "no": 0}
    if text.lower() not in words:
        raise UnusableValue("must be TRUE or FALSE")
    return words[text.lower()]


def number(digits: Digits) -> ColumnType:
    """A Decimal that must come back as it was."""
    return ColumnType(
        _read_decimal,
        lambda value: exact(value, digits),
        lambda text: _parse_number(text, digits),
    )


def or_null(digits: Digits) -> ColumnType:
    """A Decimal for people alone: NULL where the column can't hold it."""
    return ColumnType(_read_decimal, lambda value: rounded(value, digits))


def or_nearest(digits: Digits) -> ColumnType:
    """The same where the column takes no NULL: the nearest that it can hold."""
    return ColumnType(_read_decimal, lambda value: nearest(value, digits))


def text(length_max: int) -> ColumnType:
    """Text of a bounded length."""

    def write(value: str) -> str:
        if len(value) > length_max:
            raise ValueError(f"{value[:40]!r}... is longer than {length_max} characters")
        return value

    return ColumnType(_read_text, write)


def word(words: type[StrEnum]) -> ColumnType:
    """One of the words."""

    def read(value: Value) -> StrEnum:
        try:
            return words(value)  # type: ignore[arg-type] # anything else is a ValueError
        except ValueError:
            raise UnreadableValue(f", none of {', '.join(words)}") from None

    def parse(text: str) -> str:
        if text.lower() not in tuple(words):
            raise UnusableValue(f"must be one of {', '.join(words)}")
        return text.lower()

    return ColumnType(read, lambda value: str(value.value), parse)


WHOLE = ColumnType(_read_whole, _write_whole, _parse_whole)
TRUTH = ColumnType(lambda value: bool(_read_whole(value)), int, _parse_truth)
PRICE = number(PRICE_DIGITS)
QUANTITY = number(QUANTITY_DIGITS)
PERCENT = number(PERCENT_DIGITS)
RATE = ColumnType(_read_rate, lambda value: exact(value, RATE_DIGITS))
SECOND = ColumnType(_read_time, _write_second)  # TIMESTAMP
MOMENT = ColumnType(_read_time, _write_moment)  # TIMESTAMP(6)
