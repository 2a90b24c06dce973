"""After a gap (a start, a reconnect of the trade stream, a database that came back): ask Alpaca
about each order under way, and feed what it says to the same door as the stream.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from dca_bot.ports import Broker, Store
from dca_bot.trader import Trader


@dataclass(frozen=True, slots=True)
class Recovered:
    """What was asked and what is still in doubt, by client order id."""

    asked: int
    ended: int
    in_doubt: tuple[str, ...]


def recover(
    trader: Trader, store: Store, broker: Broker, *, intended_before: datetime | None = None
) -> Recovered:
    """Settle every live order; with `intended_before`, only those that were intended before it.

    1. One call lists what is open; those orders are booked as listed (partial fills count).
    2. Every other live order has ended or never arrived: each is asked for by its client id.
    Raises BrokerUnavailable and StoreUnavailable: then nothing is known, and nothing was changed.
    """
    live = [
        order
        for order in store.live_orders()
        if intended_before is None or order.created_at < intended_before
    ]
    if not live:
        return Recovered(0, 0, ())
    open_at_alpaca = {update.client_order_id: update for update in broker.open_orders()}
    in_doubt = []
    ended = 0
    for order in live:
        listed = open_at_alpaca.get(order.client_order_id)
        if listed is not None and listed.filled_quantity == order.filled_quantity:
            trader.on_update(listed)
        elif not trader.settle(order.client_order_id):
            in_doubt.append(order.client_order_id)
        elif listed is None:
            ended += 1
    return Recovered(len(live), ended, tuple(in_doubt))
