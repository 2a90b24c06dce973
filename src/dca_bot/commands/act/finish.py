"""Lets running cycles end normally, safety orders included, and begins none after them.

Without a symbol it means every asset that is not paused.  `dca resume` ends it.  In SQL:
UPDATE dca_assets SET allowed = 'cycle'.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from dca_bot.commands.act.action import NOT_DONE, action, add_yes
from dca_bot.commands.act.allowing import allow_all, describe
from dca_bot.core.model import Allowed


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("symbol", metavar="SYMBOL", nargs="?", help="as in BTC/USD; default: all")
    add_yes(parser)


def run(arguments: Namespace) -> int:
    with action(arguments) as this:
        states, is_all = this.states(arguments.symbol), arguments.symbol is None
        if is_all:
            states = [state for state in states if state.asset.allowed is not Allowed.EXIT]
            if not states:
                this.did("every asset is paused, so nothing is finished: `dca resume` ends a pause")
                return this.finish()
        if not this.agree([describe(state, Allowed.CYCLE) for state in states], arguments):
            return NOT_DONE
        allow_all(this, states, Allowed.CYCLE, verb="finish", with_all=is_all)
        return this.finish(arguments.symbol)
