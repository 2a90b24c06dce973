"""An order that a cycle waits for and `dca_orders` lacks: somebody has written the cycle by SQL, or
brought it along from an older database.

Rule: it gets its row once it has ended, and then enters the books by their one door.
"""

from __future__ import annotations

from dca_bot.core.model import (
    Asset,
    AssetState,
    Cycle,
    Order,
    OrderKind,
    OrderStatus,
    OrderUpdate,
    Side,
)
from dca_bot.core.transition import UNDER_WAY
from dca_bot.program.clock import Clock
from dca_bot.trading.ports import Broker, Store


def is_new_and_fits(store: Store, asset: Asset, cycle: Cycle, update: OrderUpdate) -> bool:
    """Whether this order can be the one that the cycle waits for, and was never booked."""
    return (
        update.symbol.replace("/", "") == asset.symbol.replace("/", "")
        and UNDER_WAY[update.side] is cycle.status
        and store.order(update.client_order_id) is None
    )


def give_row(store: Store, asset: Asset, cycle: Cycle, update: OrderUpdate, clock: Clock) -> Order:
    """Write an ended order down as one that is open: how it ended is for the books.

    It is not written where the cycle has moved meanwhile; the books know no such order then.
    """
    kind = OrderKind.TAKE_PROFIT
    if update.side is Side.BUY:
        kind = OrderKind.SAFETY if cycle.quantity > 0 else OrderKind.BASE
    row = Order(
        client_order_id=update.client_order_id,
        asset_id=asset.asset_id,
        cycle_id=cycle.cycle_id,
        kind=kind,
        rung=cycle.safety_orders + 1 if kind is OrderKind.SAFETY else 0,
        quantity=update.filled_quantity,
        limit_price=None,
        status=OrderStatus.OPEN,
        created_at=update.created_at or clock(),
        alpaca_order_id=update.alpaca_order_id,
    )
    with store.transaction(asset.asset_id) as tx:
        if tx.cycle == cycle:
            tx.add_order(row)
    return row


def ended_order(store: Store, broker: Broker, state: AssetState, clock: Clock) -> Order | None:
    """The row of the order that the cycle waits for, if Alpaca knows it, it has ended and fits.

    Anything else is for consistency_checker.py, which looks at the position too.
    """
    cycle = state.cycle
    if cycle is None or cycle.latest_order_id is None:
        return None
    update = broker.order_by_id(cycle.latest_order_id)
    if update is None or not update.status.is_finished:
        return None
    if not is_new_and_fits(store, state.asset, cycle, update):
        return None
    return give_row(store, state.asset, cycle, update, clock)
