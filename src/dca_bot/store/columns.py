"""What a table is made of: its columns, how each is read and written, and the SQL that names them.

Rule: a table's columns are declared once (`assets.py`, `orders.py`); lists of them and the reading
of rows are made from that here.  `values.py` has the kinds of columns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from textwrap import wrap
from typing import Any, Final, Generic, TypeVar

from dca_bot.program.errors import UnreadableRow
from dca_bot.store.values import ColumnType, Row, UnreadableValue, Value

T = TypeVar("T")

LINE_LENGTH = 90
NO_NULL: Final = object()


@dataclass(frozen=True, slots=True)
class Column:
    """`field` is its name in the dataclass; `null` is what a NULL is read as.

    `changes`: the life of a row changes it, after it was inserted.
    """

    name: str
    kind: ColumnType
    field: str
    null: Any = NO_NULL
    changes: bool = False

    def read(self, value: Value) -> Any:
        """Raises UnreadableValue."""
        if value is None and self.null is not NO_NULL:
            return self.null
        try:
            return self.kind.read(value)
        except UnreadableValue as error:
            shown = f"{value:f}" if isinstance(value, Decimal) else repr(value)
            raise UnreadableValue(f"{self.name} is {shown}{error}") from None

    def write(self, value: Any) -> Value:
        """Raises ValueError or TypeError when it can't be held exactly."""
        if value is None and self.null is not NO_NULL:
            return None
        return self.kind.write(value)

    def parse(self, text: str) -> Value:
        """What a person wrote, as the column holds it; raises UnusableValue."""
        if self.null is None and text.upper() in ("NULL", ""):
            return None
        return self.kind.parse(text)


def same(name: str, kind: ColumnType, *, null: Any = NO_NULL, changes: bool = False) -> Column:
    """A column whose field has its name."""
    return Column(name, kind, name, null, changes)


class Table(Generic[T]):
    """A table whose rows are values of a dataclass; `more` are columns and indexes besides."""

    def __init__(self, name: str, make: Callable[..., T], *columns: Column, more: str = "") -> None:
        self.name = name
        self._make = make
        self.columns = columns
        self._changing = [column for column in columns if column.changes]
        self.needed = (*(column.name for column in columns), *more.split())

    @property
    def width(self) -> int:
        return len(self.columns)

    def all(self, alias: str = "") -> str:
        """All columns, for a SELECT whose rows `read` reads, or for an INSERT."""
        return _list(f"{alias}.{each.name}" if alias else each.name for each in self.columns)

    def changing(self) -> str:
        """The columns that change, for an INSERT of them."""
        return _list(column.name for column in self._changing)

    def places(self) -> str:
        """Places for `values`."""
        return ", ".join(["%s"] * len(self.columns))

    def changing_places(self) -> str:
        """Places for `changing_values`."""
        return ", ".join(["%s"] * len(self._changing))

    def changed(self) -> str:
        """The columns that change, for the SET of an UPDATE."""
        return _list(f"{column.name} = %s" for column in self._changing)

    def unchanged(self) -> str:
        """The same for its WHERE: nobody has written any of them meanwhile."""
        # `= NULL` never matches
        return "\n   AND ".join(f"{column.name} <=> %s" for column in self._changing)

    def put_anew(self) -> str:
        """The same for an INSERT whose row is there already."""
        return _list(f"{column.name} = VALUES({column.name})" for column in self._changing)

    def read(self, row: Row, *, key: int = 0) -> T:
        """The value at the start of a row; raises UnreadableRow where it can't be read.

        `key` is the place in the row of what names it.
        """
        found = {}
        try:
            for column, value in zip(self.columns, row, strict=False):
                found[column.field] = column.read(value)
        except UnreadableValue as error:
            raise UnreadableRow(self.to_correct(row, str(error), key=key)) from error
        return self._make(**found)

    def to_correct(self, row: Row, problem: str, *, key: int = 0) -> str:
        """What a person is told of a row that must be corrected."""
        return f"{problem}: correct row {row[key]!r} of {self.name}"

    def values(self, item: T) -> tuple[Value, ...]:
        """What all columns hold of it, in the order of `all`."""
        return tuple([column.write(getattr(item, column.field)) for column in self.columns])

    def changing_values(self, item: T) -> tuple[Value, ...]:
        """The same of the columns that change, in the order of `changing`."""
        return tuple([column.write(getattr(item, column.field)) for column in self._changing])


def _list(names: Iterable[str]) -> str:
    """Names in lines that can be read."""
    return "\n       ".join(wrap(", ".join(names), LINE_LENGTH))
