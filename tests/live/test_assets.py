"""All assets and their workers on a real event loop, with fakes of the database and of Alpaca."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence, Set
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from dca_bot.core.model import (
    Asset,
    AssetRules,
    AssetState,
    Cycle,
    CycleStatus,
    Order,
    OrderStatus,
    OrderUpdate,
)
from dca_bot.live.assets import Assets
from dca_bot.live.prices import LivePrices
from dca_bot.live.watch import NEVER_BUY
from dca_bot.live.worker import WorkerContext
from dca_bot.program.clock import Clock
from dca_bot.program.errors import BrokerUnavailable, RowLocked, StoreUnavailable
from dca_bot.store.memory_store import MemoryStore, MemoryTransaction
from dca_bot.trading.budget import NO_LIMITS, Budget
from dca_bot.trading.trader import Trader
from tests.builders import an_asset, an_order, an_update
from tests.fakes import FakeBroker
from tests.helpers import played_by

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
BTC = an_asset()
ETH = replace(BTC, asset_id=2, symbol="ETH/USD")


class Clockwork:
    """A clock that moves a millisecond each time it is read, as time does between two orders."""

    def __init__(self) -> None:
        self._now = NOW

    def __call__(self) -> datetime:
        self._now += timedelta(milliseconds=1)
        return self._now


class SlowBroker(FakeBroker):
    """Takes its time with each order, until it is told to answer."""

    def __init__(self, *symbols: str, clock: Clock) -> None:
        super().__init__(*symbols, clock=clock)
        self.asked, self.may_answer = threading.Event(), threading.Event()
        self.may_answer.set()

    def submit(self, order: Order, symbol: str) -> OrderUpdate:
        self.asked.set()
        self.may_answer.wait(20)
        return super().submit(order, symbol)


class CountingPool(ThreadPoolExecutor):
    """Knows how many pieces of work have been under way at the same time."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.most_at_once = 0
        self._under_way = 0
        self._lock = threading.Lock()

    def submit(self, *work: Any, **arguments: Any) -> Future[Any]:
        with self._lock:
            self._under_way += 1
            self.most_at_once = max(self.most_at_once, self._under_way)
        future = super().submit(*work, **arguments)
        future.add_done_callback(self._count_down)
        return future

    def _count_down(self, _: Future[Any]) -> None:
        with self._lock:
            self._under_way -= 1


class UnsteadyStore(MemoryStore):
    """Can be away, as a database can."""

    is_away = False
    locked: Set[int] = frozenset()  # asset ids whose row somebody else keeps locked
    readings = transactions = 0
    problems: Mapping[int, str] = {}  # by asset id, what a hand has made of its rows

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.has_read, self.may_answer = threading.Event(), threading.Event()
        self.may_answer.set()

    def assets(self) -> Sequence[AssetState]:
        if self.is_away:
            raise StoreUnavailable("away")
        self.readings += 1
        states = super().assets()
        self.has_read.set()
        self.may_answer.wait(20)
        return [
            replace(state, cycle=None, problem=self.problems[state.asset.asset_id])
            if state.asset.asset_id in self.problems
            else state
            for state in states
        ]

    def transaction(self, asset_id: int) -> AbstractContextManager[MemoryTransaction]:
        if self.is_away:
            raise StoreUnavailable("away")
        if asset_id in self.locked:
            raise RowLocked("it stays locked")
        self.transactions += 1
        return super().transaction(asset_id)


