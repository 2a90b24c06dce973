"""The user, who edits rows by SQL and trades on Alpaca's site while the bot runs.

Rule: what is done for a while is put back by the user, later or when the sea is calm.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from dataclasses import replace
from decimal import ROUND_DOWN, Decimal
from typing import Any

from alpaca_simulator.exchange.account import CASH
from alpaca_simulator.exchange.ledger import Place
from alpaca_simulator.exchange.orders import Side
from dca_bot.core.model import Allowed, Asset, AssetState, CycleStatus
from dca_bot.core.position import most_it_could_hold
from dca_bot.store.memory_store import MemoryStore
from tests.proofs.storms.mishaps import Calm
from tests.proofs.storms.venue import Venue
from tests.proofs.storms.virtual_time import VirtualLoop
from tests.proofs.storms.watcher import Watcher

EVERY_SECONDS = 30.0
TICK = Decimal("0.000000001")
A_WHILE = (30.0, 900.0)
SHARES = ("0.01", "0.3", "1", "30")  # of what is held; nobody sells more than that
AT_ONCE = 1.0  # sooner than main_app.py reads the rows again


class Hand:
    def __init__(
        self,
        loop: VirtualLoop,
        store: MemoryStore,
        venue: Venue,
        watcher: Watcher,
        mishaps: Calm,
        *,
        seed: int,
        spare: list[Asset],
    ) -> None:
        self._loop = loop
        self._store = store
        self._venue = venue
        self._watcher = watcher
        self._mishaps = mishaps
        self._dice = random.Random(f"hand:{seed}")
        self._spare = spare
        self._new_ids = itertools.count(100)
        self._to_put_back: list[Callable[[], None]] = []
        self._moods: dict[str, Callable[[AssetState], None]] = {
            "asset disabled for a while": lambda state: self._for_a_while(state, is_enabled=False),
            "asset paused": self._pause,
            "asset unusable for a while": lambda state: self._for_a_while(
                state, base_order_amount=Decimal(5), safety_order_amount=Decimal(-1)
            ),
            "asset edited": self._edit,
            "asset inserted": self._insert,
            "asset deleted": self._delete,
            "cycle's order forgotten": lambda state: self._edit_cycle(state, latest_order_id=None),
            "cycle set to watching": lambda state: self._edit_cycle(
                state, status=CycleStatus.WATCHING, latest_order_id=None
            ),
            "bought by hand": lambda state: self._trade(state, Side.BUY),
            "sold by hand": lambda state: self._trade(state, Side.SELL),
            "coins deposited": self._deposit,
            "coins withdrawn for a while": self._withdraw_coins,
            "order by hand": self._order,
            "cash withdrawn for a while": self._withdraw,
            "order edited by hand": self._edit_order,
        }

    def begin(self) -> None:
        self._loop.call_later(EVERY_SECONDS, self._tick)

    def put_back(self) -> None:
        """Mend every row, bring every dollar back, and let cycles begin at any price."""
        for undo in list(self._to_put_back):
            self._put_back(undo)
        for state in self._store.assets():
            self._put(state.asset.asset_id, min_start_price=None, max_start_price=None)

    def follow_advice(self) -> None:
        """Sell what the log says is nobody's: a position of an asset whose cycle holds nothing, and
        what is beyond a cycle's whole ladder."""
        for state in self._store.assets():
            coin = state.asset.symbol.partition("/")[0]
            is_idle = state.cycle is None or (
                state.cycle.quantity <= 0 and state.cycle.status is not CycleStatus.BUYING
            )
            held = surplus = self._venue.held(coin)
            if not is_idle and state.cycle is not None:
                is_too_much = held > most_it_could_hold(state.asset, state.cycle)
                surplus = held - state.cycle.quantity if is_too_much else Decimal(0)
            if surplus > 0:
                self._watcher.traded_by_hand(state.asset.symbol, None)
                self._venue.trade_by_hand(state.asset.symbol, Side.SELL, surplus)

    def _tick(self) -> None:
        for name, deed in self._moods.items():
            states = self._store.assets()
            if states and self._mishaps.strikes(name):
                deed(self._dice.choice(states))
        self._loop.call_later(EVERY_SECONDS, self._tick)

    def _for_a_while(self, state: AssetState, **columns: Any) -> None:
        before = {name: getattr(state.asset, name) for name in columns}
        asset_id = state.asset.asset_id
        if _is_as_it_should_be(state.asset):
            self._put(asset_id, **columns)
            self._put_back_later(lambda: self._put(asset_id, **before))

    def _pause(self, state: AssetState) -> None:
        """By SQL; the person at the terminal resumes it."""
        if _is_as_it_should_be(state.asset):
            allowed = self._dice.choice((Allowed.EXIT, Allowed.CYCLE))
            self._put(state.asset.asset_id, allowed=allowed)

    def _put_back_later(self, undo: Callable[[], None], seconds: float = 0) -> None:
        self._to_put_back.append(undo)
        self._loop.call_later(seconds or self._dice.uniform(*A_WHILE), self._put_back, undo)

    def _put_back(self, undo: Callable[[], None]) -> None:
        if undo in self._to_put_back:
            self._to_put_back.remove(undo)
            undo()

    def _put(self, asset_id: int, **columns: Any) -> None:
        for state in self._store.assets():
            if state.asset.asset_id == asset_id:  # not deleted meanwhile
                self._store.put_asset(replace(state.asset, **columns))

    def _edit(self, state: AssetState) -> None:
        column, value = self._dice.choice(
            (
                ("take_profit_pct", Decimal(self._dice.randint(1, 20)) / 10),
                ("safety_order_deviation_pct", Decimal(self._dice.randint(2, 20)) / 10),
                ("max_safety_orders", self._dice.randint(0, 6)),
                ("safety_order_amount", Decimal(self._dice.randint(11, 60))),
                ("cooldown_seconds", self._dice.randint(0, 900)),
            )
        )
        if state.asset.safety_order_amount > 0:
            self._put(state.asset.asset_id, **{column: value})

    def _insert(self, _: AssetState) -> None:
        if self._spare:
            self._store.put_asset(self._spare.pop())

    def _delete(self, state: AssetState) -> None:
        """Delete the row, and insert it again after a while or at once; the id is a new one."""
        if not _is_as_it_should_be(state.asset):
            return
        self._watcher.deleted(state.asset.asset_id)
        self._store.delete_asset(state.asset.asset_id)
        again = replace(state.asset, asset_id=next(self._new_ids), last_sell_price=None)
        seconds = self._dice.choice((AT_ONCE, self._dice.uniform(*A_WHILE)))
        self._put_back_later(lambda: self._store.put_asset(again), seconds)

    def _edit_cycle(self, state: AssetState, **columns: Any) -> None:
        with self._store.transaction(state.asset.asset_id) as tx:
            if tx.cycle is not None and tx.cycle.status in (
                CycleStatus.BUYING,
                CycleStatus.SELLING,
            ):
                tx.save_cycle(tx.cycle, replace(tx.cycle, **columns))

    def _trade(self, state: AssetState, side: Side) -> None:
        coin = state.asset.symbol.partition("/")[0]
        held = self._venue.held(coin)
        quantity = (held * Decimal(self._dice.choice(SHARES))).quantize(TICK)
        if side is Side.SELL:
            quantity = min(quantity, held)
        if quantity > 0:
            cycle_id = state.cycle.cycle_id if state.cycle else None
            self._watcher.traded_by_hand(state.asset.symbol, cycle_id)
            self._venue.trade_by_hand(state.asset.symbol, side, quantity)

    def _order(self, state: AssetState) -> None:
        quote = self._venue.exchange.quotes.get(state.asset.symbol)
        if quote is not None:
            # far below the market: it rests until somebody cancels it
            limit = (quote.bid / 2).quantize(TICK)
            quantity = (Decimal(20) / limit).quantize(TICK)
            self._venue.order_by_hand(state.asset.symbol, quantity, limit)

    def _edit_order(self, state: AssetState) -> None:
        factor = Decimal(self._dice.choice(("0.97", "0.999", "1.001", "1.02")))
        self._venue.edit_by_hand(state.asset.symbol, factor)

    def _deposit(self, state: AssetState) -> None:
        quote = self._venue.exchange.quotes.get(state.asset.symbol)
        if quote is not None:
            worth = Decimal(self._dice.choice((5, 50, 20_000)))
            # what coins that come from elsewhere have cost, Alpaca need not know
            price = self._dice.choice((quote.bid, Decimal(0)))
            self._move_coins(state, (worth / quote.bid).quantize(TICK), price)

    def _withdraw_coins(self, state: AssetState) -> None:
        free = self._venue.exchange.account.ledger.free(state.asset.coin)
        amount = (free * Decimal(self._dice.choice(("0.3", "1")))).quantize(TICK, ROUND_DOWN)
        if amount > 0:
            price = self._venue.exchange.account.holding(state.asset.coin).average_price
            self._move_coins(state, -amount, price)
            self._put_back_later(lambda: self._move_coins(state, amount, price))

    def _move_coins(self, state: AssetState, amount: Decimal, price: Decimal) -> None:
        symbol = state.asset.symbol
        owners = [each for each in self._store.assets() if each.asset.symbol == symbol]
        cycle = owners[0].cycle if owners else None
        self._watcher.traded_by_hand(symbol, cycle.cycle_id if cycle else None)
        self._venue.transfer(state.asset.coin, amount, price=price)

    def _withdraw(self, _: AssetState) -> None:
        ledger = self._venue.exchange.account.ledger
        amount = ledger.free(CASH)
        ledger.move(CASH, amount, Place.FREE, Place.OUTSIDE)
        self._put_back_later(lambda: ledger.move(CASH, amount, Place.OUTSIDE, Place.FREE))


def _is_as_it_should_be(asset: Asset) -> bool:
    is_unrestrained = asset.is_enabled and asset.allowed is Allowed.ALL
    return is_unrestrained and asset.base_order_amount >= 10
