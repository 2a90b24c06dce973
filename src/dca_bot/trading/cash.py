"""Who is short of cash.  Rule: after a refusal for lack of it the account is asked before the next
BUY, and no order is sent that would be refused again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from dca_bot.core.model import ZERO, Asset, Side
from dca_bot.program.clock import Clock
from dca_bot.program.errors import OrderWithheld

# Where the account has enough by its own word, and Alpaca refuses all the same: by the second time.
FIRST_WAIT = timedelta(seconds=45)
FACTOR = 3
LONGEST_WAIT = timedelta(hours=1)
CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class _Shortage:
    """`believed` is the cash with which the last BUY was let through, until `again_at` in vain."""

    believed: Decimal = ZERO
    again_at: datetime | None = None
    wait: timedelta = FIRST_WAIT


class Cash:
    """Safe to call from several threads, one per asset.  `available` is `Broker.cash`."""

    def __init__(self, available: Callable[[str], Decimal], clock: Clock) -> None:
        self._available = available
        self._clock = clock
        self._short: dict[int, _Shortage] = {}  # by asset id

    def is_short(self, asset: Asset) -> None:
        """Alpaca has refused a BUY of this asset for lack of cash."""
        before = self._short.get(asset.asset_id)
        if before is None:
            self._short[asset.asset_id] = _Shortage()
            return
        longer = min(before.wait * FACTOR, LONGEST_WAIT)
        again_at = self._clock() + before.wait
        self._short[asset.asset_id] = replace(before, again_at=again_at, wait=longer)

    def sufficed(self, asset: Asset) -> None:
        """Alpaca has taken an order of this asset."""
        self._short.pop(asset.asset_id, None)

    def check(self, asset: Asset, cost: Decimal, *, is_sure: bool) -> None:
        """Raise OrderWithheld while an asset that was short cannot pay `cost`; others may try, but
        for a BUY that must be `is_sure` of its cash.

        What the account says is believed once.  When Alpaca refuses the BUY all the same, the next
        one waits for more cash, or longer and longer.
        """
        shortage = self._short.get(asset.asset_id)
        if shortage is None and not is_sure:
            return
        available = self._available(asset.quote_currency)
        currency = asset.quote_currency
        if available < cost:
            needs, has = _to_the_cent(cost, available)
            raise _withheld(f"waiting for {needs} {currency}, available {has}")
        if shortage is None:
            return
        if _waits(shortage, available, self._clock()):
            needs, has = _to_the_cent(cost, available)
            raise _withheld(
                f"waiting for more than {has} {currency}: Alpaca has refused {needs} of that"
            )
        self._short[asset.asset_id] = replace(shortage, believed=available)


def _waits(shortage: _Shortage, available: Decimal, now: datetime) -> bool:
    is_early = shortage.again_at is not None and now < shortage.again_at
    return is_early and available <= shortage.believed


def _to_the_cent(cost: Decimal, available: Decimal) -> tuple[str, str]:
    """The cost follows the price, and a reason that lasts is told once."""
    return f"{cost.quantize(CENT, ROUND_CEILING):f}", f"{available.quantize(CENT, ROUND_FLOOR):f}"


def _withheld(why: str) -> OrderWithheld:
    return OrderWithheld(why, side=Side.BUY, needs_cash=True)
