"""One asset, its books in memory, an exchange in memory, and a clock that tests move."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from consistency_checker import check
from cooldown_manager import end_cooldowns
from dca_bot.caretakers.run import Run
from dca_bot.core.model import (
    AssetState,
    Cycle,
    CycleStatus,
    Order,
    OrderKind,
    OrderStatus,
    OrderUpdate,
)
from dca_bot.program.errors import OrderOutcomeUnknown
from dca_bot.program.settings import read_common_settings
from dca_bot.store.memory_store import MemoryStore
from dca_bot.trading.trader import Trader
from order_manager import manage
from tests.builders import BTC, TestClock, an_asset
from tests.fakes import FakeBroker

LIMITS = read_common_settings(environ={}, env_file=Path("/dev/null")).limits


class HandEditedStore(MemoryStore):
    """Rows that a hand has made unreadable: by asset id, what is wrong with them."""

    problems: Mapping[int, str] = {}

    def assets(self) -> Sequence[AssetState]:
        return [
            AssetState(state.asset, None, self.problems[state.asset.asset_id])
            if state.asset.asset_id in self.problems
            else state
            for state in super().assets()
        ]


class SmallWorld:
    """BTC/USD at 100, watched by a new cycle; `main_app` is the trader, when a test lets it act."""

    def __init__(self, **asset_columns: Any) -> None:
        self.clock = TestClock(datetime(2026, 1, 1, 12, tzinfo=UTC))
        self.broker = FakeBroker(BTC, clock=self.clock)
        self.store = HandEditedStore([an_asset(**asset_columns)], clock=self.clock)
        self.main_app = Trader(self.store, self.broker, self.clock, self.broker.asset_rules)
        self.slept: list[float] = []
        self.broker.quote(BTC, 100, 100)

    def hears(self, update: OrderUpdate) -> None:
        self.main_app.books.on_update(1, update)

    # -- what main_app.py or a user does

    def put_cycle(self, **columns: Any) -> Cycle:
        """Insert a cycle as a user's SQL would."""
        cycle = Cycle(0, 1, **{"status": CycleStatus.WATCHING} | columns)
        with self.store.transaction(1) as tx:
            return tx.add_cycle(cycle)

    def edit_cycle(self, **columns: Any) -> None:
        """Update the active cycle as a user's SQL would."""
        with self.store.transaction(1) as tx:
            assert tx.cycle is not None
            tx.save_cycle(tx.cycle, replace(tx.cycle, **columns))

    def trade(self, price: int | str = 100) -> Order | None:
        """Let main_app.py see a quote; what it orders stays open while `holds_fills`."""
        return self.main_app.on_quote(self.state, self.broker.quote(BTC, price, price)).order

    def trade_in_doubt(self, *, taken: bool, seconds: int) -> None:
        """The answer to an order is lost, and then some time passes."""
        self.broker.lose_answer(taken=taken)
        with pytest.raises(OrderOutcomeUnknown):
            self.trade()
        self.clock.pass_by(seconds)

    def listen(self) -> None:
        """From now on main_app.py hears of every fill at once."""
        self.broker.listener = self.hears

    def hold(self, quantity: str = "1", price: int = 100, **columns: Any) -> Cycle:
        """A watching cycle that holds coins, which Alpaca holds as well."""
        self.broker.hold(BTC, quantity, str(price))
        held = {
            "quantity": Decimal(quantity),
            "average_purchase_price": Decimal(price),
            "last_order_fill_price": Decimal(price),
        }
        return self.put_cycle(**held | columns)

    def order_by_hand(
        self,
        kind: OrderKind = OrderKind.BASE,
        quantity: str = "1",
        limit: str | None = "100",
        *,
        symbol: str = BTC,
    ) -> str:
        """Place an order on Alpaca's site; its id there."""
        order = Order(
            client_order_id=f"by-hand-{len(self.broker.submitted)}",
            asset_id=0,
            cycle_id=0,
            kind=kind,
            rung=0,
            quantity=Decimal(quantity),
            limit_price=None if limit is None else Decimal(limit),
            status=OrderStatus.INTENDED,
            created_at=self.clock(),
        )
        update = self.broker.submit(order, symbol)
        assert update.alpaca_order_id is not None
        return update.alpaca_order_id

    # -- the caretakers

    def manage_orders(self, *, dry_run: bool = False) -> int:
        return manage(
            self.store,
            self.broker,
            LIMITS,
            Run(dry_run=dry_run),
            clock=self.clock,
            sleep=self.sleep,
        )

    def check_consistency(self, *, dry_run: bool = False) -> int:
        this_run = Run(dry_run=dry_run)
        return check(self.store, self.broker, this_run, clock=self.clock, sleep=self.sleep)

    def end_cooldowns(self, *, dry_run: bool = False) -> int:
        return end_cooldowns(self.store, self.clock(), Run(dry_run=dry_run))

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.clock.pass_by(seconds)

    # -- what is to be seen

    @property
    def state(self) -> AssetState:
        return self.store.assets()[0]

    @property
    def cycle(self) -> Cycle:
        assert self.state.cycle is not None
        return self.state.cycle

    def cycle_by_id(self, cycle_id: int) -> Cycle:
        with self.store.transaction(1) as tx:
            cycle = tx.cycle_by_id(cycle_id)
        assert cycle is not None
        return cycle

    @property
    def open_ids(self) -> set[str]:
        return {order.client_order_id for order in self.broker.open_orders()}

    @property
    def cancels(self) -> int:
        return self.broker.calls.count("cancel")
