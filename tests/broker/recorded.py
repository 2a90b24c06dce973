"""Payloads recorded from Alpaca: small ones here, the collection where the project has it.

Rule: a shape is recorded, never invented; tests may break a copy of it on purpose.
"""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest

from dca_bot.program.settings import PROJECT_ROOT
from tests.summary import NO_RECORDINGS

COLLECTION = PROJECT_ROOT.parent / "shared" / "alpaca" / "recorded"
needs_collection = pytest.mark.skipif(not COLLECTION.is_dir(), reason=f"needs {NO_RECORDINGS}")


def load(name: str) -> Any:
    """One file of the collection."""
    return json.loads((COLLECTION / name).read_text())


def order(**changes: Any) -> dict[str, Any]:
    """An order object of 2026-09-18, with changes; a field set to `...` is taken away."""
    changed = deepcopy(FILLED_ORDER) | changes
    return {field: value for field, value in changed.items() if value is not ...}


def fill(order_object: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """A fill message of the trade stream of 2024-05-30 or later, with changes to its data."""
    news = {
        "event": "fill",
        "timestamp": "2026-09-18T13:24:50.019957863Z",
        "order": order_object or order(),
        "price": "0.0851119",
        "qty": "129.7",
        "position_qty": "0",
        "execution_id": "a0b4b946-3ed9-4fd6-bb10-d1c5f28415aa",
    }
    return {"stream": "trade_updates", "data": news | changes}


FILLED_ORDER: dict[str, Any] = {
    "id": "b28e2b24-b1b2-40cc-8979-63f45e8edc02",
    "client_order_id": "dca-7-tp-1",
    "created_at": "2026-09-18T13:24:50.018261663Z",
    "updated_at": "2026-09-18T13:24:50.034148789Z",
    "submitted_at": "2026-09-18T13:24:50.018261663Z",
    "filled_at": "2026-09-18T13:24:50.019957863Z",
    "asset_id": "03e005f7-4bfc-4616-b1b0-225dd64074fa",
    "symbol": "DOGE/USD",
    "asset_class": "crypto",
    "notional": None,
    "qty": "129.7",
    "filled_qty": "129.7",
    "filled_avg_price": "0.0851119",
    "order_class": "",
    "type": "market",
    "side": "sell",
    "time_in_force": "gtc",
    "limit_price": None,
    "status": "filled",
}
ASSET: dict[str, Any] = {
    "id": "276e2673-764b-4ab6-a611-caf665ca6340",
    "class": "crypto",
    "exchange": "CRYPTO",
    "symbol": "BTC/USD",
    "status": "active",
    "tradable": True,
    "min_order_size": "0.000013047",
    "min_trade_increment": "0.000000001",
    "price_increment": "0.000000001",
}
POSITION: dict[str, Any] = {
    "asset_id": "276e2673-764b-4ab6-a611-caf665ca6340",
    "symbol": "BTCUSD",
    "exchange": "CRYPTO",
    "asset_class": "crypto",
    "avg_entry_price": "19660.5738784516887649",
    "qty": "2.61937",
    "qty_available": "2.5",
    "side": "long",
}
ACCOUNT: dict[str, Any] = {
    "account_number": "PA0000000000",
    "buying_power": "400000",
    "cash": "100000",
    "crypto_status": "ACTIVE",
    "crypto_tier": 1,
    "non_marginable_buying_power": "99990.5",
    "status": "ACTIVE",
    "account_blocked": False,
    "trade_suspended_by_user": False,
    "trading_blocked": False,
}
QUOTE: dict[str, Any] = {
    "T": "q",
    "S": "BAT/USD",
    "bp": 0.35718,
    "bs": 13445.46,
    "ap": 0.3581,
    "as": 13561.902,
    "t": "2024-03-12T10:29:43.111588173Z",
}
