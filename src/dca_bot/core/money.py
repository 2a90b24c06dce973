"""Rounding, fees, sizes of orders.  Rule: round once, downwards, before an intent is recorded."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_HALF_EVEN, Decimal

# Alpaca refuses USD buys with a smaller cost basis (docs/alpaca.md 1.2); no API tells this number.
MIN_BUY_USD = Decimal(10)
# Alpaca takes no order above this, neither BUY nor SELL (docs/alpaca.md 1.1).
MAX_ORDER_USD = Decimal(200_000)
# How much of that a SELL at market asks for: the price may rise while it is under way.
SELL_SHARE = Decimal("0.95")

# The fee of a BUY is taken in coin, rounded up per fill (docs/alpaca.md 1.5).  The rate is only our
# estimate, for when Alpaca has not yet said what the position became.
FEE_RATE_ESTIMATE = Decimal("0.0025")
FEE_RATE_MAX = Decimal("0.03")
COIN_STEP = Decimal("0.000000001")

PRICE_STEP = Decimal("0.0000000001")  # DECIMAL(20, 10) of the price columns
QUANTITY_LIMIT = Decimal(10) ** 15  # DECIMAL(30, 15) of the quantity columns


def round_down(value: Decimal, increment: Decimal) -> Decimal:
    """The largest multiple of `increment` that is not above `value` (both not negative)."""
    return (value / increment).to_integral_value(ROUND_DOWN) * increment


def estimated_receipt(filled: Decimal, fee_rate: Decimal = FEE_RATE_ESTIMATE) -> Decimal:
    """The coin left of a filled BUY after the usual fee; the last crumb goes to the fee whole."""
    fee = (filled * fee_rate).quantize(COIN_STEP, ROUND_CEILING)
    return filled - min(fee, filled)


def received(filled: Decimal, held_before: Decimal, held_after: Decimal | None) -> Decimal:
    """The coin that a BUY of gross `filled` brought, net of the fee taken in coin.

    1. The position that Alpaca reports after the fill, less what the cycle held before, is exact,
       whatever the account's fee tier.
    2. That difference is believed only where a fee can explain it: a lagging view, somebody else's
       coins or a sale by hand would otherwise be booked as ours.  Then the usual fee is estimated,
       and consistency_checker.py settles the last digits.
    """
    if held_after is not None:
        difference = held_after - held_before
        if filled * (1 - FEE_RATE_MAX) - COIN_STEP <= difference <= filled:
            return difference
    return estimated_receipt(filled)


def weighted_average(quantity: Decimal, average: Decimal, more: Decimal, price: Decimal) -> Decimal:
    """The quantity-weighted price of both lots, as the price columns can hold it."""
    total = quantity + more
    if total <= 0:
        return price
    return storable_price((quantity * average + more * price) / total)


def storable_price(price: Decimal) -> Decimal:
    """The price as the price columns can hold it; an average of fills has any number of digits."""
    return price.quantize(PRICE_STEP, ROUND_HALF_EVEN)
