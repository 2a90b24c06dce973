"""Executions, and the trade updates that report them."""

import random
import uuid
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from typing import Any

from alpaca_simulator.clock import MILLISECOND, new_york, rfc3339, rfc3339_micros
from alpaca_simulator.decimals import wire
from alpaca_simulator.exchange.orders import Liquidity, Order
from alpaca_simulator.prices.quotes import Quote

EXECUTIONS_KEPT = 20_000
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


@dataclass(frozen=True, slots=True)
class Execution:
    """One fill, whole or partial: what was traded, at what fee, against which quote."""

    id: str
    order: Order  # as it is after this execution
    qty: Decimal
    price: Decimal
    fee_currency: str
    fee: Decimal
    liquidity: Liquidity
    position_qty: Decimal
    quote: Quote | None  # None for a fill by hand
    at: int

    @property
    def event(self) -> str:
        return "partial_fill" if self.order.remaining else "fill"

    def activity(self, activity_id: str) -> dict[str, Any]:
        """Writes the FILL row (recorded/activities.json); quantities are gross (1.5)."""
        return {
            "id": activity_id,
            "activity_type": "FILL",
            "transaction_time": rfc3339_micros(self.at),
            "type": self.event,
            "price": wire(self.price),
            "qty": wire(self.qty),
            "side": self.order.terms.side.value,
            "symbol": self.order.symbol,
            "leaves_qty": wire(self.order.remaining),
            "order_id": self.order.id,
            "cum_qty": wire(self.order.filled_qty),
            "order_status": self.order.status.value,
            "swap_rate": "1",
        }

    def record(self) -> dict[str, Any]:
        """Writes the execution for the control API, with its fee and its quote."""
        return {
            "execution_id": self.id,
            "order_id": self.order.id,
            "client_order_id": self.order.terms.client_order_id,
            "symbol": self.order.symbol,
            "side": self.order.terms.side.value,
            "qty": wire(self.qty),
            "price": wire(self.price),
            "fee": wire(self.fee),
            "fee_currency": self.fee_currency,
            "liquidity": self.liquidity.value,
            "position_qty": wire(self.position_qty),
            "at": rfc3339(self.at),
            "quote": None if self.quote is None else self.quote.record(),
        }


class Executions(deque[Execution]):
    """The latest executions, oldest first; `total` is how many there ever were."""

    def __init__(self) -> None:
        super().__init__(maxlen=EXECUTIONS_KEPT)
        self.total = 0

    def append(self, execution: Execution) -> None:
        """Notes an execution; the oldest may be forgotten for it."""
        super().append(execution)
        self.total += 1

    def since(self, number: int) -> Iterator[Execution]:
        """Those after the first so many, as far as they are remembered."""
        missing = min(self.total - number, len(self))
        return reversed(list(islice(reversed(self), missing)))


@dataclass(frozen=True, slots=True)
class TradeUpdate:
    """One event of the trading websocket."""

    event: str
    order: Order
    at: int
    event_id: str
    execution_id: str | None = None
    execution: Execution | None = None

    def to_wire(self) -> dict[str, Any]:
        """Writes `data` as recorded/trade_updates_2026-09-18_doge_market_sell.json has it."""
        data: dict[str, Any] = {
            "at": rfc3339_micros(self.at),
            "event_id": self.event_id,
            "event": self.event,
            "timestamp": rfc3339(self.at),
            "order": self.order.to_stream(),
        }
        if self.execution is not None:
            data |= {
                "price": wire(self.execution.price),
                "qty": wire(self.execution.qty),
                "position_qty": wire(self.execution.position_qty),
            }
        if self.execution_id is not None:
            data["execution_id"] = self.execution_id
        if self.execution is not None:
            data |= {"swap_rate": "1", "settle_date": rfc3339(self.at)[:10]}
        return data


class Ids:
    """Ids that a seed determines."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(f"ids:{seed}")  # noqa: S311

    def uuid(self) -> str:
        """A random UUID."""
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))

    def ulid(self, at: int) -> str:
        """A ULID, as `event_id` is: its order is the order of time."""
        number = (at // MILLISECOND) << 80 | self._random.getrandbits(80)
        return "".join(_CROCKFORD[number >> shift & 31] for shift in range(125, -5, -5))

    def activity(self, at: int) -> str:
        """The id of a FILL row: New York's wall time, then a UUID (docs/alpaca.md 2.6)."""
        milliseconds = at // MILLISECOND % 1000
        return f"{new_york(at):%Y%m%d%H%M%S}{milliseconds:03d}::{self.uuid()}"

    def fee_activity(self, at: int) -> str:
        """The id of a CFEE row: the date, zeros, then a UUID."""
        return f"{rfc3339(at)[:10].replace('-', '')}000000000::{self.uuid()}"
