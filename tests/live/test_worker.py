"""One asset's worker, by itself: whatever goes wrong in a piece of work, the next one comes."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager

from dca_bot.live.worker import Worker, WorkerContext
from dca_bot.store.memory_store import MemoryStore, MemoryTransaction
from dca_bot.trading.trader import Trader
from tests.builders import TestClock, an_asset, an_order, an_update, rules_of
from tests.fakes import FakeBroker
from tests.live.test_assets import until


class BrokenStore(MemoryStore):
    """Fails as nobody expected, so many times."""

    failures = 0
    locks = 0

    def transaction(self, asset_id: int) -> AbstractContextManager[MemoryTransaction]:
        if self.failures:
            self.failures -= 1
            raise RuntimeError("no one expected this")
        self.locks += 1
        return super().transaction(asset_id)


def test_a_reading_that_fails_unexpectedly_does_not_leave_the_worker_busy_for_ever() -> None:
    async def scenario() -> None:
        store, broker = BrokenStore([an_asset()]), FakeBroker()
        trader = Trader(store, broker, TestClock(), {"BTC/USD": rules_of("BTC/USD")})
        with ThreadPoolExecutor(1) as pool:
            context = WorkerContext(
                trader=trader,
                store=store,
                pool=pool,
                loop=asyncio.get_running_loop(),
                on_store_trouble=lambda: None,
                on_refusal=lambda: None,
            )
            [state] = store.assets()
            worker = Worker(state, context)
            store.failures = 2  # the update's own work, and the reading after it
            worker.put_update(an_update(an_order(), "canceled"))
            await until(lambda: not worker.is_busy)
            assert store.failures == 0
            worker.put_update(an_update(an_order(), "canceled"))
            await until(lambda: store.locks > 0 and not worker.is_busy)

    asyncio.run(asyncio.wait_for(scenario(), 20))
