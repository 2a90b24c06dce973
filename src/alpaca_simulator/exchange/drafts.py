"""Reading an order request: from a JSON body to a `Draft`, or the refusal Alpaca would give."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from alpaca_simulator.decimals import NINE_PLACES, places, read_decimal, round_down
from alpaca_simulator.exchange.assets import Asset, AssetBook
from alpaca_simulator.exchange.orders import OrderType, Side, TimeInForce
from alpaca_simulator.exchange.rejections import BAD_REQUEST, Rejection, invalid, unprocessable

QTY_PLACES = 9  # docs/alpaca.md 1.1
NOTIONAL_PLACES = 2
CLIENT_ID_LENGTH = 128  # docs/alpaca.md 2.1
WHOLE_DIGITS = 18  # what is larger is no amount of anything


@dataclass(frozen=True, slots=True)
class Draft:
    """A valid order request; balances are checked later."""

    asset: Asset
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    qty: Decimal | None
    notional: Decimal | None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    client_order_id: str | None = None


def read_draft(body: object, assets: AssetBook, *, strict: bool = False) -> Draft:
    """Given the body of POST /v2/orders, returns the draft; raises Rejection as Alpaca would.

    Numbers finer than 9 decimals are cut to 9, or refused when `strict`.
    """
    if not isinstance(body, dict):
        raise invalid("request body format is invalid")
    order_type = _order_type(body)
    qty, notional = _size(body)
    draft = Draft(
        asset=_asset(body, assets),
        side=_side(body),
        type=order_type,
        time_in_force=_time_in_force(body),
        qty=qty,
        notional=notional,
        limit_price=_price(body, "limit", needed=order_type is not OrderType.MARKET),
        stop_price=_price(body, "stop", needed=order_type is OrderType.STOP_LIMIT),
        client_order_id=read_client_order_id(body),
    )
    return checked(draft, strict=strict)


def checked(draft: Draft, *, strict: bool) -> Draft:
    """Given a draft, returns it with numbers that its asset takes; raises Rejection."""
    if not strict:
        draft = replace(
            draft,
            qty=_cut(draft.qty, "qty"),
            limit_price=_cut(draft.limit_price, "limit price"),
            stop_price=_cut(draft.stop_price, "stop price"),
        )
    check_increments(draft)
    return draft


def _cut(number: Decimal | None, name: str) -> Decimal | None:
    if number is None:
        return None
    cut = round_down(number, NINE_PLACES)
    if cut <= 0:
        raise invalid(f"{name} must be > 0")
    return cut


def check_increments(draft: Draft) -> None:
    """Raises Rejection when a quantity or price is finer than the asset allows (1.1, 1.3)."""
    asset = draft.asset
    if draft.qty is not None:
        if places(draft.qty) > QTY_PLACES:
            raise unprocessable("qty must be limited to 9 decimal places")
        if draft.qty % asset.min_trade_increment:
            raise unprocessable(f"qty increment must be > {asset.min_trade_increment:f}")
    for name, price in (("limit", draft.limit_price), ("stop", draft.stop_price)):
        if price is not None and price % asset.price_increment:
            raise unprocessable(f"{name} price increment must be > {asset.price_increment:f}")


def read_client_order_id(body: Mapping[str, object]) -> str | None:
    """Given a request body, returns its client_order_id; None when it has none."""
    value = body.get("client_order_id")
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise invalid("client_order_id must be a string")
    if len(value) > CLIENT_ID_LENGTH:
        raise invalid(f"client_order_id must be no more than {CLIENT_ID_LENGTH} characters")
    return value


def _asset(body: Mapping[str, object], assets: AssetBook) -> Asset:
    symbol = body.get("symbol")
    if not isinstance(symbol, str) or not symbol:
        raise invalid("symbol is required")
    asset = assets.find(symbol)
    if asset is None:
        raise unprocessable(f'asset "{symbol}" not found')
    if not asset.tradable or asset.status != "active":
        raise Rejection(422, None, f"asset {asset.symbol} is not active")
    return asset


def _side(body: Mapping[str, object]) -> Side:
    if body.get("side") not in tuple(Side):
        raise invalid("invalid side")
    return Side(str(body["side"]))


def _order_type(body: Mapping[str, object]) -> OrderType:
    order_class = body.get("order_class")
    if order_class not in (None, "", "simple"):
        kind = "otoco" if order_class == "bracket" else order_class
        raise Rejection(
            403, 40310000, f"crypto orders not allowed for advanced order_class: {kind}"
        )
    if body.get("type") not in tuple(OrderType):
        raise invalid("invalid order type for crypto order")
    return OrderType(str(body["type"]))


def _time_in_force(body: Mapping[str, object]) -> TimeInForce:
    if body.get("time_in_force") not in tuple(TimeInForce):
        raise unprocessable("invalid crypto time_in_force")
    return TimeInForce(str(body["time_in_force"]))


def _size(body: Mapping[str, object]) -> tuple[Decimal | None, Decimal | None]:
    qty, notional = body.get("qty"), body.get("notional")
    if qty is None and notional is None:
        raise invalid("qty or notional is required")
    if qty is not None and notional is not None:
        raise invalid("only one of qty or notional is accepted")
    if qty is not None:
        return read_positive(qty, "qty"), None
    amount = read_positive(notional, "notional")
    if places(amount) > NOTIONAL_PLACES:
        raise unprocessable("notional value must be limited to 2 decimal places")
    return None, amount


def read_positive(value: object, name: str) -> Decimal:
    """Given a field of a request, reads it as a number above 0; raises Rejection otherwise."""
    number = read_decimal(value)
    if number is None:
        raise invalid(f"{name} is invalid")
    if number.adjusted() >= WHOLE_DIGITS:
        raise Rejection(400, BAD_REQUEST, f"{name} is out of range")
    if number <= 0:
        raise invalid(f"{name} must be > 0")
    return number


def _price(body: Mapping[str, object], name: str, *, needed: bool) -> Decimal | None:
    value = body.get(f"{name}_price")
    if value is not None:
        return read_positive(value, f"{name} price")
    if needed:
        raise invalid(f"{name} orders require a {name} price")
    return None
