"""Looks at every order the moment the exchange takes it, and at every row the moment it is written.

Rule: it keeps its own record of prices and of what was configured, and never asks the bot.
"""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal

from alpaca_simulator.exchange.orders import Order as VenueOrder
from alpaca_simulator.exchange.orders import Side, Status
from dca_bot.core.model import Asset, Cycle, CycleStatus, Order, OrderKind, OrderStatus
from dca_bot.trading.ports import Store

from .rules.edits import successors
from .rules.limits import Limits
from .rules.orders import DUST_USD_AT_MOST, HUNDRED, Ground, Seen, wrong_buy, wrong_sell
from .venue import Venue
from .watched_store import Written

PREFIX = "dca-"
# A quote may be ten seconds old when it is acted on; the decision takes a few requests more.
REMEMBERED_SECONDS = 60.0
ENDED_IN_BOOKS = {
    OrderStatus.FILLED: {Status.FILLED},
    OrderStatus.CANCELED: {Status.CANCELED, Status.FILLED},
    OrderStatus.EXPIRED: {Status.EXPIRED, Status.FILLED},
    OrderStatus.REJECTED: {Status.REJECTED},
    OrderStatus.LOST: set[Status](),
}


class Watcher:
    """Complains about the first thing that is wrong, in a sentence."""

    def __init__(
        self,
        store: Store,
        venue: Venue,
        limits: Limits,
        now: Callable[[], float],
        complain: Callable[[str], None],
    ) -> None:
        self._store = store
        self._venue = venue
        self.limits = limits
        self._now = now
        self._complain = complain
        self._grounds: dict[str, Ground] = {}
        self._quotes: defaultdict[str, deque[tuple[float, Decimal, Decimal]]]
        self._quotes = defaultdict(deque)
        self._quantities: dict[int, Decimal] = {}  # by cycle id
        self._statuses: dict[int, CycleStatus] = {}  # by cycle id
        self._sold_at: dict[int, float] = {}  # by asset id: when its last take profit was booked
        self._traded_by_hand_at: defaultdict[str, float] = defaultdict(lambda: -math.inf)
        self.checks = 0
        self.order_ids: list[str] = []
        self.disowned: set[str] = set()  # orders whose rows went with their asset's
        self.touched: set[int] = set()
        self.configured: defaultdict[int, list[Asset]] = defaultdict(list)
        self.asked: defaultdict[int, Decimal] = defaultdict(Decimal)  # the most, by `dca buy`

    @property
    def cycle_ids(self) -> list[int]:
        return sorted(self._quantities)

    def quoted(self, symbol: str, bid: Decimal, ask: Decimal) -> None:
        self.limits.quoted(symbol, ask)
        quotes = self._quotes[symbol]
        quotes.append((self._now(), bid, ask))
        while quotes[0][0] < self._now() - REMEMBERED_SECONDS:
            quotes.popleft()

    def traded_by_hand(self, symbol: str, cycle_id: int | None) -> None:
        """The user has bought or sold on Alpaca's site."""
        self._traded_by_hand_at[symbol] = self._now()
        if cycle_id is not None:
            self.touched.add(cycle_id)

    def deleted(self, asset_id: int) -> None:
        """The user has deleted an asset: what its orders still do is nobody's."""
        self.disowned |= {
            name for name in self.order_ids if self._grounds[name].asset.asset_id == asset_id
        }
        self.order_ids = [name for name in self.order_ids if name not in self.disowned]

    def committed(self, written: Written) -> None:
        """Rows are in the books from now on."""
        self.checks += 1
        cycles, orders = written.cycles, written.orders
        self._check_completion(cycles)
        for cycle in cycles:
            self._check_end_of_cooldown(cycle)
            self._statuses[cycle.cycle_id] = cycle.status
            before = self._quantities.get(cycle.cycle_id, Decimal(0))
            if not orders and cycle.quantity != before:
                self._check_correction(cycle, before)
                self.touched.add(cycle.cycle_id)  # brought to what the position says
            self._quantities[cycle.cycle_id] = cycle.quantity
            self._check_cycle(cycle)
        for order in orders:
            if order.status is OrderStatus.INTENDED and order.client_order_id not in self._grounds:
                self._remember(order, cycles)
            self._check_row(order)
        self._check_limits(written)

    def admitted(self, order: VenueOrder) -> None:
        """The exchange has taken an order; nothing of it has filled yet."""
        self.checks += 1
        name = order.terms.client_order_id
        if not self._is_the_bots(name):
            return
        row, ground = self._store.order(name), self._grounds.get(name)
        if row is None or ground is None:
            self._complain(f"{name} is at the exchange, and the books have never heard of it")
            return
        if row.status is not OrderStatus.INTENDED:
            self._complain(f"{name} is sent though the books say {row.status}")
        asked = (row.quantity, row.limit_price, row.side.value)
        if asked != (order.terms.qty, order.terms.limit_price, order.terms.side.value):
            self._complain(f"{name} is sent as {order.terms}, intended as {asked}")
        for other in self._venue.exchange.orders.open_of(order.symbol):
            if other.id != order.id and self._is_the_bots(other.terms.client_order_id):
                self._complain(f"{name} is sent while {other.terms.client_order_id} is open")
        if order.terms.side is Side.BUY:
            wrong = self._check_buy(row, ground)
        else:
            seen = self._seen(ground.asset.symbol)
            wrong = wrong_sell(row, ground, seen, self._bought(ground.cycle))
        for complaint in wrong:
            self._complain(f"{name} {complaint}")

    def _is_the_bots(self, client_order_id: str) -> bool:
        return client_order_id.startswith(PREFIX) and client_order_id not in self.disowned

    # -- limits for all assets, and pauses

    def _check_limits(self, written: Written) -> None:
        asset = self._asset(written.asset_id)
        completed = [each for each in written.cycles if each.status is CycleStatus.COMPLETE]
        for cycle in completed:
            self.limits.completed(asset, self._last_order(cycle, written).kind)
        rows = (*written.cycles, *written.orders)
        self.limits.count_losses({each.cycle_id for each in rows})
        if written.losses_from is not None:
            self.limits.forgotten(written.losses_from)
        if written.is_allowed and not completed:
            self.limits.allowed(asset, written.by)
        for order in written.orders:
            if order.status is OrderStatus.INTENDED:
                self.limits.intended(order)

    def _asset(self, asset_id: int) -> Asset:
        with self._store.transaction(asset_id) as tx:
            return tx.asset

    def _last_order(self, cycle: Cycle, written: Written) -> Order:
        """The order that has ended a cycle: one of this transaction, or its last one."""
        if written.orders:
            return written.orders[-1]
        with self._store.transaction(cycle.asset_id) as tx:
            return tx.orders_of_cycle(cycle.cycle_id)[-1]

    # -- an order against what was true when it was intended

    def _remember(self, order: Order, cycles: Sequence[Cycle]) -> None:
        self.order_ids.append(order.client_order_id)
        asset = self._asset(order.asset_id)
        self.configured[asset.asset_id].append(asset)
        self._grounds[order.client_order_id] = Ground(asset, cycles[-1])

    def _check_buy(self, row: Order, ground: Ground) -> Iterator[str]:
        symbol, asked = ground.asset.symbol, self.asked[ground.asset.asset_id]
        yield from wrong_buy(
            row, ground, self._seen(symbol), self._venue.widest_tick[symbol], asked
        )
        if row.kind is OrderKind.BASE:
            yield from self._check_nothing_is_held(row, ground)

    def _check_nothing_is_held(self, row: Order, ground: Ground) -> Iterator[str]:
        symbol, limit = ground.asset.symbol, row.limit_price or Decimal(0)
        worth = self._venue.held(symbol.partition("/")[0]) * limit
        lately = self._now() - REMEMBERED_SECONDS
        is_old = self._traded_by_hand_at[symbol] < lately
        if worth > DUST_USD_AT_MOST and is_old and not self._venue.hid_positions_since(lately):
            yield f"is a base order beside {worth} USD of coins"

    def _seen(self, symbol: str) -> Seen:
        return Seen(tuple((bid, ask) for _, bid, ask in self._quotes[symbol]))

    def _bought(self, cycle: Cycle) -> Decimal:
        """The coins of the cycle's BUYs before any fee, as the exchange has filled them."""
        exchange = self._venue.exchange
        ours = [
            name for name in self.order_ids if self._grounds[name].cycle.cycle_id == cycle.cycle_id
        ]
        firsts = [each for each in map(exchange.orders.by_client_id, ours) if each]
        there = [each for first in firsts for each in successors(exchange, first)]
        return sum((e.filled_qty for e in there if e.terms.side is Side.BUY), Decimal(0))

    # -- a cycle that is brought to what the position says

    def _check_correction(self, cycle: Cycle, before: Decimal) -> None:
        """It never takes more than the ladder could have bought with all its money, at the price
        of its lowest rung; half as much again is allowed for rows that were edited."""
        asset = self._asset(cycle.asset_id)
        rungs = asset.max_safety_orders
        scale = max(Decimal(1), asset.safety_order_volume_scale) ** rungs
        money = asset.base_order_amount + rungs * asset.safety_order_amount * scale
        price = cycle.last_order_fill_price or cycle.average_purchase_price
        step = asset.safety_order_deviation_pct * max(1, asset.safety_order_step_scale) ** rungs
        lowest = price * max(Decimal(0), 1 - step / HUNDRED) ** rungs
        most = before + money / lowest if lowest > 0 else before
        if cycle.quantity > most * Decimal("1.5"):
            self._complain(f"cycle {cycle.cycle_id} takes {cycle.quantity}, at most {most} is its")

    # -- what follows a sale

    def _check_completion(self, cycles: Sequence[Cycle]) -> None:
        sold = [cycle for cycle in cycles if cycle.status is CycleStatus.COMPLETE]
        if not sold:
            return
        self._sold_at[sold[0].asset_id] = self._now()
        if [cycle.status for cycle in cycles if cycle is not sold[0]] != [CycleStatus.COOLDOWN]:
            self._complain(f"cycle {sold[0].cycle_id} is complete, and no cooldown follows it")

    def _check_end_of_cooldown(self, cycle: Cycle) -> None:
        was = self._statuses.get(cycle.cycle_id)
        ends = cycle.status in (CycleStatus.WATCHING, CycleStatus.BUYING)
        if was is not CycleStatus.COOLDOWN or not ends:
            return
        asset = self._asset(cycle.asset_id)
        waited = self._now() - self._sold_at.get(cycle.asset_id, -math.inf)
        fall = 1 - asset.restart_deviation_pct / HUNDRED
        trigger = asset.last_sell_price and asset.last_sell_price * fall
        asks = [ask for _, _, ask in self._quotes[asset.symbol]]
        has_fallen = trigger is not None and any(ask <= trigger for ask in asks)
        # completed_at is cut to the whole second
        if waited < asset.cooldown_seconds - 1 and not has_fallen:
            self._complain(f"the cooldown of cycle {cycle.cycle_id} ends after {waited:.0f} s")

    # -- a row against the exchange

    def _check_row(self, row: Order) -> None:
        exchange = self._venue.exchange
        first = exchange.orders.by_client_id(row.client_order_id)
        chain = successors(exchange, first) if first else []
        there = chain[-1] if chain else None
        filled = sum((each.filled_qty for each in chain), Decimal(0))
        if row.filled_quantity > filled:
            self._complain(
                f"{row.client_order_id} is booked with {row.filled_quantity} of {filled}"
            )
        allowed = ENDED_IN_BOOKS.get(row.status)
        if there is None:
            if row.status not in (OrderStatus.INTENDED, OrderStatus.LOST, OrderStatus.REJECTED):
                self._complain(f"{row.client_order_id} is {row.status}, and was never taken")
        elif allowed is not None and there.status not in allowed:
            self._complain(
                f"{row.client_order_id} is {row.status} in the books, {there.status} there"
            )

    def _check_cycle(self, cycle: Cycle) -> None:
        if cycle.quantity < 0:
            self._complain(f"cycle {cycle.cycle_id} holds {cycle.quantity}")
        if cycle.status is CycleStatus.ERROR:
            self.touched.add(cycle.cycle_id)
