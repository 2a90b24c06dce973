"""Alpaca's account activities over REST: fills and fees, page by page (docs/alpaca.md 2.6)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TypeVar

from dca_bot.broker.rate_limit import RateLimiter
from dca_bot.broker.translate import Unreadable
from dca_bot.broker.transport import HttpError, NoAnswer, NotSent, Transport
from dca_bot.core.model import USD_LIKE, Side
from dca_bot.core.records import FeeActivity, FillActivity
from dca_bot.program.errors import BrokerUnavailable
from dca_bot.program.setting_groups import AlpacaSettings

T = TypeVar("T")

PAGE_SIZE = 100
PAGES_MAX = 1_000
CASH = "USD"


class Unfinished(BrokerUnavailable):
    """The list has more pages than are read at once."""


class AlpacaActivities:
    """Every method raises BrokerUnavailable when not everything could be learnt, and Unfinished
    when there are more than `pages_max` pages.

    `begun` is what earlier runs have read, by kind, and is added to: the next run goes on from
    there, with the times that the first one asked for.  It can be kept as JSON.
    """

    def __init__(
        self,
        settings: AlpacaSettings,
        limiter: RateLimiter,
        *,
        pages_max: int = PAGES_MAX,
        begun: dict[str, Any] | None = None,
        transport: type[Transport] = Transport,
    ) -> None:
        self._pages_max = pages_max
        self._begun = begun
        self._transport = transport(
            settings,
            base_url=settings.base_url,
            version="v2",
            limiter=limiter,
        )

    def close(self) -> None:
        """Close the kept connection."""
        self._transport.close()

    def fills(self, since: datetime, until: datetime) -> list[FillActivity]:
        """Every crypto fill of the account within the time, oldest first."""
        return self._rows("FILL", since, until, fill)

    def fees(self, since: datetime, until: datetime) -> list[FeeActivity]:
        """Every crypto fee that was posted within the time, oldest first."""
        return self._rows("CFEE", since, until, fee)

    def _rows(
        self, kind: str, since: datetime, until: datetime, read: Callable[[Any], T | None]
    ) -> list[T]:
        asked = {"after": _wire(since), "until": _wire(until), "direction": "asc"}
        begun = {} if self._begun is None else self._begun
        reading = begun.setdefault(kind, {"parameters": asked, "rows": []})
        parameters, rows = reading["parameters"], reading["rows"]
        for _ in range(self._pages_max):
            page = self._page(f"/account/activities/{kind}", {**parameters, "page_size": PAGE_SIZE})
            rows += [row for row in page if read(row) is not None]
            if page:
                parameters["page_token"] = str(page[-1].get("id"))
            if len(page) < PAGE_SIZE:
                return [each for each in map(read, rows) if each is not None]
        raise Unfinished(f"more than {self._pages_max * PAGE_SIZE} rows of {kind} at once")

    def _page(self, path: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
        try:
            page = self._transport.request("GET", path, parameters)
        except (HttpError, NotSent, NoAnswer, Unreadable) as error:
            raise BrokerUnavailable(f"Alpaca's activities can't be read: {error}") from error
        if not isinstance(page, list) or not all(isinstance(row, dict) for row in page):
            raise BrokerUnavailable("Alpaca's activities are no list: try again later")
        return page


def fill(raw: dict[str, Any]) -> FillActivity | None:
    """A FILL row in our words; None: not of crypto.  Raises BrokerUnavailable where it is odd."""
    symbol = str(raw.get("symbol"))
    if "/" not in symbol:
        return None
    try:
        return FillActivity(
            at=_time(raw["transaction_time"]),
            order_id=str(raw["order_id"]),
            symbol=symbol,
            side=Side(raw["side"]),
            quantity=_number(raw["qty"]),
            price=_number(raw["price"]),
        )
    except (KeyError, ValueError, ArithmeticError) as error:
        raise BrokerUnavailable(f"a FILL row can't be read ({error!r}): {raw}") from error


def fee(raw: dict[str, Any]) -> FeeActivity:
    """A CFEE row in our words.  Raises BrokerUnavailable where it is odd."""
    try:
        at = _time(raw.get("created_at") or f"{raw['date']}T00:00:00Z")
        if raw.get("symbol") and raw.get("qty"):
            return FeeActivity(at, _coin(str(raw["symbol"])), -_number(raw["qty"]))
        return FeeActivity(at, CASH, -_number(raw["net_amount"]))
    except (KeyError, ValueError, ArithmeticError) as error:
        raise BrokerUnavailable(f"a CFEE row can't be read ({error!r}): {raw}") from error


def _coin(symbol: str) -> str:
    """BTC for BTCUSD, BTC/USD and BTCUSDC; USDC for USDCUSD."""
    coin, slash, _ = symbol.partition("/")
    ends = sorted(USD_LIKE, key=len, reverse=True)
    end = next((each for each in ends if coin.endswith(each)), "")
    return coin if slash else coin.removesuffix(end)


def _number(text: object) -> Decimal:
    number = Decimal(str(text))
    if not number.is_finite():
        raise ValueError(f"{text} is no number")
    return number


def _time(text: object) -> datetime:
    at = datetime.fromisoformat(str(text))
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at


def _wire(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
