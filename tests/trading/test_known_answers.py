"""The real trader on recorded markets gives the answers that other engines gave.

Virtual clock, books in memory, and an exchange that fills at once.  The rules of the calculation
stand at the end of the README beside the data.
"""

import csv
import gzip
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, cast

import pytest

from dca_bot.core.decide import triggers
from dca_bot.core.holdings import Holdings
from dca_bot.core.model import (
    ZERO,
    Asset,
    AssetRules,
    AssetState,
    Cycle,
    CycleStatus,
    Holding,
    Order,
    OrderStatus,
    OrderUpdate,
    Quote,
    Side,
)
from dca_bot.core.overdue import cooldown_ends_at, cooldown_over
from dca_bot.core.transition import end_cooldown, whole_second
from dca_bot.live.watch import Watch
from dca_bot.program.errors import OrderWithheld
from dca_bot.program.settings import PROJECT_ROOT
from dca_bot.store.memory_store import MemoryStore
from dca_bot.trading.budget import NO_LIMITS, Budget
from dca_bot.trading.ports import Broker
from dca_bot.trading.trader import Trader
from tests.builders import an_asset
from tests.summary import NO_RECORDINGS

# Recorded markets are large, and not part of this repository.
DATA = PROJECT_ROOT.parent / "shared" / "data"
ANSWERS = DATA / "expected_public.json"
SYMBOL = "COIN/USD"
# The finest steps that the books can hold with the fee: the other engines round nothing.
EXACT = AssetRules(SYMBOL, True, Decimal("0.00000000001"), Decimal("0.0000000001"))
FEE = Decimal("0.0025")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Market:
    """One file: when, and the prices as written and as floats for the first look."""

    nanoseconds: list[int]
    bids: list[str]
    asks: list[str]
    bid_floats: list[float]
    ask_floats: list[float]


@dataclass
class InstantExchange:
    """As much of ports.Broker as trading asks for: a BUY fills at the ask, a SELL at the bid, in
    full and within submit; the fee is taken in what is received."""

    quote: Quote
    money: Decimal = ZERO
    coins: Decimal = ZERO
    clock_offset = timedelta(0)

    def submit(self, order: Order, symbol: str) -> OrderUpdate:
        if order.side is Side.BUY:
            price = self.quote.ask
            self.money -= order.quantity * price
            self.coins += order.quantity * (1 - FEE)
        else:
            price = self.quote.bid
            self.money += order.quantity * price * (1 - FEE)
            self.coins -= order.quantity
        return OrderUpdate(
            order.client_order_id,
            f"alpaca-{order.client_order_id}",
            symbol,
            order.side,
            OrderStatus.FILLED,
            filled_quantity=order.quantity,
            filled_average_price=price,
            position_quantity=self.coins,
        )

    def cash(self, currency: str) -> Decimal:
        return Decimal("Infinity")

    def holdings(self, *, urgent: bool = False) -> Holdings:
        coin = self.quote.symbol.partition("/")[0]
        held = Holding(coin, self.coins, self.coins, ZERO)
        return Holdings({coin: held} if self.coins else {})


