"""Rows of `dca_assets` as a user writes them: by name of the column, one row at a time.

Rule: the names of columns come from COLUMNS alone, and values are always bound.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from types import TracebackType
from typing import Self

from dca_bot.program.setting_groups import DatabaseSettings
from dca_bot.store.connection import LOCK_WAIT_SECONDS, Session
from dca_bot.store.failures import DUPLICATE_KEY, Failure
from dca_bot.store.statements import Value


class UnusableValue(ValueError):
    """What was written can't stand in its column."""


def _number(text: str) -> Value:
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise UnusableValue("must be a number")
    return number


def _whole(text: str) -> Value:
    if not (text.isascii() and text.removeprefix("-").isdigit()):
        raise UnusableValue("must be a whole number")
    return int(text)


def _truth(text: str) -> Value:
    words = {"true": 1, "1": 1, "yes": 1, "false": 0, "0": 0, "no": 0}
    if text.lower() not in words:
        raise UnusableValue("must be TRUE or FALSE")
    return words[text.lower()]


def _or_null(kind: Callable[[str], Value]) -> Callable[[str], Value]:
    return lambda text: None if text.upper() in ("NULL", "") else kind(text)


def _one_of(*words: str) -> Callable[[str], Value]:
    def read(text: str) -> Value:
        if text.lower() not in words:
            raise UnusableValue(f"must be one of {', '.join(words)}")
        return text.lower()

    return read


COLUMNS: Mapping[str, Callable[[str], Value]] = {
    "is_enabled": _truth,
    "base_order_amount": _number,
    "safety_order_amount": _number,
    "max_safety_orders": _whole,
    "safety_order_deviation": _number,
    "take_profit_percent": _number,
    "cooldown_period": _whole,
    "buy_order_price_deviation_percent": _number,
    "safety_order_volume_scale": _number,
    "safety_order_step_scale": _number,
    "take_profit_after_fees": _truth,
    "trailing_percent": _or_null(_number),
    "stop_loss_percent": _or_null(_number),
    "stop_loss_seconds": _whole,
    "after_stop_loss": _one_of("pause", "cooldown"),
    "max_spread_percent": _or_null(_number),
    "min_start_price": _or_null(_number),
    "max_start_price": _or_null(_number),
    "allowed": _one_of("all", "cycle", "exit"),
}


def read_values(words: Mapping[str, str]) -> dict[str, Value]:
    """What was written for each column, as the column holds it.  Raises UnusableValue."""
    found = {}
    for column, text in words.items():
        if column not in COLUMNS:
            raise UnusableValue(
                f"there is no column {column!r}; there are {', '.join(sorted(COLUMNS))}"
            )
        try:
            found[column] = COLUMNS[column](text.strip())
        except UnusableValue as error:
            raise UnusableValue(f"{column} is {text!r}, {error}") from None
    return found


class Configuration:
    """The user's hand on `dca_assets`, over a connection of its own."""

    def __init__(self, settings: DatabaseSettings) -> None:
        self._session = Session(settings, LOCK_WAIT_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._session.close()

    def add(self, symbol: str, values: Mapping[str, Value]) -> None:
        """Insert a row.  Raises UnusableValue when the symbol has one."""
        columns = {"asset_symbol": symbol, **values}
        names, places = ", ".join(columns), ", ".join(["%s"] * len(columns))
        sql = f"INSERT INTO dca_assets ({names}) VALUES ({places})"  # noqa: S608 - see the rule
        try:
            self._session.write(sql, tuple(columns.values()))
        except Failure as failure:
            if failure.number == DUPLICATE_KEY:
                raise UnusableValue(f"dca_assets has a row for {symbol} already") from failure
            raise
        self._session.commit()

    def change(self, asset_id: int, values: Mapping[str, Value]) -> None:
        """Change columns of a row."""
        if "allowed" in values:  # for this asset alone, then
            values = {**values, "allowed_before": None}
        parts = ", ".join(f"{column} = %s" for column in values)
        sql = f"UPDATE dca_assets SET {parts} WHERE id = %s"  # noqa: S608 - see the rule
        self._session.write(sql, (*values.values(), asset_id))
        self._session.commit()
