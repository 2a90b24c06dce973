"""Everything as it is at one moment: rows, orders of active cycles, and what the bot sees.  What
is asked of it (invested, next prices, net if sold) is worked out here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from functools import cached_property

from dca_bot.core.asset_row import buying_problem
from dca_bot.core.decide import triggers
from dca_bot.core.earnings import Tally, tally
from dca_bot.core.fees import fee_step, seen_fee_rate, sell_fee
from dca_bot.core.ladder import Triggers, safety_amount, take_profit_price
from dca_bot.core.model import (
    ZERO,
    Asset,
    AssetRules,
    Cycle,
    CycleStatus,
    Order,
    Quote,
    Side,
)
from dca_bot.core.money import COIN_STEP
from dca_bot.watchdog.heartbeat import Heartbeat
from dca_bot.watchdog.sight import AssetSight, Sight

NO_SIGHT = AssetSight()
HUNDRED = Decimal(100)
WAITING = (CycleStatus.BUYING, CycleStatus.SELLING)


def finest_rules(symbol: str) -> AssetRules:
    """The increments of every pair at Alpaca in 2026, for when the bot has written no others."""
    return AssetRules(symbol, True, COIN_STEP, COIN_STEP)


@dataclass(frozen=True)
class AssetNow:
    """One row of `dca_assets` with everything that is known of it at the moment."""

    asset: Asset
    cycle: Cycle | None
    problem: str = ""  # why the row can't be read or traded
    orders: tuple[Order, ...] = ()  # of the active cycle, oldest first
    seen: AssetSight = NO_SIGHT
    completed_at: datetime | None = None  # of the cycle before, while in cooldown
    cash: Decimal | None = None  # what its BUYs may use, as far as that is known
    last_event: tuple[datetime, str] | None = None

    @property
    def quote(self) -> Quote | None:
        return self.seen.quote

    @property
    def rules(self) -> AssetRules:
        return self.seen.rules or finest_rules(self.asset.symbol)

    @cached_property
    def sums(self) -> Tally:
        return tally(self.orders)

    @property
    def fee_rate(self) -> Decimal:
        return seen_fee_rate(self.orders)

    @property
    def is_stopped_from_buying_only(self) -> bool:
        """Whether what is wrong with its row leaves the take profit alone."""
        return self.problem != "" and self.problem == buying_problem(self.asset)

    @property
    def live_order(self) -> Order | None:
        return next((order for order in self.orders if not order.status.is_finished), None)

    @property
    def quantity(self) -> Decimal:
        return self.cycle.quantity if self.cycle else ZERO

    @property
    def is_holding(self) -> bool:
        return self.quantity > 0

    @property
    def invested(self) -> Decimal:
        """What was paid for what is held; of a cycle made by hand, by its columns."""
        if self.cycle is None or not self.is_holding:
            return ZERO
        if self.sums.received <= 0:
            return self.cycle.quantity * self.cycle.average_purchase_price
        left = min(Decimal(1), max(ZERO, self.sums.left / self.sums.received))
        return self.sums.cost * left

    @property
    def triggers(self) -> Triggers:
        """The prices at which it acts, also while an order keeps it from acting now."""
        if self.cycle is None:
            return Triggers()
        if self.is_waiting_for_order:
            return triggers(self.asset, replace(self.cycle, status=CycleStatus.WATCHING))
        return triggers(self.asset, self.cycle)

    @property
    def next_buy_price(self) -> Decimal | None:
        """The ask at or below which it buys, or the limit of the BUY that rests."""
        live = self.live_order
        if live is not None and live.side is Side.BUY:
            return live.limit_price
        price = self.triggers.buy_at_or_below
        if price is not None and price.is_infinite():
            return self.quote.ask if self.quote else None
        return price

    @property
    def next_amount(self) -> Decimal:
        """What its next BUY is worth."""
        if self.cycle is None or not self.is_holding:
            return self.asset.base_order_amount
        return safety_amount(self.asset, max(self.cycle.safety_orders, 0) + 1)

    @property
    def lacks_cash(self) -> bool:
        """Whether the cash is known not to pay for its next BUY."""
        return self.cash is not None and self.cash < self.next_amount

    @property
    def take_profit_price(self) -> Decimal | None:
        """The target; the bid at or above which it sells, or begins to trail."""
        if self.cycle is None or not self.is_holding or not self.asset.is_enabled:
            return None
        return take_profit_price(self.asset, self.cycle)

    @property
    def is_waiting_for_order(self) -> bool:
        return self.cycle is not None and self.cycle.status in WAITING

    @property
    def net_if_sold(self) -> Decimal | None:
        """What is left after all fees if everything held were sold at the bid; None: no price."""
        if not self.is_holding or self.quote is None:
            return None
        worth = self.quantity * self.quote.bid
        income = worth - sell_fee(worth, self.fee_rate, fee_step(self.asset))
        if self.sums.received <= 0:
            return income - self.invested
        return income + self.sums.proceeds - self.sums.sell_fees - self.sums.cost

    @property
    def cooldown_ends_at(self) -> datetime | None:
        if self.completed_at is None:
            return None
        return self.completed_at + timedelta(seconds=self.asset.cooldown_seconds)

    @property
    def began_at(self) -> datetime | None:
        """When its first BUY was ordered, or the cycle's row was made."""
        if self.is_holding and self.orders:
            return self.orders[0].created_at
        return self.cycle.created_at if self.cycle else None

    def distance_pct(self, price: Decimal | None, side: Side) -> Decimal | None:
        """How far the market is from a price, in % of the market's."""
        if price is None or self.quote is None:
            return None
        here = self.quote.ask if side is Side.BUY else self.quote.bid
        return (price / here - 1) * HUNDRED if here else None

    @property
    def nearness(self) -> Decimal:
        """The smaller of both distances, for sorting; without any it comes last."""
        distances = (
            self.distance_pct(self.next_buy_price, Side.BUY),
            self.distance_pct(self.take_profit_price, Side.SELL),
        )
        return min((abs(each) for each in distances if each is not None), default=Decimal(1000))


