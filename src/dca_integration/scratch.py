"""The scratch database beside DB_NAME: made, recognised, read and written by SQL, and dropped.

Rule: DB_NAME itself is not even connected to; a database of the scratch name that is not a
left-over of ours is left alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal

from dca_bot.program.errors import DcaError
from dca_bot.program.setting_groups import DatabaseSettings
from dca_bot.store.connection import LOCK_WAIT_SECONDS, Session
from dca_bot.store.failures import NOT_GRANTED, Failure, grant
from dca_bot.store.values import Row, Value

SUFFIX = "_integration_test"
NAME_LENGTH_MAX = 64
DATABASE_REFUSED = 1044
# Every user may connect to it, and it holds nothing of ours.
NEUTRAL = "information_schema"
MARK = "integration_test_scratch"
RIGHTS = "SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, INDEX, REFERENCES, DROP"

TABLES_OF = "SELECT table_name FROM information_schema.tables WHERE table_schema = %s"
DATABASES_NAMED = "SELECT 1 FROM information_schema.schemata WHERE schema_name = %s"
CYCLES = """
SELECT id, status, quantity, average_purchase_price, safety_orders, latest_order_id,
       last_order_fill_price, completed_at
  FROM dca_cycles
 WHERE asset_id = %s
 ORDER BY id
"""


@dataclass(frozen=True, slots=True)
class CycleRow:
    """A row of `dca_cycles`."""

    cycle_id: int
    status: str
    quantity: Decimal
    average: Decimal
    safety_orders: int
    latest_order_id: str | None
    last_fill: Decimal | None
    completed_at: datetime | None

    def __str__(self) -> str:
        return (
            f"cycle {self.cycle_id} {self.status} quantity={self.quantity:f} "
            f"average={self.average:f} safety_orders={self.safety_orders} "
            f"latest_order_id={self.latest_order_id}"
        )


class Scratch:
    """The database once `create` is done; `drop` may be called whatever has happened.

    `make_tables` loads the bot's schema (`store/schema.py`).
    """

    def __init__(
        self, beside: DatabaseSettings, make_tables: Callable[[DatabaseSettings], None]
    ) -> None:
        self._make_tables = make_tables
        self.settings = replace(beside, name=beside.name + SUFFIX)
        self._session: Session | None = None
        self._is_ours = False

    def create(self) -> None:
        """Make it afresh; raise DcaError when it may not be made, or belongs to somebody else."""
        name = self.settings.name
        if len(name) > NAME_LENGTH_MAX:
            raise DcaError(f"{name} is too long for a database: shorten DB_NAME")
        server = Session(replace(self.settings, name=NEUTRAL), LOCK_WAIT_SECONDS)
        try:
            if server.rows(DATABASES_NAMED, (name,)):
                self._refuse_if_foreign(server)
                server.write(f"DROP DATABASE {_quoted(name)}")
            server.write(f"CREATE DATABASE {_quoted(name)}")
            self._is_ours = True
            server.write(f"CREATE TABLE {_quoted(name)}.{MARK} (id INT PRIMARY KEY)")
        except Failure as failure:
            if failure.number not in NOT_GRANTED | {DATABASE_REFUSED}:
                raise
            raise DcaError(self._what_to_grant(server)) from failure
        finally:
            server.close()
        self._make_tables(self.settings)
        self._session = Session(self.settings, LOCK_WAIT_SECONDS)

    def drop(self) -> None:
        """Remove it, if it was made by us; raise DcaError when that fails."""
        if self._session is not None:
            self._session.close()
            self._session = None
        if self._is_ours:
            try:
                self._drop()
            except Failure as failure:
                raise DcaError(
                    f"the database {self.settings.name!r} is still there ({failure}): drop it"
                ) from failure
            self._is_ours = False

    def rows(self, sql: str, params: Sequence[Value] = ()) -> list[Row]:
        """All rows of a SELECT, as they are now."""
        session = self._open()
        found = session.rows(sql, params)
        session.rollback()  # the next reading is a new transaction
        return found

    def write(self, sql: str, params: Sequence[Value] = ()) -> int:
        """One statement and its COMMIT, as by hand; the id of an inserted row."""
        session = self._open()
        written = session.write(sql, params)
        session.commit()
        return written.insert_id

    def insert(self, table: str, columns: Mapping[str, Value]) -> int:
        """A row of a table; its id.  Table and columns are named by us, never by others."""
        names, places = ", ".join(columns), ", ".join(["%s"] * len(columns))
        sql = f"INSERT INTO {table} ({names}) VALUES ({places})"  # noqa: S608
        return self.write(sql, tuple(columns.values()))

    def empty(self) -> None:
        """Remove every asset, and what outlives its row."""
        for table in ("dca_assets", "dca_orders", "dca_events", "dca_results"):
            self.write(f"DELETE FROM {table}")  # noqa: S608 - our own tables

    def cycles(self, asset_id: int) -> list[CycleRow]:
        """All cycles of an asset, the oldest first."""
        return [_cycle(row) for row in self.rows(CYCLES, (asset_id,))]

    def everything(self) -> list[list[Row]]:
        """Every byte that the bot's tables hold."""
        return [
            self.rows(f"SELECT * FROM {table} ORDER BY id")  # noqa: S608 - our own tables
            for table in ("dca_assets", "dca_cycles", "dca_orders")
        ]

    def _drop(self) -> None:
        server = Session(replace(self.settings, name=NEUTRAL), LOCK_WAIT_SECONDS)
        try:
            server.write(f"DROP DATABASE {_quoted(self.settings.name)}")
        finally:
            server.close()

    def _open(self) -> Session:
        if self._session is not None and not self._session.is_sound:
            self._session.close()
            self._session = None
        if self._session is None:
            self._session = Session(self.settings, LOCK_WAIT_SECONDS)
        return self._session

    def _refuse_if_foreign(self, server: Session) -> None:
        name = self.settings.name
        tables = {str(table) for (table,) in server.rows(TABLES_OF, (name,))}
        if tables and MARK not in tables:
            raise DcaError(
                f"the database {name!r} exists and was not made by integration_test.py: look what "
                "it is, and rename or drop it"
            )

    def _what_to_grant(self, server: Session) -> str:
        ((who,),) = server.rows("SELECT CURRENT_USER()")
        user, _, host = str(who).rpartition("@")
        statement = grant(RIGHTS, self.settings, f"'{user}'@'{host}'")
        return (
            f"user {user!r} may not make the scratch database {self.settings.name!r}: as an "
            f"administrator run {statement}"
        )


def _quoted(name: str) -> str:
    return f"`{name.replace('`', '``')}`"


def _cycle(row: Row) -> CycleRow:
    number, status, quantity, average, safety_orders, order_id, last_fill, completed_at = row
    return CycleRow(
        cycle_id=int(str(number)),
        status=str(status),
        quantity=Decimal(str(quantity)),
        average=Decimal(str(average)),
        safety_orders=int(str(safety_orders)),
        latest_order_id=None if order_id is None else str(order_id),
        last_fill=None if last_fill is None else Decimal(str(last_fill)),
        completed_at=completed_at.replace(tzinfo=UTC)
        if isinstance(completed_at, datetime)
        else None,
    )
