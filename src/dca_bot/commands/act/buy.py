"""Buys once, now, at the ask, for an asset whose cycle holds coins already.

It is counted apart: no rung of the ladder is used up.  The average moves with it, and the next
safety order waits below its price, as after any BUY.  A pause does not hinder it, since a person
asks for it.
"""

from __future__ import annotations

import time
from argparse import ArgumentParser, Namespace
from decimal import Decimal

from dca_bot.commands.act.action import NOT_DONE, Action, action, add_yes
from dca_bot.commands.arguments import positive
from dca_bot.core.decide import size_buy
from dca_bot.core.model import Asset, Cycle, CycleStatus, Order, Quote
from dca_bot.core.money import estimated_receipt, weighted_average
from dca_bot.program.errors import BrokerUnavailable, DcaError, OrderOutcomeUnknown
from dca_bot.report.numbers import amount_in_words, plain_quantity, price_in_words

RISE_MAX = Decimal("1.01")  # of the ask between question and order; more is asked anew
LOOKS = (0.2, 0.3, 0.5, 1.0, 2.0, 3.0, 3.0)  # seconds; a BUY at the ask fills at once


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("symbol", metavar="SYMBOL", help="as in BTC/USD")
    parser.add_argument("amount", metavar="AMOUNT", type=positive, help="what to spend, as in 25")
    add_yes(parser)


def run(arguments: Namespace) -> int:
    with action(arguments) as this:
        [state] = this.states(arguments.symbol)
        asset, cycle = state.asset, state.cycle
        if cycle is None or cycle.quantity <= 0:
            reason = "its base order comes by itself" if asset.is_enabled else "it is disabled"
            raise DcaError(f"{asset.symbol} holds nothing to add to: {reason}")
        if not asset.is_enabled:
            raise DcaError(f"{asset.symbol} is disabled: `dca enable {asset.symbol}` first")
        if state.bought_as:
            raise DcaError(f"{asset.symbol}: {state.problem}")
        if cycle.status is not CycleStatus.WATCHING:
            raise DcaError(
                f"{asset.symbol} has an order under way (its cycle is {cycle.status}): nothing was "
                "bought, ask again when that has ended"
            )
        quote = this.quote(asset.symbol)
        if too_old := this.hand.why_too_old(quote):
            raise DcaError(f"{asset.symbol}: {too_old}")
        if not this.agree([_plan(this, asset, cycle, quote, arguments)], arguments):
            return NOT_DONE
        order = _buy(this, asset, _fresh(this, quote), arguments)
        if order is not None:
            _see_it_filled(this, asset, order)
        return this.finish(asset.symbol)


def _plan(this: Action, asset: Asset, cycle: Cycle, quote: Quote, arguments: Namespace) -> str:
    rules = this.rules.get(asset.symbol)
    if rules is None:
        raise DcaError(f"Alpaca does not list {asset.symbol}: nothing can be bought")
    sized = size_buy(arguments.amount, asset, quote, rules)
    if isinstance(sized, str):
        raise DcaError(f"{asset.symbol}: {sized}: nothing was bought, name another amount")
    quantity, limit = sized
    this.hand.check_limits(asset.asset_id, quantity * limit)
    net = estimated_receipt(quantity)
    average = weighted_average(cycle.quantity, cycle.average_purchase_price, net, limit)
    return (
        f"{asset.symbol}: buys {plain_quantity(quantity)} {asset.coin} at {price_in_words(limit)} "
        f"or below for {amount_in_words(quantity * limit, asset.quote_currency)}, beside the "
        f"ladder. It holds {plain_quantity(cycle.quantity)} at "
        f"{price_in_words(cycle.average_purchase_price)} on average; then "
        f"{plain_quantity(cycle.quantity + net)} at about {price_in_words(average)}."
    )


def _fresh(this: Action, seen: Quote) -> Quote:
    """The quote of now: the question may have waited for an answer.  Raises DcaError."""
    now = this.quote(seen.symbol)
    if now.ask > seen.ask * RISE_MAX:
        raise DcaError(
            f"{seen.symbol}: the ask has risen from {price_in_words(seen.ask)} to "
            f"{price_in_words(now.ask)} since the question: nothing was bought, ask again"
        )
    return now


def _buy(this: Action, asset: Asset, quote: Quote, arguments: Namespace) -> Order | None:
    try:
        return this.hand.buy(asset.asset_id, arguments.amount, quote)
    except OrderOutcomeUnknown:
        live = [each for each in this.store.live_orders() if each.asset_id == asset.asset_id]
        return live[0] if live else None


def _see_it_filled(this: Action, asset: Asset, order: Order) -> None:
    for pause in LOOKS:
        time.sleep(pause)
        try:
            latest = this.hand.refreshed(order)
        except BrokerUnavailable:
            continue
        if latest.status.is_finished:
            price, bought = latest.filled_average_price, plain_quantity(latest.filled_quantity)
            at = f" at {price_in_words(price)}" if price else ""
            this.did(f"{asset.symbol}: bought {bought} {asset.coin}{at} ({latest.status})")
            return
    this.did(f"{asset.symbol}: the BUY {order.client_order_id} was sent, and waits to fill")
