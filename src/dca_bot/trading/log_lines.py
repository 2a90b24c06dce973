"""The log lines about orders and cycles: what people tail.  One line per change of state.

Rule: a line says why with the numbers compared; symbol and cycle come from its prefix.
"""

from __future__ import annotations

import logging
from decimal import Decimal

from dca_bot.core.ladder import restart_price, stop_loss_price, trailing_price
from dca_bot.core.model import (
    ORDER_NAMES,
    Asset,
    Cycle,
    CycleStatus,
    Order,
    OrderKind,
    OrderStatus,
    OrderUpdate,
    Quote,
    Side,
)
from dca_bot.core.records import Booked
from dca_bot.program.log_text import asset_log, event

log = logging.getLogger("dca_bot.trade")


def decided(
    asset: Asset,
    cycle: Cycle,
    order: Order,
    quote: Quote,
    *,
    alpaca_order_id: str | None = None,
    in_doubt: Exception | None = None,
) -> None:
    """A decision: what was ordered, the price that triggered it, and what it was compared with."""
    facts: dict[str, object] = {}
    if order.kind is OrderKind.SAFETY:
        facts["n"] = f"{order.rung}/{asset.max_safety_orders}"
    if order.side is Side.BUY:
        facts |= {"ask": quote.ask, "buy": order.quantity, "limit": order.limit_price}
        if order.kind is OrderKind.SAFETY and cycle.last_order_fill_price:
            facts["fell"] = _change(quote.ask, cycle.last_order_fill_price, down=True)
            facts["last_fill"] = cycle.last_order_fill_price
    else:
        facts |= {"bid": quote.bid, "sell": order.quantity}
        facts["gained"] = _change(quote.bid, cycle.average_purchase_price)
        facts["average"] = cycle.average_purchase_price
    facts |= {"order": alpaca_order_id, "client_id": order.client_order_id}
    name = ORDER_NAMES[order.kind]
    if in_doubt is None:
        _of(asset, cycle).info(event(f"{name} placed", **facts))
    else:
        sentence = f"{name} in doubt, Alpaca will be asked what became of it"
        _of(asset, cycle).warning(event(sentence, **facts, why=in_doubt))


def restarted(asset: Asset, cycle: Cycle, quote: Quote) -> None:
    """The price cut a cooldown short (behaviour 7)."""
    at_or_below, last_sell = restart_price(asset), asset.last_sell_price
    facts = {"ask": quote.ask, "at_or_below": at_or_below, "last_sell": last_sell}
    _of(asset, cycle).info(event("cooldown cut short by the price", **facts))


def remembered(asset: Asset, before: Cycle, after: Cycle, quote: Quote) -> None:
    """What a trailing take profit or a stop loss waits for; a higher bid again is no line."""
    if before.highest_bid is None and after.highest_bid is not None:
        facts: dict[str, object] = {"bid": quote.bid, "sells_at": trailing_price(asset, after)}
        _of(asset, before).info(event("take profit reached, its price is followed", **facts))
    stop = stop_loss_price(asset, before)
    if before.stop_loss_since is None and after.stop_loss_since is not None:
        facts = {"bid": quote.bid, "stop": stop, "sells_after": f"{asset.stop_loss_seconds}s"}
        _of(asset, before).warning(event("stop loss reached, its time begins", **facts))
    elif before.stop_loss_since is not None and after.stop_loss_since is None:
        facts = {"bid": quote.bid, "stop": stop}
        _of(asset, before).info(event("back above the stop loss", **facts))


def withdrawn(asset: Asset, cycle: Cycle, quote: Quote, trigger_price: Decimal) -> None:
    """The take profit is due, and the BUY that still rests has to go first (behaviour 5)."""
    facts = {"bid": quote.bid, "at_or_above": trigger_price, "quantity": cycle.quantity}
    facts["average"] = cycle.average_purchase_price
    sentence = "take profit due, cancel of the resting BUY asked for"
    _of(asset, cycle).info(event(sentence, **facts, order=cycle.latest_order_id))