@dataclass
class World:
    store: UnsteadyStore
    broker: SlowBroker
    assets: Assets
    prices: LivePrices
    pool: CountingPool
    gaps: list[str]
    refusals: list[str]
    rules_of_alpaca: dict[str, AssetRules]  # what the bot has read of Alpaca's list
    trader: Trader

    def quote(self, symbol: str, bid: str, ask: str) -> None:
        """The exchange's price becomes this, and the stream says so."""
        self.broker.quote(symbol, bid, ask)
        self.tell(symbol, bid, ask)

    def tell(self, symbol: str, bid: str, ask: str, *, at: datetime = NOW) -> None:
        raw = {"T": "q", "S": symbol, "bp": float(bid), "ap": float(ask), "t": at.isoformat()}
        self.prices.on_quotes([raw])

    def late(self) -> set[str]:
        age_max = self.trader.quote_age_max
        return self.prices.late(self.assets.wanted_symbols(), NOW, age_max)

    def cycle(self, asset_id: int = 1) -> Cycle:
        with self.store.transaction(asset_id) as tx:
            assert tx.cycle is not None
            return tx.cycle

    async def idle(self) -> None:
        """Everything under way has come to its end, also what the broker told meanwhile."""
        for _ in range(3):
            await until(lambda: not self.assets.is_busy)
            await asyncio.sleep(0)

    async def bought(self) -> None:
        """A base order at 100 has filled."""
        self.quote("BTC/USD", "99.9", "100")
        await until(lambda: self.cycle().quantity > 0)
        await self.idle()


class SlowLoop(asyncio.SelectorEventLoop):
    """Its seconds last twenty: no pause ends because the machine stood still for a while."""

    def time(self) -> float:
        return super().time() / 20


class FastLoop(asyncio.SelectorEventLoop):
    """Twenty of its seconds pass in one."""

    def time(self) -> float:
        return super().time() * 20


def play(
    scenario: Callable[[World], Coroutine[Any, Any, None]],
    *listed: Asset,
    loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
    patience_seconds: float = 30,
    budget: Budget = NO_LIMITS,
) -> None:
    """Run a scenario whose broker sends its updates as the trade stream would."""

    async def run() -> None:
        loop = asyncio.get_running_loop()
        broker = SlowBroker("BTC/USD", "ETH/USD", "BTC/USDC", clock=lambda: NOW)
        # patient: a machine that stands still with the lock in its hand is no trouble of ours
        store = UnsteadyStore(listed or [BTC], lock_wait_seconds=60)
        gaps: list[str] = []
        refusals: list[str] = []
        rules = dict(broker.rules())
        with CountingPool(4) as pool:
            context = WorkerContext(
                trader=Trader(store, broker, Clockwork(), rules, budget=budget),
                store=store,
                pool=pool,
                loop=loop,
                on_store_trouble=lambda: gaps.append("store"),
                on_refusal=lambda: refusals.append("refused"),
            )
            prices = LivePrices()
            assets = Assets(context, prices, on_gap=lambda: gaps.append("gap"))

            def tell(update: OrderUpdate) -> None:
                loop.call_soon_threadsafe(assets.on_trade_update, as_message(update))

            broker.listener = tell
            await assets.refresh()
            await scenario(
                World(store, broker, assets, prices, pool, gaps, refusals, rules, context.trader)
            )
            assets.stop()

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(asyncio.wait_for(run(), patience_seconds))


def as_message(update: OrderUpdate) -> dict[str, Any]:
    """A trade update as Alpaca words it."""
    status = "new" if update.status == "open" else str(update.status)
    price = update.filled_average_price
    order = {
        "id": update.alpaca_order_id,
        "client_order_id": update.client_order_id,
        "symbol": update.symbol,
        "side": str(update.side),
        "status": status,
        "filled_qty": str(update.filled_quantity),
        "filled_avg_price": None if price is None else str(price),
        "created_at": NOW.isoformat(),
    }
    data: dict[str, Any] = {"event": status, "order": order}
    if update.position_quantity is not None:
        data["position_qty"] = str(update.position_quantity)
    return {"stream": "trade_updates", "data": data}


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - threads change what it looks at, and set no event
        await asyncio.sleep(0.005)


@played_by(play)
async def test_a_first_quote_makes_the_base_order_and_its_fill_is_booked(world: World) -> None:
    await world.bought()
    assert [order.kind for order in world.broker.submitted] == ["base"]
    assert world.cycle().status == "watching"
    assert world.cycle().quantity == Decimal("0.1995")