class Player:
    """Plays a market to the trader, looking closely only at quotes that the live bot would.

    `store`: books that it shares with the players of other assets.
    """

    def __init__(
        self,
        asset: Asset,
        market: Market,
        budget: Budget = NO_LIMITS,
        store: MemoryStore | None = None,
    ) -> None:
        self.market = market
        self.now = EPOCH
        self.asset_id, self.symbol = asset.asset_id, asset.symbol
        self.store = store or MemoryStore(clock=lambda: self.now)
        self.store.put_asset(asset)
        self.exchange = InstantExchange(Quote(self.symbol, ZERO, ZERO, EPOCH))
        broker, rules = cast(Broker, self.exchange), {self.symbol: EXACT}
        self.trader = Trader(self.store, broker, lambda: self.now, rules, budget=budget)
        self.trader.books.open_cycle(asset.asset_id)
        self.watch = Watch(lambda: None)
        self.cooldown_ends = float("inf")  # nanoseconds
        self.sold_at = EPOCH
        self.events: list[tuple[int, str, str]] = []
        self.aim()

    def play(self) -> None:
        market = self.market
        watch = self.watch
        for number, (at, bid, ask) in enumerate(
            zip(market.nanoseconds, market.bid_floats, market.ask_floats, strict=True)
        ):
            hits = ask <= watch.buy_at_or_below or bid >= watch.sell_at_or_above
            if hits or at >= self.cooldown_ends:
                self.act(number)
                self.aim()

    def act(self, number: int) -> None:
        """What the live bot and its cooldown manager do at this moment."""
        market = self.market
        nanoseconds, bid, ask = market.nanoseconds[number], market.bids[number], market.asks[number]
        self.now = EPOCH + timedelta(microseconds=nanoseconds // 1000)
        self.end_cooldown_if_over()
        quote = Quote(self.symbol, Decimal(bid), Decimal(ask), self.now)
        self.exchange.quote = quote
        try:
            order = self.trader.on_quote(self.state, quote).order
        except OrderWithheld:  # by a limit for all assets
            order = None
        if order is not None:
            is_buy = order.side is Side.BUY
            self.sold_at = self.sold_at if is_buy else self.now
            self.events.append((nanoseconds, "B" if is_buy else "S", ask if is_buy else bid))

    def end_cooldown_if_over(self) -> None:
        with self.store.transaction(self.state.asset.asset_id) as tx:
            cycle = tx.cycle
            if cycle is None or cycle.status is not CycleStatus.COOLDOWN:
                return
            if cooldown_over(cycle, self.exactly(tx.previous_cycle()), tx.asset, self.now):
                tx.save_cycle(cycle, end_cooldown(cycle))

    def aim(self) -> None:
        """Work out at which prices, or when, something happens next."""
        self.watch.arm(triggers(self.state.asset, self.cycle))
        self.cooldown_ends = float("inf")
        if self.cycle.status is CycleStatus.COOLDOWN:
            with self.store.transaction(self.state.asset.asset_id) as tx:
                ends_at = cooldown_ends_at(self.exactly(tx.previous_cycle()), tx.asset)
            assert ends_at is not None
            self.cooldown_ends = (ends_at - EPOCH) // timedelta(microseconds=1) * 1000

    def exactly(self, previous: Cycle | None) -> Cycle:
        # The column holds whole seconds; the engines that we compare with count every one.
        assert previous is not None
        assert previous.completed_at == whole_second(self.sold_at)
        return replace(previous, completed_at=self.sold_at)

    @property
    def state(self) -> AssetState:
        [state] = [each for each in self.store.assets() if each.asset.asset_id == self.asset_id]
        return state

    @property
    def cycle(self) -> Cycle:
        cycle = self.state.cycle
        assert cycle is not None
        return cycle


@lru_cache(maxsize=1)
def read(file: str, bid_column: str, ask_column: str) -> Market:
    with gzip.open(DATA / file, "rt", newline="") as lines:
        rows = csv.DictReader(lines)
        found = [(int(r["timestamp"]), r[bid_column], r[ask_column]) for r in rows]
    times, bids, asks = (list(column) for column in zip(*found, strict=True))
    return Market(times, bids, asks, [float(b) for b in bids], [float(a) for a in asks])


def asset_with(parameters: dict[str, Any]) -> Asset:
    return an_asset(
        symbol=SYMBOL,
        base_order_amount=str(parameters["base"]),
        safety_order_amount=str(parameters["so"]),
        max_safety_orders=parameters["max_so"],
        safety_order_deviation_pct=str(parameters["dev"]),
        take_profit_pct=str(parameters["tp"]),
        cooldown_seconds=parameters["cooldown_s"],
        restart_deviation_pct=str(parameters["restart"]),
    )


def hash_of(events: list[tuple[int, str, str]]) -> str:
    """The engines' own fingerprint: a line for each event, its price in the fewest digits."""
    lines = "".join(f"{at}{side}{Decimal(price).normalize()}\n" for at, side, price in events)
    return hashlib.sha256(lines.encode()).hexdigest()[:16]


def cases() -> Iterator[Any]:
    """Every file with every set of parameters."""
    if not ANSWERS.exists():
        yield pytest.param(
            {}, "", {}, id="absent", marks=pytest.mark.skip(reason=f"needs {NO_RECORDINGS}")
        )
        return
    known = json.loads(ANSWERS.read_text())
    for file, answers in known["files"].items():
        for name, parameters in known["params"].items():
            case_id = f"{file.removesuffix('.csv.gz')}-{name}"
            yield pytest.param(parameters, file, answers | answers[name], id=case_id)


@pytest.mark.parametrize(("parameters", "file", "expected"), list(cases()))
def test_a_recorded_market_gives_the_known_answer(
    parameters: dict[str, Any], file: str, expected: dict[str, Any]
) -> None:
    market = read(file, expected["bid_col"], expected["ask_col"])
    player = Player(asset_with(parameters), market)
    player.play()
    sides = [side for _, side, _ in player.events]
    assert {
        "cycles": sides.count("S"),
        "buys": sides.count("B"),
        "holding": player.cycle.quantity > 0,
        "n_so": player.cycle.safety_orders,
        "first_events": [list(event) for event in player.events[:4]],
        "events_sha256": hash_of(player.events),
    } == {
        name: expected[name]
        for name in ("cycles", "buys", "holding", "n_so", "first_events", "events_sha256")
    }
    # Cutting quantities to eleven digits moves the money by less than a millionth.
    equity = player.exchange.money + player.exchange.coins * Decimal(market.bids[-1])
    assert abs(equity - Decimal(expected["equity"])) < Decimal("0.000001")
