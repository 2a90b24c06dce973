"""The books against Alpaca's own records: fills one by one, fees in sums.

Rule: pure, and nothing is corrected here: what differs is named.

1. Fills are summed up by order.  Each order of ours must be there with its quantity and its average
   price; what is there and not in the books is a fill that the books miss, where the order bears
   our name, and else somebody else's trade.
2. Fee rows name no order, come hours after their fills, and come in batches.  So of each currency
   the posted sum must be what the fills up to some moment cost; what was filled since then is
   still to be posted, which may take a day or two.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, Decimal
from enum import StrEnum

from dca_bot.core.earnings import usual_fee
from dca_bot.core.fees import CENT, seen_fee_rate
from dca_bot.core.model import ZERO, Order, OrderUpdate, Side
from dca_bot.core.money import COIN_STEP, PRICE_STEP
from dca_bot.core.records import FeeActivity, FillActivity

# How far a right price may be off: by a billionth, or by what rounding leaves of a cheap coin's.
# The column has ten digits; of how many an average of several prices has at Alpaca nothing is
# known but that its other numbers have nine.
PRICE_TOLERANCE = Decimal("0.000000001")
COLUMN_ROUNDING = PRICE_STEP / 2
AVERAGE_ROUNDING = Decimal("0.000000001") / 2
HALF_A_CENT = Decimal("0.005")
POSTED_BY_THEN = timedelta(hours=48)
# What a fill that isn't ours may have cost at least and at most: it rested, or it took, and nobody
# tells which (docs/alpaca.md 1.5).
FOREIGN_RATES = (Decimal("0.0015"), Decimal("0.0025"))
CASH = "USD"


class DifferenceKind(StrEnum):
    MISSING_FILL = "missing fill"
    WRONG_QUANTITY = "wrong quantity"
    WRONG_PRICE = "wrong price"
    FOREIGN_TRADE = "foreign trade"
    FEE_DIFFERENCE = "fee difference"
    TO_CORRECT = "row to correct"  # of the books, which can't be compared as it stands


@dataclass(frozen=True, slots=True)
class Difference:
    kind: DifferenceKind
    symbol: str
    order_id: str | None
    what: str


@dataclass(frozen=True, slots=True)
class BookedOrder:
    """An order of ours that the books say was filled, with its asset's symbol."""

    order: Order
    symbol: str


@dataclass(frozen=True, slots=True)
class Records:
    """What both sides say of the time since `since`; fees and fills also of the day before."""

    since: datetime
    asked_at: datetime
    fills: Sequence[FillActivity]
    fees: Sequence[FeeActivity]
    booked: Sequence[BookedOrder]
    ours: Collection[str]  # Alpaca's ids of orders with our name that the books don't know
    symbols: Collection[str]  # that the bot trades, or has traded
    to_correct: Sequence[str] = ()  # what is told of orders in the books that can't be compared


@dataclass(frozen=True, slots=True)
class TieOut:
    """`pending` counts fills whose fees are not posted yet."""

    fills: int
    orders: int
    fee_rows: int
    pending: int
    differences: tuple[Difference, ...]


def with_successors(
    fills: Iterable[FillActivity],
    booked: Iterable[BookedOrder],
    asked: Mapping[str, OrderUpdate],
) -> list[FillActivity]:
    """The fills, each by the id that the books have of its order: of one that was edited at Alpaca
    that is the last successor's.  `asked` is what Alpaca says, by its id, of each order that the
    books don't know, followed to its last successor."""
    ids = {each.order.client_order_id: each.order.alpaca_order_id for each in booked}
    own = {each: each for each in ids.values()}
    found = {
        order_id: ids.get(update.client_order_id) or own.get(update.alpaca_order_id)
        for order_id, update in asked.items()
    }
    return [replace(fill, order_id=found.get(fill.order_id) or fill.order_id) for fill in fills]