@played_by(play)
async def test_ten_thousand_quotes_while_alpaca_is_slow_make_one_order(world: World) -> None:
    world.broker.may_answer.clear()
    world.broker.holds_fills = True
    world.quote("BTC/USD", "99", "100")
    await until(world.broker.asked.is_set)
    for _ in range(10_000):
        world.tell("BTC/USD", "98", "99")
    world.broker.may_answer.set()
    await world.idle()
    world.tell("BTC/USD", "98", "99")
    await world.idle()
    assert len(world.broker.submitted) == 1


@played_by(play)
async def test_news_of_orders_waits_while_alpaca_is_slow(world: World) -> None:
    world.broker.may_answer.clear()
    world.quote("BTC/USD", "99", "100")
    await until(world.broker.asked.is_set)
    for _ in range(5):
        world.assets.on_trade_update(as_message(an_update(an_order(), "canceled")))
    # now, not later: a piece of work is told to have ended a moment before its thread has
    assert world.pool.most_at_once == 1
    world.broker.may_answer.set()
    await world.idle()


@played_by(play)
async def test_the_price_that_fell_while_the_order_was_under_way_is_acted_on(world: World) -> None:
    world.broker.holds_fills = True
    world.quote("BTC/USD", "99.9", "100")
    await until(lambda: len(world.broker.submitted) == 1)
    await world.idle()
    world.quote("BTC/USD", "97.9", "98")
    world.broker.fill(world.broker.submitted[0].client_order_id, price=Decimal(100))
    await until(lambda: len(world.broker.submitted) == 2)
    assert world.broker.submitted[1].kind == "safety"


@played_by(play)
async def test_a_disabled_asset_gets_no_order_of_any_kind(world: World) -> None:
    await world.bought()
    world.store.put_asset(replace(BTC, is_enabled=False))
    await world.assets.refresh()
    world.quote("BTC/USD", "101", "101.1")
    world.quote("BTC/USD", "90", "90.1")
    await world.idle()
    assert len(world.broker.submitted) == 1
    assert world.assets.wanted_symbols() == []


@played_by(play)
async def test_the_fill_of_an_asset_disabled_meanwhile_is_booked(world: World) -> None:
    world.broker.holds_fills = True
    world.quote("BTC/USD", "99.9", "100")
    await until(lambda: len(world.broker.submitted) == 1)
    await world.idle()
    world.store.put_asset(replace(BTC, is_enabled=False))
    await world.assets.refresh()
    world.broker.release_fills()
    await until(lambda: world.cycle().quantity > 0)


def test_an_unusable_row_never_stops_the_other_assets() -> None:
    broken = replace(BTC, base_order_amount=Decimal(-1))

    async def scenario(world: World) -> None:
        world.quote("BTC/USD", "99", "100")
        world.quote("ETH/USD", "9.9", "10")
        await until(lambda: world.cycle(2).quantity > 0)
        assert [order.asset_id for order in world.broker.submitted] == [2]

    play(scenario, broken, ETH)


@played_by(play, BTC, ETH)
async def test_trouble_of_one_asset_never_stops_the_others(world: World) -> None:
    world.broker.fail("submit", RuntimeError("no one expected this"))
    world.quote("BTC/USD", "99", "100")
    await until(lambda: "submit" in world.broker.calls)
    world.quote("ETH/USD", "9.9", "10")
    await until(lambda: world.cycle(2).quantity > 0)


@played_by(play)
async def test_an_asset_that_had_unexpected_trouble_goes_on(world: World) -> None:
    await world.bought()
    world.broker.fail("holdings", RuntimeError("no one expected this"))
    world.quote("BTC/USD", "101", "101.1")
    await until(lambda: world.broker.calls.count("holdings") == 2)
    await world.idle()
    world.store.put_asset(replace(BTC, cooldown_seconds=200))  # which ends the pause
    await world.assets.refresh()
    world.quote("BTC/USD", "101", "101.1")
    await until(lambda: world.cycle().status == "cooldown")


