"""Every table's columns are declared once, and nothing else has a list of them."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pytest

from dca_bot.core.model import Asset, Cycle, Order
from dca_bot.core.records import CycleResult, Event
from dca_bot.program.errors import UnreadableRow
from dca_bot.program.settings import PROJECT_ROOT
from dca_bot.store.assets import ASSETS, CYCLES
from dca_bot.store.columns import Column, Table
from dca_bot.store.orders import EVENTS, ORDERS, RESULTS
from dca_bot.store.schema import TABLES
from dca_bot.store.values import WHOLE
from tests.store.sql_helpers import MySqlWorld

MAKES = {ASSETS: Asset, CYCLES: Cycle, ORDERS: Order, EVENTS: Event, RESULTS: CycleResult}
# A statement may name the columns that it needs; with nearly all of them it has a list of its own.
UNNAMED_MIN = 3


def statements() -> Iterator[tuple[Path, str]]:
    """Every statement in the code, without what is filled into it."""
    for path in (PROJECT_ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            text = node.value if isinstance(node, ast.Constant) else None
            if isinstance(text, str) and ("SELECT" in text or "INSERT" in text):
                yield path, text


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_every_field_has_its_column(table: Table[Any]) -> None:
    declared = [column.field for column in table.columns]
    assert sorted(declared) == sorted(field.name for field in fields(MAKES[table]))


def test_no_statement_spells_out_a_whole_table() -> None:
    tables = [{column.name for column in table.columns} for table in TABLES]
    second_lists = [
        f"{path}: {text}"
        for path, text in statements()
        for words in [set(text.replace(",", " ").replace(".", " ").split())]
        for columns in tables
        if len(columns & words) > len(columns) - UNNAMED_MIN
    ]
    assert second_lists == []


@dataclass(frozen=True)
class Pair:
    one: int
    two: int | None


PAIRS = Table("pairs", Pair, Column("a", WHOLE, "one"), Column("b", WHOLE, "two", null=None))


def test_a_row_is_read_by_its_declaration_and_may_go_on_after_it() -> None:
    assert PAIRS.all() == "a, b"
    assert PAIRS.all("p") == "p.a, p.b"
    assert PAIRS.read([1, None, "of another table"]) == Pair(1, None)
    assert PAIRS.values(Pair(3, 4)) == (3, 4)


def test_a_null_where_none_belongs_names_row_and_column() -> None:
    with pytest.raises(UnreadableRow, match="a is None instead of a whole number.* of pairs"):
        PAIRS.read([None, 2])


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_a_column_that_somebody_adds_changes_nothing(
    mysql_world: MySqlWorld, table: Table[Any]
) -> None:
    mysql_world.sql.run(f"ALTER TABLE {table.name} ADD COLUMN note VARCHAR(20) NULL FIRST")
    everything = f"SELECT {table.all()} FROM {table.name}"  # noqa: S608 - names of columns
    assert mysql_world.sql.rows(everything) == []
