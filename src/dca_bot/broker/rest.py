"""The broker's verbs on Alpaca's REST API (ports.Broker).

Rule: every ending of a request is a yes, a clear no, "it can't have been taken" or "it may have
been taken".  What an answer is, follows from the HTTP status and Alpaca's message; its codes are
overloaded (docs/alpaca.md 2.4).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any, TypeVar
from urllib.parse import quote as percent_encoded

from dca_bot.broker import translate
from dca_bot.broker.alpaca_clock import AlpacaClock
from dca_bot.broker.holdings import AssetNames
from dca_bot.broker.http_client import PATIENCE, Patience
from dca_bot.broker.order_pages import OrderPages, wire
from dca_bot.broker.rate_limit import TOO_MANY_REQUESTS, RateLimiter
from dca_bot.broker.shared import Shared
from dca_bot.broker.successors import followed
from dca_bot.broker.translate import OrderPage, Unreadable
from dca_bot.broker.transport import HttpError, NoAnswer, NotSent, Transport
from dca_bot.core.holdings import Holdings
from dca_bot.core.model import ZERO, Account, AssetRules, Order, OrderUpdate, Quote, Side
from dca_bot.program.clock import OFFSET_MAX, Clock, clock_trouble, utc_now
from dca_bot.program.errors import BrokerUnavailable, DcaError, OrderOutcomeUnknown, OrderRefused
from dca_bot.program.log_text import event
from dca_bot.program.setting_groups import AlpacaSettings

log = logging.getLogger(__name__)

T = TypeVar("T")

REQUEST_TIMEOUT = 408  # a proxy gave up waiting; Alpaca may have the request all the same
QUOTES_PATH = "/crypto/us/latest/quotes"
ORDER_ID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
INVALID_SYMBOL = re.compile(r"invalid symbol: (.+?) does not match")
NO_CASH = ("insufficient balance", "buying power")


class KeysRefused(BrokerUnavailable):
    """The host doesn't accept the keys.  No later try helps: a human must edit the settings."""