@played_by(play, loop_factory=FastLoop, patience_seconds=1200)
async def test_an_order_in_doubt_is_asked_about_though_its_cycle_is_edited_during_a_pause(
    world: World,
) -> None:
    world.broker.listener = lambda _: None  # its updates are lost as well
    world.broker.lose_answer(taken=True)
    world.broker.fail("order", BrokerUnavailable("502"))  # which pauses both sides
    world.quote("BTC/USD", "99.9", "100")
    await until(lambda: world.assets.seen()["BTC/USD"].sell_pause_seconds > 0)
    await world.idle()
    with world.store.transaction(1) as tx:
        assert tx.cycle is not None
        tx.save_cycle(tx.cycle, replace(tx.cycle, safety_orders=1))
    await world.assets.refresh()
    await until(lambda: world.cycle().quantity > 0)


@played_by(play)
async def test_a_database_that_was_away_makes_the_bot_ask_alpaca_once_it_is_back(
    world: World,
) -> None:
    world.store.is_away = True
    await world.assets.refresh()
    await world.assets.refresh()
    assert world.assets.database_trouble == "away"
    assert world.gaps == []
    world.store.is_away = False
    await world.assets.refresh()
    await world.assets.refresh()
    assert world.assets.database_trouble == ""
    assert world.gaps == ["gap"]


@played_by(play)
async def test_news_of_an_order_in_a_symbol_that_no_row_has_makes_the_bot_ask_alpaca(
    world: World,
) -> None:
    world.assets.on_trade_update(as_message(an_update(an_order(), "canceled", symbol="LTC/USD")))
    assert world.gaps == ["gap"]


@played_by(play)
async def test_news_of_somebody_elses_order_is_no_gap(world: World) -> None:
    theirs = an_order(client_order_id="by-hand")
    world.assets.on_trade_update(as_message(an_update(theirs, "canceled", symbol="LTC/USD")))
    assert world.gaps == []


@played_by(play)
async def test_news_of_an_order_that_a_cycle_names_makes_the_bot_ask_alpaca(world: World) -> None:
    by_sql = an_order(client_order_id="by-hand")
    with world.store.transaction(1) as tx:
        assert tx.cycle is not None
        named = replace(tx.cycle, status=CycleStatus.BUYING, latest_order_id="theirs")
        tx.save_cycle(tx.cycle, named)
    await world.assets.refresh()
    for order_id in ("another", "theirs"):
        update = an_update(by_sql, "canceled", alpaca_order_id=order_id)
        world.assets.on_trade_update(as_message(update))
    assert world.gaps == ["gap"]


@played_by(play)
async def test_an_order_that_a_hand_has_replaced_makes_the_bot_ask_alpaca(world: World) -> None:
    message = as_message(an_update(an_order(), "open"))
    message["data"]["order"] |= {"status": "replaced", "replaced_by": "another"}
    world.assets.on_trade_update(message)
    assert world.gaps == ["gap"]


@played_by(play)
async def test_news_that_cannot_be_read_of_somebody_elses_order_is_no_gap(world: World) -> None:
    strange = {"client_order_id": "by-hand", "id": "1", "status": "no such word"}
    world.assets.on_trade_update({"stream": "trade_updates", "data": {"order": strange}})
    assert world.gaps == []


@played_by(play, replace(BTC, take_profit_after_fees=True), ETH)
async def test_a_cycle_whose_numbers_give_no_price_stops_its_own_asset_alone(world: World) -> None:
    await world.bought()
    for fee_rate in (Decimal(1), None):
        with world.store.transaction(1) as tx:
            assert tx.cycle is not None
            tx.save_cycle(tx.cycle, replace(tx.cycle, fee_rate=fee_rate))
        await world.assets.refresh()
        world.quote("BTC/USD", "103", "103")
        world.quote("ETH/USD", "9.9", "10")
        await until(lambda: world.cycle(2).quantity > 0)
        await world.idle()
    await until(lambda: world.cycle().status == "cooldown")


