"""Where the scenarios trade: Alpaca's paper account, or the bundled simulator.

Rule: the scenarios are the same on both.  What only a steered market can do stands here, and the
paper account says of it that it can't.
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from typing import Protocol


class Market(Protocol):
    """`patience_seconds`: how long whatever should happen at once may take; `tolerance`: by how
    much of a quantity the books may differ from the position."""

    patience_seconds: float
    tolerance: Decimal
    is_steered: bool

    @contextmanager
    def holding_fills(self) -> Iterator[None]:
        """Nothing is filled inside the block, where the market can be told so."""

    def fill(self, order_id: str, quantity: Decimal) -> None:
        """Fill so much of an open order."""

    def expire(self, order_id: str) -> None:
        """End an open order as Alpaca does after some months."""

    def halt(self, symbol: str) -> None:
        """Trade a pair no more, for a while."""

    def resume(self, symbol: str) -> None:
        """Trade it again."""


class PaperMarket:
    """A market like every other: it can only be watched."""

    # The place of a websocket whose owner was killed stays taken for 90 s (docs/alpaca.md 6.3 D6).
    patience_seconds = 150.0
    # The fee depends on the account; where the bot must estimate it, the last digits are settled
    # by consistency_checker.py.
    tolerance = Decimal("0.005")
    is_steered = False

    @contextmanager
    def holding_fills(self) -> Iterator[None]:
        yield

    def fill(self, order_id: str, quantity: Decimal) -> None:
        raise NotImplementedError

    def expire(self, order_id: str) -> None:
        raise NotImplementedError

    def halt(self, symbol: str) -> None:
        raise NotImplementedError

    def resume(self, symbol: str) -> None:
        raise NotImplementedError


class SimulatedMarket:
    """The bundled simulator, with its control API (docs/simulator.md)."""

    patience_seconds = 90.0
    tolerance = Decimal(0)
    is_steered = True

    def __init__(self, url: str) -> None:
        self._url = url

    @contextmanager
    def holding_fills(self) -> Iterator[None]:
        self._post("/sim/hold", {})
        try:
            yield
        finally:
            self._post("/sim/release", {})

    def fill(self, order_id: str, quantity: Decimal) -> None:
        self._post(f"/sim/orders/{order_id}/fill", {"qty": f"{quantity:f}"})

    def expire(self, order_id: str) -> None:
        self._post(f"/sim/orders/{order_id}/finish", {"status": "expired"})

    def halt(self, symbol: str) -> None:
        self._post("/sim/assets", {"symbol": symbol, "tradable": False})

    def resume(self, symbol: str) -> None:
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
