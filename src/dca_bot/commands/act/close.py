"""Sells what an asset's cycle holds, now and at market, and pauses the asset.

Its order under way is cancelled first, and what that has filled is sold too.  Only the cycle's own
coins are sold.  The cycle is complete then, as after any sale; `dca resume` lets the asset trade
again.  Repeat the command when it was interrupted: it goes on where it was.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterable
from decimal import Decimal

from dca_bot.commands.act.action import NOT_DONE, Action, action, add_yes
from dca_bot.commands.act.allowing import allow_all, describe
from dca_bot.commands.act.closing import sale_of
from dca_bot.commands.act.pursuit import pursue
from dca_bot.core.model import Allowed, AssetState
from dca_bot.program.errors import BrokerUnavailable

OUTAGE_SECONDS = 60.0


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("symbol", metavar="SYMBOL", help="as in BTC/USD")
    add_yes(parser)


def run(arguments: Namespace) -> int:
    with action(arguments) as this:
        states = this.states(arguments.symbol)
        live = this.store.live_orders()
        plan = [describe(state, Allowed.EXIT) for state in states]
        plan += [line for state in states for line in sale_of(state, live, _bid(this, state))]
        if not this.agree(list(dict.fromkeys(plan)), arguments):
            return NOT_DONE
        close(this, states)
        return this.finish(arguments.symbol)


def close(this: Action, states: Iterable[AssetState]) -> None:
    """Pause these assets, and sell what their cycles hold."""
    assets = allow_all(this, states, Allowed.EXIT, verb="close")
    for asset in pursue(this, assets, this.close_step, outage_seconds=OUTAGE_SECONDS):
        this.did(f"{asset.symbol}: its cycle holds nothing any more")


def _bid(action: Action, state: AssetState) -> Decimal | None:
    try:
        return action.quote(state.asset.symbol).bid
    except BrokerUnavailable:
        return None
