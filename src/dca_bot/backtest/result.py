"""What a backtest has earned, what it needed for that, and how it compares.

All money is in the quote currency.  Nothing is rounded here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from dca_bot.backtest.drawdown import deepest_drawdown
from dca_bot.backtest.engine import Replay
from dca_bot.backtest.exchange import Fill
from dca_bot.backtest.prices.recording import DAY, SECOND, moment
from dca_bot.core.model import ZERO, Side

WEEK = 7 * DAY
SAMPLES = 5_000  # moments at which the equity of several pairs together is looked at


@dataclass(frozen=True, slots=True)
class Round:
    """One cycle of a backtest: what it used and earned; `ended` is None while it is open."""

    symbol: str
    number: int
    began: int  # nanoseconds
    ended: int | None
    buys: int
    invested: Decimal
    fees: Decimal
    net: Decimal  # after fees; of an open one what selling at the last bid would leave, fee aside

    @property
    def safety_orders(self) -> int:
        return self.buys - 1


@dataclass(frozen=True, slots=True)
class Result:
    """What one run over the prices has come to.

    `net` and `fees` are of completed cycles and of all fills; `open_net` is what the open coins
    are worth at the last bid, less what they cost.
    """

    since: int  # nanoseconds
    until: int
    capital: Decimal
    rounds: tuple[Round, ...]
    buys: int
    fees: Decimal
    most_invested: Decimal
    average_invested: Decimal
    deepest_drawdown: Decimal
    open_quantity: Decimal
    refused: int
    problem: str  # what the live bot would have reported about orders; "" for nothing
    fills: tuple[Fill, ...]
    hold_net: Decimal
    weekly_net: Decimal

    @property
    def completed(self) -> list[Round]:
        return [each for each in self.rounds if each.ended is not None]

    @property
    def cycles(self) -> int:
        return len(self.completed)

    @property
    def net(self) -> Decimal:
        return sum((each.net for each in self.completed), ZERO)

    @property
    def open_net(self) -> Decimal:
        return sum((each.net for each in self.rounds if each.ended is None), ZERO)

    @property
    def equity(self) -> Decimal:
        """All that was won or lost, open coins counted at the last bid."""
        return self.net + self.open_net

    @property
    def years(self) -> Decimal:
        return Decimal(max(self.until - self.since, 1)) / (365 * DAY)

    @property
    def percent(self) -> Decimal:
        """The equity in percent of the money that was set aside for it."""
        return 100 * self.equity / self.capital

    @property
    def return_on_average(self) -> Decimal:
        """The equity in percent a year of the money that was in use on average."""
        if not self.average_invested:
            return ZERO
        return 100 * self.equity / self.average_invested / self.years

    def by_month(self) -> dict[str, Decimal]:
        """Net of the cycles that were completed in each month, oldest first."""
        months: dict[str, Decimal] = {}
        for each in sorted(self.completed, key=lambda each: each.ended or 0):
            month = moment(each.ended or 0)[:7]
            months[month] = months.get(month, ZERO) + each.net
        return months

    def by_pair(self) -> dict[str, Decimal]:
        """The equity of each pair."""
        pairs: dict[str, Decimal] = {}
        for each in self.rounds:
            pairs[each.symbol] = pairs.get(each.symbol, ZERO) + each.net
        return dict(sorted(pairs.items()))

    def rungs(self) -> dict[int, int]:
        """How many cycles have used each safety order; 0 is the base order."""
        used = Counter(rung for each in self.rounds for rung in range(each.buys))
        return dict(sorted(used.items()))

    def longest(self) -> Round | None:
        """The cycle that was open for the longest time."""
        return max(self.rounds, key=lambda e: (e.ended or self.until) - e.began, default=None)


def result_of(replays: Sequence[Replay], capital: Decimal) -> Result:
    """What pairs that were played through have come to together."""
    since = min(int(replay.prices.times[0]) for replay in replays)
    until = max(int(replay.prices.times[-1]) for replay in replays)
    rounds = [each for replay in replays for each in _rounds(replay)]
    fills = sorted((fill for replay in replays for fill in replay.fills), key=lambda f: f.at)
    most, average = _invested(rounds, replays, since, until)
    return Result(
        since=since,
        until=until,
        capital=capital,
        rounds=tuple(sorted(rounds, key=lambda each: each.began)),
        buys=sum(each.buys for each in rounds),
        fees=sum((fill.fee for fill in fills), ZERO),
        most_invested=most,
        average_invested=average,
        deepest_drawdown=_drawdown(replays, since, until),
        open_quantity=sum((replay.cycle.quantity for replay in replays), ZERO),
        refused=sum(replay.refused for replay in replays),
        problem="; ".join(replay.problem for replay in replays if replay.problem),
        fills=tuple(fills),
        hold_net=sum((_hold(r, capital / len(replays)) for r in replays), ZERO),
        weekly_net=sum((_weekly(r, capital / len(replays)) for r in replays), ZERO),
    )


def _rounds(replay: Replay) -> list[Round]:
    grouped: dict[int, list[Fill]] = {}
    for fill in replay.fills:
        grouped.setdefault(fill.cycle, []).append(fill)
    prices = replay.prices
    rounds = []
    for number, fills in grouped.items():
        is_open = number == replay.cycle.cycle_id
        buys = [fill for fill in fills if fill.kind.side is Side.BUY]
        net = sum((fill.cash for fill in fills), ZERO)
        if is_open:
            net += replay.coins * prices.price(int(prices.bids[-1]))
        invested = -sum((fill.cash for fill in buys), ZERO)
        fees = sum((fill.fee for fill in fills), ZERO)
        ended = None if is_open else fills[-1].at
        rounds.append(
            Round(prices.symbol, number, fills[0].at, ended, len(buys), invested, fees, net)
        )
    return rounds


def _invested(
    rounds: Sequence[Round], replays: Sequence[Replay], since: int, until: int
) -> tuple[Decimal, Decimal]:
    """The most money in open cycles at any time, and the average over all the time."""
    ends = {(each.symbol, each.number): each for each in rounds}
    moves: list[tuple[int, Decimal]] = []
    for replay in replays:
        for fill in replay.fills:
            if fill.kind.side is Side.BUY:
                moves.append((fill.at, -fill.cash))
    for each in ends.values():
        if each.ended is not None:
            moves.append((each.ended, -each.invested))
    # what is freed at one moment is free for what is bought then
    moves.sort()
    invested = most = area = ZERO
    before = since
    for at, amount in moves:
        area += invested * (at - before)
        invested += amount
        most, before = max(most, invested), at
    area += invested * (until - before)
    return most, area / max(until - since, 1)


def _drawdown(replays: Sequence[Replay], since: int, until: int) -> Decimal:
    if len(replays) == 1:
        return deepest_drawdown(replays[0].prices, replays[0].fills)
    times = np.linspace(since, until, SAMPLES).astype(np.int64)
    total = sum(equity_at(replay, times) for replay in replays)
    falls = np.maximum.accumulate(np.maximum(total, 0.0)) - total
    return Decimal(str(round(float(falls.max()), 8)))


def equity_at(replay: Replay, times: np.typing.NDArray[np.int64]) -> np.typing.NDArray[np.float64]:
    """The equity of a pair at some times, for a picture."""
    prices, fills = replay.prices, replay.fills
    points = np.clip(np.searchsorted(prices.times, times, "right") - 1, 0, len(prices) - 1)
    done = np.searchsorted([fill.at for fill in fills], times, "right")
    cash = np.cumsum([0.0, *(float(fill.cash) for fill in fills)])
    coins = np.array([0.0, *(float(fill.coins) for fill in fills)])
    bids = prices.bids[points] / 10.0**prices.digits
    equity: np.typing.NDArray[np.float64] = cash[done] + coins[done] * bids
    return equity


def _hold(replay: Replay, amount: Decimal) -> Decimal:
    """What buying for `amount` at the first ask and holding would have come to."""
    return _bought(replay, 0, amount) - amount


def _weekly(replay: Replay, amount: Decimal) -> Decimal:
    """What buying for `amount` in equal parts, one each week, would have come to."""
    times = replay.prices.times
    dates = np.arange(int(times[0]), int(times[-1]) + 1, WEEK)
    part = amount / len(dates)
    places = np.searchsorted(times, dates)
    return sum((_bought(replay, int(place), part) for place in places), ZERO) - amount


def _bought(replay: Replay, index: int, amount: Decimal) -> Decimal:
    prices = replay.prices
    last, paid = prices.price(int(prices.bids[-1])), prices.price(int(prices.asks[index]))
    return amount / paid * (1 - replay.terms.fee_percent / 100) * last


def days(nanoseconds: int) -> float:
    return nanoseconds / SECOND / 86_400
