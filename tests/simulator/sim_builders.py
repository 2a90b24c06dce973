"""Builders for the simulated exchange's tests: an exchange without sockets, quotes, requests."""

from decimal import Decimal
from typing import Any

from alpaca_simulator.clock import MILLISECOND, SECOND
from alpaca_simulator.exchange.assets import known_assets
from alpaca_simulator.exchange.drafts import read_draft
from alpaca_simulator.exchange.matching import Rules
from alpaca_simulator.exchange.orders import Order
from alpaca_simulator.exchange.plans import Plan
from alpaca_simulator.exchange.updates import TradeUpdate
from alpaca_simulator.exchange.venue import Exchange
from alpaca_simulator.prices.quotes import Quote

START = 1_726_665_890 * SECOND
BTC_ID = "276e2673-764b-4ab6-a611-caf665ca6340"


class SteppedClock:
    """A clock that a test moves by hand."""

    def __init__(self, start_ns: int) -> None:
        self._now = start_ns

    def now(self) -> int:
        """Returns the present, one nanosecond later at every reading."""
        self._now += 1
        return self._now

    def timer(self) -> int:
        """Returns the present."""
        return self._now

    def advance(self, nanoseconds: int) -> None:
        """Moves the present on."""
        self._now += nanoseconds


class Bench:
    """An exchange on a clock of its own, with every update that it sent."""

    def __init__(self, *, seed: int = 1, **rules: Any) -> None:
        self.clock = SteppedClock(START)
        chosen = Rules(**({"partial_fill_chance": 0.0} | rules))
        self.exchange = Exchange(chosen, self.clock, seed=seed, assets=known_assets())
        self.updates: list[TradeUpdate] = []
        self.exchange.listeners.append(self.updates.append)

    def quote(self, bid: str, ask: str, symbol: str = "BTC/USD") -> None:
        one, now = Decimal(1), self.clock.now()
        self.exchange.set_quote(Quote(symbol, Decimal(bid), Decimal(ask), one, one, now, now))

    def wait(self, milliseconds: int = 1000) -> None:
        self.clock.advance(milliseconds * MILLISECOND)
        self.exchange.run_due()

    def send(self, plan: Plan | None = None, **fields: Any) -> Order:
        return self.exchange.submit(read_draft(request(**fields), self.exchange.assets), plan)

    def done(self, **fields: Any) -> Order:
        """Sends an order and lets it reach the venue."""
        order = self.send(**fields)
        self.wait()
        return self.exchange.order(order.id)

    def free(self, currency: str) -> Decimal:
        return self.exchange.account.ledger.free(currency)

    def events(self) -> list[str]:
        return [update.event for update in self.updates]


def request(**fields: Any) -> dict[str, Any]:
    """A limit buy of BTC/USD, changed by fields; a field of None is left out."""
    body = {
        "symbol": "BTC/USD",
        "side": "buy",
        "type": "limit",
        "time_in_force": "gtc",
        "qty": "1",
        "limit_price": "100",
    } | fields
    return {name: value for name, value in body.items() if value is not None}


def market(**fields: Any) -> dict[str, Any]:
    """The fields of a market order."""
    return {"type": "market", "limit_price": None} | fields
