"""What pause, resume and finish have in common: they set how far assets may go."""

from __future__ import annotations

from collections.abc import Iterable

from dca_bot.commands.act.action import Action
from dca_bot.core.model import Allowed, Asset, AssetState
from dca_bot.program.errors import CycleChanged, StoreUnavailable, UnreadableRow

WORDS = {
    Allowed.ALL: "trades without restriction",
    Allowed.CYCLE: "ends its running cycle, and begins none",
    Allowed.EXIT: "is paused: no BUYs, take profits go on",
}


def describe(state: AssetState, allowed: Allowed) -> str:
    """What a change will mean for one asset, with its numbers."""
    asset, cycle = state.asset, state.cycle
    if asset.allowed is allowed:
        return f"{asset.symbol} {WORDS[allowed]} already."
    holds = ""
    if cycle is not None and cycle.quantity > 0:
        holds = (
            f" It holds {cycle.quantity:f} {asset.coin}, "
            f"{cycle.safety_orders} of {asset.max_safety_orders} safety orders bought."
        )
    return f"{asset.symbol}: from now on it {WORDS[allowed]}.{holds}"


def allow_all(
    action: Action,
    states: Iterable[AssetState],
    allowed: Allowed,
    *,
    verb: str,
    with_all: bool = False,
) -> list[Asset]:
    """Set it for each; whoever locks a row after this decides by it.  Returns those it is set for.

    A row that can't be read or is locked stops no other, and is one of the action's troubles.
    `with_all`: all assets are meant, and `dca resume` of all ends it.
    """
    reached, why = [], f"by hand (dca {verb})"
    for state in states:
        asset_id = state.asset.asset_id
        try:
            before = action.bare_hand.allow(asset_id, allowed, why, with_all=with_all)
        except (CycleChanged, StoreUnavailable, UnreadableRow) as error:
            action.troubles.append(f"{state.asset.symbol} is as it was: {error}")
            continue
        reached.append(state.asset)
        already = " already" if before is allowed else ""
        action.did(f"{state.asset.symbol} {WORDS[allowed]}{already}")
    return reached
