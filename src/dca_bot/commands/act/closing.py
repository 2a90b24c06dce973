"""What closing cycles has in common: what it would mean, in numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal

from dca_bot.core.fees import fee_step, sell_fee
from dca_bot.core.model import AssetState, Order, Side
from dca_bot.core.money import FEE_RATE_ESTIMATE
from dca_bot.report.numbers import amount_in_words, plain_quantity, price_in_words


def sale_of(state: AssetState, live: Iterable[Order], bid: Decimal | None) -> Iterator[str]:
    """What the sale of one asset's cycle would bring at `bid`; None where no price is known.

    `live` are the orders under way, of all assets.
    """
    asset, cycle = state.asset, state.cycle
    under_way = [each for each in live if each.asset_id == asset.asset_id]
    for order in under_way:
        yield f"{asset.symbol}: {_ends(order)}"
    if cycle is None and state.problem:
        yield left_alone(state)
        return
    if state.bought_as:
        yield f"{asset.symbol}: nothing is sold: {state.problem}"
        return
    if cycle is None or cycle.quantity <= 0:
        if not under_way:
            yield f"{asset.symbol}: its cycle holds nothing, so nothing is sold."
        return
    cost, currency = cycle.quantity * cycle.average_purchase_price, asset.quote_currency
    sold = (
        f"{asset.symbol}: {plain_quantity(cycle.quantity)} {asset.coin}, bought for about "
        f"{amount_in_words(cost, currency)}, are sold at market"
    )
    if bid is None:
        yield f"{sold}; no price is known now."
        return
    worth = cycle.quantity * bid
    net = worth - sell_fee(worth, FEE_RATE_ESTIMATE, fee_step(asset))
    yield (
        f"{sold} for about {amount_in_words(net, currency)} after the fee "
        f"(bid {price_in_words(bid)}): {net - cost:+,.2f}."
    )


def left_alone(state: AssetState) -> str:
    """What is said of a row that no verb can act upon."""
    return f"{state.asset.symbol}: its row can't be read, so it is left as it is: {state.problem}"


def _ends(order: Order) -> str:
    if order.side is Side.BUY:
        return f"the BUY {order.client_order_id} is cancelled; what it fills before is sold too."
    return f"the SELL {order.client_order_id} fills, or is cancelled and what is left sold anew."
