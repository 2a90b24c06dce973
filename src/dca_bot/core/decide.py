"""When to buy and when to sell.  Rule: `decide` sees one asset, its cycle and one quote, and
nothing else; it never acts, and the trader asks it again on what it has locked."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import assert_never

from dca_bot.core.model import (
    ZERO,
    Asset,
    AssetRules,
    Cycle,
    CycleStatus,
    Holding,
    OrderKind,
    Quote,
)
from dca_bot.core.money import MIN_BUY_USD, QUANTITY_LIMIT, is_dust, round_down

ANY_PRICE = Decimal("Infinity")
HUNDRED = Decimal(100)


@dataclass(frozen=True, slots=True)
class Triggers:
    """The two prices that matter until the cycle changes; None: no price triggers."""

    buy_at_or_below: Decimal | None = None
    sell_at_or_above: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Hold:
    """Nothing to do.  `reason` is for a human; `reported` marks what he should be told once."""

    reason: str
    reported: bool = False


@dataclass(frozen=True, slots=True)
class Restart:
    """The price fell far enough below the last sale: the cooldown ends now."""

    trigger_price: Decimal


@dataclass(frozen=True, slots=True)
class Buy:
    kind: OrderKind
    rung: int
    quantity: Decimal
    limit_price: Decimal


@dataclass(frozen=True, slots=True)
class Sell:
    """Take profit; the quantity is what the exchange will let go (`size_sell`)."""

    trigger_price: Decimal


Decision = Hold | Restart | Buy | Sell


def order_kind(decision: Decision) -> OrderKind | None:
    """The kind of order that a decision asks for, if it asks for one."""
    match decision:
        case Buy(kind):
            return kind
        case Sell():
            return OrderKind.TAKE_PROFIT
        case Hold() | Restart():
            return None
        case _:
            assert_never(decision)


def triggers(asset: Asset, cycle: Cycle) -> Triggers:
    """The prices at which this cycle acts (behaviours 2, 4, 5 and 7)."""
    if not asset.is_enabled:
        return Triggers()
    match cycle.status:
        case CycleStatus.COOLDOWN if asset.last_sell_price is not None:
            return Triggers(below(asset.last_sell_price, asset.restart_deviation_pct))
        case CycleStatus.WATCHING if cycle.quantity <= 0:
            return Triggers(ANY_PRICE)
        case CycleStatus.WATCHING:
            return Triggers(_next_safety_price(asset, cycle), _take_profit_price(asset, cycle))
        case _:
            return Triggers()


def decide(asset: Asset, cycle: Cycle, quote: Quote, rules: AssetRules) -> Decision:
    """What to do about `quote`.  BUY looks at the ask, SELL at the bid; a BUY comes first."""
    if quote.symbol != asset.symbol:
        return Hold(f"the row is about {asset.symbol} now")
    at = triggers(asset, cycle)
    if at.buy_at_or_below is not None and quote.ask <= at.buy_at_or_below:
        if cycle.status is CycleStatus.COOLDOWN:
            return Restart(at.buy_at_or_below)
        if cycle.quantity <= 0:
            return _buy(OrderKind.BASE, 0, asset, quote, rules)
        rung = cycle.safety_orders + 1
        return _buy(OrderKind.SAFETY, rung, asset, quote, rules)
    if at.sell_at_or_above is not None and quote.bid >= at.sell_at_or_above:
        return Sell(at.sell_at_or_above)
    return Hold("no trigger reached")


def size_sell(
    asset: Asset, cycle: Cycle, holding: Holding | None, quote: Quote, rules: AssetRules
) -> Decimal:
    """How much of the cycle's quantity can be sold now; 0: nothing worth an order.

    Fees make the position smaller than what was bought, and an open order of somebody else's may
    hold part of it back, so `qty_available` limits it.  Dust of earlier cycles goes along.  A cycle
    that holds nothing but dust sells it, or it would never end; what little another order leaves
    free is left alone.
    """
    if holding is None:
        return ZERO
    sellable = holding.available
    if not is_dust(sellable - cycle.quantity, quote.bid, asset):
        sellable = cycle.quantity  # the rest is not ours: bought by hand, say
    quantity = round_down(max(sellable, ZERO), rules.min_trade_increment)
    is_held_back = holding.available < holding.quantity
    return ZERO if is_held_back and is_dust(quantity, quote.bid, asset) else quantity


def why_nothing_to_sell(cycle: Cycle, holding: Holding | None) -> str:
    """For a human: why `size_sell` found nothing, and who settles it."""
    if holding is None or holding.available >= holding.quantity:
        held = holding.quantity if holding else ZERO
        return (
            f"the cycle holds {cycle.quantity:f}, Alpaca holds {held:f}: consistency_checker.py "
            "settles it"
        )
    return (
        f"Alpaca lets go {holding.available:f} of {holding.quantity:f}: an order that isn't the "
        "cycle's holds the rest back; order_manager.py cancels orphans, or cancel it yourself"
    )


def blocks_base_order(asset: Asset, holding: Holding | None, quote: Quote) -> bool:
    """Whether Alpaca holds a position the bot doesn't own (behaviour 2); dust does not count."""
    return holding is not None and not is_dust(holding.quantity, quote.bid, asset)


def why_blocked(asset: Asset, holding: Holding | None) -> str:
    """For a human: what `blocks_base_order` found, and what to do about it."""
    held = holding.quantity if holding else ZERO
    return (
        f"Alpaca holds a position of {held:f} {asset.symbol} that the bot did not buy: "
        "sell it there, or set is_enabled to FALSE in dca_assets"
    )


def below(price: Decimal, pct: Decimal) -> Decimal:
    return price * (1 - pct / HUNDRED)


def _next_safety_price(asset: Asset, cycle: Cycle) -> Decimal | None:
    if cycle.safety_orders >= asset.max_safety_orders:
        return None
    # A hand-made row may lack the last fill price; the average is the next best ground.
    last_fill = cycle.last_order_fill_price or cycle.average_purchase_price
    return below(last_fill, asset.safety_order_deviation_pct) if last_fill > 0 else None


def _take_profit_price(asset: Asset, cycle: Cycle) -> Decimal | None:
    if cycle.average_purchase_price <= 0:
        return None
    return cycle.average_purchase_price * (1 + asset.take_profit_pct / HUNDRED)


def _buy(kind: OrderKind, rung: int, asset: Asset, quote: Quote, rules: AssetRules) -> Buy | Hold:
    amount = asset.base_order_amount if kind is OrderKind.BASE else asset.safety_order_amount
    limit_price = round_down(quote.ask, rules.price_increment)
    quantity = round_down(amount / limit_price, rules.min_trade_increment) if limit_price else ZERO
    minimum = MIN_BUY_USD if asset.quote_currency == "USD" else ZERO
    cost = quantity * limit_price
    if quantity >= QUANTITY_LIMIT:
        return Hold(
            f"{amount:f} {asset.quote_currency} at {quote.ask:f} is an order of {quantity:f}, more "
            f"than the books can hold: lower {kind}_order_amount in dca_assets",
            reported=True,
        )
    if quantity > 0 and cost >= minimum:
        return Buy(kind, rung, quantity, limit_price)
    return Hold(
        f"{amount:f} {asset.quote_currency} at {quote.ask:f} rounds down to an order of {cost:f}, "
        f"below Alpaca's minimum: raise {kind}_order_amount in dca_assets",
        reported=True,
    )
