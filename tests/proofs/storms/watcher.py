"""Looks at every order the moment the exchange takes it, and at every row the moment it is written.

Rule: it keeps its own record of prices and of what was configured, and never asks the bot.
"""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from alpaca_simulator.exchange.orders import Order as VenueOrder
from alpaca_simulator.exchange.orders import Side, Status
from dca_bot.core.model import Allowed, Asset, Cycle, CycleStatus, Order, OrderKind, OrderStatus
from dca_bot.trading.ports import Store

from .venue import Venue

PREFIX = "dca-"
# A quote may be ten seconds old when it is acted on; the decision takes a few requests more.
REMEMBERED_SECONDS = 60.0
HUNDRED = Decimal(100)
FEE_RATE = Decimal("0.0025")  # where the account has not told another
QUOTE_AGE_SECONDS = 10
CLOCKS_APART_SECONDS = 30  # orders are dated by the bot, quotes by the exchange
# Less than a dollar is left alone; the price may have moved since that was judged.
DUST_USD_AT_MOST = Decimal("1.2")
ENDED_IN_BOOKS = {
    OrderStatus.FILLED: {Status.FILLED},
    OrderStatus.CANCELED: {Status.CANCELED, Status.FILLED},
    OrderStatus.EXPIRED: {Status.EXPIRED, Status.FILLED},
    OrderStatus.REJECTED: {Status.REJECTED},
    OrderStatus.LOST: set[Status](),
}


@dataclass(frozen=True, slots=True)
class Ground:
    """What the books said when an order was intended, under the row's lock."""

    asset: Asset
    cycle: Cycle


