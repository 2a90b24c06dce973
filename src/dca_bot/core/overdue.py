"""What the caretakers judge: ages of orders, ends of cooldowns, positions against the books.

Rule: each judgement sees rows, what Alpaca said and `now`, and nothing else.  Where something
isn't known (an order without a time, a clock that runs behind), the answer is the one that
leaves everything as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from dca_bot.core.holdings import is_dust
from dca_bot.core.model import (
    ZERO,
    Asset,
    Cycle,
    CycleStatus,
    Holding,
    Order,
    OrderStatus,
    OrderUpdate,
    Side,
)
from dca_bot.core.money import FEE_RATE_MAX, storable_price
from dca_bot.core.order_ids import is_ours

# Positions lag behind fills, for up to a quarter of a minute as far as anybody has seen.
POSITIONS_SETTLE = timedelta(seconds=60)
WAITING_FOR_ORDER = frozenset({CycleStatus.BUYING, CycleStatus.SELLING})


def cooldown_over(cycle: Cycle, previous: Cycle | None, asset: Asset, now: datetime) -> bool:
    """Whether a cycle in cooldown may watch again (behaviour 7).

    `previous` is the asset's cycle that was completed last; without one there is nothing to wait
    for.
    """
    if cycle.status is not CycleStatus.COOLDOWN:
        return False
    ends_at = cooldown_ends_at(previous, asset)
    return ends_at is None or now >= ends_at


def cooldown_ends_at(previous: Cycle | None, asset: Asset) -> datetime | None:
    """When the cooldown after `previous` is over; None: there is nothing to wait for."""
    if previous is None or previous.completed_at is None:
        return None
    return previous.completed_at + timedelta(seconds=asset.cooldown_seconds)


@dataclass(frozen=True, slots=True)
class Tracking:
    """Which orders the books know: the symbols of enabled rows, active cycles, live orders.

    `unreadable` are the symbols whose cycle can't be read: what it tracks is not known.
    """

    symbols: frozenset[str]
    unreadable: frozenset[str]
    cycles: Mapping[str, Cycle]  # by symbol
    live: Mapping[str, Order]  # by client order id

    def has(self, order: OrderUpdate) -> bool:
        """Whether an active cycle tracks an order: by its row in `dca_orders`, or by
        `latest_order_id` alone where somebody edited the cycle by hand."""
        cycle = self.cycles.get(order.symbol)
        if cycle is None:
            return False
        row = self.live.get(order.client_order_id)
        if row is not None:
            return row.cycle_id == cycle.cycle_id
        return order.alpaca_order_id is not None and order.alpaca_order_id == cycle.latest_order_id

    def replaces_ours(self, order: OrderUpdate) -> bool:
        """Whether a hand has put it, by a name that isn't ours, in the place of a live order."""
        return order.alpaca_order_id in {row.alpaca_order_id for row in self.live.values()} - {None}


def is_older(order: OrderUpdate, seconds: int, now: datetime) -> bool:
    """Whether Alpaca has had an order for longer; no, where that isn't known."""
    return order.created_at is not None and now - order.created_at > timedelta(seconds=seconds)


def is_awaited(row: Order, now: datetime, give_up_after: timedelta) -> bool:
    """Whether main_app.py may still be waiting for the answer to this order."""
    return row.status is OrderStatus.INTENDED and now - row.created_at < give_up_after


def is_stale(order: OrderUpdate, tracking: Tracking, seconds: int, now: datetime) -> bool:
    """An open BUY of a cycle that has waited too long for its fill (behaviour 9)."""
    return order.side is Side.BUY and tracking.has(order) and is_older(order, seconds, now)


def is_stuck(order: OrderUpdate, tracking: Tracking, seconds: int, now: datetime) -> bool:
    """An open take-profit SELL that should have been filled at once (behaviour 9)."""
    return order.side is Side.SELL and tracking.has(order) and is_older(order, seconds, now)


def is_orphan(order: OrderUpdate, tracking: Tracking, seconds: int, now: datetime) -> bool:
    """An open order that no active cycle tracks, in a symbol of ours or of the bot's own making.

    In the symbol of a disabled row an order of any other making is the user's (behaviour 9).
    """
    ours = is_ours(order.client_order_id) or tracking.replaces_ours(order)
    known = order.symbol not in tracking.unreadable
    concerns_us = (ours or order.symbol in tracking.symbols) and known
    return concerns_us and not tracking.has(order) and is_older(order, seconds, now)


