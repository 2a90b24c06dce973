"""The Alpaca account as anybody sees it who has its keys: through the SDK, not through the bot.

Rule: it asks and does what it is told, and judges nothing; every trouble is a BrokerUnavailable.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_DOWN, Decimal
from typing import Any, Literal
from urllib.parse import urlsplit

from alpaca.common.exceptions import APIError
from alpaca.common.rest import RESTClient

from dca_bot.program.errors import BrokerUnavailable
from dca_bot.program.setting_groups import AlpacaSettings
from dca_bot.program.setting_values import is_this_machine

PAPER_HOST = "paper-api.alpaca.markets"
TIMEOUT_SECONDS = (3.05, 10.0)
OPEN_ORDERS_MAX = 500
# Our own orders, which are not the bot's: it and its caretakers must not take them for theirs.
PREFIX = "integration-test-"
COIN_STEP = Decimal("1e-9")
Side = Literal["buy", "sell"]


@dataclass(frozen=True, slots=True)
class OrderSeen:
    """An order as Alpaca tells it; `symbol` in slash form."""

    order_id: str
    client_order_id: str
    symbol: str
    side: str
    status: str
    quantity: Decimal
    filled: Decimal
    price: Decimal | None  # the average of its fills
    created_at: datetime

    def __str__(self) -> str:
        return f"{self.side} order {self.order_id} of {self.quantity:f} {self.symbol}"


@dataclass(frozen=True, slots=True)
class PositionSeen:
    """A position; its symbol has no slash (docs/alpaca.md 1.4)."""

    symbol: str
    quantity: Decimal

    def __str__(self) -> str:
        return f"{self.quantity:f} {self.symbol}"


class PaperAccount:
    """Whoever asks too often is answered 429, and then the SDK waits and asks again."""

    def __init__(self, alpaca: AlpacaSettings) -> None:
        self.host = urlsplit(alpaca.base_url).hostname or ""
        self._trading = _client(alpaca, alpaca.base_url, "v2")
        self._data = _client(alpaca, alpaca.data_url, "v1beta3")

    def positions(self) -> list[PositionSeen]:
        """Everything that is held, stocks too."""
        rows = self._ask(self._trading, "GET", "/positions")
        return [PositionSeen(row["symbol"], Decimal(row["qty"])) for row in rows]

    def held(self, symbol: str) -> Decimal:
        """How much is held of one coin."""
        found = (each.quantity for each in self.positions() if each.symbol == plain(symbol))
        return next(found, Decimal(0))

    def open_orders(self) -> list[OrderSeen]:
        """Everything that is open, stocks too; the oldest first."""
        asked = {"status": "open", "limit": OPEN_ORDERS_MAX, "direction": "asc"}
        return [_order(row) for row in self._ask(self._trading, "GET", "/orders", asked)]

    def orders_of(self, symbol: str, since: datetime) -> list[OrderSeen]:
        """All orders of a symbol that were placed after a moment, whatever became of them."""
        after = since.isoformat().replace("+00:00", "Z")
        asked = {"status": "all", "limit": OPEN_ORDERS_MAX, "symbols": symbol, "after": after}
        return [_order(row) for row in self._ask(self._trading, "GET", "/orders", asked)]

    def order(self, order_id: str) -> OrderSeen:
        return _order(self._ask(self._trading, "GET", f"/orders/{order_id}"))

    def now(self) -> datetime:
        """By Alpaca's clock."""
        answer = self._ask(self._trading, "GET", "/clock")
        return datetime.fromisoformat(answer["timestamp"]).astimezone(UTC)

    def cash(self) -> Decimal:
        """What crypto may be bought with."""
        answer = self._ask(self._trading, "GET", "/account")
        return Decimal(answer["non_marginable_buying_power"])

    def price(self, symbol: str) -> Decimal:
        """The middle of the newest quote."""
        answer = self._ask(self._data, "GET", "/crypto/us/latest/quotes", {"symbols": symbol})
        quote = answer["quotes"][symbol]
        return (Decimal(str(quote["bp"])) + Decimal(str(quote["ap"]))) / 2

    def buy_at_market(self, symbol: str, usd: Decimal) -> OrderSeen:
        """Buy by hand, as on Alpaca's site."""
        quantity = (usd / self.price(symbol)).quantize(COIN_STEP, ROUND_DOWN)
        return self._submit(symbol, "buy", type="market", qty=f"{quantity:f}")

    def place_far_away(
        self, symbol: str, side: Side, usd: Decimal, client_order_id: str = ""
    ) -> OrderSeen:
        """A limit order that no market will fill meanwhile; `usd` is what it is worth there."""
        factor = Decimal("0.5") if side == "buy" else Decimal("1.5")
        limit = _coarse(self.price(symbol) * factor)
        quantity = (usd / limit).quantize(COIN_STEP, ROUND_DOWN)
        return self._limit(symbol, side, quantity, limit, client_order_id)

    def offer_far_away(self, symbol: str, quantity: Decimal, client_order_id: str) -> OrderSeen:
        """A limit SELL of so much, far above the market."""
        limit = _coarse(self.price(symbol) * Decimal("1.5"))
        return self._limit(symbol, "sell", quantity, limit, client_order_id)

    def cancel(self, order_id: str) -> None:
        """Ask for its end, which takes a moment."""
        self._ask(self._trading, "DELETE", f"/orders/{order_id}")

    def sell_all(self, symbol: str) -> None:
        """Close a position at the market."""
        self._ask(self._trading, "DELETE", f"/positions/{plain(symbol)}")

    def _limit(
        self, symbol: str, side: Side, quantity: Decimal, limit: Decimal, client_order_id: str
    ) -> OrderSeen:
        return self._submit(
            symbol,
            side,
            client_order_id=client_order_id,
            type="limit",
            qty=f"{quantity:f}",
            limit_price=f"{limit:f}",
        )

    def _submit(
        self, symbol: str, side: Side, client_order_id: str = "", **terms: str
    ) -> OrderSeen:
        body = {"symbol": symbol, "side": side, "time_in_force": "gtc", **terms}
        body["client_order_id"] = client_order_id or PREFIX + secrets.token_hex(6)
        return _order(self._ask(self._trading, "POST", "/orders", body))

    def _ask(
        self,
        client: _Client,
        method: Literal["GET", "POST", "DELETE"],
        path: str,
        content: Mapping[str, Any] | None = None,
    ) -> Any:
        data = dict(content) if content is not None else None
        try:
            match method:
                case "GET":
                    return client.get(path, data)
                case "POST":
                    return client.post(path, data)
                case "DELETE":
                    return client.delete(path, data)
        except APIError as error:
            raise BrokerUnavailable(
                f"{self.host} answered {error.status_code} to {method} {path}: {error}"
            ) from error
        except (OSError, ValueError) as error:
            raise BrokerUnavailable(
                f"no answer from {self.host} to {method} {path} ({type(error).__name__}): "
                "check the network, then try again"
            ) from error


