"""Limits for all assets together, on both stores; thirty assets at once can't pass them."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import cast

import pytest

from dca_bot.core.earnings import result_of
from dca_bot.core.model import Allowed, AssetState, Cycle, CycleStatus, OrderKind
from dca_bot.core.records import EventKind
from dca_bot.program.errors import (
    CycleChanged,
    DcaError,
    LossLimitReached,
    OrderRefused,
    OrderWithheld,
    StoreUnavailable,
)
from dca_bot.program.settings import DatabaseSettings
from dca_bot.store.memory_store import MemoryStore
from dca_bot.store.mysql_store import MySqlStore
from dca_bot.trading.books import Books
from dca_bot.trading.budget import Budget, allow, pause_for_losses
from dca_bot.trading.by_hand import Hand
from dca_bot.trading.ports import Store, Transaction
from dca_bot.trading.trader import Trader
from tests.builders import NOW, TestClock, a_cycle, an_asset, rules_of
from tests.fakes import FakeBroker
from tests.store.sql_helpers import MySqlWorld

THIRTY = [f"COIN{number}/USD" for number in range(1, 31)]


@pytest.fixture(params=["memory", "mysql"])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    assets = [an_asset(asset_id=n, symbol=each) for n, each in enumerate(THIRTY, start=1)]
    if request.param == "memory":
        yield MemoryStore(assets)
        return
    database: DatabaseSettings = request.getfixturevalue("database")
    world = MySqlWorld(database)
    for asset in assets:
        world.put_asset(asset)
    with MySqlStore(database, pool_size=8) as shared:
        yield shared
    world.close()


class Market:
    """Thirty assets whose quotes come at the same moment."""

    def __init__(self, store: Store, budget: Budget) -> None:
        self.store, self.clock = store, TestClock()
        self.broker = FakeBroker(*THIRTY, clock=self.clock)
        rules = {each: rules_of(each) for each in THIRTY}
        self.trader = Trader(store, self.broker, self.clock, rules, budget=budget)
        for state in store.assets():
            self.trader.books.open_cycle(state.asset.asset_id)

    def fall(self, price: int) -> list[str]:
        """Every asset sees the price; what kept those that did not buy."""

        def see(state: AssetState) -> str:
            quote = self.broker.quote(state.asset.symbol, price, price)
            try:
                self.trader.on_quote(state, quote)
            except OrderRefused as refusal:
                return str(refusal)
            return ""

        with ThreadPoolExecutor(8) as pool:
            refused = [line for line in pool.map(see, self.store.assets()) if line]
        for update in self.broker.updates:
            order = self.store.order(update.client_order_id)
            assert order is not None
            self.trader.books.on_update(order.asset_id, update)
        return refused

    @property
    def bought(self) -> int:
        return len(self.broker.submitted)


def test_thirty_at_once_do_not_begin_more_cycles_than_they_may(store: Store) -> None:
    market = Market(store, Budget(active_cycles_max=7))
    refused = market.fall(100)
    assert (market.bought, len(refused)) == (7, 23)
    assert "MAX_ACTIVE_CYCLES is 7" in refused[0]
    assert len(market.fall(100)) == 23


def test_thirty_at_once_do_not_invest_more_than_they_may(store: Store) -> None:
    market = Market(store, Budget(invested_max=Decimal(105)))
    refused = market.fall(100)
    assert (market.bought, len(refused)) == (5, 25)
    assert "MAX_INVESTED of 105" in refused[0]


def test_safety_orders_count_too_but_not_as_cycles(store: Store) -> None:
    market = Market(store, Budget(active_cycles_max=2, invested_max=Decimal(70)))
    market.fall(100)
    market.clock.pass_by(1)
    market.fall(50)
    assert sorted(str(order.kind) for order in market.broker.submitted) == [
        "base",
        "base",
        "safety",
    ]


def test_a_cooldown_goes_on_when_a_limit_forbids_its_restart(store: Store) -> None:
    market = Market(store, Budget(active_cycles_max=1))
    with store.transaction(1) as tx:
        assert tx.cycle is not None
        tx.save_cycle(tx.cycle, replace(tx.cycle, status=CycleStatus.COOLDOWN))
        tx.set_last_sell_price(Decimal(100))
    state = store.assets()[1]
    market.trader.on_quote(state, market.broker.quote(state.asset.symbol, 100, 100))
    state = store.assets()[0]
    quote = market.broker.quote(state.asset.symbol, 90, 90)
    with pytest.raises(OrderWithheld, match="MAX_ACTIVE_CYCLES"):
        market.trader.on_quote(state, quote)
    [state, *_] = store.assets()
    assert state.cycle is not None
    assert state.cycle.status is CycleStatus.COOLDOWN


def lose(store: Store, asset_id: int, amount: str, **changes: object) -> None:
    """A cycle of an asset ended with a loss."""
    with store.transaction(asset_id) as tx:
        assert tx.cycle is not None
        done = replace(tx.cycle, status=CycleStatus.COMPLETE, completed_at=NOW)
        tx.save_cycle(tx.cycle, done)
        result = result_of(tx.asset, done, ())
        tx.put_result(replace(result, net=-Decimal(amount), **changes))  # type: ignore[arg-type]
        tx.add_cycle(Cycle(0, asset_id, CycleStatus.WATCHING))


def test_a_day_that_has_lost_enough_pauses_everything(store: Store) -> None:
    market = Market(store, Budget(daily_loss_max=Decimal(50)))
    lose(store, 1, "49.99")
    lose(store, 2, "1000", completed_at=NOW.replace(hour=0) - (NOW - NOW.replace(hour=11)))
    state = store.assets()[2]
    quote = market.broker.quote(state.asset.symbol, 100, 100)
    assert market.trader.on_quote(state, quote).order is not None
    lose(store, 1, "0.01")
    state = store.assets()[3]
    quote = market.broker.quote(state.asset.symbol, 100, 100)
    with pytest.raises(LossLimitReached, match=r"50.00 were lost today"):
        market.trader.on_quote(state, quote)
    assert {each.asset.allowed for each in store.assets()} == {Allowed.EXIT}
    assert market.bought == 1


def close(market: Market, asset_id: int, budget: Budget) -> None:
    """Sell by hand what an asset holds, until that is over."""
    rules = {each: rules_of(each) for each in THIRTY}
    hand = Hand(market.store, market.broker, market.clock, rules, budget)
    while not hand.close(asset_id).is_over:
        pass


def test_the_sale_that_reaches_the_limit_pauses_everything_at_once(store: Store) -> None:
    budget = Budget(daily_loss_max=Decimal(4))
    market = Market(store, budget)
    market.fall(100)
    market.clock.pass_by(1)
    for symbol in THIRTY:
        market.broker.quote(symbol, 90, 90)
    close(market, 1, budget)  # about 2.10 of 20
    assert {each.asset.allowed for each in store.assets()} == {Allowed.ALL}
    close(market, 2, budget)
    assert {each.asset.allowed for each in store.assets()} == {Allowed.EXIT}


def test_sales_of_the_same_moment_see_each_others_losses(store: Store) -> None:
    budget = Budget(daily_loss_max=Decimal(16))
    market = Market(store, budget)
    market.fall(100)
    market.clock.pass_by(1)
    for symbol in THIRTY:
        market.broker.quote(symbol, 90, 90)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda asset_id: close(market, asset_id, budget), range(1, 9)))
    assert {each.asset.allowed for each in store.assets()} == {Allowed.EXIT}


def test_who_resumes_on_the_same_day_may_lose_as_much_again(store: Store) -> None:
    budget = Budget(daily_loss_max=Decimal(4))
    market = Market(store, budget)
    market.fall(100)
    for symbol in THIRTY:
        market.broker.quote(symbol, 90, 90)
    for asset_id in (1, 2):
        close(market, asset_id, budget)
    for state in store.assets():
        assert state.asset.allowed_before is Allowed.ALL
        allow(store, market.clock, state.asset.asset_id, Allowed.ALL, "by hand")
    market.clock.pass_by(1)
    state = store.assets()[4]
    quote = market.broker.quote(state.asset.symbol, 80, 80)
    assert market.trader.on_quote(state, quote).order is not None
    close(market, 3, budget)
    assert store.assets()[0].asset.allowed is Allowed.ALL
    close(market, 4, budget)
    assert {each.asset.allowed for each in store.assets()} == {Allowed.EXIT}


def test_a_loss_before_midnight_counts_when_it_is_booked_after_it(store: Store) -> None:
    budget = Budget(daily_loss_max=Decimal(50))
    midnight = NOW.replace(hour=0) + timedelta(days=1)
    ended = a_cycle(completed_at=midnight - timedelta(minutes=2))
    Market(store, budget)
    lose(store, 1, "50", completed_at=ended.completed_at)
    budget.minding_losses(store, TestClock(midnight + timedelta(minutes=5)))(ended)
    assert {each.asset.allowed for each in store.assets()} == {Allowed.EXIT}


@pytest.mark.parametrize("trouble", [StoreUnavailable("locked"), CycleChanged("a deadlock")])
def test_a_row_that_can_not_be_paused_keeps_no_other_from_its_pause(
    store: Store, trouble: DcaError
) -> None:
    Market(store, Budget())
    lose(store, 1, "50")
    stuck = Stuck(store, 7, trouble)
    with pytest.raises(type(trouble)):
        pause_for_losses(cast(Store, stuck), TestClock(), 1, "lost")
    waiting = [each.asset.asset_id for each in store.assets() if each.asset.allowed is Allowed.ALL]
    assert waiting == [7]
    with store.transaction(1) as tx:
        realised = tx.exposure(NOW.replace(hour=0)).realised
    assert realised == -50  # it counts on, so the next BUY comes back to it


class Stuck:
    """A store in which one asset's row can't be written."""

    def __init__(self, store: Store, asset_id: int, trouble: DcaError) -> None:
        self._store, self._asset_id, self._trouble = store, asset_id, trouble

    def transaction(self, asset_id: int) -> AbstractContextManager[Transaction]:
        if asset_id == self._asset_id:
            raise self._trouble
        return self._store.transaction(asset_id)

    def assets(self) -> Sequence[AssetState]:
        return self._store.assets()


def test_a_pause_of_all_keeps_what_was_set_for_one_alone(store: Store) -> None:
    def set_to(allowed: Allowed, *asset_ids: int, with_all: bool = False) -> None:
        for asset_id in asset_ids:
            allow(store, TestClock(), asset_id, allowed, "by hand", with_all=with_all)

    set_to(Allowed.EXIT, 1)
    set_to(Allowed.CYCLE, 2)
    set_to(Allowed.EXIT, 1, 2, 3, 4, with_all=True)
    set_to(Allowed.EXIT, 4)
    before = [each.asset.allowed_before for each in store.assets()[:4]]
    assert before == [None, Allowed.CYCLE, Allowed.ALL, None]


def test_a_pause_of_all_keeps_what_sql_has_set_since_the_last_one(store: Store) -> None:
    with store.transaction(1) as tx:
        tx.set_allowed(Allowed.ALL, Allowed.CYCLE)
    with store.transaction(2) as tx:
        tx.set_allowed(Allowed.CYCLE, Allowed.ALL)
    for asset_id in (1, 2):
        allow(store, TestClock(), asset_id, Allowed.EXIT, "by hand", with_all=True)
    before = [each.asset.allowed_before for each in store.assets()[:2]]
    assert before == [Allowed.ALL, Allowed.ALL]


def test_a_caretaker_that_books_the_sale_pauses_as_well(store: Store) -> None:
    budget = Budget(daily_loss_max=Decimal(2))
    market = Market(store, Budget())
    market.fall(100)
    market.clock.pass_by(1)
    market.broker.quote(THIRTY[0], 90, 90)
    market.broker.holds_fills = True
    Hand(store, market.broker, market.clock, {each: rules_of(each) for each in THIRTY}).close(1)
    market.broker.release_fills()
    [live] = store.live_orders()
    on_end = budget.minding_losses(store, market.clock)
    Books(store, market.broker, market.clock, on_end).settle(live)
    assert {each.asset.allowed for each in store.assets()} == {Allowed.EXIT}


def test_what_may_be_invested_may_be_invested_to_the_last_cent() -> None:
    store = MemoryStore([an_asset()])
    with store.transaction(1) as tx:
        Budget(invested_max=Decimal(20)).check(tx, OrderKind.BASE, Decimal(20), NOW)
    refused = pytest.raises(OrderWithheld, match=r"0.00 are invested, 20.01 more")
    with refused, store.transaction(1) as tx:
        Budget(invested_max=Decimal(20)).check(tx, OrderKind.BASE, Decimal("20.01"), NOW)


def test_what_an_asset_may_do_stands_in_its_story_once() -> None:
    store = MemoryStore([an_asset()])
    for _ in range(2):
        assert allow(store, TestClock(), 1, Allowed.EXIT, "by hand") is not None
    [(_, event)] = store.events
    assert event.kind is EventKind.ALLOWED
    assert event.cycle_id == 0
    assert event.sentence == "paused: no BUYs, take profits go on (was all): by hand"


def test_the_story_of_a_cycle_has_what_its_asset_may_do() -> None:
    store = MemoryStore([an_asset()])
    with store.transaction(1) as tx:
        cycle = tx.add_cycle(Cycle(0, 1, CycleStatus.WATCHING))
    allow(store, TestClock(), 1, Allowed.CYCLE, "by hand")
    assert store.events[-1][1].cycle_id == cycle.cycle_id


def test_a_day_begins_at_midnight_to_the_second() -> None:
    store = MemoryStore([an_asset()])
    Market(store, Budget())
    lose(store, 1, "50", completed_at=NOW.replace(hour=0, minute=0, second=0, microsecond=0))
    with pytest.raises(LossLimitReached), store.transaction(1) as tx:
        Budget(daily_loss_max=Decimal(50)).check(tx, OrderKind.BASE, Decimal(20), NOW)


def test_what_is_set_for_one_alone_is_kept_for_no_resumption_of_all() -> None:
    store, clock = MemoryStore([an_asset()]), TestClock()
    allow(store, clock, 1, Allowed.EXIT, "by hand")
    assert store.assets()[0].asset.allowed_before is None
    allow(store, clock, 1, Allowed.ALL, "by hand")
    Hand(store, FakeBroker(), clock, {}).allow(1, Allowed.CYCLE, "by hand")
    assert store.assets()[0].asset.allowed_before is None


def test_a_loss_that_pauses_all_is_reported_once(caplog: pytest.LogCaptureFixture) -> None:
    store = MemoryStore([an_asset()])
    for _ in range(2):
        pause_for_losses(store, TestClock(), 1, "50.00 were lost today")
    assert [(each.levelname, each.getMessage()) for each in caplog.records] == [
        ("ERROR", "50.00 were lost today")
    ]
