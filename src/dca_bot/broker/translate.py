"""Alpaca's words in our types, and ours in Alpaca's.  Pure: dicts in, values out.

Rule: strict about the state, the identity and the quantities of an order, where a guess costs
money; tolerant about everything else, which Alpaca changes without notice.  A float lives here
and nowhere else, and leaves as `Decimal(str(x))`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Context, Decimal, InvalidOperation
from typing import Any

from msgpack import Timestamp  # type: ignore[import-untyped]

from dca_bot.core.model import (
    Account,
    AssetRules,
    Holding,
    Order,
    OrderStatus,
    OrderUpdate,
    Quote,
    Side,
)
from dca_bot.program.errors import Unreadable as Unreadable

Raw = Mapping[str, Any]

WORDS_FOR_OPEN = (
    *("new", "accepted", "pending_new", "partially_filled", "pending_cancel", "pending_replace"),
    *("accepted_for_bidding", "stopped", "suspended", "calculated", "held", "done_for_day"),
    *("pending_review", "order_cancel_rejected", "order_replace_rejected"),
)
# docs/alpaca.md 2.2.  A word that isn't here is no reason to guess: the order is asked for again.
STATUSES = {
    **dict.fromkeys(WORDS_FOR_OPEN, OrderStatus.OPEN),
    "filled": OrderStatus.FILLED,
    "canceled": OrderStatus.CANCELED,
    "expired": OrderStatus.EXPIRED,
    "rejected": OrderStatus.REJECTED,
    "replaced": OrderStatus.OPEN,  # it goes on in its successor (successors.py)
}

# Which field carries the reason of a refusal or a band cancel is unknown (docs/alpaca.md 1.9).
REASON_FIELDS = ("reason", "reject_reason", "message")
END_FIELDS = ("filled_at", "canceled_at", "expired_at", "failed_at", "replaced_at", "updated_at")

FINEST_STEP = Decimal("0.000000001")  # of any pair (docs/alpaca.md 1.3), where a row tells none

QUANTITY_DIGITS, QUANTITY_STEP = 15, Decimal("1E-15")  # DECIMAL(30, 15)
PRICE_LIMIT = Decimal(10) ** 10  # DECIMAL(20, 10)
WIDE = Context(prec=60)
NUMERIC = (float, str, int, Decimal)


@dataclass(frozen=True, slots=True)
class OrderPage:
    """A page of orders: the crypto ones, those of them that can't be read, how many orders it held
    in all, and where the next page begins; None: its last order doesn't tell."""

    updates: list[OrderUpdate]
    unreadable: list[Unreadable]
    size: int
    last_submitted_at: datetime | None


def quote(raw: Raw, symbol: str = "") -> Quote | None:
    """A quote of the stream, or with `symbol` one of REST; None unless it is fit to act upon."""
    bid, ask, at = _number(raw.get("bp")), _number(raw.get("ap")), timestamp(raw.get("t"))
    name = symbol or raw.get("S")
    if bid is None or ask is None or at is None or not isinstance(name, str) or not name:
        return None
    # Zero, one-sided and crossed quotes have been seen (docs/alpaca.md 6.3 D12).
    return Quote(name, bid, ask, at) if 0 < bid <= ask < PRICE_LIMIT else None


def latest_quotes(raw: Any) -> dict[str, Quote]:
    """The answer of latest/quotes by symbol, without what can't be acted upon."""
    quotes = _mapping(_mapping(raw, "latest quotes").get("quotes"), "latest quotes")
    found = (quote(each, name) for name, each in quotes.items() if isinstance(each, Mapping))
    return {each.symbol: each for each in found if each is not None}


