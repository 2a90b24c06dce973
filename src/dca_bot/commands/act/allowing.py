"""What pause, resume and finish have in common: they set how far assets may go."""

from __future__ import annotations

from collections.abc import Iterable

from dca_bot.commands.act.action import Action
from dca_bot.commands.act.closing import left_alone
from dca_bot.core.model import Allowed, Asset, AssetState
from dca_bot.program.errors import CycleChanged, StoreUnavailable, UnreadableRow
from dca_bot.report.numbers import plain_quantity

WORDS = {
    Allowed.ALL: "{}trades without restriction",
    Allowed.CYCLE: "{}ends its running cycle, and begins none after it",
    Allowed.EXIT: "is {}paused: no BUYs, take profits go on",
}


def in_words(allowed: Allowed, *, already: bool = False) -> str:
    """What an asset does that may go so far."""
    return WORDS[allowed].format("already " if already else "")


def describe(state: AssetState, allowed: Allowed) -> str:
    """What a change will mean for one asset, with its numbers."""
    asset, cycle = state.asset, state.cycle
    if cycle is None and state.problem:
        return left_alone(state)
    disabled = ""
    if not asset.is_enabled and allowed is not Allowed.EXIT:
        disabled = f" It is disabled, though: no orders at all before `dca enable {asset.symbol}`."
    if asset.allowed is allowed:
        return f"{asset.symbol} {in_words(allowed, already=True)}.{disabled}"
    holds = ""
    if cycle is not None and cycle.quantity > 0:
        holds = (
            f" It holds {plain_quantity(cycle.quantity)} {asset.coin}, "
            f"{cycle.safety_orders} of {asset.max_safety_orders} safety orders bought."
        )
    return f"From now on {asset.symbol} {in_words(allowed)}.{holds}{disabled}"


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
        action.did(f"{state.asset.symbol} {in_words(allowed, already=before is allowed)}")
    return reached
