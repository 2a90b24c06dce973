"""The numbers of an asset's ladder: amounts, steps and prices.  Rule: live bot, preview and
backtest take them from here, so that none of them can have its own.

A rung is a safety order, counted from 1.  `docs/strategy.md` works through each number.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from dca_bot.core.model import ZERO, Asset, Cycle, Quote, Side
from dca_bot.core.money import FEE_RATE_ESTIMATE, PRICE_STEP, round_down

HUNDRED = Decimal(100)
RUNGS_MAX = 1000  # nobody means more, and every rung is worked out


def below(price: Decimal, pct: Decimal) -> Decimal:
    return price * (1 - pct / HUNDRED)


def safety_amount(asset: Asset, rung: int) -> Decimal:
    """What safety order `rung` is worth, in the quote currency."""
    return _scaled(asset.safety_order_amount, asset.safety_order_volume_scale, rung)


def safety_deviation(asset: Asset, rung: int) -> Decimal:
    """How far below the fill before it safety order `rung` is bought, in percent."""
    return _scaled(asset.safety_order_deviation_pct, asset.safety_order_step_scale, rung)


def _scaled(first: Decimal, scale: Decimal, rung: int) -> Decimal:
    # A row may say 0, which has no zeroth power; `asset_row.py` stops its BUYs alone.
    return first if rung == 1 else first * scale ** (rung - 1)


def next_safety_price(asset: Asset, cycle: Cycle) -> Decimal | None:
    """The ask at or below which the next safety order is bought; None: there is none left."""
    if cycle.safety_orders >= min(asset.max_safety_orders, RUNGS_MAX):
        return None
    # A hand-made row may lack the last fill price; the average is the next best ground.
    last_fill = cycle.last_order_fill_price or cycle.average_purchase_price
    rung = max(cycle.safety_orders, 0) + 1
    return below(last_fill, safety_deviation(asset, rung)) if last_fill > 0 else None


def restart_price(asset: Asset) -> Decimal | None:
    """The ask at or below which a cooldown ends early (behaviour 7); None: nothing was sold."""
    if asset.last_sell_price is None:
        return None
    return below(asset.last_sell_price, asset.restart_deviation_pct)


def take_profit_price(asset: Asset, cycle: Cycle) -> Decimal | None:
    """The target: the bid at or above which the cycle takes its profit; None: it owns nothing.

    After fees: the fee of a BUY leaves fewer coins than were paid for, the fee of the SELL takes
    its part of the money, and both together still leave `take_profit_percent`.
    """
    if cycle.average_purchase_price <= 0:
        return None
    target = cycle.average_purchase_price * (1 + asset.take_profit_pct / HUNDRED)
    if not asset.take_profit_after_fees:
        return target
    fee_rate = FEE_RATE_ESTIMATE if cycle.fee_rate is None else cycle.fee_rate
    return target / (1 - fee_rate) ** 2


def trailing_price(asset: Asset, cycle: Cycle) -> Decimal | None:
    """The bid at or below which a trailing take profit sells; None: the target was not reached."""
    if asset.trailing_pct is None or cycle.highest_bid is None:
        return None
    return below(cycle.highest_bid, asset.trailing_pct)


def stop_loss_price(asset: Asset, cycle: Cycle) -> Decimal | None:
    """The bid at or below which the stop loss counts its seconds; None: there is none."""
    if asset.stop_loss_pct is None or cycle.average_purchase_price <= 0:
        return None
    return below(cycle.average_purchase_price, asset.stop_loss_pct)


def spread_pct(quote: Quote) -> Decimal:
    """How far ask and bid are apart, in percent of the ask: what buying and selling would cost."""
    return (quote.ask - quote.bid) / quote.ask * HUNDRED


def watched(asset: Asset, cycle: Cycle, quote: Quote) -> Cycle:
    """A cycle that holds coins, with what it must remember of this quote.

    1. At or above the target of a trailing take profit: the highest bid.
    2. At or below the stop loss: since when; above it, nothing any more (a wick is not enough).
    """
    target, stop = take_profit_price(asset, cycle), stop_loss_price(asset, cycle)
    highest = cycle.highest_bid
    if asset.trailing_pct is None or target is None:
        highest = None
    elif quote.bid >= target:
        highest = max(highest or ZERO, round_down(quote.bid, PRICE_STEP))
    since = None
    if stop is not None and quote.bid <= stop:
        since = cycle.stop_loss_since or quote.at
    if (highest, since) == (cycle.highest_bid, cycle.stop_loss_since):
        return cycle
    return replace(cycle, highest_bid=highest, stop_loss_since=since)


@dataclass(frozen=True, slots=True)
class Triggers:
    """The prices that matter until the cycle changes; None: no such price triggers.

    The first two are the plain strategy.  The others belong to columns that are off by default.
    """

    buy_at_or_below: Decimal | None = None  # the ask
    sell_at_or_above: Decimal | None = None  # the bid; or the cycle must remember it
    buy_at_or_above: Decimal | None = None  # the ask must not be below it either
    max_spread_pct: Decimal | None = None  # nor ask and bid further apart
    sell_between: tuple[Decimal, Decimal] | None = None  # the bid: a trailing take profit
    stop_at_or_below: Decimal | None = None  # the bid: the stop loss begins to count

    def buys(self, quote: Quote) -> bool:
        """Whether the ask of `quote` triggers a BUY."""
        return (
            self.buy_at_or_below is not None
            and quote.ask <= self.buy_at_or_below
            and (self.buy_at_or_above is None or quote.ask >= self.buy_at_or_above)
            and (self.max_spread_pct is None or spread_pct(quote) <= self.max_spread_pct)
        )

    @property
    def are_more_than_two_prices(self) -> bool:
        return Triggers(self.buy_at_or_below, self.sell_at_or_above) != self

    def without(self, *sides: Side) -> Triggers:
        """The prices of the other side alone, or none at all."""
        at = self
        if Side.BUY in sides:
            at = replace(at, buy_at_or_below=None)
        if Side.SELL in sides:
            at = replace(at, sell_at_or_above=None, sell_between=None, stop_at_or_below=None)
        return at
