"""Which symbols REST is asked about, and when the quote stream is called silent: no time passes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from dca_bot.core.model import Cycle, CycleStatus, Quote
from dca_bot.live.assets import Assets
from dca_bot.live.prices import LivePrices
from dca_bot.live.quiet import LOOK_SECONDS, QuietSymbols
from dca_bot.live.worker import WorkerContext
from dca_bot.program.errors import BrokerUnavailable
from dca_bot.store.memory_store import MemoryStore
from dca_bot.trading.trader import Trader
from tests.builders import NOW, TestClock, an_asset
from tests.fakes import FakeBroker
from tests.helpers import played_by

SYMBOLS = A, B, C, D = "A/USD", "B/USD", "C/USD", "D/USD"
LOOKS_AN_HOUR = int(3600 / LOOK_SECONDS)


class NoWork(Executor):
    """The workers do not matter here."""

    def submit(self, *_: Any, **__: Any) -> Any:
        raise AssertionError("no quote here is at a price that counts")


class Stream:
    """A subscription that brings what a test lets it."""

    def __init__(self) -> None:
        self.subscribed: frozenset[str] = frozenset({A, B})
        self.called_silent: list[str] = []

    def call_silent(self, what: str) -> None:
        self.called_silent.append(what)


class ListeningPrices(LivePrices):
    """Writes down what REST lends."""

    def __init__(self) -> None:
        super().__init__()
        self.lent_symbols: list[str] = []

    def on_lent_quote(self, quote: Quote) -> None:
        self.lent_symbols.append(quote.symbol)
        super().on_lent_quote(quote)


class World:
    """Four assets, of which the data plan lets the stream have two; only D holds coins."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.clock = TestClock(NOW)
        self.broker = FakeBroker(*SYMBOLS, clock=self.clock)
        assets = [an_asset(asset_id=n, symbol=each) for n, each in enumerate(SYMBOLS, 1)]
        store = MemoryStore(assets, clock=self.clock)
        for number, coins in enumerate((0, 0, 0, 1), 1):
            # a cycle that waits for an order acts on no price
            cycle = Cycle(
                0,
                number,
                CycleStatus.BUYING,
                quantity=Decimal(coins),
                average_purchase_price=Decimal(100),
            )
            with store.transaction(number) as tx:
                tx.add_cycle(cycle)
        trader = Trader(store, self.broker, self.clock, self.broker.asset_rules)
        context = WorkerContext(
            trader=trader,
            store=store,
            pool=NoWork(),
            loop=loop,
            on_store_trouble=lambda: None,
            on_refusal=lambda: None,
        )
        self.prices = ListeningPrices()
        self.assets = Assets(context, self.prices, on_gap=lambda: None)
        self.stream = Stream()
        self.quiet = QuietSymbols(
            self.prices,
            self.broker,
            self.clock,
            self.stream,
            wanted=self.assets.wanted_symbols,
            holds_coins=self.assets.holds_coins,
        )
        self.reconnects = 0

    def market(self, symbol: str) -> None:
        """A new quote at Alpaca, which the stream does not bring."""
        self.broker.quote(symbol, 100, 101)

    def stream_brings(self, symbol: str, *, dated_ahead: timedelta = timedelta(0)) -> None:
        self.market(symbol)
        at = (self.clock() + dated_ahead).isoformat()
        self.prices.on_quotes([{"T": "q", "S": symbol, "bp": 100.0, "ap": 101.0, "t": at}])

    async def look(self) -> None:
        self.clock.pass_by(LOOK_SECONDS)
        await self.quiet.look()

    @property
    def asked(self) -> int:
        return self.broker.calls.count("latest_quotes")


