"""The columns that are off by default, on a recorded market, against a calculation of its own.

`ByHand` shares nothing with the bot but the rules of docs/strategy.md: a look at each price.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import ROUND_CEILING, Decimal
from itertools import pairwise
from typing import Any

import pytest

from dca_bot.core.model import AfterStopLoss, Allowed
from dca_bot.store.memory_store import MemoryStore
from dca_bot.trading.budget import Budget, allow
from tests.builders import an_asset
from tests.trading.test_known_answers import DATA, EPOCH, SYMBOL, Market, Player, read

FILE = "bars1m_binanceus_btcusd_20230301_20230321.csv.gz"
OTHER = "bars1m_binanceus_btcusdc_20230301_20230321.csv.gz"
DAY = 24 * 3600 * 10**9
FEE = Decimal("0.0025")
MINUTE = 60 * 10**9
PLAIN: dict[str, Any] = {
    "base_order_amount": "20",
    "safety_order_amount": "20",
    "max_safety_orders": 3,
    "safety_order_deviation_pct": "0.5",
    "take_profit_pct": "0.4",
    "cooldown_seconds": 600,
    "restart_deviation_pct": "1",
    "after_stop_loss": AfterStopLoss.COOLDOWN,
}
COLUMNS: dict[str, dict[str, Any]] = {
    "none": {},
    "scales": {"safety_order_volume_scale": "1.5", "safety_order_step_scale": "1.3"},
    "after fees": {"take_profit_after_fees": True},
    "trailing": {"trailing_pct": "0.2"},
    "stop loss": {"stop_loss_pct": "1.2"},
    "patient stop loss": {"stop_loss_pct": "1", "stop_loss_seconds": 600},
    "start prices": {"min_start_price": "22000", "max_start_price": "24500"},
    "all": {
        "safety_order_volume_scale": "1.4",
        "safety_order_step_scale": "0.9",
        "take_profit_after_fees": True,
        "trailing_pct": "0.3",
        "stop_loss_pct": "1.5",
        "stop_loss_seconds": 180,
        "min_start_price": "20000",
    },
}


needs_recordings = pytest.mark.skipif(
    not (DATA / FILE).exists(), reason="no recorded markets beside the project"
)


class ByHand:
    """One row, a price at a time; `events`: when it buys and sells, and at which price."""

    def __init__(self, row: dict[str, Any]) -> None:
        self._p = {
            key: Decimal(value) if type(value) is str else value for key, value in row.items()
        }
        self.coins = self.spent = self._average = Decimal(0)
        self._last = self._peak = self._last_sale = Decimal(0)
        self._rungs, self._cooldown_end, self._since = 0, 0, 0
        self.events: list[tuple[int, str, str]] = []

    def look(
        self,
        at: int,
        bid: str,
        ask: str,
        *,
        may_begin: bool = True,
        may_buy: bool = True,
        most_invested: Decimal = Decimal("Infinity"),
    ) -> None:
        p, get, price, low = self._p, self._p.get, Decimal(bid), Decimal(ask)
        may_buy = may_buy and (low - price) / low * 100 <= get("max_spread_pct", 100)
        if not self.coins:
            is_cool = at >= self._cooldown_end
            restart = self._last_sale * (1 - p["restart_deviation_pct"] / 100)
            is_between = get("min_start_price", 0) <= low <= get("max_start_price", low)
            if may_begin and may_buy and is_between and (is_cool or low <= restart):
                self._rungs = 0
                self._buy(at, ask, p["base_order_amount"])
            return
        target = self._average * (1 + p["take_profit_pct"] / 100)
        if get("take_profit_after_fees"):
            target /= (1 - FEE) * (1 - FEE)
        self._peak = max(self._peak, price) if price >= target else self._peak
        stop = self._average * (1 - get("stop_loss_pct", Decimal(100)) / 100)
        self._since = (self._since or at) if price <= stop else 0
        step = p["safety_order_deviation_pct"] * get("safety_order_step_scale", 1) ** self._rungs
        is_due = self._rungs < p["max_safety_orders"] and low <= self._last * (1 - step / 100)
        trailing = self._peak * (1 - get("trailing_pct", Decimal(0)) / 100)
        if self._since and at - self._since >= get("stop_loss_seconds", 0) * 10**9:
            self._sell(at, bid)
        elif may_buy and is_due:
            scale = get("safety_order_volume_scale", 1) ** self._rungs
            amount = p["safety_order_amount"] * scale
            if self.coins * self._average + amount <= most_invested:
                self._rungs += 1
                self._buy(at, ask, amount)
        elif target <= price <= trailing:
            self._sell(at, bid)

    def _buy(self, at: int, ask: str, amount: Decimal) -> None:
        price = Decimal(ask)
        more = amount / price
        self._average = (self.coins * self._average + amount) / (self.coins + more)
        self.coins, self.spent = self.coins + more, self.spent + amount
        self._last, self._peak, self._since = price, Decimal(0), 0
        self.events.append((at, "B", ask))

    def _sell(self, at: int, bid: str) -> None:
        self.coins, self.spent, self._last_sale = Decimal(0), Decimal(0), Decimal(bid)
        self._cooldown_end = at + self._p["cooldown_seconds"] * 10**9
        self.events.append((at, "S", bid))


def prices(market: Market) -> Iterator[tuple[int, str, str]]:
    return zip(market.nanoseconds, market.bids, market.asks, strict=True)


def by_hand(market: Market, row: dict[str, Any], **limits: Decimal) -> list[tuple[int, str, str]]:
    """When it buys and sells, and at which price."""
    alone = ByHand(row)
    for at, bid, ask in prices(market):
        alone.look(at, bid, ask, **limits)
    return alone.events


@needs_recordings
@pytest.mark.parametrize("name", COLUMNS)
def test_a_recorded_market_gives_the_answer_of_a_calculation_by_hand(name: str) -> None:
    market = read(FILE, "close", "close")
    row = PLAIN | COLUMNS[name]
    player = Player(an_asset(symbol=SYMBOL, **row), market)
    player.play()
    expected = by_hand(market, row)
    assert player.events == expected
    assert [side for _, side, _ in expected].count("S") > 3
    assert all(one[0] <= other[0] for one, other in pairwise(expected))


@needs_recordings
def test_a_spread_that_is_too_wide_gives_the_answer_of_a_calculation_by_hand() -> None:
    """A minute's low is the bid and its high the ask: wide where much happens."""
    market = read(FILE, "low", "high")
    row = PLAIN | {"max_spread_pct": "0.05"}
    player = Player(an_asset(symbol=SYMBOL, **row), market)
    player.play()
    expected = by_hand(market, row)
    assert player.events == expected
    assert expected != by_hand(market, PLAIN)
    assert [side for _, side, _ in expected].count("S") > 3


