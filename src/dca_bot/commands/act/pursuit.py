"""Takes one step after the other until every asset is where a verb wants it.

Rule: an asset in trouble never stops the others.  What ends by itself (Alpaca or the database away,
a row that moves) is tried again; what doesn't is given up after some tries, and named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from dca_bot.commands.act.action import Action
from dca_bot.core.model import Asset
from dca_bot.program.errors import (
    AssetDeleted,
    BrokerUnavailable,
    CycleChanged,
    DcaError,
    OrderOutcomeUnknown,
    StoreUnavailable,
)
from dca_bot.trading.by_hand import Step

TRIES = 6
PAUSE_SECONDS = 0.25
PAUSE_SECONDS_MAX = 3.0


@dataclass
class _Pursued:
    asset: Asset
    sentence: str = ""
    tries: int = 0  # without getting on


def pursue(
    action: Action,
    assets: Iterable[Asset],
    step: Callable[[int], Step],
    *,
    outage_seconds: float,
) -> list[Asset]:
    """Repeat `step` for each asset until it is over; those that got there.

    An outage of Alpaca or the database is waited for, `outage_seconds` at most.  The others are
    named in the action's troubles.
    """
    waiting = [_Pursued(asset) for asset in assets]
    arrived, since, pause = [], action.seconds(), PAUSE_SECONDS
    while waiting:
        action.begin_round()
        may_wait = action.seconds() - since < outage_seconds
        for pursued in list(waiting):
            verdict = _try(action, pursued, step, may_wait=may_wait)
            if verdict is not None:
                waiting.remove(pursued)
                if verdict:
                    arrived.append(pursued.asset)
        if waiting:
            action.sleep(pause)
            pause = min(pause * 1.3, PAUSE_SECONDS_MAX)
    return arrived


def _try(
    action: Action, pursued: _Pursued, step: Callable[[int], Step], *, may_wait: bool
) -> bool | None:
    """True: it is over.  False: given up, and said so.  None: again."""
    symbol = pursued.asset.symbol
    try:
        taken = step(pursued.asset.asset_id)
    except AssetDeleted:
        action.troubles.append(f"{symbol}: its row was deleted meanwhile, nothing more is done")
        return False
    except (CycleChanged, OrderOutcomeUnknown):
        return None  # main_app.py was faster, or the answer was lost: look again
    except (BrokerUnavailable, StoreUnavailable) as error:
        if not may_wait:
            action.troubles.append(f"{symbol}: {error}")
            return False
        _tell(action, pursued, f"{error}; trying again")
        return None
    except DcaError as error:
        return _again(action, pursued, str(error))
    if taken.is_over:
        return True
    if taken.needs_others:
        return _again(action, pursued, taken.sentence)
    pursued.tries = 0
    _tell(action, pursued, taken.sentence)
    return None


def _again(action: Action, pursued: _Pursued, why: str) -> bool | None:
    pursued.tries += 1
    _tell(action, pursued, why)
    if pursued.tries < TRIES:
        return None
    action.troubles.append(f"{pursued.asset.symbol}: {why}")
    return False


def _tell(action: Action, pursued: _Pursued, sentence: str) -> None:
    if sentence != pursued.sentence:
        action.tell(f"{pursued.asset.symbol}: {sentence}")
        pursued.sentence = sentence
