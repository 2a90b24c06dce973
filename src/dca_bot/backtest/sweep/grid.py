"""The sets of a sweep: every combination of the values that each column is to have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import cached_property
from itertools import product
from math import prod

from dca_bot.backtest.parameters import Value, option, read_value, require_usable, with_values
from dca_bot.core.model import Asset
from dca_bot.program.errors import SettingsError

SETS_MAX = 100_000
# What is swept when nothing is asked for.
USUAL = {
    "safety_order_deviation": "0.5,1,1.5,2,3,4",
    "take_profit_percent": "0.5,1,1.5,2,3",
    "max_safety_orders": "3,5,8",
}


@dataclass(frozen=True)
class Grid:
    """Values by column; a place in the grid is the number of a value for each column."""

    asset: Asset
    values: Mapping[str, tuple[Value, ...]]

    @cached_property
    def places(self) -> list[tuple[int, ...]]:
        """All places, the last column's values changing fastest."""
        return list(product(*(range(len(values)) for values in self.values.values())))

    def parameters(self, place: Sequence[int]) -> dict[str, Value]:
        """The values at a place, by column."""
        columns = zip(place, self.values.items(), strict=True)
        return {column: values[number] for number, (column, values) in columns}

    @cached_property
    def assets(self) -> list[Asset]:
        """The asset at each place.  Raises SettingsError where the bot would not trade one."""
        assets = [with_values(self.asset, self.parameters(place)) for place in self.places]
        for asset in assets:
            require_usable(asset)
        return assets

    def neighbours(self, place: Sequence[int]) -> Iterator[tuple[int, ...]]:
        """The places one step away in one column."""
        lengths = [len(values) for values in self.values.values()]
        for column, length in enumerate(lengths):
            for number in (place[column] - 1, place[column] + 1):
                if 0 <= number < length:
                    yield (*place[:column], number, *place[column + 1 :])


def read_grid(asset: Asset, texts: Mapping[str, str]) -> Grid:
    """Given texts such as `0.5:4:0.25` (from, to, step) or `3,5,8` by column, the grid.

    Raises SettingsError that names the option.
    """
    fixed = {column: text for column, text in texts.items() if not _is_many(text)}
    asset = with_values(asset, {column: read_value(column, text) for column, text in fixed.items()})
    swept = {column: text for column, text in texts.items() if _is_many(text)}
    if not swept:
        swept = {column: text for column, text in USUAL.items() if column not in fixed}
    values = {column: tuple(_values(column, text)) for column, text in swept.items()}
    if prod(map(len, values.values())) > SETS_MAX:
        raise SettingsError(f"that is more than {SETS_MAX:,} sets: take wider steps")
    return Grid(asset, values)


def _is_many(text: str) -> bool:
    return ":" in text or "," in text


def _values(column: str, text: str) -> Iterator[Value]:
    if ":" not in text:
        yield from dict.fromkeys(read_value(column, each.strip()) for each in text.split(","))
        return
    try:
        first, last, step = map(Decimal, text.split(":"))
    except (ValueError, InvalidOperation):
        first = last = step = Decimal("NaN")
    if not (step.is_finite() and first.is_finite() and last.is_finite()):
        raise SettingsError(f"{option(column)} {text!r}: must look like 0.5:4:0.25 (from:to:step)")
    if step <= 0 or last < first:
        raise SettingsError(f"{option(column)} {text!r}: must go up, in steps above 0")
    if (last - first) / step > SETS_MAX:
        raise SettingsError(f"{option(column)} {text!r}: that is too many: take wider steps")
    while first <= last:
        yield read_value(column, f"{first.normalize():f}")
        first += step
