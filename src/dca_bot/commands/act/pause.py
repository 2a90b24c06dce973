"""Pauses one asset or all: no BUYs, neither base nor safety orders; take profits go on.

A BUY that rests at Alpaca is cancelled; what it has filled is kept.  It holds at once, also for a
main_app.py that is running, and until `dca resume`.
In SQL: UPDATE dca_assets SET allowed = 'exit'.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterable

from dca_bot.commands.act.action import NOT_DONE, Action, action, add_yes
from dca_bot.commands.act.allowing import allow_all, describe
from dca_bot.commands.act.pursuit import pursue
from dca_bot.core.model import Allowed, AssetState, Side

OUTAGE_SECONDS = 15.0


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("symbol", metavar="SYMBOL", nargs="?", help="as in BTC/USD; default: all")
    add_yes(parser)


def run(arguments: Namespace) -> int:
    with action(arguments) as this:
        states, is_all = this.states(arguments.symbol), arguments.symbol is None
        ids = {state.asset.asset_id for state in states}
        resting = [
            order
            for order in this.store.live_orders()
            if order.side is Side.BUY and order.asset_id in ids
        ]
        plan = [describe(state, Allowed.EXIT) for state in states]
        plan += [f"The BUY {order.client_order_id} is cancelled." for order in resting]
        if not this.agree(plan, arguments):
            return NOT_DONE
        pause(this, states, with_all=is_all)
        return this.finish(arguments.symbol)


def pause(this: Action, states: Iterable[AssetState], *, with_all: bool) -> None:
    """Pause these assets, then see the BUYs end that rest at Alpaca."""
    paused = allow_all(this, states, Allowed.EXIT, verb="pause", with_all=with_all)
    buying = {order.asset_id for order in this.store.live_orders() if order.side is Side.BUY}
    assets = [asset for asset in paused if asset.asset_id in buying]
    for asset in pursue(this, assets, this.bare_hand.end_buy, outage_seconds=OUTAGE_SECONDS):
        this.did(f"{asset.symbol}: no BUY rests at Alpaca any more")
