"""Trades and bars, made of what the exchange saw, with an invented past before it."""

import random
from collections import deque
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from alpaca_simulator.clock import SECOND
from alpaca_simulator.exchange.updates import Execution
from alpaca_simulator.prices.quotes import Quote

MINUTE = 60 * SECOND
TRADES_KEPT = 10_000
QUOTES_KEPT = 10_000
PAST_MINUTES = 3 * 24 * 60
MINUTE_VOLATILITY = 0.0006


@dataclass(slots=True)
class Bar:
    """One minute; of mid quotes when nothing was traded, as Alpaca's are (docs/alpaca.md 5)."""

    at: int
    open: float
    high: float
    low: float
    close: float
    volume: float = 0.0
    trades: int = 0
    value: float = 0.0

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
            "vw": self.value / self.volume if self.volume else 0,
        }

    def take(self, price: float) -> None:
        """Notes a price."""
        self.close = price
        if price > self.high:
            self.high = price
        elif price < self.low:
            self.low = price


class BarKeeper:
    """The minute bars and the trades of every symbol."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._current: dict[str, Bar] = {}
        self._done: dict[str, list[Bar]] = {}
        self._quotes: dict[str, deque[Quote]] = {}
        self._trades: dict[str, deque[dict[str, Any]]] = {}
        self._numbers = random.Random(f"trades:{seed}")  # noqa: S311

    def note_quote(self, quote: Quote) -> Bar | None:
        """Given a quote, puts its middle into the bar of its minute; returns one just finished."""
        middle = (float(quote.bid) + float(quote.ask)) / 2
        if middle <= 0:
            return None
        symbol = quote.symbol
        quotes = self._quotes.get(symbol)
        if quotes is None:
            quotes = self._quotes[symbol] = deque(maxlen=QUOTES_KEPT)
        quotes.append(quote)
        bar = self._current.get(symbol)
        if bar is not None and quote.at < bar.at + MINUTE:
            bar.take(middle)
            return None
        self._bar(symbol, quote.at, middle)
        return bar

    def note_trade(self, execution: Execution) -> dict[str, Any]:
        """Given an execution, returns the trade that the market sees."""
        symbol, price, size = execution.order.symbol, float(execution.price), float(execution.qty)
        bar = self._bar(symbol, execution.at, price)
        bar.take(price)
        bar.volume += size
        bar.value += size * price
        bar.trades += 1
        trade = {
            "i": self._numbers.getrandbits(62),
            "p": price,
            "s": size,
            "t": execution.at,
            "tks": "B" if execution.order.terms.side.value == "buy" else "S",
        }
        self._trades.setdefault(symbol, deque(maxlen=TRADES_KEPT)).append(trade)
        return {"T": "t", "S": symbol} | trade

    def quotes(self, symbol: str) -> list[Quote]:
        """The latest quotes of a symbol, oldest first."""
        return list(self._quotes.get(symbol, ()))

    def trades(self, symbol: str) -> list[dict[str, Any]]:
        """The trades of a symbol, oldest first."""
        return list(self._trades.get(symbol, ()))

    def bars(self, symbol: str) -> list[Bar]:
        """The minute bars of a symbol, oldest first, the running one last."""
        current = self._current.get(symbol)
        if current is None:
            return []
        return [*self._done[symbol], current]

    def first_price(self, symbol: str) -> Decimal | None:
        """The price that a symbol started at; what positions call yesterday's."""
        bars = self._done.get(symbol) or [self._current[symbol]] if symbol in self._current else []
        return Decimal(str(bars[0].open)) if bars else None

    def _bar(self, symbol: str, at: int, price: float) -> Bar:
        minute = at // MINUTE * MINUTE
        bar = self._current.get(symbol)
        if bar is not None and bar.at >= minute:
            return bar
        if bar is not None:
            self._done[symbol].append(bar)
        else:
            self._done[symbol] = []
        self._current[symbol] = bar = Bar(minute, price, price, price, price)
        return bar

    def past(self, symbol: str) -> list[Bar]:
        """Invented bars of the days before the start; the seed determines them."""
        known = self.bars(symbol)
        if not known:
            return []
        dice = random.Random(f"past:{self._seed}:{symbol}")  # noqa: S311
        price, at = known[0].open, known[0].at
        past: list[Bar] = []
        for _ in range(PAST_MINUTES):
            at -= MINUTE
            before = price * (1 + dice.gauss(0, MINUTE_VOLATILITY))
            edge = abs(dice.gauss(0, MINUTE_VOLATILITY / 3))
            high, low = max(price, before) * (1 + edge), min(price, before) * (1 - edge)
            past.append(Bar(at, _round(before), _round(high), _round(low), _round(price)))
            price = before
        return past[::-1]


def _round(price: float) -> float:
    return float(f"{price:.8g}")