class _Client(RESTClient):
    """The SDK's client; but it has no time limit of its own (docs/alpaca.md 6.1 R1)."""

    def _one_request(self, method: str, url: str, opts: dict[str, Any], retry: int) -> Any:
        return super()._one_request(method, url, opts | {"timeout": TIMEOUT_SECONDS}, retry)

    def go_direct(self) -> None:
        """Nothing on this machine is behind a proxy."""
        self._session.trust_env = False


def plain(symbol: str) -> str:
    """A symbol as positions spell it."""
    return symbol.replace("/", "")


def _client(alpaca: AlpacaSettings, base_url: str, version: str) -> _Client:
    client = _Client(base_url, alpaca.key_id, alpaca.secret_key, api_version=version, raw_data=True)
    if is_this_machine(urlsplit(base_url).hostname or ""):
        client.go_direct()
    return client


def _order(row: Mapping[str, Any]) -> OrderSeen:
    price = row["filled_avg_price"]
    return OrderSeen(
        order_id=row["id"],
        client_order_id=row["client_order_id"],
        symbol=row["symbol"],
        side=row["side"],
        status=row["status"],
        quantity=Decimal(row["qty"] or 0),  # an order for an amount of money may have none
        filled=Decimal(row["filled_qty"]),
        price=None if price is None else Decimal(price),
        created_at=datetime.fromisoformat(row["created_at"]),
    )


def _coarse(price: Decimal) -> Decimal:
    """Three digits: a multiple of any price increment that there has been."""
    return price.quantize(Decimal(1).scaleb(price.adjusted() - 2), ROUND_DOWN)
