"""Every refusal of the trading API, word for word (docs/alpaca.md 2.4)."""

from decimal import Decimal

from alpaca_simulator.decimals import wire

INSUFFICIENT = 40310000
INVALID = 40010001
BAD_REQUEST = 40010000
UNPROCESSABLE = 42210000
NOT_FOUND = 40410000


class Rejection(Exception):
    """The exchange says no: an HTTP status and a JSON body."""

    def __init__(self, status: int, code: int | None, message: str, **more: object) -> None:
        super().__init__(message)
        self.status = status
        named = {"message": message} if code is None else {"code": code, "message": message}
        self.body: dict[str, object] = dict(sorted({**more, **named}.items()))


def insufficient_balance(
    currency: str, requested: Decimal, free: Decimal, owned: Decimal
) -> Rejection:
    """`symbol` names what is short (recorded by ccxt with USDT; older answers said USD always)."""
    return Rejection(
        403,
        INSUFFICIENT,
        f"insufficient balance for {currency} "
        f"(requested: {wire(requested)}, available: {wire(free)})",
        available=wire(free),
        balance=wire(owned),
        symbol=currency,
    )


def below_minimum(minimum: Decimal) -> Rejection:
    return Rejection(
        403, INSUFFICIENT, f"cost basis must be >= minimal amount of order {wire(minimum)}"
    )


def wash_trade(existing_order_id: str, *, limit: bool) -> Rejection:
    kind = "limit" if limit else "market/stop"
    advice = ". use complex/limit/stop_limit orders" if limit else ""
    return Rejection(
        403,
        INSUFFICIENT,
        "potential wash trade detected. use complex orders",
        existing_order_id=existing_order_id,
        reject_reason=f"opposite side {kind} order exists{advice}",
    )


def invalid(message: str) -> Rejection:
    return Rejection(422, INVALID, message)


def unprocessable(message: str) -> Rejection:
    return Rejection(422, UNPROCESSABLE, message)


def order_not_found(order_id: str) -> Rejection:
    return Rejection(404, NOT_FOUND, f"order not found for {order_id}")


def position_not_found() -> Rejection:
    return Rejection(404, NOT_FOUND, "position does not exist")


def asset_not_found(name: str) -> Rejection:
    return Rejection(404, NOT_FOUND, f"asset not found for {name}")


def insufficient_qty(
    symbol: str, requested: Decimal, free: Decimal, held: Decimal, orders: list[str]
) -> Rejection:
    """What closing a position gets while a resting sell reserves it (docs/alpaca.md 1.6)."""
    return Rejection(
        403,
        INSUFFICIENT,
        f"insufficient qty available for order "
        f"(requested: {wire(requested)}, available: {wire(free)})",
        available=wire(free),
        existing_qty=wire(held),
        held_for_orders=wire(held - free),
        related_orders=orders,
        symbol=symbol,
    )
