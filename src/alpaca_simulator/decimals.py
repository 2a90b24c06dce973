"""Exact decimals: reading them from JSON, rounding them, writing them as Alpaca writes them."""

from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_HALF_EVEN, Decimal, InvalidOperation

ZERO = Decimal(0)
NINE_PLACES = Decimal("0.000000001")  # quantities and coin fees (docs/alpaca.md 1.1, 1.5)
CENT = Decimal("0.01")
AVERAGE_PLACES = Decimal("0.0000000000000001")  # avg_entry_price in position_crypto_docs_2022.json


def wire(value: Decimal) -> str:
    """Given a decimal, writes it without exponent and without trailing zeros (docs/alpaca.md 2)."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def read_decimal(value: object) -> Decimal | None:
    """Given a JSON number or string, reads it exactly; None when it is no finite number."""
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def round_down(value: Decimal, step: Decimal) -> Decimal:
    """Given a step such as 0.01 or 5, returns the largest multiple of it that is not above."""
    return (value / step).to_integral_value(ROUND_DOWN) * step


def round_up(value: Decimal, step: Decimal) -> Decimal:
    """Given a step such as 0.01, returns the smallest multiple of it that is not below."""
    return value.quantize(step, rounding=ROUND_CEILING)


def average(cost: Decimal, qty: Decimal) -> Decimal:
    """Given what was paid in all and for how much, returns the average price."""
    return (cost / qty).quantize(AVERAGE_PLACES, rounding=ROUND_HALF_EVEN)


def places(value: Decimal) -> int:
    """Given a decimal, counts its digits after the point, trailing zeros aside."""
    exponent = value.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0
