"""The broker contract on the fake that the trader's tests stand on."""

from __future__ import annotations

import pytest

from dca_bot.core.model import OrderStatus
from dca_bot.program.errors import BrokerUnavailable
from tests.broker.broker_contract import BTC, BrokerContract, World, buy
from tests.fakes import FakeBroker


class FakeWorld(World):
    def __init__(self) -> None:
        self.broker = self.fake = FakeBroker(BTC)
        self.fake.quote(BTC, 64000, 64100)

    def quote(self, bid: str, ask: str, symbol: str = BTC) -> None:
        self.fake.quote(symbol, bid, ask)

    def hold_fills(self) -> None:
        self.fake.holds_fills = True

    def fill(self, client_order_id: str, quantity: str, price: str) -> None:
        self.fake.fill(client_order_id, quantity, price)

    def expire(self, client_order_id: str) -> None:
        self.fake.end(client_order_id, OrderStatus.EXPIRED)

    def edit(self, client_order_id: str, *, limit: str) -> str:
        self.fake.edit(client_order_id, limit)
        return client_order_id

    def lose_answer(self, *, taken: bool) -> None:
        self.fake.lose_answer(taken=taken)

    def break_down(self) -> None:
        for verb in ("order", "open_orders", "holdings", "account", "rules"):
            self.fake.fail(verb, BrokerUnavailable("no answer"))


@pytest.fixture
def world() -> World:
    return FakeWorld()


class TestFakeBroker(BrokerContract):
    """See broker_contract.py."""


def test_a_fill_is_reported_before_the_submit_returns_and_with_the_position() -> None:
    broker = FakeBroker(BTC)
    broker.quote(BTC, 64000, 64100)
    heard: list[OrderStatus] = []
    broker.listener = lambda update: heard.append(update.status)
    answer = broker.submit(buy("0.001"), BTC)
    assert heard == [OrderStatus.OPEN, OrderStatus.FILLED]
    assert answer.status is OrderStatus.OPEN
    assert str(broker.updates[-1].position_quantity) == "0.000997500"
