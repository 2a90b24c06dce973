"""A bar, a trade of the market, and bars made of shorter ones."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from alpaca_simulator.clock import SECOND

MINUTE = 60 * SECOND
HOUR, DAY = 60 * MINUTE, 24 * 60 * MINUTE


class Ohlc(NamedTuple):
    """What a bar looks like."""

    open: float
    high: float
    low: float
    close: float


class Trade(NamedTuple):
    """A trade of the market."""

    at: int
    price: float
    size: float
    number: int
    taker: str  # B or S

    def to_wire(self) -> dict[str, Any]:
        """Writes the trade; `t` stays in nanoseconds for the encoder."""
        return {
            "i": self.number,
            "p": self.price,
            "s": self.size,
            "t": self.at,
            "tks": self.taker,
        }


@dataclass(slots=True)
class Bar:
    """A span of time; made of mid quotes when nothing was traded (docs/alpaca.md 5)."""

    at: int
    open: float
    high: float
    low: float
    close: float
    volume: float = 0.0
    trades: int = 0
    value: float = 0.0

    @property
    def ohlc(self) -> Ohlc:
        """Its four prices."""
        return Ohlc(self.open, self.high, self.low, self.close)

    def to_wire(self) -> dict[str, Any]:
        """Writes the bar; `t` stays in nanoseconds for the encoder."""
        return {
            "c": self.close,
            "h": self.high,
            "l": self.low,
            "n": self.trades,
            "o": self.open,
            "t": self.at,
            "v": self.volume,
            "vw": rounded(self.value / self.volume) if self.volume else 0,
        }

    def take(self, price: float) -> None:
        """Notes a price."""
        self.close = price
        if price > self.high:
            self.high = price
        elif price < self.low:
            self.low = price

    def count(self, size: float, price: float) -> None:
        """Notes a trade whose price moves nothing."""
        self.volume = round(self.volume + size, 9)
        self.value += size * price
        self.trades += 1

    def add(self, later: "Bar") -> None:
        """Takes in a bar that follows."""
        self.high = max(self.high, later.high)
        self.low = min(self.low, later.low)
        self.close = later.close
        self.volume = round(self.volume + later.volume, 9)
        self.trades += later.trades
        self.value += later.value


def merged(bars: Iterable[Bar], start_of: Callable[[int], int]) -> Iterator[Bar]:
    """Given bars, oldest first, merges those that begin in the same span."""
    whole: Bar | None = None
    for bar in bars:
        at = start_of(bar.at)
        if whole is not None and whole.at == at:
            whole.add(bar)
            continue
        if whole is not None:
            yield whole
        whole = Bar(at, bar.open, bar.high, bar.low, bar.close, bar.volume, bar.trades, bar.value)
    if whole is not None:
        yield whole


def rounded(price: float) -> float:
    """Given a price, keeps eight digits of it."""
    return float(f"{price:.8g}")
