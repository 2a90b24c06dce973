"""The in-memory store keeps the contract of the real one."""

import threading
from dataclasses import replace
from decimal import Decimal

import pytest

from dca_bot.core.model import Asset
from dca_bot.program.errors import RowLocked
from dca_bot.store.memory_store import MemoryStore
from tests.store.store_contract import StoreContract, World, make_asset, start_cycle


class MemoryWorld:
    def __init__(self) -> None:
        self.store = MemoryStore()

    def put_asset(self, asset: Asset) -> None:
        self.store.put_asset(asset)

    def delete_asset(self, asset_id: int) -> None:
        self.store.delete_asset(asset_id)

    def events(self) -> list[tuple[str, str]]:
        return [(symbol, event.sentence) for symbol, event in self.store.events]

    def results(self) -> list[tuple[int, Decimal, Decimal | None]]:
        return [(each.cycle_id, each.fees, each.net) for each in self.store.results.values()]


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def world(self) -> World:
        return MemoryWorld()


def test_a_locked_asset_makes_the_next_one_wait_and_then_give_up() -> None:
    store = MemoryStore([make_asset(1), make_asset(2)], lock_wait_seconds=0.01)
    with store.transaction(1):
        start_cycle(store, 2)
        with pytest.raises(RowLocked), store.transaction(1):
            pass


def test_threads_add_up() -> None:
    store = MemoryStore([make_asset(1)])
    start_cycle(store)

    def count_to_hundred() -> None:
        for _ in range(100):
            with store.transaction(1) as tx:
                assert tx.cycle
                more = tx.cycle.safety_orders + 1
                tx.save_cycle(tx.cycle, replace(tx.cycle, safety_orders=more))

    threads = [threading.Thread(target=count_to_hundred) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    cycle = store.assets()[0].cycle
    assert cycle
    assert cycle.safety_orders == 400
