"""Where the scenarios trade: Alpaca's paper account, or the bundled simulator.

Rule: the scenarios are the same on both; those that steer the market are skipped on the paper
account.
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal


class PaperMarket:
    """A market like every other: it can only be watched.

    `patience_seconds`: how long whatever should happen at once may take; `tolerance`: by how much
    of a quantity the books may differ from the position.
    """

    # The place of a websocket whose owner was killed stays taken for 90 s (docs/alpaca.md 6.3 D6).
    patience_seconds = 150.0
    # The fee depends on the account; where the bot must estimate it, the last digits are settled
    # by consistency_checker.py.
    tolerance = Decimal("0.005")

    @contextmanager
    def holding_fills(self) -> Iterator[None]:
        """Nothing is filled inside the block, where the market allows it: not here."""
        yield


class SimulatedMarket:
    """The bundled simulator, with its control API (docs/simulator.md)."""

    patience_seconds = 90.0
    tolerance = Decimal(0)

    def __init__(self, url: str) -> None:
        self._url = url

    @contextmanager
    def holding_fills(self) -> Iterator[None]:
        """Nothing is filled inside the block."""
        self._post("/sim/hold", {})
        try:
            yield
        finally:
            self._post("/sim/release", {})

    def fill(self, order_id: str, quantity: Decimal) -> None:
        """Fill so much of an open order."""
        self._post(f"/sim/orders/{order_id}/fill", {"qty": f"{quantity:f}"})

    def expire(self, order_id: str) -> None:
        """End an open order as Alpaca does after some months."""
        self._post(f"/sim/orders/{order_id}/finish", {"status": "expired"})

    def halt(self, symbol: str) -> None:
        """Trade a pair no more, for a while."""
        self._post("/sim/assets", {"symbol": symbol, "tradable": False})

    def resume(self, symbol: str) -> None:
        """Trade it again."""
        self._post("/sim/assets", {"symbol": symbol, "tradable": True})

    def _post(self, path: str, body: Mapping[str, str | bool]) -> None:
        request = urllib.request.Request(  # noqa: S310 - our own address
            self._url + path,
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with direct.open(request, timeout=10):
            pass


Market = PaperMarket | SimulatedMarket
