"""How what Alpaca says of an order enters a cycle: its fills, and its end.

Rule: fills are cumulative, so an update that comes twice, late or out of order does no harm.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from dca_bot.core.fees import growth_of_fee, seen_fee_rate
from dca_bot.core.holdings import is_dust
from dca_bot.core.model import (
    ZERO,
    AfterStopLoss,
    Allowed,
    Asset,
    Cycle,
    CycleStatus,
    Order,
    OrderKind,
    OrderStatus,
    OrderUpdate,
    Side,
)
from dca_bot.core.money import (
    FEE_RATE_ESTIMATE,
    estimated_receipt,
    received,
    storable_price,
    weighted_average,
)
from dca_bot.core.records import Booked
from dca_bot.core.transition import UNDER_WAY, let_go, sell_out, start_order


def apply_update(
    asset: Asset,
    cycle: Cycle,
    order: Order,
    update: OrderUpdate,
    now: datetime,
    *,
    fee_rate: Decimal = FEE_RATE_ESTIMATE,
    is_last: bool = False,
) -> Booked:
    """What the cycle and the order are once Alpaca has said `update`; `is_last`: the cycle has had
    no order since.

    1. Fills are cumulative and only ever grow, so a repeated, late, reordered or missed update
       changes nothing that it should not.
    2. A finished order stays finished; it can still turn out to be filled further (a canceled
       order can: Alpaca's cancel is a request), and that fill counts.  Only an order that we gave
       up as lost can turn out to be working: then it is the cycle's order again.
    3. A BUY that ends makes the cycle `watching` again, with whatever was filled.
    4. A SELL that leaves nothing worth selling makes it `complete`, whatever the books have left
       where Alpaca holds nothing more: fees can be higher than expected.  Otherwise the rest is
       watched.
    5. A cycle that is complete or in error stays as it is, whatever updates its orders still get.
    """
    booked = _book_fill(asset, cycle, order, update, fee_rate)
    after = replace(
        booked.order,
        status=_status_after(cycle, order.status, update.status),
        alpaca_order_id=_alpaca_order_id(order, update),
    )
    if not cycle.status.is_active:
        return Booked(cycle, after)
    if after.status.is_finished and _sold_out(
        asset,
        booked.cycle,
        before=order,
        after=after,
        held=update.position_quantity,
        is_last=is_last,
    ):
        return complete(asset, booked.cycle, after, now)
    return Booked(_follow(booked.cycle, before=order, after=after), after)


def apply_alone(order: Order, update: OrderUpdate) -> Order:
    """What an order is after `update` when its asset and its cycle have been deleted."""
    status, filled = order.status, update.filled_quantity
    if not status.is_finished or status is OrderStatus.LOST:
        status = status if update.status is OrderStatus.INTENDED else update.status
    after = replace(order, status=status, alpaca_order_id=_alpaca_order_id(order, update))
    if update.filled_average_price is None or filled <= order.filled_quantity:
        return after
    is_buy = order.side is Side.BUY
    return replace(
        after,
        filled_quantity=filled,
        filled_average_price=storable_price(update.filled_average_price),
        received_quantity=estimated_receipt(filled) if is_buy else ZERO,
    )


def _follow(cycle: Cycle, *, before: Order, after: Order) -> Cycle:
    """The cycle's status, moved by the order under way only, not by news of an earlier one."""
    if before.status is OrderStatus.LOST and not after.status.is_finished:
        return start_order(cycle, after.side, after.alpaca_order_id)
    if before.status.is_finished or cycle.status is not UNDER_WAY[after.side]:
        return cycle
    if after.status.is_finished:
        return let_go(cycle)
    return replace(cycle, latest_order_id=after.alpaca_order_id)


def _sold_out(
    asset: Asset,
    cycle: Cycle,
    *,
    before: Order,
    after: Order,
    held: Decimal | None,
    is_last: bool,
) -> bool:
    """Whether this SELL has just taken all; also when we had given it up (a late fill).

    `held` is the whole position at Alpaca after the fill, where Alpaca reported it.  That it is
    gone may be heard after the fill itself, but counts only while nothing can have been bought.
    """
    price = after.filled_average_price
    if after.side is Side.BUY or price is None:
        return False
    if cycle.status not in (CycleStatus.SELLING, CycleStatus.WATCHING):
        return False
    is_filled = after.status is OrderStatus.FILLED
    is_gone = is_filled and held is not None and is_dust(held, price, asset)
    is_under_way = not before.status.is_finished
    if is_gone and (is_under_way or is_last):
        return True
    has_sold = is_under_way or after.filled_quantity > before.filled_quantity
    return has_sold and is_dust(cycle.quantity, price, asset)


def complete(asset: Asset, cycle: Cycle, order: Order, now: datetime) -> Booked:
    """The cycle once `order`, its last SELL, has sold what Alpaca held."""
    done = sell_out(cycle, order.alpaca_order_id, now)
    pauses = order.kind is OrderKind.STOP_LOSS and asset.after_stop_loss is AfterStopLoss.PAUSE
    return Booked(
        done,
        order,
        sold_at=order.filled_average_price,
        allowed=Allowed.EXIT if pauses else None,
    )


def _status_after(cycle: Cycle, before: OrderStatus, reported: OrderStatus) -> OrderStatus:
    if reported is OrderStatus.INTENDED:
        return before
    if before is OrderStatus.LOST and not reported.is_finished:
        # Not if another order has taken its place: a cycle follows one at a time, and
        # order_manager.py cancels the orphan.
        return reported if cycle.status is CycleStatus.WATCHING else before
    # LOST was our conclusion, and a canceled order can be filled: what Alpaca says now is better.
    if not before.is_finished or before is OrderStatus.LOST or reported is OrderStatus.FILLED:
        return reported
    return before


def _alpaca_order_id(order: Order, update: OrderUpdate) -> str | None:
    """Alpaca's id of an order; of one that a hand has replaced, its successor's."""
    known = order.alpaca_order_id
    return known if known and update.replaced_by else update.alpaca_order_id or known


def conclude(order: Order, status: OrderStatus, reason: str) -> OrderUpdate:
    """Our own conclusion about an order, in the form in which Alpaca would say it."""
    return OrderUpdate(
        client_order_id=order.client_order_id,
        alpaca_order_id=None,
        symbol="",
        side=order.side,
        status=status,
        filled_quantity=order.filled_quantity,
        filled_average_price=order.filled_average_price,
        reason=reason,
    )


def _book_fill(
    asset: Asset, cycle: Cycle, order: Order, update: OrderUpdate, fee_rate: Decimal
) -> Booked:
    """Move what was filled since the last booking into (BUY) or out of (SELL) the cycle."""
    filled, price = update.filled_quantity, update.filled_average_price
    if price is None or filled < order.filled_quantity:
        return Booked(cycle, order)
    updated = replace(order, filled_quantity=filled, filled_average_price=storable_price(price))
    if order.side is Side.SELL:
        rest = max(ZERO, cycle.quantity - (filled - order.filled_quantity))
        fee = (order.fee or ZERO) + growth_of_fee(asset, order, updated, fee_rate)
        is_known = order.fee_is_known and filled == order.filled_quantity
        updated = replace(updated, fee=fee, fee_is_known=is_known)
        return Booked(replace(cycle, quantity=rest), updated)
    if order.quantity_before is None:
        # SQL may have left coins without an average; at zero they would be sold at a loss
        average = cycle.average_purchase_price or cycle.last_order_fill_price or ZERO
        updated = replace(updated, quantity_before=cycle.quantity, average_before=average)
    booked = _book_buy(cycle, order, updated, update)
    if asset.take_profit_after_fees and booked.order != order:
        rates = (_fee_rate(booked.order, update), cycle.fee_rate)
        # the highest, since a BUY that rested pays less than the SELL at market will
        rate = max((each for each in rates if each is not None), default=None)
        return replace(booked, cycle=replace(booked.cycle, fee_rate=rate))
    return booked


def _book_buy(cycle: Cycle, order: Order, updated: Order, update: OrderUpdate) -> Booked:
    """Book a BUY's cumulative fill.

    While nothing else has moved the cycle, the average is computed afresh from the columns before
    this order, so that partial fills add no rounding.  Once something else has, only the growth is
    added.  Of two updates with one filled quantity, an exact receipt replaces an estimate.
    """
    before, average_before = updated.quantity_before or ZERO, updated.average_before or ZERO
    price = updated.filled_average_price or ZERO
    growth = updated.filled_quantity - order.filled_quantity
    untouched = cycle.quantity == before + order.received_quantity
    estimated = order.received_quantity == estimated_receipt(order.filled_quantity)
    if not growth and not (untouched and estimated):
        return Booked(cycle, order)
    if untouched:
        net = received(updated.filled_quantity, before, update.position_quantity)
        average = weighted_average(before, average_before, net, price)
        if (net, price) == (order.received_quantity, order.filled_average_price) and not growth:
            return Booked(cycle, order)  # what was remembered since the fill still holds
    else:
        more = estimated_receipt(growth)
        net = order.received_quantity + more
        old_cost = order.filled_quantity * (order.filled_average_price or ZERO)
        average = weighted_average(
            cycle.quantity,
            cycle.average_purchase_price,
            more,
            (updated.filled_quantity * price - old_cost) / growth,
        )
    last_fill, last_known = price, cycle.last_order_fill_price
    if order.status.is_finished and last_known not in (None, order.filled_average_price):
        # News of an earlier order: a later one may have filled since, and rungs only go down.
        last_fill = min(price, last_known or price)
    first_of_safety = order.kind is OrderKind.SAFETY and order.filled_quantity == 0
    moved = replace(
        cycle,
        quantity=cycle.quantity + net - order.received_quantity,
        average_purchase_price=average,
        last_order_fill_price=last_fill,
        safety_orders=cycle.safety_orders + (1 if first_of_safety else 0),
        highest_bid=None,  # both were measured against another average
        stop_loss_since=None,
    )
    return Booked(moved, replace(updated, received_quantity=net))


def _fee_rate(order: Order, update: OrderUpdate) -> Decimal | None:
    """What this BUY was charged, where Alpaca has reported what it brought; never an estimate."""
    if update.position_quantity != (order.quantity_before or ZERO) + order.received_quantity:
        return None
    return seen_fee_rate([order])
