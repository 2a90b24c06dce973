"""The broker contract on the real thing, which here trades on the simulated exchange."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dca_bot.broker.rate_limit import RateLimiter
from dca_bot.broker.rest import AlpacaBroker
from dca_bot.program.settings import AlpacaSettings
from tests.broker.broker_contract import BTC, BrokerContract, World
from tests.helpers import Simulator, eventually


class SimulatedWorld(World):
    def __init__(self, exchange: Simulator) -> None:
        self.exchange = exchange
        exchange.post("/sim/reset", {"walk": False})
        exchange.post("/sim/release", {})
        self.quote("64000", "64100")
        settings = AlpacaSettings(
            exchange.key_id,
            exchange.secret_key,
            exchange.base_url,
            exchange.base_url,
            exchange.base_url.replace("http", "ws", 1),
        )
        self.broker: AlpacaBroker = AlpacaBroker(settings, RateLimiter(60_000))

    def quote(self, bid: str, ask: str, symbol: str = BTC) -> None:
        self.exchange.post("/sim/quote", {"symbol": symbol, "bid": bid, "ask": ask})

    def hold_fills(self) -> None:
        self.exchange.post("/sim/hold", {})

    def fill(self, client_order_id: str, quantity: str, price: str) -> None:
        body = {"qty": quantity, "price": price}
        self.exchange.post(f"/sim/orders/{client_order_id}/fill", body)

    def expire(self, client_order_id: str) -> None:
        self.exchange.post(f"/sim/orders/{client_order_id}/finish", {"status": "expired"})

    def edit(self, client_order_id: str, *, limit: str) -> str:
        def resting() -> list[str]:
            return [
                each["id"]
                for each in self.exchange.get("/v2/orders")
                if client_order_id in (each["client_order_id"], each["id"])
                and each["status"] in ("new", "partially_filled")
            ]

        [found] = eventually(resting)
        return str(self.exchange.patch(f"/v2/orders/{found}", {"limit_price": limit})["id"])

    def lose_answer(self, *, taken: bool) -> None:
        name = "reset_after_accepting" if taken else "reset"
        body = {"name": name, "count": 1, "params": {"method": "POST"}}
        self.exchange.post("/sim/faults", body)

    def break_down(self) -> None:
        body = {"name": "server_error", "count": 1, "params": {"status": 502, "body": "html"}}
        self.exchange.post("/sim/faults", body)


@pytest.fixture
def world(still_exchange: Simulator) -> Iterator[World]:
    world = SimulatedWorld(still_exchange)
    yield world
    world.broker.close()


class TestAlpacaBroker(BrokerContract):
    """See broker_contract.py."""
