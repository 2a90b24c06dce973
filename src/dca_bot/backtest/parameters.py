"""The columns of `dca_assets` as values to try: their names, defaults, and texts as values.

They are read off `core.model.Asset`, so a column that trading learns can be tried at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from functools import cache
from types import UnionType
from typing import get_args, get_origin, get_type_hints

from dca_bot.core.asset_row import problem_of
from dca_bot.core.ladder import safety_amount
from dca_bot.core.model import Asset, AssetRules, column_of
from dca_bot.program.errors import SettingsError

Value = Decimal | int | bool | str | None

NOT_TRIED = {"asset_id", "symbol", "is_enabled", "last_sell_price", "allowed", "allowed_before"}
# The row of the README.
SAMPLE: dict[str, Value] = {
    "base_order_amount": Decimal(20),
    "safety_order_amount": Decimal(20),
    "max_safety_orders": 5,
    "safety_order_deviation_pct": Decimal("1.5"),
    "take_profit_pct": Decimal(1),
    "cooldown_seconds": 300,
    "restart_deviation_pct": Decimal(2),
}
WORDS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


@cache
def columns() -> dict[str, str]:
    """Each column that can be tried, and the field of an Asset that holds it."""
    return {column_of(each.name): each.name for each in fields(Asset) if each.name not in NOT_TRIED}


def sample_asset(symbol: str) -> Asset:
    """An asset with the values of the README's row."""
    defaults = {each.name: SAMPLE[each.name] for each in fields(Asset) if each.name in SAMPLE}
    return Asset(asset_id=1, symbol=symbol, is_enabled=True, last_sell_price=None, **defaults)  # type: ignore[arg-type]


def option(column: str) -> str:
    """The name of a column's option on the command line."""
    return "--" + column.replace("_", "-")


def read_value(column: str, text: str) -> Value:
    """A column's value of its text.  Raises SettingsError that names the option."""
    kind = get_type_hints(Asset)[columns()[column]]
    kinds = get_args(kind) if get_origin(kind) is UnionType else (kind,)
    if type(None) in kinds and text.lower() in ("none", "null", "off"):
        return None
    for each in kinds:
        if each is type(None):
            continue
        try:
            return _parse(each, text)
        except (ValueError, InvalidOperation, KeyError):
            continue
    wanted = " or ".join(_name(each) for each in kinds)
    raise SettingsError(f"{option(column)} {text!r}: must be {wanted}")


def with_values(asset: Asset, values: Mapping[str, Value]) -> Asset:
    """The asset with other values in some columns."""
    by_field = columns()
    return replace(asset, **{by_field[column]: value for column, value in values.items()})  # type: ignore[arg-type]


def values_of(asset: Asset) -> dict[str, Value]:
    """What stands in each column that can be tried."""
    return {column: getattr(asset, name) for column, name in columns().items()}


def require_usable(asset: Asset) -> None:
    """Raise SettingsError where the bot would not trade a row with these values."""
    rules = AssetRules(asset.symbol, True, Decimal("1e-9"), Decimal("1e-9"))
    problem = problem_of(asset, rules)
    if problem:
        raise SettingsError(f"{asset.symbol}: {problem}")


def ladder_cost(asset: Asset) -> Decimal:
    """The money that a cycle needs which uses all its safety orders."""
    rungs = range(1, asset.max_safety_orders + 1)
    return sum((safety_amount(asset, rung) for rung in rungs), asset.base_order_amount)


def _parse(kind: type, text: str) -> Value:
    if kind is bool:
        return WORDS[text.lower()]
    if kind is int:
        return int(text)
    if kind is Decimal:
        value = Decimal(text)
        if not value.is_finite():
            raise ValueError(text)
        return value
    word: str = kind(text)
    return word


def _name(kind: type) -> str:
    if kind is type(None):
        return "none"
    if issubclass(kind, StrEnum):
        return ", ".join(each.value for each in kind)
    return {bool: "true or false", int: "a whole number", Decimal: "a number"}.get(kind, "a word")
