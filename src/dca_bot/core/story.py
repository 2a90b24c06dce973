"""What happened to a cycle and why, as rows for people: `dca_events`.

Rule: a row is written in the transaction that makes it true, and never changed.  Its sentence is
of bounded length and ends without a full stop; its numbers are those that were compared.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

from dca_bot.core.ladder import restart_price
from dca_bot.core.model import (
    ORDER_NAMES,
    Allowed,
    Asset,
    Cycle,
    Order,
    OrderKind,
    OrderStatus,
    OrderUpdate,
    Quote,
    Side,
)
from dca_bot.core.records import SENTENCE_LENGTH_MAX, Booked, Event, EventKind

MEANINGS = {
    Allowed.ALL: "everything is allowed",
    Allowed.CYCLE: "the cycle goes on to its end, and none begins",
    Allowed.EXIT: "paused: no BUYs, take profits go on",
}


def began(cycle: Cycle, at: datetime) -> Event:
    return Event(at, cycle.cycle_id, EventKind.BEGAN, "a new cycle watches for its base order")


def ordered(asset: Asset, cycle: Cycle, order: Order, quote: Quote) -> Event:
    """A decision, with the price that triggered it."""
    price, against = quote.ask, cycle.last_order_fill_price
    sentence = f"{_name(asset, order)}: "
    match order.kind:
        case OrderKind.BASE | OrderKind.EXTRA | OrderKind.ADOPTED:
            sentence, against = sentence + f"the ask is {_plain(price)}", None
        case OrderKind.SAFETY:
            sentence += f"the ask is {_plain(price)}, the last fill was at {_plain(against)}"
        case OrderKind.TAKE_PROFIT | OrderKind.STOP_LOSS | OrderKind.CLOSE:
            price, against = quote.bid, cycle.average_purchase_price
            sentence += f"the bid is {_plain(price)}, the average {_plain(against)}"
    return Event(
        order.created_at,
        cycle.cycle_id,
        EventKind.ORDERED,
        _bounded(sentence),
        order.client_order_id,
        price,
        against,
        order.quantity,
    )


def booked(
    asset: Asset, before: Order, after: Booked, update: OrderUpdate, at: datetime
) -> Iterator[Event]:
    """What an update of an order has changed: nothing, one thing, or a fill and an end."""
    order, cycle = after.order, after.cycle
    name, price = _name(asset, order), order.filled_average_price
    growth = order.filled_quantity - before.filled_quantity
    key = (cycle.cycle_id, order.client_order_id)
    if growth > 0:
        part = "filled" if order.status is OrderStatus.FILLED else "partly filled"
        deed = "bought" if order.side is Side.BUY else "sold"
        sentence = f"{name} {part}: {deed} {_plain(growth)} at {_plain(price)} on average"
        kind = EventKind.FILLED
        yield Event(at, key[0], kind, _bounded(sentence), key[1], price, order.limit_price, growth)
    has_ended = order.status.is_finished and not before.status.is_finished
    if has_ended and order.status is not OrderStatus.FILLED:
        why = f": {update.reason}" if update.reason else ""
        filled = f"{_plain(order.filled_quantity)} of {_plain(order.quantity)} filled"
        sentence = f"{name} {order.status}, {filled}{why}"
        yield Event(at, key[0], EventKind.ENDED, _bounded(sentence), key[1], price)
    if after.sold_at is not None:
        yield sold_out(after, at)


def sold_out(after: Booked, at: datetime) -> Event:
    """The last SELL of a cycle has taken all that there was."""
    sentence, order_id = "all is sold, the cycle is complete", after.order.client_order_id
    return Event(at, after.cycle.cycle_id, EventKind.COMPLETE, sentence, order_id)


def cut_short(asset: Asset, cycle: Cycle, quote: Quote) -> Event:
    """The price has ended a cooldown."""
    ask, limit = _plain(quote.ask), _plain(restart_price(asset))
    sentence = f"the ask {ask} is at or below {limit}: the cooldown ends early"
    return Event(
        quote.at,
        cycle.cycle_id,
        EventKind.RESUMED,
        _bounded(sentence),
        price=quote.ask,
        against=asset.last_sell_price,
    )


def cooldown_over(asset: Asset, cycle: Cycle, at: datetime) -> Event:
    sentence = f"the cooldown of {asset.cooldown_seconds} s is over"
    return Event(at, cycle.cycle_id, EventKind.RESUMED, sentence)


def corrected(before: Cycle, after: Cycle, at: datetime) -> Event:
    """The books were brought to Alpaca's position."""
    held, said = _plain(after.quantity), _plain(before.quantity)
    sentence = f"Alpaca holds {held}, the books said {said}: corrected"
    return Event(
        at,
        before.cycle_id,
        EventKind.CORRECTED,
        _bounded(sentence),
        price=after.average_purchase_price,
        against=before.average_purchase_price,
        quantity=after.quantity - before.quantity,
    )


def given_up(cycle: Cycle, at: datetime) -> Event:
    """The cycle's coins are no longer at Alpaca."""
    sentence = f"Alpaca holds none of the {_plain(cycle.quantity)} coins: the cycle is given up"
    return Event(
        at, cycle.cycle_id, EventKind.GIVEN_UP, _bounded(sentence), quantity=cycle.quantity
    )


def let_go(cycle: Cycle, at: datetime) -> Event:
    """The cycle waited for an order that Alpaca doesn't know."""
    sentence = f"Alpaca knows no order {cycle.latest_order_id}: the cycle watches again"
    return Event(at, cycle.cycle_id, EventKind.LET_GO, _bounded(sentence))


def allowed(asset: Asset, cycle: Cycle | None, now: Allowed, at: datetime, why: str) -> Event:
    """How far an asset may go was changed."""
    sentence = f"{MEANINGS[now]} (was {asset.allowed}): {why}"
    return Event(at, cycle.cycle_id if cycle else 0, EventKind.ALLOWED, _bounded(sentence))


def changed(cycle: Cycle | None, at: datetime, sentence: str) -> Event:
    """Something about the asset's row."""
    return Event(at, cycle.cycle_id if cycle else 0, EventKind.CHANGED, _bounded(sentence))


def adopted(cycle: Cycle, at: datetime) -> Event:
    """Coins that Alpaca held are the cycle's now."""
    sentence = f"adopted by hand: {cycle.quantity:f} at {cycle.average_purchase_price:f} on average"
    return Event(at, cycle.cycle_id, EventKind.ADOPTED, _bounded(sentence), quantity=cycle.quantity)


def released(cycle: Cycle, at: datetime) -> Event:
    """The cycle's coins are nobody's in the books; Alpaca still holds them."""
    sentence = f"released by hand: {cycle.quantity:f} stay at Alpaca, unsold"
    return Event(
        at, cycle.cycle_id, EventKind.RELEASED, _bounded(sentence), quantity=cycle.quantity
    )


def _name(asset: Asset, order: Order) -> str:
    rung = f" {order.rung}/{asset.max_safety_orders}" if order.kind is OrderKind.SAFETY else ""
    return ORDER_NAMES[order.kind] + rung


def _plain(price: Decimal | None) -> str:
    """Without the zeros that fill up a column."""
    if price is None:
        return "an unknown price"
    text = f"{price:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _bounded(sentence: str) -> str:
    """One line that its column can hold."""
    line = " ".join(sentence.split())
    return line if len(line) <= SENTENCE_LENGTH_MAX else line[: SENTENCE_LENGTH_MAX - 1] + "…"