def order_update(raw: Any, *, position_quantity: Decimal | None = None) -> OrderUpdate:
    """What an order object says; raises Unreadable when its state or fill is in doubt."""
    order = _mapping(raw, "order")
    status = STATUSES.get(str(order.get("status")))
    if status is None:
        raise _in_doubt(order, f"unknown order status {order.get('status')!r}")
    side = _required(order, "side")
    if side not in tuple(Side):
        raise _in_doubt(order, f"unknown side {side!r}")
    filled, price = _quantity(order.get("filled_qty")), _number(order.get("filled_avg_price"))
    if filled is None or filled < 0 or (status is OrderStatus.FILLED and not filled):
        raise _in_doubt(order, f"{order.get('status')} with a filled_qty that can't be")
    if filled and (price is None or price <= 0):
        raise _in_doubt(order, "filled without a price")
    return OrderUpdate(
        client_order_id=_required(order, "client_order_id"),
        alpaca_order_id=_required(order, "id"),
        symbol=_required(order, "symbol"),
        side=Side(side),
        status=status,
        filled_quantity=filled,
        filled_average_price=price if filled else None,
        position_quantity=position_quantity,
        created_at=timestamp(order.get("created_at")),
        ended_at=_ended_at(order) if status.is_finished else None,
        reason=_reason(order),
        replaced_by=_required(order, "replaced_by") if order["status"] == "replaced" else None,
    )


def _ended_at(order: Raw) -> datetime | None:
    times = (timestamp(order.get(field)) for field in END_FIELDS)
    return next((at for at in times if at is not None), None)


def trade_update(raw: Any) -> OrderUpdate | None:
    """A message of the trade stream; None when it is about no order, Unreadable when in doubt.

    Only the order inside counts: events repeat, arrive late and have names that nobody listed
    (docs/alpaca.md 3.3), but every one of them carries the order as it was.
    """
    message = _mapping(raw, "trade update")
    news = message.get("data")
    if message.get("stream") != "trade_updates" or news is None:
        return None
    news = _mapping(news, "trade update")
    is_fill = news.get("event") in ("fill", "partial_fill")
    position = _quantity(news.get("position_qty")) if is_fill else None
    return order_update(news.get("order"), position_quantity=position)


def order_page(raw: Any) -> OrderPage:
    """A list of orders; one that can't be read, perhaps somebody else's, hides no other."""
    orders = _rows(raw, "orders")
    updates, unreadable = [], []
    for each in crypto_only(raw, "orders"):
        try:
            updates.append(order_update(each))
        except Unreadable as error:
            unreadable.append(error)
    last = timestamp(orders[-1].get("submitted_at")) if orders else None
    return OrderPage(updates, unreadable, len(orders), last)


def symbols_by_name(raw: Any) -> dict[str, str]:
    """Every way Alpaca names an asset (id, BTC/USD, BTCUSD) -> its symbol in slash form."""
    names: dict[str, str] = {}
    ambiguous: set[str] = set()
    for asset in _rows(raw, "assets"):
        symbol, asset_id = asset.get("symbol"), asset.get("id")
        if isinstance(symbol, str) and "/" in symbol:
            joined = symbol.replace("/", "")
            ambiguous |= {joined} if names.get(joined, symbol) != symbol else set()
            names |= {symbol: symbol, joined: symbol}
            names |= {asset_id: symbol} if isinstance(asset_id, str) else {}
    return {name: symbol for name, symbol in names.items() if name not in ambiguous}


def crypto_only(raw: Any, what: str) -> list[Raw]:
    """The rows of a list that are crypto; the account may hold and trade anything else too."""
    return [row for row in _rows(raw, what) if row.get("asset_class", "crypto") == "crypto"]


def holding(position: Raw, coin: str) -> Holding:
    """A position in `coin`, which was looked up for it; raises Unreadable."""
    quantity, price = _quantity(position.get("qty")), _number(position.get("avg_entry_price"))
    available = _quantity(position.get("qty_available", position.get("qty")))
    if quantity is None or price is None or available is None:
        raise Unreadable("a position without readable quantity and price", symbol=coin)
    return Holding(coin, quantity, available, price)


def asset_rules(raw: Any) -> dict[str, AssetRules]:
    """The rules of every readable asset by symbol; an unreadable one is left out."""
    found = (_rules(asset) for asset in _rows(raw, "assets"))
    return {rules.symbol: rules for rules in found if rules is not None}


