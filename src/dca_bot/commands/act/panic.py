"""Stops everything: pauses every asset, cancels every order of the bot, and sells every position
that its cycles own.  What isn't theirs is left alone.

While Alpaca does not answer it keeps trying, and buys nothing meanwhile: the pause is in the
database before anything else.  Ctrl-C ends the trying; the pause stays.  `dca resume` lets the bot
trade again.
"""

from __future__ import annotations

import math
from argparse import ArgumentParser, Namespace

from dca_bot.commands.act.allowing import allow_all
from dca_bot.commands.act.closing import sale_of
from dca_bot.commands.act.left import left_at_alpaca
from dca_bot.commands.act.pursuit import pursue
from dca_bot.commands.act.session import NOT_DONE, Session, add_yes, session
from dca_bot.core.model import Allowed
from dca_bot.core.order_ids import is_ours
from dca_bot.program.errors import BrokerUnavailable


def add_arguments(parser: ArgumentParser) -> None:
    add_yes(parser)


def run(arguments: Namespace) -> int:
    with session(arguments) as this:
        states = this.states(None)
        plan = [line for state in states for line in sale_of(this, state)]
        if not this.agree(plan, arguments):
            return NOT_DONE
        allow_all(this, states, Allowed.EXIT, verb="panic")
        try:
            _sell_everything(this)
        except KeyboardInterrupt:
            this.troubles.append("interrupted; all is paused: `dca panic` goes on where this was")
        return this.finish(left_at_alpaca(this))


def _sell_everything(this: Session) -> None:
    assets = [state.asset for state in this.states(None)]
    for asset in pursue(this, assets, this.close_step, outage_seconds=math.inf):
        this.did(f"{asset.symbol}: its cycle holds nothing any more")
    _cancel_strays(this)


def _cancel_strays(this: Session) -> None:
    """Orders with the bot's name that no cycle follows any more."""
    try:
        for order in this.broker.open_orders():
            if is_ours(order.client_order_id) and order.alpaca_order_id:
                this.broker.cancel(order.alpaca_order_id)
                this.did(f"{order.symbol}: cancel of {order.client_order_id} asked for")
    except BrokerUnavailable as error:
        this.troubles.append(f"orders that no cycle follows may be left: {error}")
