"""What Alpaca charges: the account's rate as its orders show it, and the fee of a SELL.

Rule: a BUY's fee is taken from the coin that is received, so its net stands in the quantity; a
SELL's is taken in money, rounded up for each fill (docs/alpaca.md 1.5), and is an estimate until
Alpaca's own records show it, hours later.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Decimal

from dca_bot.core.model import ZERO, Asset, Order, OrderKind, Side
from dca_bot.core.money import COIN_STEP, FEE_RATE_ESTIMATE

CENT = Decimal("0.01")
BASIS_POINT = Decimal("0.0001")
# An average of several fills is reported with so many digits that a product of it is off by less.
NOTIONAL_STEP = Decimal("0.00000001")
# What an order that takes pays where one that rested pays so much (docs/alpaca.md 1.5: the tiers).
TAKER_RATES = {
    Decimal("0.0015"): Decimal("0.0025"),
    Decimal("0.0012"): Decimal("0.0022"),
    Decimal("0.0010"): Decimal("0.0020"),
    Decimal("0.0008"): Decimal("0.0018"),
}
# All that Alpaca charges, highest first, by volume and by whether an order rested.
RATES = tuple(Decimal(points) / 10_000 for points in (25, 22, 20, 18, 15, 13, 12, 10, 8, 5, 2))
LOWEST_MIXED = Decimal("0.0015")
ROUNDED_UP_MAX = 3 * COIN_STEP  # the fee of each fill is rounded up to a step


def seen_fee_rate(orders: Iterable[Order]) -> Decimal:
    """The rate that the account was seen to pay on market prices: the highest of its BUYs.

    1. Alpaca's rates are whole basis points; what is above comes from rounding each fill's fee up.
    2. A BUY that rested pays less than a market SELL will: hence the highest, and where all have
       rested the rate that goes with theirs.  One that rested in part has paid in between.
    """
    rates = [
        _rate_of(order)
        for order in orders
        if order.side is Side.BUY
        and order.kind is not OrderKind.ADOPTED
        and order.filled_quantity > 0
    ]
    seen = max(rates, default=FEE_RATE_ESTIMATE)
    return TAKER_RATES.get(seen, seen)


def _rate_of(order: Order) -> Decimal:
    """What a BUY paid; the usual rate where its fills were charged at two rates."""
    fee = order.filled_quantity - order.received_quantity
    rate = (fee / order.filled_quantity).quantize(BASIS_POINT, ROUND_HALF_EVEN)
    may_be_mixed = LOWEST_MIXED < rate < FEE_RATE_ESTIMATE
    is_one_rate = rate in TAKER_RATES.values() and (
        abs(fee - order.filled_quantity * rate) <= ROUNDED_UP_MAX
    )
    return FEE_RATE_ESTIMATE if may_be_mixed and not is_one_rate else rate


def sell_fee(worth: Decimal, rate: Decimal, step: Decimal = CENT) -> Decimal:
    """The fee of one SELL fill of so much money."""
    return (worth * rate).quantize(step, ROUND_CEILING)


def growth_of_fee(
    asset: Asset, before: Order, after: Order, rate: Decimal = FEE_RATE_ESTIMATE
) -> Decimal:
    """The fee of what a SELL was filled between two of its updates, taken for one fill."""
    old = before.filled_quantity * (before.filled_average_price or ZERO)
    worth = after.filled_quantity * (after.filled_average_price or ZERO) - old
    if old:
        worth = worth.quantize(NOTIONAL_STEP, ROUND_HALF_EVEN)
    return sell_fee(max(worth, ZERO), rate, fee_step(asset))


def fee_step(asset: Asset) -> Decimal:
    """What a SELL's fee is rounded up to: cents, or the finest step of another coin."""
    return CENT if asset.quote_currency == "USD" else COIN_STEP