def tie_out(records: Records) -> TieOut:
    """Given what both sides say, name every difference."""
    recent = [fill for fill in records.fills if fill.at >= records.since]
    fee_differences, pending = _fees(records)
    to_correct = [
        Difference(DifferenceKind.TO_CORRECT, "", None, told) for told in records.to_correct
    ]
    return TieOut(
        fills=len(recent),
        orders=len(records.booked),
        fee_rows=len(records.fees),
        pending=pending,
        differences=(*to_correct, *_orders(records, recent), *fee_differences),
    )


def seen_twice(first: TieOut, again: TieOut) -> TieOut:
    """What differs in two looks, as the second saw it."""
    before = {(each.kind, each.symbol, each.order_id) for each in first.differences}
    lasting = [
        each for each in again.differences if (each.kind, each.symbol, each.order_id) in before
    ]
    return replace(again, differences=tuple(lasting))


def _orders(records: Records, recent: Iterable[FillActivity]) -> Iterable[Difference]:
    found: defaultdict[str, list[FillActivity]] = defaultdict(list)
    for fill in records.fills:
        found[fill.order_id].append(fill)
    for booked in records.booked:
        fills = found.pop(booked.order.alpaca_order_id or "", [])
        if fills or booked.order.created_at >= records.since:
            yield from _one_order(booked, fills)
    since = {fill.order_id for fill in recent}
    for order_id, fills in found.items():
        if order_id not in since or fills[0].symbol not in records.symbols:
            continue
        quantity, price = _sum(fills)
        deed = f"{fills[0].side} of {quantity:f} at {price:f}, {_at(fills[0].at)}"
        if order_id in records.ours:
            what = f"Alpaca has a {deed} by an order of the bot's, the books have none of it"
            yield Difference(DifferenceKind.MISSING_FILL, fills[0].symbol, order_id, what)
        else:
            what = f"somebody else's {deed}: not by an order of the bot's"
            yield Difference(DifferenceKind.FOREIGN_TRADE, fills[0].symbol, order_id, what)


def _one_order(booked: BookedOrder, fills: Sequence[FillActivity]) -> Iterable[Difference]:
    order = booked.order
    key = (booked.symbol, order.alpaca_order_id)
    name = f"{order.side} {order.client_order_id}"
    quantity, price = _sum(fills)
    if not fills:
        what = f"{name}: the books have {order.filled_quantity:f}, Alpaca has no fill of it"
        yield Difference(DifferenceKind.MISSING_FILL, *key, what)
        return
    if not order.filled_quantity:
        what = f"{name}: Alpaca has filled {quantity:f}, the books have none of it"
        yield Difference(DifferenceKind.MISSING_FILL, *key, what)
        return
    if quantity != order.filled_quantity:
        what = f"{name}: Alpaca has filled {quantity:f}, the books say {order.filled_quantity:f}"
        yield Difference(DifferenceKind.WRONG_QUANTITY, *key, what)
        return
    ours = order.filled_average_price or ZERO
    if abs(price - ours) > max(price * PRICE_TOLERANCE, _rounding(fills)):
        what = f"{name}: Alpaca's average price is {_short(price)}, the books say {_short(ours)}"
        yield Difference(DifferenceKind.WRONG_PRICE, *key, what)


def _fees(records: Records) -> tuple[list[Difference], int]:
    posted: defaultdict[str, list[FeeActivity]] = defaultdict(list)
    for fee in records.fees:
        posted[fee.currency].append(fee)
    fills: defaultdict[str, list[FillActivity]] = defaultdict(list)
    for fill in records.fills:
        fills[fill.fee_currency].append(fill)
    booked = {each.order.alpaca_order_id: each.order for each in records.booked}
    rate = seen_fee_rate(each.order for each in records.booked)
    differences, pending = [], 0
    for currency in sorted(posted.keys() | fills.keys()):
        found = _one_currency(
            currency, fills[currency], posted[currency], booked=booked, rate=rate, records=records
        )
        if isinstance(found, Difference):
            differences.append(found)
        else:
            pending += found
    return differences, pending