@pytest.mark.parametrize(
    "numbers", [{"average_purchase_price": 0, "last_order_fill_price": 0}, {"quantity": -5}]
)
@played_by(play, BTC, ETH)
async def test_a_cycle_that_can_be_no_cycle_stops_its_own_asset_alone(
    world: World, caplog: pytest.LogCaptureFixture, numbers: dict[str, int]
) -> None:
    await world.bought()
    wrong = {name: Decimal(value) for name, value in numbers.items()}
    with world.store.transaction(1) as tx:
        assert tx.cycle is not None
        tx.save_cycle(tx.cycle, replace(tx.cycle, **wrong))  # type: ignore[arg-type]
    await world.assets.refresh()
    world.quote("BTC/USD", "90", "90")
    world.quote("ETH/USD", "9.9", "10")
    await until(lambda: world.cycle(2).quantity > 0)
    await world.idle()
    assert len([each for each in world.broker.submitted if each.asset_id == 1]) == 1
    assert f"{next(iter(numbers))} is {next(iter(wrong.values()))}" in caplog.text
    assert "correct row 1 of dca_cycles" in caplog.text


@pytest.mark.parametrize("scale", ["safety_order_step_scale", "safety_order_volume_scale"])
@played_by(play, BTC, ETH)
async def test_a_scale_of_zero_stops_the_buys_of_its_own_asset_alone(
    world: World, scale: str
) -> None:
    await world.bought()
    world.store.put_asset(replace(BTC, **{scale: Decimal(0)}))  # type: ignore[arg-type]
    await world.assets.refresh()
    world.quote("BTC/USD", "50", "50")
    world.quote("ETH/USD", "9.9", "10")
    await until(lambda: world.cycle(2).quantity > 0)
    await world.idle()
    world.quote("BTC/USD", "103", "103")
    await until(lambda: world.cycle().status == "cooldown")
    assert [order.kind for order in world.broker.submitted if order.asset_id == 1] == [
        "base",
        "take_profit",
    ]


@played_by(play)
async def test_an_update_that_cannot_be_read_makes_the_bot_ask_alpaca(world: World) -> None:
    strange = {"client_order_id": "dca-1-base-x", "id": "1", "status": "no such word"}
    world.assets.on_trade_update({"stream": "trade_updates", "data": {"order": strange}})
    assert world.gaps == ["gap"]


@played_by(play)
async def test_a_new_row_is_watched_and_a_deleted_one_is_forgotten(world: World) -> None:
    world.store.put_asset(ETH)
    await world.assets.refresh()
    assert world.assets.wanted_symbols() == ["BTC/USD", "ETH/USD"]
    world.quote("ETH/USD", "9.9", "10")
    await until(lambda: world.cycle(2).quantity > 0)
    world.store.delete_asset(1)
    await world.assets.refresh()
    assert world.assets.wanted_symbols() == ["ETH/USD"]
    world.quote("BTC/USD", "99", "100")
    await world.idle()
    assert [order.asset_id for order in world.broker.submitted] == [2]


@played_by(play)
async def test_a_row_deleted_and_inserted_again_between_two_readings_is_watched(
    world: World,
) -> None:
    world.store.delete_asset(1)
    world.store.put_asset(replace(BTC, asset_id=3))
    await world.assets.refresh()
    world.quote("BTC/USD", "99", "100")
    await until(lambda: world.cycle(3).quantity > 0)


@played_by(play, BTC, ETH)
async def test_two_rows_that_swap_their_symbols_are_both_watched(world: World) -> None:
    world.store.put_asset(replace(BTC, asset_id=2))
    world.store.put_asset(replace(ETH, asset_id=1))
    await world.assets.refresh()
    for symbol, asset_id in (("BTC/USD", 2), ("ETH/USD", 1)):
        world.quote(symbol, "99", "100")
        await until(lambda at=asset_id: world.cycle(at).quantity > 0)
        assert world.broker.submitted[-1].asset_id == asset_id


