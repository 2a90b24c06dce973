"""Years of invented bars and trades before the simulator's start; the seed determines them.

Everything is made from above: a day's bar first, then the hours in it, then the minutes, each
within the highs and lows of what it belongs to. So bars of every length agree with each other, and
a day of five years ago costs no more than yesterday.
"""

import math
import random
from collections.abc import Iterator
from functools import cached_property
from itertools import pairwise

from alpaca_simulator.clock import SECOND
from alpaca_simulator.prices.bar import DAY, HOUR, MINUTE, Bar, Ohlc, Trade, merged, rounded
from alpaca_simulator.prices.walk import YEARLY_VOLATILITY, is_stable

BEGINNING = 1_609_459_200 * SECOND  # 2021-01-01: Alpaca's crypto is not older
DAYS_OF_A_YEAR = 365.25
# Alpaca's own book: BTC about 4 coins and 105 trades a day (docs/alpaca.md 8.1); others much less.
TRADES_A_DAY, TRADE_VALUE = 105.0, 2_900.0
BUSY = {"BTC": 1.0, "ETH": 0.8, "SOL": 0.4, "XRP": 0.3, "DOGE": 0.3, "LTC": 0.2, "LINK": 0.2}
QUIET, ELSEWHERE = 0.08, 0.2  # other coins, and pairs that are not in USD


def trades_a_day(symbol: str) -> float:
    """Given a pair, says how many trades the market makes of it in a day, about."""
    coin, _, currency = symbol.partition("/")
    return TRADES_A_DAY * BUSY.get(coin, QUIET) * (1.0 if currency == "USD" else ELSEWHERE)


def trade_size(symbol: str, price: float, dice: random.Random) -> float:
    """Given a pair and its price, draws how much a trade of the market is."""
    worth = TRADE_VALUE if not symbol.endswith("/BTC") else TRADE_VALUE / 76_600
    return float(f"{dice.expovariate(price / worth):.9f}") or 1e-9


