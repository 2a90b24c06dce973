"""Rows into values; `values.py` is the way back.

Times come back aware (sessions are in UTC).
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import TypeVar

from dca_bot.core.model import (
    ZERO,
    AfterStopLoss,
    Allowed,
    Asset,
    AssetState,
    Cycle,
    CycleStatus,
    Exposure,
    Order,
    OrderKind,
    OrderStatus,
)
from dca_bot.program.errors import UnreadableRow
from dca_bot.store.statements import Row, Value

Word = TypeVar("Word", bound=StrEnum)

ASSET_WIDTH = 23  # columns of an asset, before those of its cycle, in LOCK_ASSET and ALL_ASSETS


class _Unreadable(ValueError):
    """What a column holds is nothing that the bot can work with."""


def read_state(row: Row) -> AssetState:
    """Asset and active cycle of one row; a `problem` where a hand-edited row can't be read."""
    try:
        asset = read_asset(row)
    except UnreadableRow as error:
        return AssetState(_unreadable_asset(row), None, str(error))
    try:
        return AssetState(asset, read_active_cycle(row))
    except UnreadableRow as error:
        return AssetState(asset, None, str(error))


def read_asset(row: Row) -> Asset:
    """The asset at the start of the row; raise UnreadableRow where it can't be read."""
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
            last_sell_price=_decimal_or_null(row[10], "last_sell_price"),
            safety_order_volume_scale=_decimal(row[11], "safety_order_volume_scale"),
            safety_order_step_scale=_decimal(row[12], "safety_order_step_scale"),
            take_profit_after_fees=bool(_whole(row[13], "take_profit_after_fees")),
            trailing_pct=_decimal_or_null(row[14], "trailing_percent"),
            stop_loss_pct=_decimal_or_null(row[15], "stop_loss_percent"),
            stop_loss_seconds=_whole(row[16], "stop_loss_seconds"),
            after_stop_loss=_word(AfterStopLoss, row[17], "after_stop_loss"),
            max_spread_pct=_decimal_or_null(row[18], "max_spread_percent"),
            min_start_price=_decimal_or_null(row[19], "min_start_price"),
            max_start_price=_decimal_or_null(row[20], "max_start_price"),
            allowed=_word(Allowed, row[21], "allowed"),
            allowed_before=None if row[22] is None else _word(Allowed, row[22], "allowed_before"),
        )
    except _Unreadable as error:
        raise UnreadableRow(f"{error}: correct row {row[0]!r} of dca_assets") from error


def read_active_cycle(row: Row) -> Cycle | None:
    """The cycle after the asset's columns; None where the outer join found none."""
    return None if row[ASSET_WIDTH] is None else read_cycle(row[ASSET_WIDTH:])


def read_cycle(row: Row) -> Cycle:
    """Raise UnreadableRow where the row can't be read."""
    try:
        return Cycle(
            cycle_id=_whole(row[0], "id"),
            asset_id=_whole(row[1], "asset_id"),
            status=_word(CycleStatus, row[2], "status"),
            quantity=_decimal(row[3], "quantity"),
            average_purchase_price=_decimal(row[4], "average_purchase_price"),
            safety_orders=_whole(row[5], "safety_orders"),
            latest_order_id=None if row[6] is None else _text(row[6], "latest_order_id"),
            last_order_fill_price=_decimal_or_null(row[7], "last_order_fill_price"),
            completed_at=None if row[8] is None else _aware(row[8], "completed_at"),
            created_at=None if row[9] is None else _aware(row[9], "created_at"),
            fee_rate=_rate_or_null(row[10], "fee_rate"),
            highest_bid=_decimal_or_null(row[11], "highest_bid"),
            stop_loss_since=None if row[12] is None else _aware(row[12], "stop_loss_since"),
        )
    except _Unreadable as error:
        raise UnreadableRow(f"{error}: correct row {row[0]!r} of dca_cycles") from error


def read_exposure(row: Row) -> Exposure:
    """A row of EXPOSURE."""
    return Exposure(
        _whole(row[0], "active cycles"),
        _decimal(row[1], "invested"),
        _decimal(row[2], "realised"),
    )


def read_left_behind(row: Row) -> Decimal:
    """A row of LEFT_BEHIND."""
    return _decimal(row[0], "what is left behind")


def read_order(row: Row) -> Order:
    """Raise UnreadableRow where the row can't be read."""
    try:
        return Order(
            client_order_id=_text(row[0], "client_order_id"),
            asset_id=_whole(row[1], "asset_id"),
            cycle_id=_whole(row[2], "cycle_id"),
            kind=_word(OrderKind, row[3], "kind"),
            rung=_whole(row[4], "rung"),
            quantity=_decimal(row[5], "quantity"),
            limit_price=_decimal_or_null(row[6], "limit_price"),
            status=_word(OrderStatus, row[7], "status"),
            created_at=_aware(row[8], "created_at"),
            alpaca_order_id=None if row[9] is None else _text(row[9], "alpaca_order_id"),
            filled_quantity=_decimal(row[10], "filled_quantity"),
            filled_average_price=_decimal_or_null(row[11], "filled_average_price"),
            received_quantity=_decimal(row[12], "received_quantity"),
            quantity_before=_decimal_or_null(row[13], "quantity_before"),
            average_before=_decimal_or_null(row[14], "average_before"),
            fee=_decimal_or_null(row[15], "fee"),
            fee_is_known=bool(_whole(row[16], "fee_is_known")),
        )
    except _Unreadable as error:
        raise UnreadableRow(f"{error}: correct order {row[0]!r} in dca_orders") from error


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


def _decimal_or_null(value: Value, column: str) -> Decimal | None:
    return None if value is None else _decimal(value, column)


def _rate_or_null(value: Value, column: str) -> Decimal | None:
    rate = _decimal_or_null(value, column)
    if rate is not None and not 0 <= rate < 1:
        raise _Unreadable(f"{column} is {rate:f}, must be 0 or more and below 1 (or NULL)")
    return rate


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
