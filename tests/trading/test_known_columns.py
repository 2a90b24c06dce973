"""The columns that are off by default, on a recorded market, against a calculation of its own.

`by_hand` shares nothing with the bot but the rules of docs/strategy.md: a loop over the prices.
"""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from dca_bot.core.model import AfterStopLoss
from dca_bot.trading.budget import Budget
from tests.builders import an_asset
from tests.trading.test_known_answers import DATA, SYMBOL, Market, Player, read

FILE = "bars1m_binanceus_btcusd_20230301_20230321.csv.gz"
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


def by_hand(
    market: Market, row: dict[str, Any], most_invested: Decimal = Decimal("Infinity")
) -> list[tuple[int, str, str]]:
    """When it buys and sells, and at which price."""
    p = {key: Decimal(value) if type(value) is str else value for key, value in row.items()}
    get = p.get
    coins = average = last = peak = last_sale = Decimal(0)
    rungs, since, cooldown_end = 0, None, 0
    events = []
    for at, text, ask_text in zip(market.nanoseconds, market.bids, market.asks, strict=True):
        price, ask, amount = Decimal(text), Decimal(ask_text), None
        may_buy = (ask - price) / ask * 100 <= get("max_spread_pct", 100)
        if coins:
            target = average * (1 + p["take_profit_pct"] / 100)
            if get("take_profit_after_fees"):
                target /= (1 - FEE) * (1 - FEE)
            peak = max(peak, price) if price >= target else peak
            is_low = "stop_loss_pct" in p and price <= average * (1 - p["stop_loss_pct"] / 100)
            since = (since or at) if is_low else None
            step = p["safety_order_deviation_pct"] * get("safety_order_step_scale", 1) ** rungs
            if since and at - since >= get("stop_loss_seconds", 0) * 10**9:
                sells = True
            elif may_buy and rungs < p["max_safety_orders"] and ask <= last * (1 - step / 100):
                amount = p["safety_order_amount"] * get("safety_order_volume_scale", 1) ** rungs
                sells = False
                if coins * average + amount > most_invested:
                    continue
                rungs += 1
            else:
                sells = price >= target and price <= peak * (
                    1 - get("trailing_pct", Decimal(0)) / 100
                )
            if sells:
                events.append((at, "S", text))
                coins, last_sale = Decimal(0), price
                cooldown_end = at + p["cooldown_seconds"] * 10**9
        elif (
            may_buy
            and get("min_start_price", 0) <= ask <= get("max_start_price", ask)
            and (at >= cooldown_end or ask <= last_sale * (1 - p["restart_deviation_pct"] / 100))
        ):
            amount, rungs = p["base_order_amount"], 0
        if amount is not None:
            more = amount / ask
            average = (coins * average + more * ask) / (coins + more)
            coins, last, peak, since = coins + more, ask, Decimal(0), None
            events.append((at, "B", ask_text))
    return events


@pytest.mark.skipif(not (DATA / FILE).exists(), reason="no recorded markets beside the project")
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


@pytest.mark.skipif(not (DATA / FILE).exists(), reason="no recorded markets beside the project")
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


@pytest.mark.skipif(not (DATA / FILE).exists(), reason="no recorded markets beside the project")
def test_invested_money_that_has_a_limit_gives_the_answer_of_a_calculation_by_hand() -> None:
    market, most = read(FILE, "close", "close"), Decimal(45)
    player = Player(an_asset(symbol=SYMBOL, **PLAIN), market, Budget(invested_max=most))
    player.play()
    expected = by_hand(market, PLAIN, most)
    assert player.events == expected
    assert expected != by_hand(market, PLAIN)


@pytest.mark.skipif(not (DATA / FILE).exists(), reason="no recorded markets beside the project")
def test_each_column_makes_a_difference() -> None:
    market = read(FILE, "close", "close")
    answers = {name: tuple(by_hand(market, PLAIN | more)) for name, more in COLUMNS.items()}
    assert len(set(answers.values())) == len(COLUMNS)
