"""Ends a pause or a finish of one asset, or of all that were paused together.

Together means by `dca pause`, `dca finish` or `dca panic`, or by DAILY_LOSS_LIMIT.  What each asset
was allowed before comes back: one that was paused alone (`dca pause SYMBOL`, `dca close`, a stop
loss, SQL) stays so until it is named.
In SQL: UPDATE dca_assets SET allowed = 'all'.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence

from dca_bot.commands.act.action import NOT_DONE, action, add_yes
from dca_bot.commands.act.allowing import allow_all, describe, in_words
from dca_bot.core.model import Allowed, AssetState


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "symbol", metavar="SYMBOL", nargs="?", help="as in BTC/USD; default: all paused together"
    )
    add_yes(parser)


def run(arguments: Namespace) -> int:
    with action(arguments) as this:
        states = this.states(arguments.symbol)
        again = to_resume(states, is_all=arguments.symbol is None)
        staying = [state for state in states if state not in [each for each, _ in again]]
        plan = [describe(state, allowed) for state, allowed in again]
        if all((s.asset.allowed, s.asset.allowed_before) == (to, None) for s, to in again):
            for sentence in (*plan, *map(_stays, staying)):
                this.did(sentence)
            return this.finish(arguments.symbol)
        if not this.agree([*plan, *map(_stays, staying)], arguments):
            return NOT_DONE
        for state, allowed in again:
            allow_all(this, [state], allowed, verb="resume")
        this.done += map(_stays, staying)
        return this.finish(arguments.symbol)


def to_resume(states: Sequence[AssetState], *, is_all: bool) -> list[tuple[AssetState, Allowed]]:
    """What is resumed, and how far it may go then."""
    found = []
    for state in states:
        asset = state.asset
        if not is_all or asset.allowed is Allowed.ALL:
            found.append((state, Allowed.ALL))
        elif asset.allowed_before is not None:
            found.append((state, asset.allowed_before))
    return found


def _stays(state: AssetState) -> str:
    asset = state.asset
    return (
        f"{asset.symbol} {in_words(asset.allowed)}; that was set for it alone, and stays until "
        f"`dca resume {asset.symbol}`"
    )
