"""The exact engine: `core/` decides at every point that crosses one of the two trigger prices.

Between two actions nothing can happen, so the engine jumps to the next point that crosses a
trigger or at which a cooldown ends (`series.py`), and asks `decide` there.  What a fill does to a
cycle is `apply_update`, as live.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import ROUND_CEILING, Decimal

import numpy as np

from dca_bot.backtest import exchange
from dca_bot.backtest.exchange import Execution, Lapse, Purse, Terms
from dca_bot.backtest.series import NEVER_BUY, Prices
from dca_bot.core.decide import Buy, Restart, Sell, decide, triggers
from dca_bot.core.model import (
    ZERO,
    Asset,
    AssetRules,
    Cycle,
    CycleStatus,
    Holding,
    Order,
    OrderKind,
    OrderStatus,
    OrderUpdate,
    Quote,
    Side,
)
from dca_bot.core.overdue import cooldown_ends_at
from dca_bot.core.position import size_sell
from dca_bot.core.transition import apply_update, end_cooldown, start_order

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
# Quantities are cut to steps worth less than this in the quote currency, so that the cut can't be
# seen in any result; the columns of the books hold fifteen digits.
STEP_WORTH_DIGITS, STEP_DIGITS_MAX = 10, 15


@dataclass(frozen=True, slots=True)
class Fill:
    """One order and what it did; `cycle` counts from 1."""

    index: int  # the point whose price was in force
    at: int  # nanoseconds
    kind: OrderKind
    cycle: int
    rung: int
    price: Decimal
    quantity: Decimal  # bought, before the fee, or sold
    fee: Decimal  # in the quote currency
    cash: Decimal  # what it moved: negative for a BUY
    coins: Decimal  # what is held after it


@dataclass
class Replay:
    """One pair played through.  `seek` says where something may happen next, `act` does it."""

    prices: Prices
    asset: Asset
    terms: Terms
    purse: Purse = field(default_factory=Purse)
    fills: list[Fill] = field(default_factory=list)
    refused: int = 0  # BUYs that the purse could not pay

    def __post_init__(self) -> None:
        self.rules = rules_for(self.prices)
        self.cycle = Cycle(1, self.asset.asset_id, CycleStatus.WATCHING)
        self.coins = ZERO
        self._next = 0  # the first point that has not been looked at
        self._within = (-1, 0, 0)  # where on the way to a point a path has come: its bid and ask
        self._cooldown_end = 0  # the first point after the cooldown
        self._refills_when_short = -1
        self._arm()

    def seek(self) -> int:
        """The next point at which something may happen; the number of points: none."""
        end = len(self.prices)
        if self.cycle.status is CycleStatus.COOLDOWN:
            end = max(self._next, self._cooldown_end)
        return self.prices.first_hit(self._next, end, self._buy, self._sell)

    def act(self, index: int) -> None:
        """Decide at a point that `seek` has found, and fill what is ordered there."""
        if self.cycle.status is CycleStatus.COOLDOWN and index >= self._cooldown_end:
            self.cycle = end_cooldown(self.cycle)
        bid, ask = self._prices_at(index)
        at = _datetime(int(self.prices.times[index]))
        quote = Quote(self.asset.symbol, self.prices.price(bid), self.prices.price(ask), at)
        decision = decide(self.asset, self.cycle, quote, self.rules)
        if isinstance(decision, Restart):
            self.cycle = end_cooldown(self.cycle)
            decision = decide(self.asset, self.cycle, quote, self.rules)
        self._next = index + 1
        match decision:
            case Buy():
                self._send_buy(decision, index)
            case Sell():
                self._send_sell(quote, index, bid)
            case _:
                self._arm()
                return
        if self.prices.points_per_bar > 1:  # the path goes on from here
            self._next, self._within = index, (index, bid, ask)
        self._arm()

    def look_again(self, now: int) -> None:
        """The purse was refilled at `now` (nanoseconds): a BUY that waits for cash may be paid."""
        if self._refills_when_short not in (-1, self.purse.refills):
            self._refills_when_short = -1
            self._next = max(self._next, int(np.searchsorted(self.prices.times, now, "right")))
            self._arm()

    def _arm(self) -> None:
        """The two prices at which something happens next, in steps."""
        at = triggers(self.asset, self.cycle)
        is_short = self._refills_when_short == self.purse.refills
        self._buy = NEVER_BUY if is_short else self.prices.steps_below(at.buy_at_or_below)
        self._sell = self.prices.steps_above(at.sell_at_or_above)

    def _prices_at(self, index: int) -> tuple[int, int]:
        """Bid and ask at a hit; on a path, where the trigger lies between two points."""
        prices = self.prices
        bid, ask = int(prices.bids[index]), int(prices.asks[index])
        if index == self._within[0]:
            _, bid_before, ask_before = self._within
        elif index % prices.points_per_bar:
            bid_before, ask_before = int(prices.bids[index - 1]), int(prices.asks[index - 1])
        else:
            return bid, ask  # the first point of a bar: the price has jumped there
        spread = ask - bid
        if ask <= self._buy:
            reached = min(ask_before, self._buy)
            return max(1, reached - spread), reached
        reached = max(bid_before, min(self._sell, bid))
        return reached, reached + spread

    def _send_buy(self, order: Buy, index: int) -> None:
        cost = order.quantity * order.limit_price
        if not self.purse.pay(cost):
            self.refused += 1
            self._refills_when_short = self.purse.refills
            return
        limit = self.prices.steps_below(order.limit_price)
        done = exchange.buy(
            self.prices, self.terms.latency, index, limit=limit, sell_at_or_above=self._sell
        )
        self._next = max(self._next, done.index)
        if isinstance(done, Lapse):
            self.purse.refill(cost)
            return
        price = self.prices.price(done.price)
        self.purse.refill(cost - order.quantity * price)
        self._next = done.index + 1
        # the fee is rounded up to a step, as Alpaca rounds it up to its ninth digit
        step = self.rules.min_trade_increment
        fee = (order.quantity * self.terms.fee_percent / 100).quantize(step, ROUND_CEILING)
        self.coins += order.quantity - fee
        self._book(order.kind, order.rung, order.quantity, done, fee * price)

    def _send_sell(self, quote: Quote, index: int, bid: int) -> None:
        holding = Holding(self.asset.symbol, self.coins, self.coins, ZERO)
        quantity = size_sell(self.asset, self.cycle, holding, quote, self.rules)
        done = exchange.sell(self.prices, self.terms.latency, index, bid=bid)
        self._next = done.index + 1
        self.coins -= quantity
        worth = quantity * self.prices.price(done.price)
        fee = worth * self.terms.fee_percent / 100
        self._book(OrderKind.TAKE_PROFIT, 0, quantity, done, fee)
        self.purse.refill(worth - fee)

    def _book(
        self, kind: OrderKind, rung: int, quantity: Decimal, done: Execution, fee: Decimal
    ) -> None:
        """Book a filled order as the live bot books what Alpaca says of it."""
        price, at = self.prices.price(done.price), _datetime(done.at)
        asset, number = self.asset, self.cycle.cycle_id
        order = Order("", asset.asset_id, number, kind, rung, quantity, price, OrderStatus.OPEN, at)
        told = OrderUpdate(
            "", None, asset.symbol, kind.side, OrderStatus.FILLED, quantity, price, self.coins
        )
        booked = apply_update(asset, start_order(self.cycle, kind.side), order, told, at)
        self.cycle = booked.cycle
        worth = quantity * price
        cash = -worth if kind.side is Side.BUY else worth - fee
        self.fills.append(
            Fill(done.index, done.at, kind, number, rung, price, quantity, fee, cash, self.coins)
        )
        if booked.sold_at is not None:
            self.asset = replace(asset, last_sell_price=booked.sold_at)
            self._begin_cooldown(replace(booked.cycle, completed_at=at))

    def _begin_cooldown(self, previous: Cycle) -> None:
        self.cycle = Cycle(previous.cycle_id + 1, previous.asset_id, CycleStatus.COOLDOWN)
        ends_at = cooldown_ends_at(previous, self.asset)
        ends = 0 if ends_at is None else (ends_at - EPOCH) // MICROSECOND * 1000
        place = int(np.searchsorted(self.prices.times, ends))
        # On a path a cooldown ends with a bar's open: cooldown_manager.py runs every minute.
        stride = self.prices.points_per_bar
        self._cooldown_end = -(-place // stride) * stride


def play(replays: Sequence[Replay]) -> None:
    """Play pairs through that share a purse, in the order of time."""
    upcoming = {number: replay.seek() for number, replay in enumerate(replays)}
    while True:
        due = {
            number: int(replays[number].prices.times[index])
            for number, index in upcoming.items()
            if index < len(replays[number].prices)
        }
        if not due:
            return
        number = min(due, key=due.__getitem__)
        replay, refills = replays[number], replays[number].purse.refills
        replay.act(upcoming[number])
        if replay.purse.refills != refills:
            for other, waiting in enumerate(replays):
                waiting.look_again(due[number])
                upcoming[other] = waiting.seek()
        upcoming[number] = replay.seek()


def rules_for(prices: Prices) -> AssetRules:
    """The exchange's increments: of a price those of the recording, of a quantity very fine."""
    highest = prices.price(int(prices.highest_bids.max()))
    digits = min(STEP_DIGITS_MAX, max(0, STEP_WORTH_DIGITS + highest.adjusted() + 1))
    step = Decimal(1).scaleb(-digits)
    return AssetRules(prices.symbol, True, step, Decimal(1).scaleb(-prices.digits))


def _datetime(nanoseconds: int) -> datetime:
    return EPOCH + nanoseconds // 1000 * MICROSECOND
