"""Rows into values and back.

Rule: what a column can't hold exactly is refused here; MySQL would round it without a word.
Times go out as naive UTC and come back aware (sessions are in UTC).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import TypeVar

from dca_bot.core.model import (
    TOLD_LENGTH_MAX,
    ZERO,
    Asset,
    AssetState,
    Cycle,
    CycleResult,
    CycleStatus,
    Event,
    Order,
    OrderKind,
    OrderStatus,
)
from dca_bot.program.errors import IllegalTransition

Value = int | str | Decimal | datetime | None
Row = Sequence[Value]
Word = TypeVar("Word", bound=StrEnum)

ASSET_WIDTH = 11  # columns of an asset, before those of its cycle, in LOCK_ASSET and ALL_ASSETS
PRICE = (10, 10)  # digits before and after the point: DECIMAL(20, 10)
QUANTITY = (15, 15)  # DECIMAL(30, 15)
PERCENT = (6, 4)  # DECIMAL(10, 4)
INT_MAX = 2**31 - 1


class _Unreadable(ValueError):
    """What a column holds is nothing that the bot can work with."""


def read_state(row: Row) -> AssetState:
    """Asset and active cycle of one row; a `problem` where a hand-edited row can't be read."""
    try:
        asset = read_asset(row)
    except IllegalTransition as error:
        return AssetState(_unreadable_asset(row), None, str(error))
    try:
        return AssetState(asset, read_active_cycle(row))
    except IllegalTransition as error:
        return AssetState(asset, None, str(error))


def read_asset(row: Row) -> Asset:
    """The asset at the start of the row; raise IllegalTransition where it can't be read."""
    try:
        return Asset(
            asset_id=_whole(row[0], "id"),
            symbol=_text(row[1], "asset_symbol"),
            is_enabled=bool(_whole(row[2], "is_enabled")),
            base_order_amount=_decimal(row[3], "base_order_amount"),
            safety_order_amount=_decimal(row[4], "safety_order_amount"),
            max_safety_orders=_whole(row[5], "max_safety_orders"),
            safety_order_deviation_pct=_decimal(row[6], "safety_order_deviation"),
            take_profit_pct=_decimal(row[7], "take_profit_percent"),
            cooldown_seconds=_whole(row[8], "cooldown_period"),
            restart_deviation_pct=_decimal(row[9], "buy_order_price_deviation_percent"),
            last_sell_price=None if row[10] is None else _decimal(row[10], "last_sell_price"),
        )
    except _Unreadable as error:
        raise IllegalTransition(f"{error}: correct row {row[0]!r} of dca_assets") from error


def read_active_cycle(row: Row) -> Cycle | None:
    """The cycle after the asset's columns; None where the outer join found none."""
    return None if row[ASSET_WIDTH] is None else read_cycle(row[ASSET_WIDTH:])


def read_cycle(row: Row) -> Cycle:
    """Raise IllegalTransition where the row can't be read."""
    try:
        return Cycle(
            cycle_id=_whole(row[0], "id"),
            asset_id=_whole(row[1], "asset_id"),
            status=_word(CycleStatus, row[2], "status"),
            quantity=_decimal(row[3], "quantity"),
            average_purchase_price=_decimal(row[4], "average_purchase_price"),
            safety_orders=_whole(row[5], "safety_orders"),
            latest_order_id=None if row[6] is None else _text(row[6], "latest_order_id"),
            last_order_fill_price=(
                None if row[7] is None else _decimal(row[7], "last_order_fill_price")
            ),
            completed_at=None if row[8] is None else _aware(row[8], "completed_at"),
            created_at=None if row[9] is None else _aware(row[9], "created_at"),
        )
    except _Unreadable as error:
        raise IllegalTransition(f"{error}: correct row {row[0]!r} of dca_cycles") from error


def read_order(row: Row) -> Order:
    """Raise IllegalTransition where the row can't be read."""
    try:
        return Order(
            client_order_id=_text(row[0], "client_order_id"),
            asset_id=_whole(row[1], "asset_id"),
            cycle_id=_whole(row[2], "cycle_id"),
            kind=_word(OrderKind, row[3], "kind"),
            rung=_whole(row[4], "rung"),
            quantity=_decimal(row[5], "quantity"),
            limit_price=None if row[6] is None else _decimal(row[6], "limit_price"),
            status=_word(OrderStatus, row[7], "status"),
            created_at=_aware(row[8], "created_at"),
            alpaca_order_id=None if row[9] is None else _text(row[9], "alpaca_order_id"),
            filled_quantity=_decimal(row[10], "filled_quantity"),
            filled_average_price=(
                None if row[11] is None else _decimal(row[11], "filled_average_price")
            ),
            received_quantity=_decimal(row[12], "received_quantity"),
            quantity_before=None if row[13] is None else _decimal(row[13], "quantity_before"),
            average_before=None if row[14] is None else _decimal(row[14], "average_before"),
            fee=None if row[15] is None else _decimal(row[15], "fee"),
        )
    except _Unreadable as error:
        raise IllegalTransition(f"{error}: correct order {row[0]!r} in dca_orders") from error


def cycle_values(cycle: Cycle) -> tuple[Value, ...]:
    """The columns that a cycle's life changes, from `status` to `completed_at`, as stored.

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
    )


def event_values(event: Event) -> tuple[Value, ...]:
    """The columns of INSERT_EVENT after the asset's."""
    return (
        _naive(event.at),
        event.cycle_id,
        event.kind.value,
        _short(event.told, TOLD_LENGTH_MAX),
        _short(event.client_order_id, 128),
        _exact_or_null(event.price, PRICE),
        _exact_or_null(event.against, PRICE),
        _exact_or_null(event.quantity, QUANTITY),
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


def _unreadable_asset(row: Row) -> Asset:
    """Enough of an asset to speak of it; disabled, so that nothing is ever done with it."""
    return Asset(
        asset_id=row[0] if isinstance(row[0], int) else 0,
        symbol=row[1] if isinstance(row[1], str) else "?",
        is_enabled=False,
        base_order_amount=ZERO,
        safety_order_amount=ZERO,
        max_safety_orders=0,
        safety_order_deviation_pct=ZERO,
        take_profit_pct=ZERO,
        cooldown_seconds=0,
        restart_deviation_pct=ZERO,
        last_sell_price=None,
    )


def _whole(value: Value, column: str) -> int:
    if not isinstance(value, int):
        raise _Unreadable(f"{column} is {value!r} instead of a whole number")
    return value


def _decimal(value: Value, column: str) -> Decimal:
    if not isinstance(value, Decimal):
        raise _Unreadable(f"{column} is {value!r} instead of a decimal number")
    return value


def _text(value: Value, column: str) -> str:
    if not isinstance(value, str):
        raise _Unreadable(f"{column} is {value!r} instead of text")
    return value


def _aware(value: Value, column: str) -> datetime:
    if not isinstance(value, datetime):
        raise _Unreadable(f"{column} is {value!r} instead of a time")
    return value.replace(tzinfo=UTC)


def _word(words: type[Word], value: Value, column: str) -> Word:
    try:
        return words(value)  # type: ignore[arg-type] # anything but its own words is a ValueError
    except ValueError:
        raise _Unreadable(f"{column} is {value!r}, none of {', '.join(words)}") from None
