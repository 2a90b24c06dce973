"""Who is short of cash.  Rule: after a refusal for lack of it the account is asked before the next
BUY, and no order is sent that would be refused again.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from dca_bot.core.model import Asset, Side
from dca_bot.program.errors import OrderWithheld


class Cash:
    """Safe to call from several threads, one per asset.  `available` is `Broker.cash`."""

    def __init__(self, available: Callable[[str], Decimal]) -> None:
        self._available = available
        self._short: set[int] = set()  # asset ids

    def is_short(self, asset: Asset) -> None:
        """Alpaca has refused a BUY of this asset for lack of cash."""
        self._short.add(asset.asset_id)

    def sufficed(self, asset: Asset) -> None:
        """Alpaca has taken an order of this asset."""
        self._short.discard(asset.asset_id)

    def check(self, asset: Asset, cost: Decimal, *, is_sure: bool) -> None:
        """Raise OrderWithheld while an asset that was short cannot pay `cost`; others may try, but
        for a BUY that must be `is_sure` of its cash."""
        if not is_sure and asset.asset_id not in self._short:
            return
        available = self._available(asset.quote_currency)
        if available < cost:
            raise OrderWithheld(
                f"waiting for {cost:f} {asset.quote_currency}, available {available:f}",
                side=Side.BUY,
                needs_cash=True,
            )
