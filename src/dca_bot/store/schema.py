"""Checks at a program's start that the database has all that the store uses.

Rule: a complete database is only looked at; an incomplete one gets `sql/schema.sql`, the same file
that a user pipes into it by hand.  DDL stands in that file and nowhere else.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dca_bot.program.errors import DcaError
from dca_bot.program.setting_groups import DatabaseSettings
from dca_bot.store.assets import ASSETS, CYCLES
from dca_bot.store.columns import Table
from dca_bot.store.connection import Session
from dca_bot.store.failures import (
    DUPLICATE_KEY,
    NOT_GRANTED,
    TO_COMPLETE,
    TO_TRADE,
    Failure,
    grant,
)
from dca_bot.store.orders import EVENTS, ORDERS, RESULTS

# A link to sql/schema.sql in a clone, a copy of it where the package is installed.
SCHEMA_FILE = Path(__file__).with_name("schema.sql")
LOCK_WAIT_SECONDS = 5
COMPLETION_SECONDS = 300  # a long history is worked through once, when it gets its results
STATEMENT_TRIES = 5
# Two programs that start together may both add: the one that comes second finds it done.
DONE_BY_ANOTHER = frozenset({1050, 1060, 1061, 1091})

# Each entry is a column or an index; sql/schema.sql says what it is for.
TABLES: tuple[Table[Any], ...] = (ASSETS, CYCLES, ORDERS, EVENTS, RESULTS)
NEEDED = {"dca_budget": ("id", "losses_from")} | {table.name: table.needed for table in TABLES}

COLUMNS = r"""
SELECT table_name, column_name
  FROM information_schema.columns
 WHERE table_schema = DATABASE() AND table_name LIKE 'dca\_%'
"""

INDEXES = r"""
SELECT table_name, index_name
  FROM information_schema.statistics
 WHERE table_schema = DATABASE() AND table_name LIKE 'dca\_%'
"""

DOUBLE_CYCLES = """
SELECT a.asset_symbol, c.id
  FROM dca_cycles c
  JOIN dca_assets a ON a.id = c.asset_id
 WHERE c.status NOT IN ('complete', 'error')
   AND EXISTS (SELECT 1 FROM dca_cycles d
                WHERE d.asset_id = c.asset_id AND d.id <> c.id
                  AND d.status NOT IN ('complete', 'error'))
 ORDER BY a.asset_symbol, c.id
"""

# A client that holds a table open would let an ALTER wait for a day.
SET_TABLE_LOCK_WAIT = "SET SESSION lock_wait_timeout = %s"


def ensure_schema(settings: DatabaseSettings, schema_file: Path = SCHEMA_FILE) -> None:
    """Add to the database whatever it lacks.

    Raises StoreUnavailable when it can't be reached or refuses the user, DcaError when it can't be
    completed.
    """
    session = Session(settings, LOCK_WAIT_SECONDS, answer_seconds=COMPLETION_SECONDS)
    try:
        if not _missing(session):
            return
        session.write(SET_TABLE_LOCK_WAIT, (LOCK_WAIT_SECONDS,))
        _apply(session, settings, schema_file)
        session.commit()
        missing = _missing(session)
    finally:
        session.close()
    if missing:
        raise DcaError(
            f"the database {settings.name!r} still lacks {', '.join(missing)}: compare its tables "
            "with sql/schema.sql and add the columns by hand"
        )


def what_is_missing(settings: DatabaseSettings) -> list[str]:
    """Tables, columns and indexes that the database lacks; nothing is changed."""
    session = Session(settings, LOCK_WAIT_SECONDS)
    try:
        return _missing(session)
    finally:
        session.close()


def read_statements(text: str) -> list[str]:
    """The statements of a schema file, where each ends with a semicolon at the end of its line."""
    statements = [part.strip() for part in f"{text}\n".split(";\n")]
    return [statement for statement in statements if statement]


def _missing(session: Session) -> list[str]:
    # not one UNION: in MySQL the names of columns and of indexes have different collations
    found = session.rows(COLUMNS) + session.rows(INDEXES)
    there = {(str(table), str(name)) for table, name in found}
    return [
        f"{table}.{name}"
        for table, names in NEEDED.items()
        for name in names
        if (table, name) not in there
    ]


def _apply(session: Session, settings: DatabaseSettings, schema_file: Path) -> None:
    try:
        text = schema_file.read_text(encoding="utf-8")
    except OSError as error:
        raise DcaError(f"sql/schema.sql can't be read ({error}): restore the file") from error
    for statement in read_statements(text):
        try:
            _write(session, statement)
        except Failure as failure:
            if failure.number in DONE_BY_ANOTHER:
                continue
            if failure.number == DUPLICATE_KEY:
                raise DcaError(_double_cycles(session)) from failure
            if failure.number in NOT_GRANTED:
                raise DcaError(
                    f"the database {settings.name!r} is incomplete and user {settings.user!r} may "
                    "not add what is missing: as an administrator pipe sql/schema.sql into it, or "
                    f"run {grant(f'{TO_TRADE}, {TO_COMPLETE}', settings, str(failure))}"
                ) from failure
            raise


def _write(session: Session, statement: str) -> None:
    """Run it; again where another program that applies the schema at the same time was faster."""
    for _ in range(STATEMENT_TRIES - 1):
        try:
            session.write(statement)
            return
        except Failure as failure:
            if not failure.is_worth_repeating:
                raise
    session.write(statement)


def _double_cycles(session: Session) -> str:
    cycles: dict[str, list[str]] = {}
    for symbol, cycle_id in session.rows(DOUBLE_CYCLES):
        cycles.setdefault(str(symbol), []).append(str(cycle_id))
    listed = "; ".join(f"{symbol} has cycles {' and '.join(ids)}" for symbol, ids in cycles.items())
    return (
        f"an asset may have one active cycle only, but {listed}: in dca_cycles set the status of "
        "all but one to 'error', then start again"
    )