class Past:
    """The bars and trades of one pair from 2021 until a minute, at which its price is known."""

    def __init__(self, seed: int, symbol: str, price: float, end: int) -> None:
        self.symbol = symbol
        self.end = end // MINUTE * MINUTE
        self._seed = seed
        self._price = rounded(price)
        yearly = YEARLY_VOLATILITY * (0.01 if is_stable(symbol) else 1.0)
        self._daily = yearly / math.sqrt(DAYS_OF_A_YEAR)
        self._today = self.end // DAY * DAY

    @cached_property
    def _opens(self) -> dict[int, float]:
        """The price at the beginning of each day, found by going back from the end."""
        at, price = self._today, self._price
        share = (self.end - self._today) / DAY
        opens: dict[int, float] = {}
        while at >= BEGINNING:
            opens[at] = price = self._back(price, at, share)
            at, share = at - DAY, 1.0
        return opens

    def _back(self, price: float, at: int, share: float) -> float:
        step = self._dice("return", at).gauss(0, self._daily * math.sqrt(share))
        return rounded(price * math.exp(-step)) if share else price

    def day(self, at: int) -> Bar | None:
        """The bar of the day that begins at a moment; None for today and before 2021."""
        opens = self._opens
        if at not in opens or at + DAY not in opens:
            return None
        first, last = opens[at], opens[at + DAY]
        dice = self._dice("day", at)
        up, down = (abs(dice.gauss(0, self._daily * 0.4)) for _ in range(2))
        high, low = max(first, last) * math.exp(up), min(first, last) * math.exp(-down)
        bar = Bar(at, first, rounded(high), rounded(low), last)
        for size in self._sizes(at, bar.close):
            bar.count(size, (bar.high + bar.low + bar.close) / 3)
        return bar

    def hours(self, at: int) -> list[Bar]:
        """The bars of the hours of a day."""
        day = self.day(at)
        if day is None:
            return list(merged(self.minutes(at), lambda moment: moment // HOUR * HOUR))
        bars = self._shapes_within(day, 24, HOUR)
        self._count_trades(bars, HOUR)
        return bars

    def minutes(self, at: int) -> list[Bar]:
        """The bars of the minutes of a day, or of today until the end."""
        day = self.day(at)
        if day is not None:
            hours = self._shapes_within(day, 24, HOUR)
            bars = [bar for hour in hours for bar in self._shapes_within(hour, 60, MINUTE)]
        elif at == self._today and self.end > at:
            bars = self._minutes_of_today()
        else:
            return []
        self._count_trades(bars, MINUTE)
        return bars

    def _minutes_of_today(self) -> list[Bar]:
        first, count = self._opens[self._today], (self.end - self._today) // MINUTE
        edge = self._daily * 0.4 * math.sqrt(count / 1440)
        dice = self._dice("day", self._today)
        high = rounded(max(first, self._price) * math.exp(abs(dice.gauss(0, edge))))
        low = rounded(min(first, self._price) * math.exp(-abs(dice.gauss(0, edge))))
        whole = Bar(self._today, first, high, low, self._price)
        return self._shapes_within(whole, count, MINUTE)

    def trades(self, at: int) -> list[Trade]:
        """The trades of a day, oldest first, each within the bar of its minute."""
        day = self.day(at)
        spans = self.minutes(at) if day is None else self._shapes_within(day, 24, HOUR)
        length = MINUTE if day is None else HOUR
        # The minutes are made only of hours in which something was traded.
        made: dict[int, list[Bar]] = {}
        found = []
        for moment, size, dice in self._placed(spans, length):
            bar = spans[moment // length]
            if length == HOUR:
                if bar.at not in made:
                    made[bar.at] = self._shapes_within(bar, 60, MINUTE)
                bar = made[bar.at][moment % HOUR // MINUTE]
            price = rounded(dice.uniform(bar.low, bar.high))
            number, taker = dice.getrandbits(62), dice.choice("BS")
            found.append(Trade(at + moment, price, size, number, taker))
        return found

    def _shapes_within(self, whole: Bar, parts: int, length: int) -> list[Bar]:
        dice = self._dice(f"in{parts}", whole.at)
        shapes = subdivided(whole.ohlc, parts, dice)
        return [Bar(whole.at + n * length, *shape) for n, shape in enumerate(shapes)]

    def _sizes(self, at: int, price: float) -> list[float]:
        dice = self._dice("sizes", at)
        until = min(DAY, self.end - at) / DAY
        number = round(trades_a_day(self.symbol) * until * math.exp(dice.gauss(0, 0.4)))
        return [trade_size(self.symbol, price, dice) for _ in range(number)]

    def _count_trades(self, bars: list[Bar], length: int) -> None:
        for moment, size, _ in self._placed(bars, length):
            bar = bars[moment // length]
            bar.count(size, (bar.open + bar.close) / 2)

    def _placed(self, bars: list[Bar], length: int) -> Iterator[tuple[int, float, random.Random]]:
        """When in a day of bars each of its trades is, and how much, and dice for the rest."""
        if not bars:
            return
        at, span = bars[0].at // DAY * DAY, len(bars) * length
        sizes, dice = self._sizes(at, bars[-1].close), self._dice("trades", at)
        for moment, size in zip(sorted(dice.randrange(span) for _ in sizes), sizes, strict=True):
            yield moment, size, dice

    def _dice(self, what: str, at: int) -> random.Random:
        return random.Random(f"{what}:{self._seed}:{self.symbol}:{at // SECOND}")  # noqa: S311


def subdivided(whole: Ohlc, parts: int, dice: random.Random) -> list[Ohlc]:
    """Given a bar, invents the bars in it: they begin, end and reach as far as it does."""
    first, high, low, last = whole
    path = _bridge(first, last, parts, (high - low) / math.sqrt(parts), dice)
    path = _fitted(path, high, low)
    shapes = []
    for begin, end in pairwise(path):
        edge = abs(dice.gauss(0, (high - low) / parts))
        top = min(high, max(begin, end) + edge)
        bottom = max(low, min(begin, end) - edge)
        shapes.append(Ohlc(begin, rounded(top), rounded(bottom), end))
    summit = max(range(parts), key=lambda n: shapes[n].high)
    shapes[summit] = shapes[summit]._replace(high=high)
    valley = min(range(parts), key=lambda n: shapes[n].low)
    shapes[valley] = shapes[valley]._replace(low=low)
    return shapes


def _bridge(
    first: float, last: float, parts: int, sigma: float, dice: random.Random
) -> list[float]:
    """A random path of so many steps from one price to another."""
    path = [0.0]
    for _ in range(parts):
        path.append(path[-1] + dice.gauss(0, sigma))
    missing = last - first - path[-1]
    return [first + strayed + missing * n / parts for n, strayed in enumerate(path)]


def _fitted(path: list[float], high: float, low: float) -> list[float]:
    """Squeezes what is above or below both ends of a path into the range."""
    upper, lower = max(path[0], path[-1]), min(path[0], path[-1])
    top, bottom = max(path), min(path)
    above = (high - upper) / (top - upper) if top > upper else 0.0
    below = (lower - low) / (lower - bottom) if bottom < lower else 0.0
    fitted = [
        upper + (price - upper) * above
        if price > upper
        else lower - (lower - price) * below
        if price < lower
        else price
        for price in path
    ]
    inside = [min(high, max(low, rounded(price))) for price in fitted[1:-1]]
    return [path[0], *inside, rounded(path[-1])]
