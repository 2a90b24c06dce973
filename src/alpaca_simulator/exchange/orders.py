"""An order: what was asked, how far it has come, and how Alpaca writes it.

Rule of this file: an order never changes; each step of its life is a new `Order`.
"""

from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from typing import Any

from alpaca_simulator.clock import rfc3339
from alpaca_simulator.decimals import ZERO, average, wire
from alpaca_simulator.exchange.assets import Asset


class Side(StrEnum):
    BUY = "buy"
    SELL = "sell"


class OrderType(StrEnum):
    MARKET = "market"
    LIMIT = "limit"
    STOP_LIMIT = "stop_limit"


class TimeInForce(StrEnum):
    GTC = "gtc"
    IOC = "ioc"


class Liquidity(StrEnum):
    MAKER = "maker"
    TAKER = "taker"


class Status(StrEnum):
    PENDING_NEW = "pending_new"
    NEW = "new"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    PENDING_CANCEL = "pending_cancel"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REJECTED = "rejected"
    REPLACED = "replaced"


FINISHED = frozenset(
    {Status.FILLED, Status.CANCELED, Status.EXPIRED, Status.REJECTED, Status.REPLACED}
)


@dataclass(frozen=True, slots=True)
class Terms:
    """What was asked for; `working_qty` is the quantity that a notional came to."""

    id: str
    client_order_id: str
    asset: Asset
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    qty: Decimal | None
    notional: Decimal | None
    limit_price: Decimal | None
    stop_price: Decimal | None
    working_qty: Decimal
    hold_price: Decimal  # what each unit of a buy reserves
    created_at: int
    expires_at: int
    replaces: str | None = None

    @property
    def held_currency(self) -> str:
        """What the order reserves while it is open."""
        return self.asset.quote if self.side is Side.BUY else self.asset.base


@dataclass(frozen=True, slots=True)
class Order:
    """An order at one moment of its life."""

    terms: Terms
    status: Status
    updated_at: int
    filled_qty: Decimal = ZERO
    filled_cost: Decimal = ZERO
    held: Decimal = ZERO
    resting: bool = False  # it met the market and stayed: its fills are a maker's
    triggered: bool = False  # a stop_limit whose stop was reached
    filled_at: int | None = None
    expired_at: int | None = None
    cancel_requested_at: int | None = None
    canceled_at: int | None = None
    failed_at: int | None = None
    replaced_at: int | None = None
    replaced_by: str | None = None

    @property
    def id(self) -> str:
        return self.terms.id

    @property
    def symbol(self) -> str:
        return self.terms.asset.symbol

    @property
    def remaining(self) -> Decimal:
        return self.terms.working_qty - self.filled_qty

    @property
    def is_open(self) -> bool:
        return self.status not in FINISHED

    @property
    def average_price(self) -> Decimal | None:
        return average(self.filled_cost, self.filled_qty) if self.filled_qty else None

    def hold_needed(self) -> Decimal:
        """What the rest of the order has to reserve."""
        if not self.is_open:
            return ZERO
        if self.terms.side is Side.SELL:
            return self.remaining
        return self.remaining * self.terms.hold_price

    def filled(self, qty: Decimal, price: Decimal, at: int) -> "Order":
        """Given an execution, returns the order after it."""
        total = self.filled_qty + qty
        done = total == self.terms.working_qty
        # An order whose cancel is under way stays so until it is full (docs/alpaca.md 2.2).
        partly = self.status if self.status is Status.PENDING_CANCEL else Status.PARTIALLY_FILLED
        return replace(
            self,
            status=Status.FILLED if done else partly,
            filled_qty=total,
            filled_cost=self.filled_cost + qty * price,
            filled_at=at if done else self.filled_at,
            updated_at=at,
        )

    def to_wire(self) -> dict[str, Any]:
        """Writes the order as REST answers have it (recorded/orders_post_btc_2024.json)."""
        return self._common() | {"subtag": None, "source": None, "expires_at": self._expires()}

    def to_stream(self) -> dict[str, Any]:
        """The order as trade updates have it, in their order of keys (docs/alpaca.md 2.1)."""
        shown: dict[str, Any] = {}
        for key, value in self._common().items():
            shown[key] = value
            if key == "expired_at":
                shown["cancel_requested_at"] = _time(self.cancel_requested_at)
        shown["expires_at"] = self._expires()
        return shown

    def _expires(self) -> str:
        return rfc3339(self.terms.expires_at)

    def _common(self) -> dict[str, Any]:
        terms = self.terms
        price = self.average_price
        return {
            "id": terms.id,
            "client_order_id": terms.client_order_id,
            "created_at": rfc3339(terms.created_at),
            "updated_at": rfc3339(self.updated_at),
            "submitted_at": rfc3339(terms.created_at),
            "filled_at": _time(self.filled_at),
            "expired_at": _time(self.expired_at),
            "canceled_at": _time(self.canceled_at),
            "failed_at": _time(self.failed_at),
            "replaced_at": _time(self.replaced_at),
            "replaced_by": self.replaced_by,
            "replaces": terms.replaces,
            "asset_id": terms.asset.id,
            "symbol": terms.asset.symbol,
            "asset_class": "crypto",
            "notional": _decimal(terms.notional),
            "qty": _decimal(terms.qty),
            "filled_qty": wire(self.filled_qty),
            "filled_avg_price": _decimal(price),
            "order_class": "",
            "order_type": terms.type.value,
            "type": terms.type.value,
            "side": terms.side.value,
            "position_intent": "buy_to_open" if terms.side is Side.BUY else "sell_to_close",
            "time_in_force": terms.time_in_force.value,
            "limit_price": _decimal(terms.limit_price),
            "stop_price": _decimal(terms.stop_price),
            "status": self.status.value,
            "extended_hours": False,
            "legs": None,
            "trail_percent": None,
            "trail_price": None,
            "hwm": None,
        }


def _time(ns: int | None) -> str | None:
    return None if ns is None else rfc3339(ns)


def _decimal(value: Decimal | None) -> str | None:
    return None if value is None else wire(value)
