"""What closing cycles has in common: what it would mean, in numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal

from dca_bot.core.fees import fee_step, sell_fee
from dca_bot.core.model import AssetState, Order
from dca_bot.core.money import FEE_RATE_ESTIMATE

CENT = Decimal("0.01")


def sale_of(state: AssetState, live: Iterable[Order], bid: Decimal | None) -> Iterator[str]:
    """What the sale of one asset's cycle would bring at `bid`; None where no price is known.

    `live` are the orders under way, of all assets.
    """
    asset, cycle = state.asset, state.cycle
    for order in (each for each in live if each.asset_id == asset.asset_id):
        yield f"{asset.symbol}: the {order.side} order {order.client_order_id} is cancelled."
    if cycle is None and state.problem:
        yield f"{asset.symbol}: its row can't be read, so it is left as it is: {state.problem}"
        return
    if state.bought_as:
        yield f"{asset.symbol}: nothing is sold: {state.problem}"
        return
    if cycle is None or cycle.quantity <= 0:
        yield f"{asset.symbol}: its cycle holds nothing to sell; the asset is paused."
        return
    cost = (cycle.quantity * cycle.average_purchase_price).quantize(CENT)
    sold = f"{asset.symbol}: {cycle.quantity:f} {asset.coin}, bought for about {cost}"
    if bid is None:
        yield f"{sold}, are sold at market; no price is known now. Then the asset is paused."
        return
    worth = cycle.quantity * bid
    net = worth - sell_fee(worth, FEE_RATE_ESTIMATE, fee_step(asset))
    yield (
        f"{sold}, are sold at market for about {net.quantize(CENT)} {asset.quote_currency} after "
        f"the fee (bid {bid:f}): {(net - cost).quantize(CENT):+f}. Then the asset is paused."
    )
