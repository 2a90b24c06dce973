"""The exact engine: `core/` decides at every point that crosses one of the two trigger prices.

Between two actions nothing can happen, so the engine jumps to the next point that crosses a
trigger or at which a cooldown ends (`series.py`), and asks `decide` there.  What a fill does to a
cycle is `apply_update`, as live.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import ROUND_CEILING, Decimal

from dca_bot.backtest import exchange
from dca_bot.backtest.exchange import Execution, Fill, Lapse, SharedCash, Terms
from dca_bot.backtest.prices.series import PriceSeries
from dca_bot.backtest.steps import EPOCH, MICROSECOND, limits_of, moment_of, rules_for
from dca_bot.core.booking import apply_update
from dca_bot.core.decide import (
    Buy,
    Decision,
    Hold,
    Remember,
    Restart,
    Sell,
    Withdraw,
    decide,
    triggers,
)
from dca_bot.core.ladder import watched
from dca_bot.core.model import (
    ZERO,
    Asset,
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
from dca_bot.core.records import Booked
from dca_bot.core.transition import end_cooldown, start_order


@dataclass
class Replay:
    """One pair played through.  `seek` says where something may happen next, `act` does it."""

    prices: PriceSeries
    asset: Asset
    terms: Terms
    shared_cash: SharedCash = field(default_factory=SharedCash)
    fills: list[Fill] = field(default_factory=list)
    refused: int = 0  # BUYs that the shared cash could not pay
    problem: str = ""  # what the live bot would report, of an order that it can't place, say

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
        return self.prices.first_within(self._next, end, self._limits)

    def act(self, index: int) -> None:
        """Decide at a point that `seek` has found, and fill what is ordered there."""
        if self.cycle.status is CycleStatus.COOLDOWN and index >= self._cooldown_end:
            self.cycle = end_cooldown(self.cycle)
            self._arm()
        is_path = self.prices.points_per_bar > 1
        bid, ask = self._reached(index) if is_path else self._point(index)
        self._next = index + 1
        match self._decide(self._quote(index, bid, ask)):
            case Buy() as order:
                self._send_buy(order, index)
            case Sell(_, kind):
                self._send_sell(kind, index, self._quote(index, bid, ask))
            case Remember():
                self._remember(index, self._quote(index, bid, ask))
                is_path = False  # it was seen to its next point
            case Hold(reason, reported):
                self.problem = reason if reported else self.problem
                is_path = False
            case Restart() | Withdraw():
                raise AssertionError("a cycle without a cooldown or an order has none to end")
        if is_path:  # it goes on from here
            self._next, self._within = index, (index, bid, ask)
        self._arm()

    def look_again(self, now: int) -> None:
        """Cash came back at `now` (nanoseconds): a BUY that waits for cash may be paid."""
        if self._refills_when_short not in (-1, self.shared_cash.refills):
            self._refills_when_short = -1
            self._next = max(self._next, self.prices.first_at(now + 1))
            self._arm()

    def _arm(self) -> None:
        """The prices at which something happens next, in steps."""
        at = triggers(self.asset, self.cycle).without(*self._paused)
        self._limits = limits_of(at, self.prices)

    @property
    def _paused(self) -> list[Side]:
        """A BUY that the shared cash could not pay waits until there is more in it."""
        return [Side.BUY] if self._refills_when_short == self.shared_cash.refills else []

    def _decide(self, quote: Quote) -> Decision:
        """What to do; what must be remembered before a BUY is in the cycle then."""
        decision = self._decide_on(self.cycle, quote)
        if isinstance(decision, Restart):
            return self._decide_on(end_cooldown(self.cycle), quote)
        if isinstance(decision, Remember):
            now = watched(self.asset, self.cycle, quote)
            if isinstance(then := self._decide_on(now, quote), Buy):
                self.cycle = now
                return then
        return decision

    def _decide_on(self, cycle: Cycle, quote: Quote) -> Decision:
        return decide(self.asset, cycle, quote, self.rules, paused=self._paused)

    def _remember(self, index: int, quote: Quote) -> None:
        """Keep what the cycle has to know of this quote, on a path of the rest of the way too."""
        self.cycle = watched(self.asset, self.cycle, quote)
        if self.prices.points_per_bar > 1:
            bid, ask = self._point(index)
            self.cycle = watched(self.asset, self.cycle, self._quote(index, bid, ask))

    def _point(self, index: int) -> tuple[int, int]:
        return int(self.prices.bids[index]), int(self.prices.asks[index])

    def _reached(self, index: int) -> tuple[int, int]:
        """Bid and ask on the way to a point of a path, where it first crosses a trigger."""
        bid, ask = self._point(index)
        if index == self._within[0]:
            _, bid_before, ask_before = self._within
        elif index % self.prices.points_per_bar:
            bid_before, ask_before = self._point(index - 1)
        else:
            return bid, ask  # the first point of a bar: the price has jumped there
        limits, spread = self._limits, ask - bid
        falling = [limits.stop] if bid <= limits.stop else []
        if limits.between is not None and bid <= limits.between[1]:
            falling.append(limits.between[1])
        if ask <= limits.buy:
            falling.append(min(ask_before, limits.buy) - spread)
        if falling:
            reached = max(1, min(bid_before, max(falling)))
            return reached, reached + spread
        rising = limits.sell if limits.sell > 0 else bid
        reached = max(bid_before, min(rising, bid))
        return reached, reached + spread

    def _quote(self, index: int, bid: int, ask: int) -> Quote:
        at = moment_of(int(self.prices.times[index]))
        return Quote(self.asset.symbol, self.prices.price(bid), self.prices.price(ask), at)

    def _send_buy(self, order: Buy, index: int) -> None:
        cost = order.quantity * order.limit_price
        if not self.shared_cash.pay(cost):
            self.refused += 1
            self._refills_when_short = self.shared_cash.refills
            return
        if self.cycle.status is CycleStatus.COOLDOWN:
            self.cycle = end_cooldown(self.cycle)
        limit = self.prices.steps_below(order.limit_price)
        done = exchange.buy(
            self.prices, self.terms.latency, index, limit=limit, sell_at_or_above=self._limits.sell
        )
        if isinstance(done, Lapse):
            self._next = max(self._next, done.index)
            self.shared_cash.refill(cost)
            return
        price = self.prices.price(done.price)
        self.shared_cash.refill(cost - order.quantity * price)
        self._next = done.index + 1  # one action at a point
        # the fee is rounded up to a step, as Alpaca rounds it up to its ninth digit
        step = self.rules.min_trade_increment
        fee = (order.quantity * self.terms.fee_percent / 100).quantize(step, ROUND_CEILING)
        self.coins += order.quantity - fee
        self._book(order.kind, order.rung, order.quantity, done, fee * price)

    def _send_sell(self, kind: OrderKind, index: int, quote: Quote) -> None:
        holding = Holding(self.asset.coin, self.coins, self.coins, ZERO)
        quantity = size_sell(self.asset, self.cycle, holding, quote, self.rules)
        self.cycle = watched(self.asset, self.cycle, quote)
        bid = self.prices.steps_below(quote.bid)
        done = exchange.sell(self.prices, self.terms.latency, index, bid=bid)
        self._next = done.index + 1
        self.coins -= quantity
        worth = quantity * self.prices.price(done.price)
        fee = worth * self.terms.fee_percent / 100
        self._book(kind, 0, quantity, done, fee)
        self.shared_cash.refill(worth - fee)

    def _book(
        self, kind: OrderKind, rung: int, quantity: Decimal, done: Execution, fee: Decimal
    ) -> None:
        """Book a filled order as the live bot books what Alpaca says of it."""
        price, at = self.prices.price(done.price), moment_of(done.at)
        asset, number = self.asset, self.cycle.cycle_id
        order = Order(
            "",
            asset.asset_id,
            number,
            kind,
            rung,
            quantity,
            price,
            OrderStatus.OPEN,
            at,
            quantity_before=self.cycle.quantity,
            average_before=self.cycle.average_purchase_price,
        )
        update = OrderUpdate(
            "", None, asset.symbol, kind.side, OrderStatus.FILLED, quantity, price, self.coins
        )
        booked = apply_update(asset, start_order(self.cycle, kind.side), order, update, at)
        self.cycle = booked.cycle
        worth = quantity * price
        cash = -worth if kind.side is Side.BUY else worth - fee
        average = booked.cycle.average_purchase_price
        self.fills.append(
            Fill(
                index=done.index,
                at=done.at,
                kind=kind,
                cycle=number,
                rung=rung,
                price=price,
                quantity=quantity,
                fee=fee,
                cash=cash,
                coins=self.coins,
                average=average,
            )
        )
        if booked.sold_at is not None:
            self._end_cycle(booked, at)

    def _end_cycle(self, booked: Booked, at: datetime) -> None:
        self.asset = replace(self.asset, last_sell_price=booked.sold_at)
        if booked.allowed is not None:
            self.asset = replace(self.asset, allowed=booked.allowed)
            self.problem = f"{self.asset.symbol}: a stop loss has paused it on {at:%Y-%m-%d %H:%M}"
        number = booked.cycle.cycle_id + 1
        self.cycle = Cycle(number, self.asset.asset_id, CycleStatus.COOLDOWN)
        # completed_at in the books is cut to a second; here each one counts
        ends_at = cooldown_ends_at(replace(booked.cycle, completed_at=at), self.asset)
        ends = 0 if ends_at is None else (ends_at - EPOCH) // MICROSECOND * 1000
        # On a path a cooldown ends with a bar's open: cooldown_manager.py runs every minute.
        stride = self.prices.points_per_bar
        self._cooldown_end = -(-self.prices.first_at(ends) // stride) * stride


def play(replays: Sequence[Replay]) -> None:
    """Play pairs through that share their cash, in the order of time."""
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
        replay, refills = replays[number], replays[number].shared_cash.refills
        replay.act(upcoming[number])
        if replay.shared_cash.refills != refills:
            for other, waiting in enumerate(replays):
                waiting.look_again(due[number])
                upcoming[other] = waiting.seek()
        upcoming[number] = replay.seek()
