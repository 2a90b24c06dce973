"""Cycles as a list, and one as a story: its orders, fills, fees and events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from dca_bot.core.earnings import net_of, tally
from dca_bot.core.fees import seen_fee_rate, sell_fee
from dca_bot.core.model import ZERO, Asset, Cycle, Order, Side
from dca_bot.core.records import Event
from dca_bot.report import queries
from dca_bot.report.now import AssetNow, Now
from dca_bot.report.queries import LONG_AGO, LONG_AHEAD
from dca_bot.report.reader import Reader, moment, order_oddity, result_oddity, whole
from dca_bot.store.assets import ALL_ASSETS, CYCLES, read_state
from dca_bot.store.orders import EVENTS, ORDERS, RESULTS
from dca_bot.store.values import Row

ALL_CYCLES = 2**63 - 1  # the largest number of a LIMIT


@dataclass(frozen=True, slots=True)
class CycleLine:
    """One cycle; `net` and `fees` are None where they can't be known."""

    id: int
    symbol: str
    status: str
    net: Decimal | None
    fees: Decimal | None
    invested: Decimal | None
    safety_orders: int
    began_at: datetime | None
    completed_at: datetime | None
    fees_estimated: bool = False  # the fee of a SELL, which Alpaca's records do not show yet


@dataclass(frozen=True, slots=True)
class Story:
    """One cycle with all that is behind its numbers."""

    line: CycleLine
    orders: tuple[Order, ...]
    events: tuple[Event, ...]

    @staticmethod
    def is_estimated(order: Order) -> bool:
        """Whether Alpaca's records do not show its fee yet; a BUY's is in its coins at once."""
        return order.side is Side.SELL and order.filled_quantity > 0 and not order.fee_is_known

    def fee_of(self, order: Order) -> Decimal:
        """What an order cost, in money: a BUY's coin at the price of its fill."""
        price = order.filled_average_price or ZERO
        if order.side is Side.BUY:
            return (order.filled_quantity - order.received_quantity) * price
        worth = order.filled_quantity * price
        return sell_fee(worth, seen_fee_rate(self.orders)) if order.fee is None else order.fee


def cycle_object(line: CycleLine) -> dict[str, Any]:
    """One cycle as `dca cycles --json` and the page have it."""
    return {each.name: getattr(line, each.name) for each in fields(line)}


def open_lines(now: Now, symbol: str | None = None) -> list[CycleLine]:
    """The active cycles; their net is what selling at the bid would leave."""
    return [
        line_of(each)
        for each in now.assets
        if each.cycle is not None and symbol in (None, each.asset.symbol)
    ]


def line_of(each: AssetNow) -> CycleLine:
    """An active cycle as a line."""
    cycle = each.cycle
    assert cycle is not None  # noqa: S101 - the caller has looked
    return CycleLine(
        id=cycle.cycle_id,
        symbol=each.asset.symbol,
        status=cycle.status.value,
        net=each.net_if_sold,
        fees=each.sums.fees,
        invested=each.invested,
        safety_orders=cycle.safety_orders,
        began_at=each.began_at,
        completed_at=None,
    )


def closed_lines(
    reader: Reader, symbol: str | None, limit: int, *, since: datetime = LONG_AGO
) -> list[CycleLine]:
    """The finished cycles, newest first; after them those of which nothing is known."""
    span = (since, LONG_AHEAD)
    if symbol is None:
        rows = reader.rows(queries.RESULTS_BETWEEN, *span, limit)
    else:
        rows = reader.rows(queries.RESULTS_OF_SYMBOL, *span, symbol, limit)
    lines = [line for row in rows if (line := _closed(reader, row)) is not None]
    if len(lines) < limit and since == LONG_AGO:
        rows = reader.rows(queries.CYCLES_WITHOUT_RESULT, symbol, symbol, limit - len(lines))
        lines += [_unknown(row) for row in rows]
    return lines


def story_of(reader: Reader, cycle_id: int) -> Story | None:
    """One cycle, also of an asset whose row is gone; None: there never was one.

    What can't be read of it is left out.
    """
    rows = reader.rows(queries.ORDERS_OF_CYCLE, cycle_id)
    taken = [reader.take(ORDERS, row, order_oddity) for row in rows]
    orders = tuple(order for order in taken if order is not None)
    told = reader.rows(queries.EVENTS_OF_CYCLE, cycle_id)
    seen = [reader.take(EVENTS, row, key=EVENTS.width) for row in told]
    events = tuple(event for event in seen if event is not None)
    for row in reader.rows(queries.RESULT, cycle_id):
        if (line := _closed(reader, row)) is not None:
            return Story(line, orders, events)
    cycles = reader.rows(queries.CYCLE, cycle_id)
    if not cycles and not rows:
        return None
    cycle = reader.take(CYCLES, cycles[0]) if cycles else None
    symbol = str(rows[0][ORDERS.width] or "") if rows else ""
    line = _unfinished(reader, cycle_id, cycle, orders, symbol)
    if cycles and cycle is None:
        line = replace(line, status="unreadable")
    return Story(line, orders, events)


def _closed(reader: Reader, row: Row) -> CycleLine | None:
    """None where the row of `dca_results` can't be read; what is odd in it is shown, and said."""
    result = reader.take(RESULTS, row)
    if result is None:
        return None
    if odd := result_oddity(result):
        reader.must_correct(RESULTS.to_correct(row, odd))
    return CycleLine(
        id=result.cycle_id,
        symbol=result.symbol,
        status=result.status.value,
        net=result.net,
        fees=result.fees,
        invested=result.cost,
        safety_orders=result.safety_orders,
        began_at=result.began_at,
        completed_at=result.completed_at,
        fees_estimated=not result.fees_are_known,
    )


def _unknown(row: Row) -> CycleLine:
    return CycleLine(
        id=whole(row[0]),
        symbol=str(row[1]),
        status=str(row[2]),
        net=None,
        fees=None,
        invested=None,
        safety_orders=whole(row[5]),
        began_at=None if row[3] is None else moment(row[3]),
        completed_at=None if row[4] is None else moment(row[4]),
    )


def _unfinished(
    reader: Reader, cycle_id: int, cycle: Cycle | None, orders: Sequence[Order], symbol: str
) -> CycleLine:
    """A cycle without a result: active, or gone with its asset's row."""
    sums = tally(orders)
    assets = {each.asset_id: each for each in _assets(reader)}
    asset = assets.get(cycle.asset_id) if cycle else None
    return CycleLine(
        id=cycle_id,
        symbol=asset.symbol if asset else symbol,
        status=cycle.status.value if cycle else "deleted",
        net=net_of(asset, sums) if asset and cycle and not cycle.status.is_active else None,
        fees=sums.fees,
        invested=sums.cost,
        safety_orders=cycle.safety_orders if cycle else max((o.rung for o in orders), default=0),
        began_at=orders[0].created_at if orders else (cycle.created_at if cycle else None),
        completed_at=cycle.completed_at if cycle else None,
    )


def _assets(reader: Reader) -> list[Asset]:
    return [read_state(row).asset for row in reader.rows(ALL_ASSETS)]


def lasted(line: CycleLine, now: datetime) -> timedelta | None:
    """For how long a cycle has been, or was, under way."""
    if line.began_at is None:
        return None
    return (line.completed_at or now) - line.began_at
