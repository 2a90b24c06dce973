"""After a gap (a start, a reconnect of the trade stream, a database that came back): ask Alpaca
about each order under way, and feed what it says to the same door as the stream.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from dca_bot.core.overdue import lacks_order_row
from dca_bot.program.clock import OFFSET_MAX, Clock, utc_now
from dca_bot.program.errors import BrokerUnavailable, RowLocked, StoreUnavailable, Unreadable
from dca_bot.trading.books import Books
from dca_bot.trading.ports import Broker, Store
from dca_bot.trading.unlisted import ended_order

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
    books: Books,
    store: Store,
    broker: Broker,
    *,
    intended_before: datetime | None = None,
    clock: Clock = utc_now,
) -> Recovered:
    """Settle every live order; with `intended_before`, only those that were intended before it,
    or so long after it that the clock must have been set back.

    1. One call lists what is open; those orders are booked as listed (partial fills count).
    2. Every other live order has ended or never arrived: each is asked for by its client id.
    3. So is the order of a cycle that was written by hand; it is booked once it has ended.
    An order that Alpaca tells in words that nobody knows never stops the others, nor does an
    asset whose rows can't be read, are gone or stay locked.
    Raises BrokerUnavailable and StoreUnavailable; what was booked until then is right, and the
    rest is as it was.
    """
    states = store.assets()  # first: an order that is placed in between has its row by then
    all_live = store.live_orders()
    live = [
        order
        for order in all_live
        if intended_before is None
        or not intended_before <= order.created_at < intended_before + CLOCKS_APART_MAX
    ]
    unlisted = [state for state in states if lacks_order_row(state.cycle, all_live)]
    open_at_alpaca = {each.client_order_id: each for each in broker.open_orders()} if live else {}
    ended = 0
    in_doubt: list[str] = []
    stuck: list[str] = []
    for order in live:
        listed = open_at_alpaca.get(order.client_order_id)
        with _alone(order.client_order_id, stuck):
            is_settled = books.settle_from_list(order, listed)
            if is_settled:
                ended += listed is None
            elif order.alpaca_order_id is None:
                # one that Alpaca has acknowledged, and doesn't find, is for the next round
                in_doubt.append(order.client_order_id)
    for state in unlisted:
        with _alone(state.asset.symbol, stuck):
            found = ended_order(store, broker, state, clock)
            if found is not None:
                ended += books.settle(found)
    return Recovered(len(live) + len(unlisted), ended, tuple(in_doubt), tuple(stuck))


@contextmanager
def _alone(what: str, stuck: list[str]) -> Iterator[None]:
    """One asset's trouble must not stop the others."""
    try:
        yield
    except Exception as error:
        if isinstance(error, AWAY) and not isinstance(error, ALONE):
            raise
        stuck.append(f"{what} ({error})")