@played_by(play)
async def test_a_row_given_another_symbol_while_its_worker_is_busy_is_watched(world: World) -> None:
    world.broker.may_answer.clear()
    world.quote("BTC/USD", "99", "100")
    await until(world.broker.asked.is_set)
    world.store.put_asset(replace(BTC, symbol="ETH/USD"))
    world.broker.refuse("no")
    world.broker.may_answer.set()
    await world.idle()  # the worker has read the row before the assets are read
    assert world.late() == set()
    await world.assets.refresh()
    assert world.assets.wanted_symbols() == ["ETH/USD"]
    count = len(world.broker.submitted)
    world.quote("ETH/USD", "50", "51")
    await until(lambda: len(world.broker.submitted) > count)


@pytest.mark.parametrize("price", ["50", "200"])  # where it would buy more, and where it would sell
def test_coins_of_one_symbol_are_never_traded_as_those_of_another(
    price: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(world: World) -> None:
        await world.bought()
        world.broker.hold("ETH/USD", "5", "100")  # the user's own
        world.store.put_asset(replace(BTC, symbol="ETH/USD"))
        for _ in range(2):
            await world.assets.refresh()
        world.quote("ETH/USD", price, price)
        await world.idle()
        assert [order.asset_id for order in world.broker.submitted] == [1]
        assert world.assets.wanted_symbols() == []
        world.store.put_asset(BTC)
        await world.assets.refresh()
        world.quote("BTC/USD", "102", "103")
        await until(lambda: len(world.broker.submitted) == 2)

    play(scenario)
    told = [each.getMessage() for each in caplog.records if each.levelname in ("ERROR", "WARNING")]
    assert len(told) == 1
    assert "set asset_symbol back to BTC/USD" in told[0]


def test_a_row_that_is_deleted_while_a_quote_is_acted_on_is_no_trouble(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scenario(world: World) -> None:
        world.store.delete_asset(1)
        world.quote("BTC/USD", "99", "100")
        await world.idle()
        assert world.broker.submitted == []

    play(scenario)
    assert [r.getMessage() for r in caplog.records if r.levelname in ("ERROR", "WARNING")] == []


@played_by(play)
async def test_quotes_that_all_come_late_are_reported_in_words(world: World) -> None:
    world.tell("BTC/USD", "99", "100", at=NOW - timedelta(seconds=61))
    (words,) = world.late()
    assert "network" in words


@played_by(play, BTC, ETH)
async def test_one_timely_quote_is_enough_not_to_complain(world: World) -> None:
    world.tell("BTC/USD", "99", "100", at=NOW - timedelta(seconds=61))
    world.tell("ETH/USD", "9", "10")
    assert world.late() == set()


@played_by(play, loop_factory=SlowLoop)
async def test_a_quote_that_came_with_the_end_of_an_order_does_not_jump_the_pause(
    world: World,
) -> None:
    world.broker.holds_fills = True
    world.quote("BTC/USD", "99", "100")
    await until(lambda: len(world.broker.submitted) == 1)
    await world.idle()
    world.tell("BTC/USD", "98", "99")  # nobody has looked at this one yet
    world.broker.end(world.broker.submitted[0].client_order_id, OrderStatus.CANCELED)
    await until(lambda: world.cycle().status == "watching")
    await world.idle()
    assert len(world.broker.submitted) == 1


@played_by(play)
async def test_a_quote_that_nobody_could_act_on_is_acted_on_after_the_pause(world: World) -> None:
    world.broker.holds_fills = True
    world.quote("BTC/USD", "99", "100")
    await until(lambda: len(world.broker.submitted) == 1)
    await world.idle()
    world.tell("BTC/USD", "98", "99")
    world.broker.end(world.broker.submitted[0].client_order_id, OrderStatus.CANCELED)
    await until(lambda: len(world.broker.submitted) == 2)


def test_a_stop_loss_counts_while_buys_are_paused_and_asks_for_no_more_of_them() -> None:
    async def scenario(world: World) -> None:
        await world.bought()
        world.broker.refuse("not today")
        world.quote("BTC/USD", "89.9", "90")
        await until(lambda: len(world.broker.submitted) == 2)
        await world.idle()
        world.broker.quote("BTC/USD", "89.9", "90")
        for seconds in range(60):
            world.tell("BTC/USD", "89.9", "90", at=NOW + timedelta(seconds=seconds))
            await world.idle()
        assert [order.kind for order in world.broker.submitted] == ["base", "safety"]
        world.tell("BTC/USD", "89.9", "90", at=NOW + timedelta(seconds=60))
        await until(lambda: world.cycle().status == "cooldown")
        assert world.broker.submitted[-1].kind == "stop_loss"

    stopping = replace(BTC, stop_loss_pct=Decimal(5), stop_loss_seconds=60)
    play(scenario, stopping, loop_factory=SlowLoop)


@played_by(play, replace(BTC, stop_loss_pct=Decimal(5)), loop_factory=SlowLoop)
async def test_a_refused_stop_loss_pauses_sells_and_not_buys(world: World) -> None:
    await world.bought()
    world.broker.refuse("not today")
    world.quote("BTC/USD", "89.9", "90")
    await until(lambda: len(world.broker.submitted) == 2)
    await world.idle()
    for _ in range(20):
        world.tell("BTC/USD", "89.9", "90")
        await world.idle()
    assert [order.kind for order in world.broker.submitted] == ["base", "stop_loss"]
    assert world.broker.calls.count("holdings") == 2
    seen = world.assets.seen()["BTC/USD"]
    assert seen.sell_pause_seconds > 0
    assert seen.buy_pause_seconds == 0


@played_by(play, BTC, ETH, loop_factory=SlowLoop)
async def test_only_a_refusal_by_alpaca_makes_the_bot_read_its_rules_again(world: World) -> None:
    world.broker.hold("BTC/USD", "1", 100)
    world.quote("BTC/USD", "99", "100")
    await until(lambda: world.assets.seen()["BTC/USD"].buy_pause_seconds > 0)
    assert world.refusals == []
    world.broker.refuse("not active")
    world.quote("ETH/USD", "99", "100")
    await until(lambda: world.assets.seen()["ETH/USD"].buy_pause_seconds > 0)
    assert world.refusals == ["refused"]


@played_by(play)
async def test_a_reading_that_an_order_has_overtaken_is_not_followed(world: World) -> None:
    world.store.has_read.clear()
    world.store.may_answer.clear()
    refreshing = asyncio.create_task(world.assets.refresh())
    await until(world.store.has_read.is_set)
    await world.bought()
    world.store.may_answer.set()
    await refreshing
    assert world.assets.holds_coins("BTC/USD")


@played_by(play)
async def test_a_reading_that_an_order_under_way_has_overtaken_is_not_followed(
    world: World,
) -> None:
    world.broker.may_answer.clear()
    world.quote("BTC/USD", "99.9", "100")
    await until(world.broker.asked.is_set)
    world.store.has_read.clear()
    world.store.may_answer.clear()
    refreshing = asyncio.create_task(world.assets.refresh())
    await until(world.store.has_read.is_set)
    world.broker.may_answer.set()
    await until(lambda: world.cycle().quantity > 0)
    await world.idle()
    world.store.may_answer.set()
    await refreshing
    assert world.assets.holds_coins("BTC/USD")


def test_a_database_that_stays_away_is_reported_once(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(world: World) -> None:
        world.store.is_away = True
        for _ in range(3):
            await world.assets.refresh()

    play(scenario)
    logged = [each for each in caplog.records if "until the database is back" in each.getMessage()]
    assert len(logged) == 1


def test_a_locked_row_without_a_cycle_waits_alone_and_is_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scenario(world: World) -> None:
        world.store.locked = {2}
        world.store.put_asset(ETH)
        await world.assets.refresh()
        world.store.put_asset(replace(BTC, is_enabled=False))
        await world.assets.refresh()
        assert world.assets.wanted_symbols() == ["ETH/USD"]
        assert world.assets.database_trouble == ""
        assert world.store.assets()[1].cycle is None

    play(scenario)
    assert sum("no cycle could be begun" in each.getMessage() for each in caplog.records) == 1


def test_a_row_that_is_gone_is_reported_with_the_coins_that_it_leaves(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scenario(world: World) -> None:
        await world.bought()
        world.store.delete_asset(1)
        await world.assets.refresh()

    play(scenario)
    assert any("the 0.1995 coins that its cycle held" in r.getMessage() for r in caplog.records)


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (BTC, ""),
        (replace(BTC, take_profit_pct=Decimal(0)), "take_profit_percent is 0, must be above 0"),
        (replace(BTC, cooldown_seconds=-1), "cooldown_period is -1, must be 0 or more"),
    ],
)
def test_who_looks_from_outside_sees_what_is_wrong_with_a_row(row: Asset, problem: str) -> None:
    async def scenario(world: World) -> None:
        assert world.assets.seen()["BTC/USD"].problem == problem

    play(scenario, row)


@pytest.mark.parametrize("data", [{}, {"order": None}, "fill"])
@played_by(play)
async def test_an_update_that_does_not_even_say_whose_it_is_makes_the_bot_ask_alpaca(
    world: World, data: Any
) -> None:
    world.assets.on_trade_update({"stream": "trade_updates", "data": data})
    assert world.gaps == ["gap"]


@played_by(play, BTC, replace(ETH, is_enabled=False))
async def test_a_reading_of_rows_that_lack_nothing_is_one_question_and_locks_none(
    world: World,
) -> None:
    before = (world.store.readings, world.store.transactions)
    await world.assets.refresh()
    assert (world.store.readings, world.store.transactions) == (before[0] + 1, before[1])


def test_what_is_wrong_with_a_disabled_row_is_not_told(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(world: World) -> None:
        await world.assets.refresh()
        assert world.assets.snapshots()[0].state.problem == ""

    play(scenario, replace(BTC, is_enabled=False, take_profit_pct=Decimal(0)))
    assert [each for each in caplog.records if each.levelname == "ERROR"] == []


@played_by(play)
async def test_a_row_that_cannot_be_read_keeps_its_problem_and_gets_no_cycle(world: World) -> None:
    await world.bought()
    world.store.problems = {1: "status is 'wachting': correct it"}
    transactions = world.store.transactions
    await world.assets.refresh()
    assert world.assets.snapshots()[0].state.problem == "status is 'wachting': correct it"
    assert world.assets.wanted_symbols() == []
    assert world.store.transactions == transactions


@played_by(play)
async def test_a_row_that_is_gone_begins_nothing_more_whoever_still_knows_its_prices(
    world: World,
) -> None:
    watch = world.prices.watches["BTC/USD"]
    world.store.delete_asset(1)
    await world.assets.refresh()
    assert world.prices.watches == {}
    watch.on_hit()
    assert world.pool.most_at_once == 0


@played_by(play)
async def test_an_edit_while_an_order_is_under_way_is_followed_once_that_has_ended(
    world: World,
) -> None:
    world.broker.may_answer.clear()
    world.quote("BTC/USD", "99.9", "100")
    await until(world.broker.asked.is_set)
    world.store.put_asset(replace(BTC, take_profit_pct=Decimal(50)))
    await world.assets.refresh()
    assert world.assets.snapshots()[0].state.asset == BTC
    assert world.prices.watches["BTC/USD"].buy_at_or_below == NEVER_BUY
    world.broker.may_answer.set()
    await until(lambda: world.cycle().quantity > 0)
    await world.idle()
    await world.assets.refresh()
    assert world.assets.snapshots()[0].state.asset.take_profit_pct == 50
