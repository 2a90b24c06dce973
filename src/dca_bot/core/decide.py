"""When to buy and when to sell.  Rule: `decide` sees one asset, its cycle and one quote, and
nothing else; it never acts, and the trader asks it again on what it has locked."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import assert_never

from dca_bot.core.holdings import is_dust
from dca_bot.core.ladder import (
    Triggers,
    next_safety_price,
    restart_price,
    safety_amount,
    stop_loss_price,
    take_profit_price,
    trailing_price,
    watched,
)
from dca_bot.core.model import (
    USD_LIKE,
    ZERO,
    Allowed,
    Asset,
    AssetRules,
    Cycle,
    CycleStatus,
    OrderKind,
    Quote,
    Side,
)
from dca_bot.core.money import MAX_ORDER_USD, MIN_BUY_USD, PRICE_STEP, QUANTITY_LIMIT, round_down

ANY_PRICE = Decimal("Infinity")


@dataclass(frozen=True, slots=True)
class Hold:
    """Nothing to do.  `reason` is for a human; `reported` marks what should be logged once."""

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
    """Sell all that the exchange will let go (`size_sell`): take profit or stop loss."""

    trigger_price: Decimal
    kind: OrderKind = OrderKind.TAKE_PROFIT


@dataclass(frozen=True, slots=True)
class Remember:
    """No order yet, but the cycle has to keep what it saw: `watched`."""


@dataclass(frozen=True, slots=True)
class Withdraw:
    """The take profit is due while a BUY still rests: the BUY is cancelled, then all is sold."""

    trigger_price: Decimal


Decision = Hold | Restart | Buy | Sell | Remember | Withdraw


def order_kind(decision: Decision) -> OrderKind | None:
    """The kind of order that a decision asks for, if it asks for one."""
    match decision:
        case Buy(kind):
            return kind
        case Sell(_, kind):
            return kind
        case Hold() | Restart() | Remember() | Withdraw():
            return None
        case _:
            assert_never(decision)


def triggers(asset: Asset, cycle: Cycle) -> Triggers:
    """The prices at which this cycle acts (behaviours 2, 4, 5 and 7)."""
    if not asset.is_enabled:
        return Triggers()
    match cycle.status:
        case CycleStatus.COOLDOWN if (restart := restart_price(asset)) is not None:
            return _beginning(asset, restart)
        case CycleStatus.WATCHING if cycle.quantity <= 0:
            return _beginning(asset, ANY_PRICE)
        case CycleStatus.WATCHING:
            return _holding(asset, cycle)
        case CycleStatus.BUYING:
            return Triggers(None, take_profit_price(asset, cycle))
        case _:
            return Triggers()


def _beginning(asset: Asset, at_or_below: Decimal) -> Triggers:
    """A cycle begins at or below a price, and only between the prices that the row allows."""
    if asset.allowed is not Allowed.ALL:
        return Triggers()
    if asset.max_start_price is not None:
        at_or_below = min(at_or_below, asset.max_start_price)
    return Triggers(
        at_or_below, buy_at_or_above=asset.min_start_price, max_spread_pct=asset.max_spread_pct
    )


def _holding(asset: Asset, cycle: Cycle) -> Triggers:
    safety = None if asset.allowed is Allowed.EXIT else next_safety_price(asset, cycle)
    spread_max = None if safety is None else asset.max_spread_pct
    at = Triggers(safety, take_profit_price(asset, cycle), max_spread_pct=spread_max)
    target, trailing = at.sell_at_or_above, trailing_price(asset, cycle)
    if trailing is not None and target is not None and cycle.highest_bid is not None:
        higher = cycle.highest_bid + PRICE_STEP
        at = replace(at, sell_at_or_above=higher, sell_between=(target, trailing))
    if cycle.stop_loss_since is not None:  # each quote counts, whether it is still so low or not
        return replace(at, sell_at_or_above=ZERO)
    stop = stop_loss_price(asset, cycle)
    return at if stop is None else replace(at, stop_at_or_below=stop)


def decide(
    asset: Asset,
    cycle: Cycle,
    quote: Quote,
    rules: AssetRules,
    *,
    paused: Collection[Side] = (),
) -> Decision:
    """What to do about `quote`, without orders of the `paused` sides.  BUY looks at the ask, SELL
    at the bid.

    A stop loss whose time has come is first, then a BUY, then the take profit.  What the cycle
    must remember comes before a BUY: a BUY may be refused, and the stop loss has to count on.
    """
    if quote.symbol != asset.symbol:
        return Hold(f"the row is about {asset.symbol} now")
    at = triggers(asset, cycle).without(*paused)
    is_holding = asset.is_enabled and cycle.status is CycleStatus.WATCHING and cycle.quantity > 0
    may_sell = Side.SELL not in paused
    now = watched(asset, cycle, quote) if is_holding else cycle
    if is_holding and (stop := _stop_loss(asset, now, quote)):
        return stop if may_sell else Hold("a stop loss is due, and must wait")
    if at.buys(quote):
        if now != cycle:
            return Remember()
        if cycle.status is CycleStatus.COOLDOWN:
            return Restart(at.buy_at_or_below or ZERO)
        if cycle.quantity <= 0:
            return _buy(OrderKind.BASE, 0, asset, quote, rules)
        rung = cycle.safety_orders + 1
        return _buy(OrderKind.SAFETY, rung, asset, quote, rules)
    if is_holding and may_sell and (sell := _take_profit(asset, now, quote)):
        return sell
    if cycle.status is CycleStatus.BUYING and _is_reached(at.sell_at_or_above, cycle, quote, asset):
        return Withdraw(at.sell_at_or_above or ZERO)
    return Hold("no trigger reached") if now == cycle else Remember()


def _is_reached(target: Decimal | None, cycle: Cycle, quote: Quote, asset: Asset) -> bool:
    """Whether the bid has reached the target of what a cycle with a resting BUY holds."""
    is_worth_it = not is_dust(cycle.quantity, quote.bid, asset)
    return target is not None and quote.bid >= target and is_worth_it


def _stop_loss(asset: Asset, cycle: Cycle, quote: Quote) -> Sell | None:
    price, since = stop_loss_price(asset, cycle), cycle.stop_loss_since
    if price is None or since is None:
        return None
    if quote.at - since < timedelta(seconds=asset.stop_loss_seconds):
        return None
    return Sell(price, OrderKind.STOP_LOSS)


def _take_profit(asset: Asset, cycle: Cycle, quote: Quote) -> Sell | None:
    """At the target; where the profit trails, at the fall from the highest bid, but not below."""
    target = take_profit_price(asset, cycle)
    if target is None or quote.bid < target:
        return None
    if asset.trailing_pct is None:
        return Sell(target)
    trailing = trailing_price(asset, cycle)
    return Sell(trailing) if trailing is not None and quote.bid <= trailing else None


def _buy(kind: OrderKind, rung: int, asset: Asset, quote: Quote, rules: AssetRules) -> Buy | Hold:
    amount = asset.base_order_amount if kind is OrderKind.BASE else safety_amount(asset, rung)
    found = size_buy(amount, asset, quote, rules)
    if isinstance(found, str):
        columns = f"{kind}_order_amount"
        if rung > 1 and asset.safety_order_volume_scale != 1:
            columns += " and safety_order_volume_scale"
        return Hold(f"{found}: see {columns} in dca_assets", reported=True)
    return Buy(kind, rung, *found)


def size_buy(
    amount: Decimal, asset: Asset, quote: Quote, rules: AssetRules
) -> tuple[Decimal, Decimal] | str:
    """Quantity and limit of a BUY at the ask worth `amount`, or why there can be none."""
    limit_price = round_down(quote.ask, rules.price_increment)
    quantity = round_down(amount / limit_price, rules.min_trade_increment) if limit_price else ZERO
    is_usd = asset.quote_currency == "USD"
    cost = quantity * limit_price
    if quantity >= QUANTITY_LIMIT:
        return (
            f"{amount:f} {asset.quote_currency} at {quote.ask:f} is an order of {quantity:f}, more "
            "than the books can hold"
        )
    if cost > MAX_ORDER_USD and asset.quote_currency in USD_LIKE:
        return (
            f"{amount:f} {asset.quote_currency} is above Alpaca's largest order of "
            f"{MAX_ORDER_USD:,} USD: buy it in parts"
        )
    if quantity > 0 and (cost >= MIN_BUY_USD or not is_usd):
        return quantity, limit_price
    minimum = f"{MIN_BUY_USD} USD" if is_usd else f"{rules.min_trade_increment:f} {asset.coin}"
    return (
        f"{amount:f} {asset.quote_currency} at {quote.ask:f} rounds down to an order of {cost:f}, "
        f"below Alpaca's minimum of {minimum}"
    )
