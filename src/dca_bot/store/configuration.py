"""Rows of `dca_assets` as a user writes them: by name of the column, one row at a time.

Rule: the names of columns come from COLUMNS alone, and values are always bound.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from difflib import get_close_matches
from typing import Self

from dca_bot.core.model import Asset
from dca_bot.program.setting_groups import DatabaseSettings
from dca_bot.store.assets import ASSETS
from dca_bot.store.connection import LOCK_WAIT_SECONDS, Session
from dca_bot.store.failures import DUPLICATE_KEY, Failure
from dca_bot.store.values import UnusableValue, Value

# The rest is the bot's: the key, the name that other rows know it by, and what it remembers.
COLUMNS = {
    column.name: column
    for column in ASSETS.columns
    if column.field not in ("asset_id", "symbol", "last_sell_price", "allowed_before")
}


def read_values(words: Mapping[str, str]) -> dict[str, Value]:
    """What was written for each column, as the column holds it.  Raises UnusableValue."""
    found = {}
    for column, text in words.items():
        if column not in COLUMNS:
            near = get_close_matches(column, COLUMNS, 1)
            there = (
                f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(COLUMNS))}"
            )
            raise UnusableValue(f"there is no column {column!r}: {there}")
        try:
            found[column] = COLUMNS[column].parse(text.strip())
        except UnusableValue as error:
            raise UnusableValue(f"{column} is {text!r}, {error}") from None
    return found


def with_values(asset: Asset, values: Mapping[str, Value]) -> Asset:
    """The asset as its row would be read with these values."""
    read = {COLUMNS[name].field: COLUMNS[name].read(value) for name, value in values.items()}
    return replace(asset, **read)


def written(asset: Asset, column: str) -> Value:
    """What the asset's row has in a column; the way back from `with_values`."""
    value: Value = getattr(asset, COLUMNS[column].field)
    return value


class Configuration:
    """The user's hand on `dca_assets`, over a connection of its own."""

    def __init__(self, settings: DatabaseSettings) -> None:
        self._session = Session(settings, LOCK_WAIT_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
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