def updated(
    asset: Asset,
    old_cycle: Cycle,
    old_order: Order,
    booked: Booked,
    update: OrderUpdate,
    *,
    net: Decimal | None,
) -> None:
    """What an update changed; nothing changed, nothing said.  `net`: what the cycle came to."""
    order = booked.order
    grew = order.filled_quantity > old_order.filled_quantity
    if old_order.status is OrderStatus.LOST and not order.status.is_finished:
        ids = {"order": order.alpaca_order_id, "client_id": order.client_order_id}
        sentence = (
            f"{ORDER_NAMES[order.kind]} given up as lost works after all, it is followed again"
        )
        _of(asset, old_cycle).warning(event(sentence, **ids))
    if old_order.alpaca_order_id not in (None, order.alpaca_order_id):
        ids = {"order": order.alpaca_order_id, "client_id": order.client_order_id}
        sentence = f"{ORDER_NAMES[order.kind]} was replaced by hand at Alpaca, it is followed"
        _of(asset, old_cycle).warning(event(sentence, **ids, was=old_order.alpaca_order_id))
    if booked.sold_at is not None:
        sold_out(asset, old_cycle, booked, net)
    elif grew:
        _filled(asset, old_order, booked)
    ended = order.status.is_finished and not old_order.status.is_finished
    if ended and order.status is not OrderStatus.FILLED:
        _ended_early(asset, old_cycle, order, update)


def _filled(asset: Asset, old_order: Order, booked: Booked) -> None:
    cycle, order = booked.cycle, booked.order
    part = "filled" if order.status is OrderStatus.FILLED else "partly filled"
    late = " after it had ended" if old_order.status.is_finished else ""
    facts: dict[str, object] = {
        "quantity": f"{order.filled_quantity:f}/{order.quantity:f}",
        "price": order.filled_average_price,
        "holding": cycle.quantity,
        "average": cycle.average_purchase_price,
        "order": order.alpaca_order_id,
        "client_id": order.client_order_id,
    }
    line = f"{ORDER_NAMES[order.kind]} {part}{late}"
    if cycle.status.is_active:
        _of(asset, cycle).info(event(line, **facts))
    else:
        line += f", but its cycle is {cycle.status}: look at the position on Alpaca"
        _of(asset, cycle).error(event(line, **facts))


def _ended_early(asset: Asset, cycle: Cycle, order: Order, update: OrderUpdate) -> None:
    facts: dict[str, object] = {"filled": order.filled_quantity}
    if update.reason:
        facts["reason"] = update.reason
    facts |= {"order": order.alpaca_order_id, "client_id": order.client_order_id}
    level = logging.INFO if order.status is OrderStatus.CANCELED else logging.WARNING
    _of(asset, cycle).log(level, event(f"{ORDER_NAMES[order.kind]} {order.status}", **facts))


def status_changed(asset: Asset, cycle: Cycle, status: CycleStatus, why: str) -> None:
    """A change of status without an order: a cooldown that ends, a cycle that begins."""
    _of(asset, cycle).info(event(why, status=status))


def sold_out(asset: Asset, old_cycle: Cycle, booked: Booked, net: Decimal | None) -> None:
    """The end of a cycle; `net` is what all its orders came to, None where that is not known."""
    order = booked.order
    price = booked.sold_at or Decimal(0)
    _of(asset, old_cycle).info(
        event(
            f"{ORDER_NAMES[order.kind]} filled, cycle complete",
            quantity=order.filled_quantity,
            price=price,
            average=old_cycle.average_purchase_price,
            gained=_change(price, old_cycle.average_purchase_price),
            profit_after_fees="unknown" if net is None else f"{net:.2f}",
            cooldown=f"{asset.cooldown_seconds}s",
            order=order.alpaca_order_id,
            client_id=order.client_order_id,
        )
    )


def _change(price: Decimal, against: Decimal, *, down: bool = False) -> str:
    if not against:
        return "n/a"
    pct = (price / against - 1) * 100
    return f"{-pct if down else pct:.2f}%"


def _of(asset: Asset, cycle: Cycle) -> logging.LoggerAdapter[logging.Logger]:
    return asset_log(log, asset.symbol, cycle.cycle_id)