@dataclass(frozen=True)
class Now:
    """One moment: the bot's signs of life, what it sees, and every asset."""

    at: datetime
    mode: str
    beat: Heartbeat | None
    sight: Sight | None
    assets: tuple[AssetNow, ...]
    caretakers: Mapping[str, datetime | None] = field(default_factory=dict)  # last success of each
    to_correct: tuple[str, ...] = ()  # rows that can't be read or can't be meant, a line for each

    @property
    def invested(self) -> Decimal:
        return sum((each.invested for each in self.assets), ZERO)

    @property
    def net_if_sold(self) -> Decimal | None:
        """Of all that is held; None where a price is missing."""
        nets = [each.net_if_sold for each in self.assets if each.is_holding]
        known = [net for net in nets if net is not None]
        return sum(known, ZERO) if len(known) == len(nets) else None

    def find(self, symbol: str) -> AssetNow | None:
        """The asset with this symbol, however it is spelt: BTC/USD, btcusd, and btc where one pair
        of it is traded."""
        wanted = plain(symbol)
        spelt = [each for each in self.assets if plain(each.asset.symbol) == wanted]
        of_coin = [each for each in self.assets if each.asset.coin.upper() == wanted]
        exact = [each for each in spelt if each.asset.symbol == symbol]
        found = exact or spelt or (of_coin if len(of_coin) == 1 else [])
        return found[0] if found else None


class HealthLevel(StrEnum):
    OK = "OK"
    DEGRADED = "DEGRADED"
    PAUSED = "PAUSED"
    BLIND = "BLIND"


@dataclass(frozen=True, slots=True)
class HealthReport:
    word: HealthLevel
    reasons: tuple[str, ...] = ()
    no_orders: str = ""  # why none is placed at all, though the prices are looked at

    @property
    def is_on_the_watch(self) -> bool:
        """Whether somebody looks at the prices, and may act."""
        return self.word in (HealthLevel.OK, HealthLevel.DEGRADED)


def plain(symbol: str) -> str:
    """`BTCUSD` for BTC/USD and btc/usd."""
    return symbol.replace("/", "").upper()


def closest_first(assets: Sequence[AssetNow]) -> list[AssetNow]:
    """The assets that are about to act come first."""

    def rank(each: AssetNow) -> tuple[bool, bool, Decimal]:
        return not each.asset.is_enabled, bool(each.problem), each.nearness

    return sorted(assets, key=rank)