class AlpacaBroker:
    """Alpaca over REST, for any number of threads.

    `limiter` is this process's share of the account's requests; Alpaca counts market data apart,
    so they have a limiter of their own.
    """

    def __init__(
        self,
        settings: AlpacaSettings,
        limiter: RateLimiter,
        *,
        data_limiter: RateLimiter | None = None,
        patience: Patience = PATIENCE,
        clock: Clock = utc_now,
        transport: type[Transport] = Transport,
        sharing: Callable[[Callable[[], Holdings]], Callable[[], Holdings]] = Shared,
    ) -> None:
        self._clock = AlpacaClock(clock)
        self._trading = transport(
            settings,
            base_url=settings.base_url,
            version="v2",
            limiter=limiter,
            patience=patience,
            clock=self._clock,
        )
        self._data = transport(
            settings,
            base_url=settings.data_url,
            version="v1beta3",
            limiter=data_limiter or RateLimiter(100),
            patience=patience,
        )
        self._pages = OrderPages()
        self._names = AssetNames(ask_for_all=self.rules, ask_for_one=self._asset)
        read = self._names.holdings
        self._holdings, self._urgent_holdings = (
            sharing(partial(self._asked, self._trading, "/positions", None, read, urgent=urgent))
            for urgent in (False, True)
        )

    def close(self) -> None:
        """Close the kept connections."""
        for each in (self._trading, self._data):
            each.close()

    def submit(self, order: Order, symbol: str) -> OrderUpdate:
        """Send `order` once; see ports.Broker for what each ending raises.

        1. A readable yes is the order as Alpaca has it.
        2. "client_order_id must be unique": an earlier request got through, so it is looked up.
        3. A clear no raises OrderRefused; refused keys, 429 and a connection that could not be
           made mean that nothing was sent: BrokerUnavailable.
        4. Everything else leaves the order in doubt: OrderOutcomeUnknown.
        """
        if abs(self.clock_offset) > OFFSET_MAX:
            raise BrokerUnavailable(f"order not sent: {clock_trouble(self.clock_offset)}")
        body = translate.order_body(order, symbol)
        try:
            raw = self._trading.request("POST", "/orders", body, urgent=order.side is Side.SELL)
            return _the_same(translate.order_update(raw), order)
        except NotSent as error:
            raise BrokerUnavailable(f"order not sent: {error}") from error
        except Unreadable as error:
            raise _in_doubt(order, error.problem) from error
        except NoAnswer as error:
            raise _in_doubt(order, str(error)) from error
        except HttpError as error:
            if "client_order_id must be unique" in error.message:
                return self._taken_before(order)
            raise self._no_order(error, order) from error

    def cancel(self, alpaca_order_id: str) -> None:
        """Ask for the end of an order; one that is finished or unknown needs no cancelling."""
        path = f"/orders/{percent_encoded(alpaca_order_id, safe='')}"
        try:
            self._trading.request("DELETE", path, urgent=True)
        except HttpError as error:
            # 422: 'order is already in "filled" state' and the like.  Whether it is filled or
            # canceled is for the next look to say, which follows every cancel anyway.
            if not (error.status == 422 or error.says_order_unknown):
                raise _unavailable(error, self._trading) from error
            log.info(event("nothing to cancel", order=alpaca_order_id, alpaca=error.message))
        except (NotSent, NoAnswer) as error:
            raise BrokerUnavailable(str(error)) from error

    def order(self, client_order_id: str) -> OrderUpdate | None:
        """What Alpaca says of one order; None only when Alpaca itself says it doesn't know it."""
        return self._known_order("/orders:by_client_order_id", {"client_order_id": client_order_id})

    def order_by_id(self, alpaca_order_id: str) -> OrderUpdate | None:
        """The same by Alpaca's own id; what doesn't look like one is not asked about."""
        if not ORDER_ID.fullmatch(alpaca_order_id):
            return None
        return self._known_order(f"/orders/{alpaca_order_id}", {})

    def _known_order(self, path: str, content: Mapping[str, Any]) -> OrderUpdate | None:
        try:
            update = translate.order_update(self._trading.request("GET", path, content))
            return followed(update, self.order_by_id)
        except HttpError as error:
            if error.says_order_unknown:
                return None
            raise _unavailable(error, self._trading) from error
        except (NotSent, NoAnswer) as error:
            raise BrokerUnavailable(str(error)) from error

    def open_orders(self) -> Sequence[OrderUpdate]:
        """Every open crypto order that can be read, oldest first, also those that aren't ours."""
        return self._orders({"status": "open"})

    def closed_orders(self, since: datetime) -> Sequence[OrderUpdate]:
        """Every readable crypto order submitted after `since` that has ended, oldest first."""
        return self._orders({"status": "closed", "after": wire(since)})

    def _orders(self, chosen: Mapping[str, str]) -> Sequence[OrderUpdate]:
        def page(parameters: Mapping[str, Any]) -> OrderPage:
            return self._asked(self._trading, "/orders", parameters, translate.order_page)

        return [self._in_slash_form(each) for each in self._pages.all(page, chosen)]

    def holdings(self, *, urgent: bool = False) -> Holdings:
        """Every crypto position by coin, asked for once for all that ask at the same time.

        Always the whole list: asking for one symbol answers 404 both for "none" and for a
        spelling it dislikes (docs/alpaca.md 1.4).
        """
        return self._urgent_holdings() if urgent else self._holdings()

    def cash(self, currency: str) -> Decimal:
        """What BUYs in `currency` may use: dollars are the account's, other money is a position."""
        if currency == "USD":
            return self.account().cash_available
        held = self.holdings().of(currency)
        return held.available if held else ZERO

    @property
    def clock_offset(self) -> timedelta:
        """How far Alpaca's clock is ahead of ours; zero until it has answered."""
        return self._clock.offset

    def account(self) -> Account:
        """The account; raises KeysRefused when the host doesn't accept the keys."""
        return self._asked(self._trading, "/account", None, translate.account)

    def rules(self) -> Mapping[str, AssetRules]:
        """Every active crypto asset by symbol in slash form."""
        parameters = {"status": "active", "asset_class": "crypto"}
        return self._asked(self._trading, "/assets", parameters, self._read_assets)

    def latest_quotes(self, symbols: Iterable[str]) -> Mapping[str, Quote]:
        """The newest quote of every symbol that has a usable one.

        One symbol that Alpaca can't read fails the whole request: it is left out then.
        """
        wanted = list(dict.fromkeys(symbols))
        while wanted:
            parameters = {"symbols": ",".join(wanted)}
            try:
                return self._asked(self._data, QUOTES_PATH, parameters, translate.latest_quotes)
            except BrokerUnavailable as error:
                refused = INVALID_SYMBOL.search(str(error))
                if refused is None or refused[1] not in wanted:
                    raise
                wanted.remove(refused[1])
        return {}

    def _asked(
        self,
        transport: Transport,
        path: str,
        parameters: Mapping[str, Any] | None,
        read: Callable[[Any], T],
        *,
        urgent: bool = False,
    ) -> T:
        """The answer to a question, read; raises BrokerUnavailable whatever was in the way."""
        try:
            return read(transport.request("GET", path, parameters, urgent=urgent))
        except HttpError as error:
            raise _unavailable(error, transport) from error
        except (NotSent, NoAnswer, Unreadable) as error:
            raise BrokerUnavailable(str(error)) from error

    def _read_assets(self, raw: Any) -> Mapping[str, AssetRules]:
        rules = translate.asset_rules(raw)
        if not rules:
            raise Unreadable("a list of assets without a readable one")
        self._names.learn(raw)
        return rules

    def _asset(self, asset_id: str) -> Any:
        """One asset, also one that is no longer active; None: Alpaca doesn't know it."""
        try:
            return self._trading.request("GET", f"/assets/{percent_encoded(asset_id, safe='')}")
        except HttpError as error:
            if error.status == 404:
                return None
            raise _unavailable(error, self._trading) from error
        except (NotSent, NoAnswer) as error:
            raise BrokerUnavailable(str(error)) from error

    def _in_slash_form(self, update: OrderUpdate) -> OrderUpdate:
        # Orders spell BTC/USD today, but 2022's recordings say SOLUSD (docs/alpaca.md 1.4).
        if "/" in update.symbol:
            return update
        return replace(update, symbol=self._names.pair(update.symbol) or update.symbol)

    def _taken_before(self, order: Order) -> OrderUpdate:
        """The order that an earlier request, whose answer we never saw, has left at Alpaca."""
        try:
            update = self.order(order.client_order_id)
        except BrokerUnavailable as error:
            raise _in_doubt(order, f"Alpaca has it already, but: {error}") from error
        if update is None:
            raise _in_doubt(order, "Alpaca has it already, and doesn't find it")
        return update

    def _no_order(self, error: HttpError, order: Order) -> DcaError:
        """What an HTTP error in answer to an order means."""
        if error.says_keys_refused or error.status == TOO_MANY_REQUESTS:
            return _unavailable(error, self._trading)
        if 400 <= error.status < 500 and error.status != REQUEST_TIMEOUT:
            message = error.message.lower()
            needs_cash = order.side is Side.BUY and any(each in message for each in NO_CASH)
            return OrderRefused(error.message, side=order.side, needs_cash=needs_cash)
        return _in_doubt(order, f"{self._trading.host} answered {error.status}")


def _the_same(update: OrderUpdate, order: Order) -> OrderUpdate:
    if update.client_order_id != order.client_order_id:
        raise Unreadable("an answer about another order", client_order_id=order.client_order_id)
    return update


def _in_doubt(order: Order, why: str) -> OrderOutcomeUnknown:
    what = f"order {order.client_order_id} may or may not be live at Alpaca"
    return OrderOutcomeUnknown(f"{what}: {why}; it is asked for until that is known")


def _unavailable(error: HttpError, transport: Transport) -> BrokerUnavailable:
    if error.says_keys_refused:
        return KeysRefused(
            f"{transport.host} refuses the Alpaca keys ({error.message}): check "
            "APCA_API_KEY_ID, APCA_API_SECRET_KEY and APCA_API_BASE_URL; "
            "paper keys work only on the paper host, live keys only on the live host"
        )
    return BrokerUnavailable(f"{transport.host} answered {error.status}: {error}")