def play(scenario: Callable[[World], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        world = World(asyncio.get_running_loop())
        await world.assets.refresh()
        await world.quiet.look(just_connected=True)
        await scenario(world)

    asyncio.run(run())


@played_by(play)
async def test_a_symbol_that_quotes_now_and_then_never_costs_the_connection(world: World) -> None:
    for number in range(LOOKS_AN_HOUR):
        if number % 5 == 0:  # every 50 s
            world.stream_brings(A)
        await world.look()
    assert world.stream.called_silent == []
    assert world.prices.lent(A) is None


@played_by(play)
async def test_a_market_without_any_quotes_never_costs_the_connection(world: World) -> None:
    world.market(A)
    for _ in range(LOOKS_AN_HOUR):
        await world.look()
    assert world.stream.called_silent == []


@played_by(play)
async def test_quotes_that_rest_knows_and_the_stream_never_brought_make_it_silent(
    world: World,
) -> None:
    world.stream_brings(A)
    seconds = 0.0
    while not world.stream.called_silent:
        world.market(A)
        await world.look()
        seconds += LOOK_SECONDS
        assert seconds <= 60
    assert world.stream.called_silent == [A]


@played_by(play)
async def test_the_price_that_rest_lends_is_looked_at_in_the_meantime(world: World) -> None:
    world.stream_brings(A)
    await world.look()
    for _ in range(3):
        world.market(A)
        made_at = world.clock()
        await world.look()
        newest = world.prices.newest(A)
        assert newest is not None
        assert newest.at == made_at


@played_by(play)
async def test_a_quote_from_the_future_hides_no_price_that_comes_after_it(world: World) -> None:
    world.stream_brings(A, dated_ahead=timedelta(hours=1))
    for _ in range(3):
        world.market(A)
        made_at = world.clock()
        await world.look()
    newest = world.prices.newest(A)
    assert newest is not None
    assert newest.at == made_at


@played_by(play)
async def test_a_quote_from_before_the_connect_is_not_the_streams_to_bring(world: World) -> None:
    world.market(A)
    await world.quiet.look(just_connected=True)
    assert world.prices.lent(A) is not None
    for _ in range(LOOKS_AN_HOUR):
        await world.look()
    assert world.stream.called_silent == []


@played_by(play)
async def test_a_quote_that_the_stream_brings_a_little_later_is_not_held_against_it(
    world: World,
) -> None:
    for _ in range(LOOKS_AN_HOUR):
        world.market(A)
        await world.look()
        world.stream_brings(A)
    assert world.stream.called_silent == []


@played_by(play)
async def test_quotes_that_no_connection_ever_brings_cost_ever_fewer_of_them(world: World) -> None:
    """REST may know quotes that the stream will never have; that is no reason for a storm."""
    for _ in range(LOOKS_AN_HOUR):
        world.market(A)
        await world.look()
        if len(world.stream.called_silent) > world.reconnects:
            world.reconnects += 1
            await world.quiet.look(just_connected=True)
    assert 3 <= world.reconnects <= 8


@played_by(play)
async def test_what_the_plan_leaves_out_is_asked_about_once_a_minute_and_held_coins_come_first(
    world: World,
) -> None:
    asked = world.asked
    for _ in range(60):  # ten minutes
        world.stream_brings(A)
        world.stream_brings(B)
        world.market(C)
        world.market(D)
        await world.look()
    assert world.asked - asked == 10
    assert world.prices.lent_symbols == [D, C] * 10


@played_by(play)
async def test_while_rest_cannot_be_asked_nothing_is_concluded(world: World) -> None:
    world.broker.fail("latest_quotes", BrokerUnavailable("down"), times=LOOKS_AN_HOUR)
    known_at = world.prices.known_at
    for _ in range(LOOKS_AN_HOUR):
        world.market(A)
        await world.look()
    assert world.stream.called_silent == []
    assert world.prices.known_at == known_at


@pytest.mark.parametrize(("seconds", "is_owed"), [(3, False), (3.5, True)])
@played_by(play)
async def test_a_quote_of_moments_after_the_connect_is_not_the_streams_to_bring(
    world: World, seconds: float, is_owed: bool
) -> None:
    await world.quiet.look(just_connected=True)
    world.clock.pass_by(seconds)
    world.market(A)
    for _ in range(4):
        await world.look()
    assert bool(world.stream.called_silent) is is_owed


@pytest.mark.parametrize(("seconds", "is_lent"), [(0.001, False), (0.002, True)])
@played_by(play)
async def test_a_quote_that_rest_dates_a_moment_later_is_the_same(
    world: World, seconds: float, is_lent: bool
) -> None:
    world.stream_brings(A)
    world.clock.pass_by(seconds)
    world.market(A)
    for _ in range(3):
        await world.look()
    assert (world.prices.lent(A) is not None) is is_lent


@played_by(play)
async def test_while_prices_are_confirmed_over_rest_they_are_known(world: World) -> None:
    for _ in range(3):
        await world.look()
    assert world.prices.known_at is not None


async def looks_until_silent(world: World) -> int:
    """How many looks it takes while REST has a quote each time and the stream brings none."""
    told, looks = len(world.stream.called_silent), 0
    while len(world.stream.called_silent) == told:
        world.market(A)
        await world.look()
        looks += 1
    return looks


@played_by(play)
async def test_each_connection_that_did_not_help_makes_the_next_three_times_as_late(
    world: World,
) -> None:
    lasted = []
    for _ in range(7):
        lasted.append(await looks_until_silent(world))
        await world.quiet.look(just_connected=True)
    # the first lends a quote of before the connect, the second one that the stream owes
    assert lasted == [2 + looks for looks in (1, 3, 9, 27, 81, 81, 81)]


@played_by(play)
async def test_a_new_connection_owes_nothing_of_what_the_one_before_it_did(world: World) -> None:
    await looks_until_silent(world)
    await world.quiet.look(just_connected=True)
    for _ in range(4):  # one more would do
        world.market(A)
        await world.look()
    await world.quiet.look(just_connected=True)
    assert world.stream.called_silent == [A]
    assert await looks_until_silent(world) == 5


@played_by(play)
async def test_a_stream_that_takes_long_to_connect_is_not_called_silent_at_each_look(
    world: World,
) -> None:
    await looks_until_silent(world)
    assert [await looks_until_silent(world) for _ in range(3)] == [3, 9, 27]


@played_by(play)
async def test_a_stream_that_brings_a_quote_has_its_old_faults_forgiven(world: World) -> None:
    await looks_until_silent(world)
    await world.quiet.look(just_connected=True)
    for _ in range(4):  # one more would do
        world.market(A)
        await world.look()
    world.stream_brings(A)
    await world.look()
    assert world.stream.called_silent == [A]
    assert await looks_until_silent(world) == 2