def account(raw: Any) -> Account:
    """The account; `problem` says what keeps it from trading crypto.  Raises Unreadable."""
    fields = _mapping(raw, "account")
    cash = _number(fields.get("non_marginable_buying_power"))
    if cash is None:
        raise Unreadable("an account without non_marginable_buying_power")
    return Account(cash, "; ".join(_account_problems(fields)))


def order_body(order: Order, symbol: str) -> dict[str, str]:
    """The body of POST /v2/orders: exact decimal strings, never a float (docs/alpaca.md 6.1 R8)."""
    body = {
        "symbol": symbol,
        "side": str(order.side),
        "type": "market" if order.limit_price is None else "limit",
        "time_in_force": "gtc",
        "qty": plain(order.quantity),
        "client_order_id": order.client_order_id,
    }
    return body if order.limit_price is None else body | {"limit_price": plain(order.limit_price)}


def plain(value: Decimal) -> str:
    """A Decimal without exponent and without zeros at its end."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def timestamp(value: Any) -> datetime | None:
    """An aware UTC time from RFC 3339 text or msgpack, cut to microseconds; None if unreadable."""
    try:
        if isinstance(value, str):
            value = datetime.fromisoformat(value)
        elif isinstance(value, Timestamp):
            value = value.to_datetime()
        if isinstance(value, datetime) and value.tzinfo is not None:
            return value.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    return None


def _required(order: Raw, field: str) -> str:
    value = order.get(field)
    if not isinstance(value, str) or not value:
        raise _in_doubt(order, f"an order without {field}")
    return value


def _in_doubt(order: Raw, problem: str) -> Unreadable:
    named = (order.get(field) for field in ("client_order_id", "symbol"))
    client_order_id, symbol = (name if isinstance(name, str) else "" for name in named)
    return Unreadable(problem, client_order_id=client_order_id, symbol=symbol)


def _rules(asset: Raw) -> AssetRules | None:
    symbol = asset.get("symbol")
    if not isinstance(symbol, str) or "/" not in symbol:
        return None
    quantity_step = _step(asset.get("min_trade_increment"))
    price_step = _step(asset.get("price_increment"))
    if quantity_step is None or price_step is None:
        return None
    tradable = asset.get("tradable") is True and asset.get("status", "active") == "active"
    return AssetRules(symbol, tradable, quantity_step, price_step)


def _step(value: Any) -> Decimal | None:
    step = FINEST_STEP if value is None else _number(value)
    return step if step is not None and step > 0 else None


def _account_problems(fields: Raw) -> Iterable[str]:
    for field in ("status", "crypto_status"):
        # crypto_status is younger than some accounts' answers; its absence says nothing
        if fields.get(field, "ACTIVE") != "ACTIVE":
            yield f"{field} is {fields.get(field)}, not ACTIVE"
    for field in ("trading_blocked", "account_blocked", "trade_suspended_by_user"):
        if fields.get(field):
            yield field.replace("_", " ")


def _reason(order: Raw) -> str:
    texts = (order.get(field) for field in REASON_FIELDS)
    return next((text for text in texts if isinstance(text, str) and text), "")


def _number(value: Any) -> Decimal | None:
    """A finite Decimal; None for everything else, also for a bool, which is an int to Python."""
    if not isinstance(value, NUMERIC):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _quantity(value: Any) -> Decimal | None:
    """The same for coins, to the nearest that a column holds: what floats show behind is noise."""
    number = _number(value)
    if number is None or number.adjusted() >= QUANTITY_DIGITS:
        return None
    return Decimal(plain(number.quantize(QUANTITY_STEP, context=WIDE)))


def _mapping(raw: Any, what: str) -> Raw:
    if not isinstance(raw, Mapping):
        raise Unreadable(f"{what}: not an object")
    return raw


def _rows(raw: Any, what: str) -> list[Raw]:
    if not isinstance(raw, list) or not all(isinstance(row, Mapping) for row in raw):
        raise Unreadable(f"{what}: not a list of objects")
    return raw
