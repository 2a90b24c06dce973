"""The fees of SELLs from Alpaca's own records, in place of what was estimated for them.

Rule: a fee row names no order and comes hours after its fill (docs/alpaca.md 1.5), so a row belongs
to a fill that it can have been charged for, to the cent; what no row explains stays an estimate.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Protocol

from dca_bot.caretakers.run import Run
from dca_bot.core.earnings import result_of, usual_fee
from dca_bot.core.fees import RATES
from dca_bot.core.model import ZERO, Order
from dca_bot.core.records import FeeActivity, FillActivity
from dca_bot.program.errors import CycleChanged
from dca_bot.program.log_text import asset_log, event
from dca_bot.trading.ports import Store

log = logging.getLogger(__name__)

POSTED_WITHIN = timedelta(days=2)
# Rows are read so far back, and fills further: no row is taken for another fill because its own
# was not looked at.
ROWS_SINCE = timedelta(days=4)
FILLS_SINCE = ROWS_SINCE + POSTED_WITHIN


class Activities(Protocol):
    """Alpaca's records; both raise BrokerUnavailable."""

    def fills(self, since: datetime, until: datetime) -> Sequence[FillActivity]: ...

    def fees(self, since: datetime, until: datetime) -> Sequence[FeeActivity]: ...


def take_over(store: Store, activities: Activities, this_run: Run, now: datetime) -> None:
    """Book the fees of SELLs that Alpaca's records show by now, and the results of their cycles.

    Asks Alpaca only while such a SELL waits.  Raises BrokerUnavailable and StoreUnavailable.
    """
    waiting = store.sells_of_estimated_fee(now - FILLS_SINCE)
    if not waiting:
        return
    fills = activities.fills(now - FILLS_SINCE, now)
    fees = fees_by_order(fills, activities.fees(now - ROWS_SINCE, now + timedelta(days=1)))
    symbols = {fill.order_id: fill.symbol for fill in fills}
    learnt = 0
    for order in waiting:
        quantity, fee = fees.get(order.alpaca_order_id or "", (ZERO, ZERO))
        if quantity == order.filled_quantity:
            symbol = symbols[order.alpaca_order_id or ""]
            with this_run.contain(symbol):
                _say(order, symbol, fee, this_run)
                if not this_run.is_dry_run:
                    _book(store, order, fee)
                learnt += 1
    if learnt:
        log.info(
            event(
                this_run.said("fees of SELLs taken from Alpaca's records"),
                known=learnt,
                of=len(waiting),
            )
        )


def fees_by_order(
    fills: Sequence[FillActivity], rows: Sequence[FeeActivity]
) -> Mapping[str, tuple[Decimal, Decimal]]:
    """Of each order: for how much of it the fee is known, and the fee; given fills oldest first."""
    fees: defaultdict[str, tuple[Decimal, Decimal]] = defaultdict(lambda: (ZERO, ZERO))
    for currency in {row.currency for row in rows}:
        theirs = [fill for fill in fills if fill.fee_currency == currency]
        posted = sorted((row for row in rows if row.currency == currency), key=lambda row: row.at)
        for fill, fee in _explained(theirs, posted):
            quantity, sum_of_fees = fees[fill.order_id]
            fees[fill.order_id] = (quantity + fill.quantity, sum_of_fees + fee)
    return fees


def _explained(
    fills: Sequence[FillActivity], rows: Sequence[FeeActivity]
) -> Iterable[tuple[FillActivity, Decimal]]:
    """The fills of one currency that rows explain, with their fees.

    1. One row is one fill, at the rate that explains the most of them; then, of what is left, at
       the other rates of Alpaca's table.
    2. A row that is the sum of fills that follow each other, as they cost at the first rate, tells
       the fee of each of them.  Any other sum explains nothing: how it is shared is not known.
    """
    pairs_at = {rate: _pairs(fills, rows, rate) for rate in RATES}
    usual = max(RATES, key=lambda rate: len(pairs_at[rate]))
    for rate in (usual, *(rate for rate in RATES if rate != usual)):
        found = _pairs(fills, rows, rate)
        yield from ((fills[number], rows[row].amount) for row, number in found.items())
        taken = set(found.values())
        fills = [fill for number, fill in enumerate(fills) if number not in taken]
        rows = [row for number, row in enumerate(rows) if number not in found]
    left = list(fills)
    for row in rows:
        part = _sum_of(left, row, usual)
        yield from ((fill, usual_fee(fill, usual)) for fill in left[part])
        del left[part]


def _pairs(
    fills: Sequence[FillActivity], rows: Sequence[FeeActivity], rate: Decimal
) -> dict[int, int]:
    """Row by row the oldest fill that costs exactly so much at the rate, both by number."""
    of_amount: defaultdict[Decimal, list[int]] = defaultdict(list)
    for number, fill in enumerate(fills):
        of_amount[usual_fee(fill, rate)].append(number)
    pairs = {}
    for place, row in enumerate(rows):
        numbers = of_amount[row.amount]
        found = next((number for number in numbers if _can_be_of(row, fills[number])), None)
        if found is not None:
            numbers.remove(found)
            pairs[place] = found
    return pairs


def _sum_of(fills: Sequence[FillActivity], row: FeeActivity, rate: Decimal) -> slice:
    """Which fills, one after the other, have fees that add up to the row; perhaps none."""
    for start in range(len(fills)):
        left = row.amount
        for end in range(start, len(fills)):
            left -= usual_fee(fills[end], rate)
            if left < 0 or not _can_be_of(row, fills[end]):
                break
            if left == 0:
                return slice(start, end + 1)
    return slice(0)


def _can_be_of(row: FeeActivity, fill: FillActivity) -> bool:
    # A row may tell its day alone.
    at = fill.at.astimezone(UTC)
    return at.date() <= row.at.astimezone(UTC).date() and row.at - at <= POSTED_WITHIN


def _book(store: Store, order: Order, fee: Decimal) -> None:
    with store.transaction(order.asset_id) as tx:
        if tx.order(order.client_order_id) != order:
            raise CycleChanged("its order has just moved")
        after = replace(order, fee=fee, fee_is_known=True)
        tx.save_order(order, after)
        cycle = tx.cycle_by_id(order.cycle_id)
        if cycle is None or cycle.completed_at is None:
            return
        orders = tx.orders_of_cycle(order.cycle_id)
        others = [each for each in orders if each.client_order_id != order.client_order_id]
        tx.put_result(result_of(tx.asset, cycle, [*others, after]))


def _say(order: Order, symbol: str, fee: Decimal, this_run: Run) -> None:
    if order.fee != fee:
        facts = {"fee": fee, "estimated": order.fee, "client_id": order.client_order_id}
        sentence = this_run.said("Alpaca's records show another fee than was estimated")
        asset_log(log, symbol, order.cycle_id).info(event(sentence, **facts))
