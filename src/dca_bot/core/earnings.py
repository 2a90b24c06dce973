"""What the orders of a cycle came to: money in, money out, fees, and what is left.

Rule: everything follows from fills, so that each number can be followed to the orders behind it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Context, Decimal

from dca_bot.core.fees import CENT, seen_fee_rate, sell_fee
from dca_bot.core.holdings import is_dust
from dca_bot.core.model import ZERO, Asset, Cycle, CycleStatus, Order, Side
from dca_bot.core.money import COIN_STEP, PRICE_STEP
from dca_bot.core.records import CycleResult, FillActivity

WIDE = Context(prec=60)  # a sum of the largest orders has more digits than the usual one holds

HUNDRED = Decimal(100)


@dataclass(frozen=True, slots=True)
class Tally:
    """What a number of orders have moved.  Coins are gross unless said; money in the quote coin."""

    received: Decimal = ZERO  # by BUYs, net of the fee taken in coin
    sold: Decimal = ZERO
    cost: Decimal = ZERO
    proceeds: Decimal = ZERO  # before the fees of SELLs
    buy_fees: Decimal = ZERO  # at the price of the fill
    sell_fees: Decimal = ZERO

    @property
    def fees(self) -> Decimal:
        return self.buy_fees + self.sell_fees

    @property
    def left(self) -> Decimal:
        """The coins that the orders have left; less than none: more was sold than bought."""
        return self.received - self.sold


def tally(orders: Iterable[Order]) -> Tally:
    """The sums over the orders; those without a fill add nothing."""
    received = sold = cost = proceeds = buy_fees = sell_fees = ZERO
    known = list(orders)
    rate = seen_fee_rate(known)
    for order in known:
        price = order.filled_average_price
        if price is None:
            continue
        worth = order.filled_quantity * price
        if order.side is Side.BUY:
            received += order.received_quantity
            cost += worth
            buy_fees += (order.filled_quantity - order.received_quantity) * price
        else:
            sold += order.filled_quantity
            proceeds += worth
            sell_fees += sell_fee(worth, rate) if order.fee is None else order.fee
    return Tally(received, sold, cost, proceeds, buy_fees, sell_fees)


def usual_fee(fill: FillActivity, rate: Decimal) -> Decimal:
    """What a fill costs at a rate, in what it is credited in."""
    if fill.side is Side.BUY:
        return (fill.quantity * rate).quantize(COIN_STEP, ROUND_CEILING)
    step = CENT if fill.fee_currency == "USD" else COIN_STEP
    return sell_fee(fill.quantity * fill.price, rate, step)


def result_of(asset: Asset, cycle: Cycle, orders: Sequence[Order]) -> CycleResult:
    """What a finished cycle came to, given all its orders."""
    assert cycle.completed_at is not None, f"cycle {cycle.cycle_id} is not finished"  # noqa: S101
    sums = tally(orders)
    began = [order.created_at for order in orders if order.filled_quantity > 0]
    net = net_of(asset, sums) if cycle.status is CycleStatus.COMPLETE else None
    return CycleResult(
        cycle_id=cycle.cycle_id,
        asset_id=cycle.asset_id,
        symbol=asset.symbol,
        status=cycle.status,
        began_at=min(began, default=cycle.created_at or cycle.completed_at).replace(microsecond=0),
        completed_at=cycle.completed_at,
        safety_orders=cycle.safety_orders,
        max_safety_orders=asset.max_safety_orders,
        cost=_stored(sums.cost),
        proceeds=_stored(sums.proceeds),
        fees=_stored(sums.fees),
        net=None if net is None else _stored(net),
        left_quantity=sums.left,
        drawdown_pct=deepest_drawdown(orders),
        fees_are_known=all(each.fee_is_known for each in orders if _is_sale(each)),
    )


def net_of(asset: Asset, sums: Tally) -> Decimal | None:
    """What is left after all fees; None where nothing was bought or nothing sold by orders.

    1. Up to dust all that was bought was sold: money out less money in.
    2. Coins that went another way (sold by hand, say) take their share of the cost along, and
       coins that came another way their share of the proceeds: neither is the bot's profit.
    """
    if sums.received <= 0 or sums.sold <= 0:
        return None
    income, cost = sums.proceeds - sums.sell_fees, sums.cost
    if not is_dust(abs(sums.left), sums.proceeds / sums.sold, asset):
        matched = min(sums.received, sums.sold)
        income, cost = income * matched / sums.sold, cost * matched / sums.received
    return income - cost


def deepest_drawdown(orders: Iterable[Order]) -> Decimal:
    """How far below its average a cycle was at the deepest of its own BUYs, in %, at most 0.

    The price may have been lower between two orders; what no order has seen is not known.
    """
    quantity = cost = deepest = ZERO
    for order in sorted(orders, key=lambda each: each.created_at):
        price = order.filled_average_price
        if order.side is Side.SELL or price is None:
            continue
        if cost:
            deepest = min(deepest, (price * quantity / cost - 1) * HUNDRED)
        quantity += order.filled_quantity
        cost += order.filled_quantity * price
    return deepest.quantize(Decimal("0.0001"), ROUND_HALF_EVEN)


def _is_sale(order: Order) -> bool:
    return order.side is Side.SELL and order.filled_quantity > 0


def _stored(amount: Decimal) -> Decimal:
    return amount.quantize(PRICE_STEP, ROUND_HALF_EVEN, WIDE)
