"""What the market has done since the start: minute bars without holes, its trades, its quotes.

Memory is bounded: the minutes of a day, then hours; so many trades and quotes of each pair.
"""

import random
from collections import deque
from typing import Any

from alpaca_simulator.exchange.updates import Execution
from alpaca_simulator.prices.bar import DAY, HOUR, MINUTE, Bar, Trade, merged
from alpaca_simulator.prices.past import Past, trade_size, trades_a_day
from alpaca_simulator.prices.quotes import Quote

TRADES_KEPT = 1000
QUOTES_KEPT = 500
MINUTES_KEPT = 24 * 60  # of each pair; what is older is kept as hours
GAP_FILLED = 3 * DAY
HOURS_KEPT = 60 * 24


class PairTape:
    """The record of one pair."""

    def __init__(self, seed: int, first: Quote) -> None:
        price, minute = middle_of(first), first.at // MINUTE * MINUTE
        self.past = Past(seed, first.symbol, price, minute)
        self.quotes: deque[Quote] = deque(maxlen=QUOTES_KEPT)
        self.trades: deque[Trade] = deque(maxlen=TRADES_KEPT)
        self.hours: deque[Bar] = deque(maxlen=HOURS_KEPT)
        self.minutes: deque[Bar] = deque()
        self.current = Bar(minute, price, price, price, price)
        self._first_day: list[Bar] | None = None

    def bar(self, at: int) -> Bar:
        """The bar of a moment; bars that were left out are flat ones."""
        minute = at // MINUTE * MINUTE
        if minute - self.current.at > GAP_FILLED:  # a clock that was set, not a quiet market
            self.minutes.append(self.current)
            price = self.current.close
            self.current = Bar(minute, price, price, price, price)
        while self.current.at < minute:
            price = self.current.close
            self._finish(self.current)
            self.current = Bar(self.current.at + MINUTE, price, price, price, price)
        return self.current

    def _finish(self, bar: Bar) -> None:
        self.minutes.append(bar)
        if len(self.minutes) < MINUTES_KEPT + 60 or self.minutes[0].at // HOUR == bar.at // HOUR:
            return
        hour = self.minutes[0].at // HOUR
        oldest = []
        while self.minutes and self.minutes[0].at // HOUR == hour:
            oldest.append(self.minutes.popleft())
        self.hours.extend(merged(oldest, lambda at: at // HOUR * HOUR))

    def latest(self, now: int, *, running: bool) -> Bar | None:
        """The bar of the minute that is running, or of the one before it."""
        current = self.bar(now)
        if running:
            return current
        return self.minutes[-1] if self.minutes else None

    def today(self, now: int) -> Bar:
        """The bar of the day so far."""
        self.bar(now)
        day = now // DAY * DAY
        live = [bar for bar in (*self.hours, *self.minutes, self.current) if bar.at >= day]
        return list(merged([*self._before_start(day), *live], lambda at: at // DAY * DAY))[-1]

    def yesterday(self, now: int) -> Bar | None:
        """The bar of the day before."""
        day = now // DAY * DAY - DAY
        live = [bar for bar in (*self.hours, *self.minutes) if day <= bar.at < day + DAY]
        whole = self.past.day(day)
        bars = [whole] if whole is not None else [*self._before_start(day), *live]
        return next(iter(merged(bars, lambda at: at // DAY * DAY)), None)

    def _before_start(self, day: int) -> list[Bar]:
        """The part of a day that lies before the start, as one bar at most."""
        if day != self.past.end // DAY * DAY:
            return []
        if self._first_day is None:
            minutes = self.past.minutes(day)
            self._first_day = list(merged(minutes, lambda at: at // DAY * DAY))
        return self._first_day

    def latest_trade(self) -> Trade | None:
        """The last trade of the market, before the start if need be."""
        if self.trades:
            return self.trades[-1]
        day = self.past.end // DAY * DAY
        for back in range(8):
            trades = self.past.trades(day - back * DAY)
            if trades:
                return trades[-1]
        return None


class Tape:
    """The records of all pairs."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._pairs: dict[str, PairTape] = {}
        self._dice = random.Random(f"trades:{seed}")  # noqa: S311

    def pair(self, symbol: str) -> PairTape | None:
        """Given a symbol, returns its record; None when it was never quoted."""
        return self._pairs.get(symbol)

    def note_quote(self, quote: Quote) -> None:
        """Puts the middle of a quote into the bar of its minute."""
        price = middle_of(quote)
        if price <= 0:
            return
        pair = self._pairs.get(quote.symbol)
        if pair is None:
            pair = self._pairs[quote.symbol] = PairTape(self._seed, quote)
        pair.quotes.append(quote)
        current = pair.current
        if quote.at < current.at + MINUTE:
            current.take(price)
        else:
            pair.bar(quote.at).take(price)

    def note_execution(self, execution: Execution) -> dict[str, Any] | None:
        """Given an execution of the account's, returns the trade that the market sees."""
        side = execution.order.terms.side.value
        return self._note(
            execution.order.symbol,
            execution.at,
            float(execution.price),
            float(execution.qty),
            "B" if side == "buy" else "S",
        )

    def invent_trade(self, quote: Quote, seconds: float) -> dict[str, Any] | None:
        """Given a quote and the time since the last, perhaps returns a trade of somebody's."""
        chance = trades_a_day(quote.symbol) * seconds / 86_400
        if self._dice.random() >= chance:
            return None
        taker = self._dice.choice("BS")
        price = float(quote.ask if taker == "B" else quote.bid)
        size = trade_size(quote.symbol, price, self._dice)
        return self._note(quote.symbol, quote.at, price, size, taker)

    def _note(
        self, symbol: str, at: int, price: float, size: float, taker: str
    ) -> dict[str, Any] | None:
        pair = self._pairs.get(symbol)
        if pair is None:
            return None
        trade = Trade(at, price, size, self._dice.getrandbits(62), taker)
        pair.trades.append(trade)
        bar = pair.bar(at)
        bar.take(price)
        bar.count(size, price)
        return {"T": "t", "S": symbol} | trade.to_wire()

    def late_trade(self, symbol: str, bar: Bar | None) -> Bar | None:
        """A trade of a bar's minute becomes known late; returns the bar, updated."""
        if bar is not None:
            bar.count(trade_size(symbol, bar.close, self._dice), bar.close)
        return bar


def middle_of(quote: Quote) -> float:
    """The middle of a quote, as bars have it."""
    return (float(quote.bid) + float(quote.ask)) / 2
