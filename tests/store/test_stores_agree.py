"""Random work, done on both stores: whatever the real one answers, the one in memory answers."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from random import Random

import pytest

from dca_bot.core.model import Cycle, CycleStatus, Order, OrderStatus
from dca_bot.program.errors import CycleChanged
from dca_bot.store.memory_store import MemoryStore
from dca_bot.store.mysql_store import MySqlStore
from dca_bot.trading.ports import Store, Transaction
from tests.store.store_contract import NOON, make_asset, make_cycle, make_order

Step = Callable[[Transaction], object]
ASSETS = (1, 2)


class GivenUp(Exception):
    """Ends a transaction in the middle."""


class Script:
    """A random sequence of transactions, drawn from what both stores hold."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self._cycles = [make_cycle(asset_id, cycle_id=4711) for asset_id in ASSETS]
        self._orders = [make_order(cycle, 0) for cycle in self._cycles]

    def transaction(self, number: int) -> tuple[int, list[Step]]:
        """The asset, and one to four things to do with it."""
        asset_id = self._random.choice(ASSETS)
        return asset_id, [self._step(asset_id, number) for _ in range(self._random.randint(1, 4))]

    def learn(self, found: list[object]) -> None:
        """Remember what the last transaction returned, so that later ones can touch it."""
        self._cycles += [each for each in found if isinstance(each, Cycle)]
        self._orders += [each for each in found if isinstance(each, Order)]

    def _step(self, asset_id: int, number: int) -> Step:
        cycle = self._pick(self._cycles, asset_id)
        order = self._pick(self._orders, asset_id)
        new_cycle = self._changed_cycle(make_cycle(asset_id, created_at=NOON))
        new_order = replace(make_order(cycle, number), status=self._random.choice([*OrderStatus]))
        after = self._changed_cycle(cycle)
        filled = replace(
            order,
            status=self._random.choice([*OrderStatus]),
            filled_quantity=Decimal(self._random.choice([0, 0, 1])),
        )
        price = Decimal(self._random.randint(1, 3))
        steps: list[Step] = [
            lambda tx: tx.add_cycle(new_cycle),
            lambda tx: tx.save_cycle(cycle, after) or after,
            lambda tx: tx.add_order(new_order) or new_order,
            lambda tx: tx.save_order(order, filled) or filled,
            lambda tx: tx.set_last_sell_price(price),
            lambda tx: (tx.previous_cycle(), tx.live_order(), tx.cycle, tx.asset),
            lambda tx: (tx.cycle_by_id(cycle.cycle_id), tx.order(order.client_order_id)),
            _give_up,
        ]
        return self._random.choices(steps, weights=[5, 5, 4, 5, 1, 3, 2, 1])[0]

    def _pick(self, known: list, asset_id: int):  # type: ignore[no-untyped-def,type-arg]
        # mostly the newest, or else hardly any compare-and-set would succeed
        mine = [each for each in known if each.asset_id == asset_id]
        return self._random.choice(mine[-3:])

    def _changed_cycle(self, cycle: Cycle) -> Cycle:
        done = NOON + timedelta(minutes=self._random.randint(0, 5))
        return replace(
            cycle,
            status=self._random.choice([*CycleStatus]),
            safety_orders=self._random.choice([0, 1]),
            latest_order_id=self._random.choice([None, "b0b6"]),
            completed_at=self._random.choice([None, done]),
        )


def _give_up(tx: Transaction) -> None:
    tx.live_order()  # before a read, waiting writes are sent, and say what they have to say
    raise GivenUp


def perform(store: Store, asset_id: int, steps: list[Step]) -> list[object]:
    """What each step returned, and what ended it."""
    found: list[object] = []
    try:
        with store.transaction(asset_id) as tx:
            found += [step(tx) for step in steps]
    except (CycleChanged, GivenUp) as error:
        return [type(error)]
    return found


def everything(store: Store) -> object:
    return store.assets(), store.live_orders()


@pytest.mark.parametrize("seed", range(8))
def test_both_stores_answer_alike(mysql_store: MySqlStore, seed: int) -> None:
    memory = MemoryStore(make_asset(asset_id) for asset_id in ASSETS)
    script = Script(seed)
    for number in range(1, 61):
        asset_id, steps = script.transaction(number)
        real, imitated = perform(mysql_store, asset_id, steps), perform(memory, asset_id, steps)
        assert imitated == real, f"seed {seed}, transaction {number}"
        assert everything(memory) == everything(mysql_store), f"seed {seed}, number {number}"
        script.learn(real)
