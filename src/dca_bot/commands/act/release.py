"""Lets the coins of an asset's cycle go from the books, without selling them.

They stay at Alpaca and are yours to deal with: the bot neither sells them, nor buys more of the
coin while they are there.  `dca adopt` takes them back.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from dca_bot.commands.act.action import NOT_DONE, action, add_yes
from dca_bot.report.numbers import plain_quantity, price_in_words


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("symbol", metavar="SYMBOL", help="as in BTC/USD")
    add_yes(parser)


def run(arguments: Namespace) -> int:
    with action(arguments) as this:
        [state] = this.states(arguments.symbol)
        asset, cycle = state.asset, state.cycle
        if cycle is None or cycle.quantity <= 0:
            this.did(f"{asset.symbol}: its cycle holds nothing, so nothing is released")
            return this.finish(asset.symbol)
        plan = (
            f"{asset.symbol}: {plain_quantity(cycle.quantity)} {state.bought_as or asset.coin}, "
            f"bought at {price_in_words(cycle.average_purchase_price)} on average, leave the books "
            "unsold. "
            f"The bot does not sell them, and buys no more of their coin while Alpaca holds them."
        )
        if not this.agree([plan], arguments):
            return NOT_DONE
        let_go = this.bare_hand.release(asset.asset_id)
        this.did(f"{asset.symbol}: cycle {let_go.cycle_id} is complete, and its coins are yours")
        return this.finish(asset.symbol)
