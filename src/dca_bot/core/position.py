"""What the position at Alpaca lets a cycle do: how much can be sold, and whether it may begin.

Rule: whose coins a position holds, the books say; the position only limits what is done with them.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from dca_bot.core.holdings import is_dust
from dca_bot.core.ladder import HUNDRED, RUNGS_MAX, below, safety_amount, safety_deviation
from dca_bot.core.model import (
    USD_LIKE,
    ZERO,
    Asset,
    AssetRules,
    AssetState,
    Cycle,
    Holding,
    Order,
    Quote,
    Side,
)
from dca_bot.core.money import (
    FEE_RATE_ESTIMATE,
    FEE_RATE_MAX,
    MAX_ORDER_USD,
    SELL_SHARE,
    estimated_receipt,
    round_down,
)


def size_sell(
    asset: Asset,
    cycle: Cycle,
    holding: Holding | None,
    quote: Quote,
    rules: AssetRules,
    *,
    assumed_fees: Decimal = ZERO,
) -> Decimal:
    """How much of the cycle's quantity can be sold now; 0: nothing worth an order.

    Fees make the position smaller than what was bought, and an open order of somebody else's may
    hold part of it back, so `qty_available` limits it.  Dust of earlier cycles goes along.  A cycle
    that holds nothing but dust sells it, or it would never end; what little another order leaves
    free is left alone.  What is worth more than Alpaca takes in one order is sold in parts, one
    after the other.

    `assumed_fees` are coins that the books took off as fees and Alpaca may not have
    (`fees_assumed`): what the position has beyond the books is the cycle's own up to there.
    """
    if holding is None:
        return ZERO
    sellable = holding.available
    if not is_dust(sellable - cycle.quantity - assumed_fees, quote.bid, asset):
        sellable = cycle.quantity  # the rest is not ours: bought by hand, say
    if asset.quote_currency in USD_LIKE:
        sellable = min(sellable, MAX_ORDER_USD * SELL_SHARE / quote.bid)
    quantity = round_down(max(sellable, ZERO), rules.min_trade_increment)
    is_held_back = holding.available < holding.quantity
    return ZERO if is_held_back and is_dust(quantity, quote.bid, asset) else quantity


def is_one_of_several(asset: Asset, cycle: Cycle, sold: Order) -> bool:
    """Whether a filled SELL was large enough to be one of several (by now the price may be half of
    what it was), and has left the cycle more than a fee takes: coins to sell next."""
    worth, rest = sold.filled_quantity * (sold.filled_average_price or ZERO), cycle.quantity
    is_large = asset.quote_currency in USD_LIKE and worth > MAX_ORDER_USD / 2
    return is_large and rest > (sold.filled_quantity + rest) * FEE_RATE_MAX


def fees_assumed(orders: Iterable[Order]) -> Decimal:
    """The coins by which a cycle's BUYs may have brought more than the books say: the usual fee was
    taken off where Alpaca had not reported the position, and an account may pay less.  A fee that
    Alpaca did report, and that is exactly the usual one, can't be told from an assumed one."""
    assumed = (
        order.filled_quantity - order.received_quantity
        for order in orders
        if order.side is Side.BUY
        and order.received_quantity == estimated_receipt(order.filled_quantity)
    )
    return sum(assumed, ZERO)


def why_nothing_to_sell(cycle: Cycle, holding: Holding | None) -> str:
    """For a human: why `size_sell` found nothing, and who settles it."""
    if holding is None or holding.available >= holding.quantity:
        held = holding.quantity if holding else ZERO
        return (
            f"the cycle holds {cycle.quantity:f}, Alpaca holds {held:f}: consistency_checker.py "
            "settles it"
        )
    return (
        f"only {holding.available:f} of {holding.quantity:f} can be sold: an order that isn't the "
        "cycle's holds the rest back; order_manager.py cancels orphans, or cancel it yourself"
    )


def blocks_base_order(asset: Asset, holding: Holding | None, quote: Quote) -> bool:
    """Whether Alpaca holds a position the bot doesn't own (behaviour 2); dust does not count."""
    return holding is not None and not is_dust(holding.quantity, quote.bid, asset)


def other_holder(asset: Asset, states: Iterable[AssetState]) -> AssetState | None:
    """The row whose cycle holds coins that this asset would buy; None: no other row's does."""
    for state in states:
        coin = (state.bought_as or state.asset.symbol).partition("/")[0]
        is_other = state.asset.asset_id != asset.asset_id and coin == asset.coin
        if is_other and state.cycle is not None and state.cycle.quantity > 0:
            return state
    return None


def why_blocked(
    asset: Asset, holding: Holding | None, left_behind: Decimal, holder: AssetState | None = None
) -> str:
    """For a human: what `blocks_base_order` found, whose that is, and what to do about it."""
    held = holding.quantity if holding else ZERO
    if holder is not None and holder.cycle is not None:
        name, cycle = holder.asset.symbol, holder.cycle
        return (
            f"Alpaca holds a position of {held:f} {asset.symbol}, and cycle {cycle.cycle_id} of "
            f"{name} holds {cycle.quantity.normalize():f} of it: `dca close {name}` sells them, "
            f"`dca release {name}` and then `dca adopt {asset.symbol}` hand them over, or set "
            f"is_enabled to FALSE for {asset.symbol} in dca_assets"
        )
    bought = min(held, left_behind)
    whose = "that the bot did not buy"
    if bought > 0:
        of_it = "it" if bought == held else f"{bought:f} of it"
        whose = f"and no cycle owns it: the bot bought {of_it} for a row that was deleted since"
    return (
        f"Alpaca holds a position of {held:f} {asset.symbol} {whose}: sell it there, let "
        f"`dca adopt {asset.symbol}` make it a cycle, or set is_enabled to FALSE in dca_assets"
    )


def most_it_could_hold(asset: Asset, cycle: Cycle) -> Decimal:
    """The most coins that the cycle's own orders could have bought (behaviour 10).

    1. What the books hold, before fees, and the rungs that are left, each at its price below the
       last fill.
    2. Or the whole ladder afresh, where the books have lost a fill: its first price follows from
       the last one.
    What a position holds beyond that is somebody else's.
    """
    gross = cycle.quantity / (1 - FEE_RATE_ESTIMATE)
    last_fill = cycle.last_order_fill_price or cycle.average_purchase_price
    rungs = range(1, min(asset.max_safety_orders, RUNGS_MAX) + 1)
    steps = [safety_deviation(asset, rung) for rung in rungs]
    if last_fill <= 0 or any(not 0 < step < HUNDRED for step in steps):
        return gross
    filled = min(max(cycle.safety_orders, 0), len(steps))
    first = last_fill
    for step in steps[:filled]:
        first /= 1 - step / HUNDRED
    prices = [first]
    for step in steps:
        prices.append(below(prices[-1], step))
    bought = [safety_amount(asset, rung) / price for rung, price in enumerate(prices[1:], start=1)]
    whole = asset.base_order_amount / first + sum(bought, ZERO)
    return max(gross + sum(bought[filled:], ZERO), whole)
