"""Values as the columns hold them.

Rule: what a column can't hold exactly is refused here; MySQL would round it without a word.
Times go out as naive UTC.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from dca_bot.core.model import Cycle, Order
from dca_bot.core.records import TOLD_LENGTH_MAX, CycleResult, Event
from dca_bot.store.statements import Value

PRICE = (10, 10)  # digits before and after the point: DECIMAL(20, 10)
QUANTITY = (15, 15)  # DECIMAL(30, 15)
PERCENT = (6, 4)  # DECIMAL(10, 4)
RATE = (2, 4)  # DECIMAL(6, 4)
INT_MAX = 2**31 - 1


def cycle_values(cycle: Cycle) -> tuple[Value, ...]:
    """The columns that a cycle's life changes, in the order of SAVE_CYCLE, as stored.

    Raises ValueError or TypeError when a column can't hold one exactly.
    """
    return (
        cycle.status.value,
        exact(cycle.quantity, QUANTITY),
        exact(cycle.average_purchase_price, PRICE),
        _int(cycle.safety_orders),
        _short(cycle.latest_order_id, 255),
        _exact_or_null(cycle.last_order_fill_price, PRICE),
        second_or_null(cycle.completed_at),
        _exact_or_null(cycle.fee_rate, RATE),
        _exact_or_null(cycle.highest_bid, PRICE),
        None if cycle.stop_loss_since is None else _naive(cycle.stop_loss_since),
    )


def new_order_values(order: Order) -> tuple[Value, ...]:
    """The columns of INSERT_ORDER that are the order's own."""
    status, alpaca_order_id, *booked = order_values(order)
    return (
        _short(order.client_order_id, 128),
        order.kind.value,
        _int(order.rung),
        exact(order.quantity, QUANTITY),
        _exact_or_null(order.limit_price, PRICE),
        status,
        _naive(order.created_at),
        alpaca_order_id,
        *booked,
    )


def order_values(order: Order) -> tuple[Value, ...]:
    """The columns that an order's life changes, in the order of SAVE_ORDER, as stored."""
    return (
        order.status.value,
        _short(order.alpaca_order_id, 255),
        exact(order.filled_quantity, QUANTITY),
        _exact_or_null(order.filled_average_price, PRICE),
        exact(order.received_quantity, QUANTITY),
        _exact_or_null(order.quantity_before, QUANTITY),
        _exact_or_null(order.average_before, PRICE),
        _exact_or_null(order.fee, QUANTITY),
        order.fee_is_known,
    )


def event_values(event: Event) -> tuple[Value, ...]:
    """The columns of INSERT_EVENT after the asset's."""
    return (
        _naive(event.at),
        event.cycle_id,
        event.kind.value,
        _short(event.told, TOLD_LENGTH_MAX),
        _short(event.client_order_id, 128),
        _for_people(event.price, PRICE),
        _for_people(event.against, PRICE),
        _for_people(event.quantity, QUANTITY),
    )


def result_values(result: CycleResult) -> tuple[Value, ...]:
    """The columns of PUT_RESULT."""
    return (
        result.cycle_id,
        result.asset_id,
        result.symbol,
        result.status.value,
        second_or_null(result.began_at),
        second_or_null(result.completed_at),
        _int(result.safety_orders),
        _int(result.max_safety_orders),
        exact(result.cost, PRICE),
        exact(result.proceeds, PRICE),
        exact(result.fees, PRICE),
        _exact_or_null(result.net, PRICE),
        exact(result.left_quantity, QUANTITY),
        exact(result.drawdown_pct, PERCENT),
        result.fees_are_known,
    )


def exact(value: Decimal, column: tuple[int, int]) -> Decimal:
    """`value` if a column with so many digits before and after the point holds it exactly."""
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


def second_or_null(at: datetime | None) -> datetime | None:
    """A TIMESTAMP column's value; MySQL would round a fraction up, into the future."""
    if at is not None and at.microsecond:
        raise ValueError(f"{at} is no whole second: cut it first")
    return None if at is None else _naive(at)


def _exact_or_null(value: Decimal | None, column: tuple[int, int]) -> Decimal | None:
    return None if value is None else exact(value, column)


def _for_people(value: Decimal | None, column: tuple[int, int]) -> Decimal | None:
    """What the column can hold of a number that nothing is computed from; None where it can't.

    A market's own prices may have more digits than a column: the order that they decide must not
    fail because of the row that tells of it.
    """
    if value is None or not value.is_finite():
        return None
    before, after = column
    rounded = round(value, after)
    return rounded if not rounded or rounded.adjusted() < before else None


def _naive(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError(f"{at} has no time zone: times are aware UTC")
    return at.astimezone(UTC).replace(tzinfo=None)


def _short(text: str | None, length_max: int) -> str | None:
    if text is not None and len(text) > length_max:
        raise ValueError(f"{text[:40]!r}... is longer than {length_max} characters")
    return text


def _int(value: int) -> int:
    if not isinstance(value, int) or not -INT_MAX <= value <= INT_MAX:
        raise ValueError(f"{value!r} does not fit an INT column")
    return value
