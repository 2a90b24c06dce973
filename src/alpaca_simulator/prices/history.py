"""Bars, trades and quotes of any span of time: the invented past, then what was recorded here."""

import random
from collections.abc import Iterator
from decimal import Decimal

from alpaca_simulator.clock import SECOND
from alpaca_simulator.prices.bar import DAY, HOUR, MINUTE, Bar, Trade
from alpaca_simulator.prices.past import BEGINNING, Past, subdivided
from alpaca_simulator.prices.quotes import Quote
from alpaca_simulator.prices.tape import PairTape
from alpaca_simulator.prices.walk import SPREAD_BPS


class History:
    """The history of one pair, oldest first; made as it is read."""

    def __init__(self, pair: PairTape, now: int) -> None:
        pair.bar(now)  # no minute is missing, however quiet it was
        self._pair = pair
        self._past: Past = pair.past

    def bars(self, start: int, end: int, length: int) -> Iterator[Bar]:
        """Bars from a moment to another, of the longest kind that divides `length`."""
        if length % DAY == 0:
            yield from self._past_days(start, end)
        else:
            yield from self._past_bars(start, end, hours=length % HOUR == 0)
        yield from (bar for bar in self._live_bars(length) if start <= bar.at <= end)

    def _days(self, start: int, end: int) -> range:
        first = max(start, BEGINNING) // DAY * DAY
        return range(first, min(end, self._past.end) + 1, DAY)

    def _past_days(self, start: int, end: int) -> Iterator[Bar]:
        for at in self._days(start, end):
            day = self._past.day(at)
            if day is not None:
                yield day
            else:
                yield from self._past.hours(at)

    def _past_bars(self, start: int, end: int, *, hours: bool) -> Iterator[Bar]:
        for at in self._days(start, end):
            bars = self._past.hours(at) if hours else self._past.minutes(at)
            yield from (bar for bar in bars if start <= bar.at <= end)

    def _live_bars(self, length: int) -> Iterator[Bar]:
        for hour in list(self._pair.hours):
            if length % HOUR == 0:
                yield hour
            else:
                yield from minutes_of(hour)
        yield from list(self._pair.minutes)
        yield self._pair.current

    def trades(self, start: int, end: int) -> Iterator[Trade]:
        """The trades of the market from a moment to another."""
        for at in self._days(start, end):
            yield from (one for one in self._past.trades(at) if start <= one.at <= end)
        yield from (one for one in list(self._pair.trades) if start <= one.at <= end)

    def quotes(self, start: int, end: int) -> Iterator[Quote]:
        """The quotes from a moment to another; of the past, three a minute."""
        symbol, live = self._past.symbol, list(self._pair.quotes)
        since = live[0].at if live else self._past.end
        for bar in self.bars(start - MINUTE, min(end, since - 1), MINUTE):
            for quote in quotes_of(symbol, bar):
                if start <= quote.at <= end and quote.at < since:
                    yield quote
        yield from (one for one in live if start <= one.at <= end)


def minutes_of(hour: Bar) -> list[Bar]:
    """Invents the minutes of an hour of which nothing more is known."""
    dice = random.Random(hour.at)  # noqa: S311
    bars = [
        Bar(hour.at + n * MINUTE, *shape) for n, shape in enumerate(subdivided(hour.ohlc, 60, dice))
    ]
    busy = dice.choice(bars)
    busy.volume, busy.trades, busy.value = hour.volume, hour.trades, hour.value
    return bars


def quotes_of(symbol: str, bar: Bar) -> list[Quote]:
    """Invents three quotes of a minute."""
    dice = random.Random(bar.at ^ hash(bar.close))  # noqa: S311
    one = Decimal(1)
    quotes = []
    for number, price in enumerate((bar.open, dice.choice((bar.high, bar.low)), bar.close)):
        half = price * dice.uniform(*SPREAD_BPS) / 20_000
        at = bar.at + (20 * number + dice.randrange(1, 19)) * SECOND + dice.randrange(SECOND)
        bid, ask = (Decimal(f"{value:.7g}") for value in (price - half, price + half))
        quotes.append(Quote(symbol, bid, ask, one, one, at, at))
    return quotes