class PositionVerdict(StrEnum):
    """What Alpaca's position says about a cycle."""

    AGREES = "agrees"
    DIFFERS = "differs"
    GONE = "gone"
    NOT_OURS = "not ours"
    TOO_MUCH = "too much"  # more than the cycle's orders could have bought


def position_verdict(
    asset: Asset,
    cycle: Cycle | None,
    holding: Holding | None,
    increment: Decimal,
    *,
    at_most: Decimal,
) -> PositionVerdict:
    """Compare a cycle with the position at Alpaca (behaviour 10); `at_most` is what the cycle's
    orders could have bought (`most_it_could_hold`).

    1. While an order is under way both move, and nothing can be said.
    2. A cycle that holds nothing owns no position; dust is left over from a sale, and nobody's.
    3. Less than one increment is a matter of rounding; an average that is missing is not.
    4. No position, or dust where there should be more: the cycle's coins were sold elsewhere.
    5. More than the whole ladder could have bought: somebody else's coins are among them.
    """
    if cycle is not None and cycle.status in WAITING_FOR_ORDER:
        return PositionVerdict.AGREES
    held = holding.quantity if holding else ZERO
    price = holding.average_entry_price if holding else ZERO
    if cycle is not None:  # a deposit may come without a price, or for less
        price = max(price, cycle.average_purchase_price)
    is_nothing = holding is None or is_dust(held, price, asset)
    if cycle is None or cycle.status is not CycleStatus.WATCHING or cycle.quantity <= 0:
        return PositionVerdict.AGREES if is_nothing else PositionVerdict.NOT_OURS
    lacks_average = cycle.average_purchase_price <= 0 < price
    if abs(held - cycle.quantity) < increment and not lacks_average:
        return PositionVerdict.AGREES
    if held <= 0 or (is_nothing and not is_dust(cycle.quantity, price, asset)):
        return PositionVerdict.GONE
    is_too_much = held > at_most
    return PositionVerdict.TOO_MUCH if is_too_much else PositionVerdict.DIFFERS


def corrected(cycle: Cycle, holding: Holding) -> Cycle:
    """The cycle with Alpaca's quantity and average entry price, if Alpaca knows one."""
    average = storable_price(holding.average_entry_price)
    return replace(
        cycle,
        quantity=holding.quantity,
        average_purchase_price=average if average > 0 else cycle.average_purchase_price,
    )


def is_settled(ended_at: datetime | None, now: datetime) -> bool:
    """Whether the end of an asset's last order is so long ago that its position has caught up."""
    return ended_at is None or now - ended_at >= POSITIONS_SETTLE


def shows_the_sale(cycle: Cycle, coin: str, closed: Iterable[OrderUpdate]) -> bool:
    """Whether orders that the books don't know, `closed`, have sold what a cycle held."""
    sold = sum(
        (
            order.filled_quantity
            for order in closed
            if order.side is Side.SELL and order.symbol.partition("/")[0] == coin
        ),
        ZERO,
    )
    return sold >= cycle.quantity * (1 - FEE_RATE_MAX)


def accounts_for(cycle: Cycle, held: Decimal, by_others: Sequence[OrderUpdate]) -> bool:
    """Whether orders that the books don't know, all in the cycle's coin, have made its position
    what it is.  Then nothing lags: position and orders agree."""
    bought = sum((each.filled_quantity for each in by_others if each.side is Side.BUY), ZERO)
    sold = sum((each.filled_quantity for each in by_others if each.side is Side.SELL), ZERO)
    off = held - (cycle.quantity + bought - sold)
    return abs(off) <= (cycle.quantity + bought) * FEE_RATE_MAX


def lacks_order_row(cycle: Cycle | None, live: Iterable[Order]) -> bool:
    """Whether a cycle waits for an order of which `dca_orders` has no live row: edited by hand."""
    return (
        cycle is not None
        and cycle.status in WAITING_FOR_ORDER
        and all(order.asset_id != cycle.asset_id for order in live)
    )
