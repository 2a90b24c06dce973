"""A quote: the one thing that moves the market here."""

from decimal import Decimal
from typing import NamedTuple

from alpaca_simulator.clock import rfc3339
from alpaca_simulator.decimals import wire


class Quote(NamedTuple):
    """The best bid and ask of a pair; a named tuple, as hundreds of thousands a second pass."""

    symbol: str
    bid: Decimal
    ask: Decimal
    bid_size: Decimal
    ask_size: Decimal
    at: int  # the time on the wire
    origin: int  # the time in the recording that it came from; the same as `at` otherwise
    number: int = 0  # counts the quotes of its symbol

    @property
    def mid(self) -> Decimal:
        return (self.bid + self.ask) / 2

    def record(self) -> dict[str, object]:
        """Writes the quote for the control API, exactly."""
        return {
            "symbol": self.symbol,
            "bid": wire(self.bid),
            "ask": wire(self.ask),
            "bid_size": wire(self.bid_size),
            "ask_size": wire(self.ask_size),
            "at": rfc3339(self.at),
            "origin": rfc3339(self.origin),
            "origin_ns": self.origin,
            "number": self.number,
        }