@needs_recordings
def test_invested_money_that_has_a_limit_gives_the_answer_of_a_calculation_by_hand() -> None:
    market, most = read(FILE, "close", "close"), Decimal(45)
    player = Player(an_asset(symbol=SYMBOL, **PLAIN), market, Budget(invested_max=most))
    player.play()
    expected = by_hand(market, PLAIN, most_invested=most)
    assert player.events == expected
    assert expected != by_hand(market, PLAIN)


@needs_recordings
def test_a_limit_of_cycles_gives_the_answer_of_a_calculation_by_hand() -> None:
    """Two rows on two markets; only one of them may hold coins."""
    store, budget = MemoryStore(), Budget(active_cycles_max=1)
    rows = [PLAIN, PLAIN | {"take_profit_pct": "0.8"}]
    markets = [read(file, "close", "close") for file in (FILE, OTHER)]
    players = [
        Player(an_asset(asset_id=n, symbol=f"COIN{n}/USD", **row), market, budget, store)
        for n, (row, market) in enumerate(zip(rows, markets, strict=True))
    ]
    alone = [ByHand(row) for row in rows]
    times = [list(prices(market)) for market in markets]
    moments = [(each[0], n, i) for n, all_ in enumerate(times) for i, each in enumerate(all_)]
    for _, n, number in sorted(moments):
        players[n].act(number)
        alone[n].look(*times[n][number], may_begin=not alone[1 - n].coins)
    assert [player.events for player in players] == [each.events for each in alone]
    free = [by_hand(market, row) for market, row in zip(markets, rows, strict=True)]
    for each, unlimited in zip(alone, free, strict=True):
        assert each.events != unlimited
        assert [side for _, side, _ in each.events].count("S") > 3


@needs_recordings
def test_a_days_loss_that_has_a_limit_gives_the_answer_of_a_calculation_by_hand() -> None:
    """At each midnight a person resumes what was paused."""
    market, row = read(FILE, "close", "close"), PLAIN | {"stop_loss_pct": "0.8"}
    most = Decimal("1.5")
    player = Player(an_asset(symbol=SYMBOL, **row), market, Budget(daily_loss_max=most))
    alone, lost, day, days_paused = ByHand(row), Decimal(0), 0, set()
    for number, (at, bid, ask) in enumerate(prices(market)):
        if at // DAY > day:
            day, lost = at // DAY, Decimal(0)
            player.now = EPOCH + timedelta(microseconds=at // 1000)
            allow(player.store, lambda: player.now, player.asset_id, Allowed.ALL, "by hand")
        player.act(number)
        spent, coins = alone.spent, alone.coins
        alone.look(at, bid, ask, may_buy=day not in days_paused)
        if coins and not alone.coins:
            proceeds = coins * (1 - FEE) * Decimal(bid)
            fee = (proceeds * FEE).quantize(Decimal("0.01"), ROUND_CEILING)
            lost += spent - (proceeds - fee)
            if lost >= most:
                lost = Decimal(0)
                days_paused.add(day)
    assert player.events == alone.events
    assert alone.events != by_hand(market, row)
    assert 3 < len(days_paused) < (market.nanoseconds[-1] - market.nanoseconds[0]) // DAY


@needs_recordings
def test_each_column_makes_a_difference() -> None:
    market = read(FILE, "close", "close")
    answers = {name: tuple(by_hand(market, PLAIN | more)) for name, more in COLUMNS.items()}
    assert len(set(answers.values())) == len(COLUMNS)
