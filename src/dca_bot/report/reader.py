"""The database, as reports see it: one session that can't write.

Rule: the server itself refuses every change (READ ONLY), so a user with SELECT alone suffices, and
one look is one snapshot: numbers that are shown together belong together.  A row that says what
can't be never keeps the others from being shown.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Self, TypeVar

from dca_bot.core.model import ZERO, Cycle, CycleStatus, Order
from dca_bot.core.records import CycleResult
from dca_bot.program.errors import UnreadableRow
from dca_bot.program.setting_groups import DatabaseSettings
from dca_bot.store.columns import Table
from dca_bot.store.connection import LOCK_WAIT_SECONDS, Session
from dca_bot.store.values import Row, Value

T = TypeVar("T")

READ_ONLY = "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
# MySQL would cut what is joined to one text after a thousand bytes.
WHOLE_TEXTS = "SET SESSION group_concat_max_len = 4194304"
# DECIMAL(20, 10): no row of `dca_results` could hold more, nor does Alpaca trade it.
WORTH_LIMIT = Decimal(10) ** 10


class Reader:
    """Connects when first asked, and again after the connection was lost; not for two threads."""

    def __init__(self, settings: DatabaseSettings) -> None:
        self._settings = settings
        self._session: Session | None = None
        self._to_correct: dict[str, None] = {}  # in the order in which they were met

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def rows(self, sql: str, *params: Value) -> list[Row]:
        """All rows of a SELECT, of the snapshot that the first one began; raises StoreUnavailable.

        A time is compared as UTC: the session's zone.
        """
        if self._session is None or not self._session.is_sound:
            self.close()
            session = Session(self._settings, LOCK_WAIT_SECONDS)
            session.write(READ_ONLY)
            session.write(WHOLE_TEXTS)
            session.commit()
            self._session = session
        return self._session.rows(sql, [_bound(value) for value in params])

    def row(self, sql: str, *params: Value) -> Row:
        """The one row of a SELECT that always has one."""
        return self.rows(sql, *params)[0]

    @property
    def to_correct(self) -> tuple[str, ...]:
        """Since the last look: a line for each row that can't be read, or can't be meant."""
        return tuple(self._to_correct)

    def take(
        self, table: Table[T], row: Row, odd: Callable[[T], str] | None = None, *, key: int = 0
    ) -> T | None:
        """The value of a row; None, and a line in `to_correct`, where it is unreadable or odd."""
        try:
            value = table.read(row, key=key)
        except UnreadableRow as error:
            self.must_correct(str(error))
            return None
        if odd is not None and (problem := odd(value)):
            self.must_correct(table.to_correct(row, problem, key=key))
            return None
        return value

    def must_correct(self, told: str) -> None:
        """One row's trouble is told once, and never keeps the others from being shown."""
        self._to_correct[told] = None

    def look_again(self) -> None:
        """End the snapshot: what is asked next is as things are then."""
        self._to_correct.clear()
        if self._session is not None and self._session.is_sound:
            self._session.rollback()

    def close(self) -> None:
        """Let go of the connection."""
        if self._session is not None:
            self._session.close()
            self._session = None


def money(value: Value) -> Decimal:
    """A sum; none at all is nothing."""
    return ZERO if value is None else Decimal(str(value))


def known(value: Value) -> Decimal | None:
    """A number that may not be known."""
    return None if value is None else Decimal(str(value))


def whole(value: Value) -> int:
    """A count; none at all is nothing."""
    return 0 if value is None else int(str(value))


def moment(value: Value) -> datetime:
    """A TIMESTAMP column."""
    assert isinstance(value, datetime), value  # noqa: S101 - the column's type
    return value.replace(tzinfo=UTC)


def texts(rows: Sequence[Row]) -> list[str]:
    """The first column of each row."""
    return [str(row[0]) for row in rows]


def order_oddity(order: Order) -> str:
    """Why an order's numbers can't be summed up; "" where they can.  As SOUND_ORDER in SQL."""
    filled, price = order.filled_quantity, order.filled_average_price or ZERO
    if order.quantity <= 0:
        return f"quantity is {order.quantity:f}"
    if below := _below_zero(
        limit_price=order.limit_price or ZERO,
        filled_quantity=filled,
        filled_average_price=price,
        fee=order.fee or ZERO,
    ):
        return below
    if not 0 <= order.received_quantity <= filled:
        return f"received_quantity is {order.received_quantity:f} of {filled:f} filled"
    if filled * price >= WORTH_LIMIT:
        return f"it is worth {filled * price:.0f}, which no order is"
    return ""


def cycle_oddity(cycle: Cycle) -> str:
    """What can't be in a cycle's row; "" where all can."""
    if is_beyond_counting(cycle):
        at = f" at {cycle.average_purchase_price:f}" if cycle.average_purchase_price else ""
        return f"quantity is {cycle.quantity:f}{at}, more than anybody holds"
    return _below_zero(
        quantity=cycle.quantity,
        average_purchase_price=cycle.average_purchase_price,
        last_order_fill_price=cycle.last_order_fill_price or ZERO,
        safety_orders=Decimal(cycle.safety_orders),
    )


def is_beyond_counting(cycle: Cycle) -> bool:
    """Whether a cycle's numbers are too large to work anything out of them."""
    prices = (cycle.average_purchase_price, cycle.last_order_fill_price or ZERO, Decimal(1))
    return abs(cycle.quantity) * max(map(abs, prices)) >= WORTH_LIMIT


def result_oddity(result: CycleResult) -> str:
    """What can't be in the row of a finished cycle; "" where all can.  As UNSOUND_RESULTS."""
    if result.status not in (CycleStatus.COMPLETE, CycleStatus.ERROR):
        return f"status is '{result.status}', and only complete or error can be"
    if result.began_at > result.completed_at:
        return "it began after it was completed"
    return _below_zero(cost=result.cost, proceeds=result.proceeds)


def _below_zero(**numbers: Decimal) -> str:
    below = [f"{name} is {number:f}" for name, number in numbers.items() if number < 0]
    return f"{', '.join(below)}, below 0" if below else ""


def _bound(value: Value) -> Value:
    return value.astimezone(UTC).replace(tzinfo=None) if isinstance(value, datetime) else value