def _one_currency(
    currency: str,
    fills: Sequence[FillActivity],
    posted: Sequence[FeeActivity],
    *,
    booked: Mapping[str | None, Order],
    rate: Decimal,
    records: Records,
) -> Difference | int:
    """A difference, or how many fills are still to be charged."""
    taken = sum((fee.amount for fee in posted), ZERO)
    price = fills[-1].price if fills else Decimal(1)
    tolerance = HALF_A_CENT if currency == CASH else HALF_A_CENT / price
    low, high = (_costs(fills, booked, rate, foreign) for foreign in FOREIGN_RATES)
    # Everything that is older must have been posted.
    must = sum(records.asked_at - fill.at > POSTED_BY_THEN for fill in fills)
    closest: Decimal | None = None
    for first in _possible_beginnings(fills, records.since):
        least, most = sum(low[first:must], ZERO), sum(high[first:must], ZERO)
        for last in range(max(first, must), len(fills) + 1):
            if least - tolerance < taken < most + tolerance:
                return len(fills) - last
            if closest is None or abs(most - taken) < abs(closest - taken):
                closest = most
            if last < len(fills):
                least, most = least + low[last], most + high[last]
    expected = closest or ZERO
    what = (
        f"Alpaca has taken {_short(taken)} {currency} in {len(posted)} rows, "
        f"by the fills it is {_short(expected)} {currency}"
    )
    symbol = fills[0].symbol if fills and currency != CASH else currency
    return Difference(DifferenceKind.FEE_DIFFERENCE, symbol, None, what)


def _possible_beginnings(fills: Sequence[FillActivity], since: datetime) -> range:
    """Rows since a moment may begin with any fill of the day before: those were posted earlier."""
    return range(sum(fill.at < since for fill in fills) + 1)


def _costs(
    fills: Sequence[FillActivity],
    booked: Mapping[str | None, Order],
    rate: Decimal,
    foreign_rate: Decimal,
) -> list[Decimal]:
    """What each fill should have cost.

    The books have the coins that a BUY's fee took, and the fee of a SELL once Alpaca has reported
    it; its last fill takes what rounding leaves.
    """
    known = {
        order_id: cost
        for order_id, order in booked.items()
        if (cost := _booked_cost(order)) is not None
    }
    left = dict(known)
    last_fills = {fill.order_id: number for number, fill in enumerate(fills)}
    costs = []
    for number, fill in enumerate(fills):
        order = booked.get(fill.order_id)
        if order is None or fill.order_id not in known:
            costs.append(usual_fee(fill, foreign_rate if order is None else rate))
            continue
        step = CENT if fill.fee_currency == CASH else COIN_STEP
        share = fill.quantity / (order.filled_quantity or fill.quantity)
        cost = (known[fill.order_id] * share).quantize(step, ROUND_CEILING)
        cost = left[fill.order_id] if last_fills[fill.order_id] == number else cost
        left[fill.order_id] -= cost
        costs.append(cost)
    return costs


def _booked_cost(order: Order) -> Decimal | None:
    """What the books know of an order's fee, in what it was taken in; None: an estimate."""
    if order.side is Side.BUY:
        return order.filled_quantity - order.received_quantity
    return order.fee if order.fee_is_known else None


def _sum(fills: Sequence[FillActivity]) -> tuple[Decimal, Decimal]:
    """Quantity and average price."""
    quantity = sum((fill.quantity for fill in fills), ZERO)
    worth = sum((fill.quantity * fill.price for fill in fills), ZERO)
    return quantity, worth / quantity if quantity else ZERO


def _rounding(fills: Sequence[FillActivity]) -> Decimal:
    is_average = len({fill.price for fill in fills}) > 1
    return COLUMN_ROUNDING + (AVERAGE_ROUNDING if is_average else ZERO)


def _short(number: Decimal) -> str:
    text = f"{number:.10f}"
    return text.rstrip("0").rstrip(".")


def _at(at: datetime) -> str:
    return f"{at.astimezone():%Y-%m-%d %H:%M:%S}"
