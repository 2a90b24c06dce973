"""After a gap (a start, a reconnect of the trade stream, a database that came back): ask Alpaca
about each order under way, and feed what it says to the same door as the stream.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from dca_bot.program.clock import OFFSET_MAX
from dca_bot.program.errors import BrokerUnavailable, RowLocked, StoreUnavailable, Unreadable
from dca_bot.trading.books import Books
from dca_bot.trading.ports import Broker, Store

# Of an order that is younger than this, two clocks that may both place orders can explain it.
CLOCKS_APART_MAX = 2 * OFFSET_MAX
AWAY = (BrokerUnavailable, StoreUnavailable)
ALONE = (RowLocked, Unreadable)  # of these: what concerns one order


@dataclass(frozen=True, slots=True)
class Recovered:
    """How many orders were asked about and had left the list of open ones; by client order id,
    which may still be on their way to Alpaca, and which could not be booked, and why."""

    asked: int
    ended: int
    in_doubt: tuple[str, ...]
    stuck: tuple[str, ...] = ()


def recover(
    books: Books, store: Store, broker: Broker, *, intended_before: datetime | None = None
) -> Recovered:
    """Settle every live order; with `intended_before`, only those that were intended before it,
    or so long after it that the clock must have been set back.

    1. One call lists what is open; those orders are booked as listed (partial fills count).
    2. Every other live order has ended or never arrived: each is asked for by its client id.
    An order that Alpaca tells in words that nobody knows never stops the others, nor does an
    asset whose rows can't be read, are gone or stay locked.
    Raises BrokerUnavailable and StoreUnavailable; what was booked until then is right, and the
    rest is as it was.
    """
    live = [
        order
        for order in store.live_orders()
        if intended_before is None
        or not intended_before <= order.created_at < intended_before + CLOCKS_APART_MAX
    ]
    if not live:
        return Recovered(0, 0, ())
    open_at_alpaca = {update.client_order_id: update for update in broker.open_orders()}
    in_doubt, stuck, ended = [], [], 0
    for order in live:
        listed = open_at_alpaca.get(order.client_order_id)
        try:
            is_settled = books.settle_from_list(order, listed)
        except Exception as error:
            if isinstance(error, AWAY) and not isinstance(error, ALONE):
                raise
            # one asset's trouble must not stop the others
            stuck.append(f"{order.client_order_id} ({error})")
            continue
        if not is_settled:
            # one that Alpaca has acknowledged, and doesn't find, is for the next round
            if order.alpaca_order_id is None:
                in_doubt.append(order.client_order_id)
        elif listed is None:
            ended += 1
    return Recovered(len(live), ended, tuple(in_doubt), tuple(stuck))