class Watcher:
    """Complains about the first thing that is wrong, in a sentence."""

    def __init__(
        self, store: Store, venue: Venue, now: Callable[[], float], complain: Callable[[str], None]
    ) -> None:
        self._store = store
        self._venue = venue
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

    @property
    def cycle_ids(self) -> list[int]:
        return sorted(self._quantities)

    def quoted(self, symbol: str, bid: Decimal, ask: Decimal) -> None:
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

    def committed(self, cycles: Sequence[Cycle], orders: Sequence[Order]) -> None:
        """Rows are in the books from now on."""
        self.checks += 1
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
            self._check_buy(row, ground)
        else:
            self._check_sell(row, ground)

    def _is_the_bots(self, client_order_id: str) -> bool:
        return client_order_id.startswith(PREFIX) and client_order_id not in self.disowned

    # -- an order against what was true when it was intended

    def _remember(self, order: Order, cycles: Sequence[Cycle]) -> None:
        self.order_ids.append(order.client_order_id)
        with self._store.transaction(order.asset_id) as tx:
            asset = tx.asset
        self.configured[asset.asset_id].append(asset)
        self._grounds[order.client_order_id] = Ground(asset, cycles[-1])

    def _check_buy(self, row: Order, ground: Ground) -> None:
        asset, cycle, name = ground.asset, ground.cycle, row.client_order_id
        is_base = row.kind is OrderKind.BASE
        amount, step = asset.base_order_amount, asset.safety_order_deviation_pct
        if not is_base:
            amount = asset.safety_order_amount * asset.safety_order_volume_scale ** (row.rung - 1)
            step *= asset.safety_order_step_scale ** (row.rung - 1)
        limit = row.limit_price
        if limit is None:
            self._complain(f"{name} is a BUY without a limit")
            return
        if row.quantity * limit > amount:
            self._complain(f"{name} costs {row.quantity * limit}, more than {amount}")
        if not asset.is_enabled:
            self._complain(f"{name} buys for a disabled asset")
        if asset.allowed is Allowed.EXIT or (is_base and asset.allowed is not Allowed.ALL):
            self._complain(f"{name} buys for an asset that may go to {asset.allowed} only")
        widest, tick = asset.max_spread_pct or HUNDRED, self._venue.widest_tick[asset.symbol]
        narrow = [a for _, b, a in self._quotes[asset.symbol] if (a - b) * HUNDRED <= widest * a]
        if not any(0 <= ask - limit < tick for ask in narrow):
            self._complain(f"{name} buys at {limit}, which nobody asked for in the last minute")
        if is_base != (cycle.quantity <= 0):
            self._complain(f"{name} is a {row.kind} order of a cycle that holds {cycle.quantity}")
        if is_base:
            self._check_nothing_is_held(row, ground)
            return
        if row.rung != cycle.safety_orders + 1 or row.rung > asset.max_safety_orders:
            self._complain(f"{name} is rung {row.rung} after {cycle.safety_orders}")
        last = cycle.last_order_fill_price
        trigger = last and last * (1 - step / HUNDRED)
        if trigger is None or limit > trigger:
            self._complain(f"{name} buys at {limit}, above its trigger {trigger}")

    def _check_nothing_is_held(self, row: Order, ground: Ground) -> None:
        symbol, limit = ground.asset.symbol, row.limit_price or Decimal(0)
        worth = self._venue.held(symbol.partition("/")[0]) * limit
        lately = self._now() - REMEMBERED_SECONDS
        is_old = self._traded_by_hand_at[symbol] < lately
        if worth > DUST_USD_AT_MOST and is_old and not self._venue.hid_positions_since(lately):
            self._complain(f"{row.client_order_id} is a base order beside {worth} USD of coins")

    def _check_sell(self, row: Order, ground: Ground) -> None:
        asset, cycle, name = ground.asset, ground.cycle, row.client_order_id
        if not asset.is_enabled:
            self._complain(f"{name} sells for a disabled asset")
        # what the books took for the usual fee may be there all the same
        others = row.quantity - cycle.quantity - self._bought(cycle) * FEE_RATE
        worth = others * self._quotes[asset.symbol][-1][1]
        if worth > DUST_USD_AT_MOST:
            self._complain(f"{name} sells {worth} USD of coins that are not the cycle's")
        if row.kind is OrderKind.CLOSE:
            if asset.allowed is not Allowed.EXIT:
                self._complain(f"{name} is sold by hand, and the asset may buy on")
            return
        if row.kind is OrderKind.STOP_LOSS:
            self._check_stop_loss(row, ground)
            return
        target = cycle.average_purchase_price * (1 + asset.take_profit_pct / HUNDRED)
        if asset.take_profit_after_fees:
            rate = FEE_RATE if cycle.fee_rate is None else cycle.fee_rate
            target /= (1 - rate) ** 2
        if asset.trailing_pct is not None and cycle.highest_bid is None:
            self._complain(f"{name} sells before its target was ever reached")
        if not any(bid >= target for _, bid, _ in self._quotes[asset.symbol]):
            self._complain(f"{name} sells for less than {target}, its target")
        if cycle.quantity <= 0:
            self._complain(f"{name} sells for a cycle that holds nothing")

    def _bought(self, cycle: Cycle) -> Decimal:
        """The coins of the cycle's BUYs before any fee, as the exchange has filled them."""
        orders = self._venue.exchange.orders
        ours = [
            name for name in self.order_ids if self._grounds[name].cycle.cycle_id == cycle.cycle_id
        ]
        there = [each for each in map(orders.by_client_id, ours) if each]
        return sum((e.filled_qty for e in there if e.terms.side is Side.BUY), Decimal(0))

    # -- a cycle that is brought to what the position says

    def _check_correction(self, cycle: Cycle, before: Decimal) -> None:
        """It never takes more than the ladder could have bought with all its money, at the price
        of its lowest rung; half as much again is allowed for rows that were edited."""
        with self._store.transaction(cycle.asset_id) as tx:
            asset = tx.asset
        rungs = asset.max_safety_orders
        scale = max(Decimal(1), asset.safety_order_volume_scale) ** rungs
        money = asset.base_order_amount + rungs * asset.safety_order_amount * scale
        price = cycle.last_order_fill_price or cycle.average_purchase_price
        step = asset.safety_order_deviation_pct * max(1, asset.safety_order_step_scale) ** rungs
        lowest = price * max(Decimal(0), 1 - step / HUNDRED) ** rungs
        most = before + money / lowest if lowest > 0 else before
        if cycle.quantity > most * Decimal("1.5"):
            self._complain(f"cycle {cycle.cycle_id} takes {cycle.quantity}, at most {most} is its")

    def _check_stop_loss(self, row: Order, ground: Ground) -> None:
        asset, cycle, name = ground.asset, ground.cycle, row.client_order_id
        stop = cycle.average_purchase_price * (1 - (asset.stop_loss_pct or 0) / HUNDRED)
        if asset.stop_loss_pct is None:
            self._complain(f"{name} is a stop loss that nobody asked for")
        if not any(bid <= stop for _, bid, _ in self._quotes[asset.symbol]):
            self._complain(f"{name} stops above {stop}")
        waited = (row.created_at - (cycle.stop_loss_since or row.created_at)).total_seconds()
        if waited < asset.stop_loss_seconds - QUOTE_AGE_SECONDS - CLOCKS_APART_SECONDS:
            self._complain(f"{name} stops after {waited} s, {asset.stop_loss_seconds} are asked")

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
        with self._store.transaction(cycle.asset_id) as tx:
            asset = tx.asset
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
        there = self._venue.exchange.orders.by_client_id(row.client_order_id)
        filled = there.filled_qty if there else Decimal(0)
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
