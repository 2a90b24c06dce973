"""The exact engine gives the answers that other engines gave, and the real trader's decisions."""

import hashlib
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import pytest

from dca_bot.backtest.engine import Replay, play
from dca_bot.backtest.exchange import Fill, Terms
from dca_bot.backtest.prices.price_files import read_prices
from dca_bot.backtest.prices.recording import points
from dca_bot.backtest.prices.series import PriceSeries
from dca_bot.core.model import ZERO, AfterStopLoss, Side
from tests.backtest.markets import (
    DATA,
    SYMBOL,
    a_walk_of_quotes,
    columns_of,
    known_cases,
)
from tests.builders import an_asset
from tests.trading.test_known_answers import Market, Player

SMALL = {"safety_order_deviation_pct": "0.3", "take_profit_pct": "0.3", "cooldown_seconds": 60}
TRIED_ON_WALKS: list[dict[str, Any]] = [
    {},
    {"max_safety_orders": 0, "take_profit_pct": "0.05", "restart_deviation_pct": 0},
    SMALL | {"base_order_amount": 12, "safety_order_amount": 99, "restart_deviation_pct": "0.1"},
    SMALL | {"safety_order_volume_scale": "1.5", "safety_order_step_scale": "1.2"},
    SMALL | {"take_profit_after_fees": True},
    SMALL | {"trailing_pct": "0.2"},
    SMALL | {"trailing_pct": "0.05", "take_profit_after_fees": True},
    SMALL | {"stop_loss_pct": "1", "after_stop_loss": AfterStopLoss.COOLDOWN},
    SMALL | {"stop_loss_pct": "2", "stop_loss_seconds": 600},
    SMALL
    | {"stop_loss_pct": "1", "trailing_pct": "0.3", "stop_loss_seconds": 200}
    | {"after_stop_loss": AfterStopLoss.COOLDOWN},
    SMALL | {"max_spread_pct": "0.005"},
    SMALL | {"min_start_price": 900, "max_start_price": 1000},
]


def as_events(fills: Iterable[Fill]) -> list[tuple[int, str, Decimal]]:
    return [(f.at, "B" if f.kind.side is Side.BUY else "S", f.price) for f in fills]


def hash_of(fills: Iterable[Fill]) -> str:
    lines = "".join(f"{at}{side}{price.normalize()}\n" for at, side, price in as_events(fills))
    return hashlib.sha256(lines.encode()).hexdigest()[:16]


@pytest.mark.parametrize(("parameters", "file", "expected"), list(known_cases()))
def test_a_recorded_market_gives_the_known_answer(
    parameters: dict[str, Any], file: str, expected: dict[str, Any]
) -> None:
    prices = points(read_prices(DATA / file, SYMBOL))
    replay = Replay(prices, an_asset(**columns_of(parameters)), Terms())
    play([replay])
    sides = [fill.kind.side for fill in replay.fills]
    assert {
        "cycles": sides.count(Side.SELL),
        "buys": sides.count(Side.BUY),
        "holding": replay.cycle.quantity > 0,
        "n_so": replay.cycle.safety_orders,
        "events_sha256": hash_of(replay.fills),
    } == {name: expected[name] for name in ("cycles", "buys", "holding", "n_so", "events_sha256")}
    cash = sum((fill.cash for fill in replay.fills), ZERO)
    equity = cash + replay.coins * prices.price(int(prices.bids[-1]))
    assert abs(equity - Decimal(expected["equity"])) < Decimal("0.000001")


@pytest.mark.parametrize("columns", TRIED_ON_WALKS)
@pytest.mark.parametrize("seed", range(3))
def test_the_live_trader_does_the_same_on_a_random_market(
    columns: dict[str, Any], seed: int
) -> None:
    prices = a_walk_of_quotes(seed, 3_000)
    asset = an_asset(symbol=SYMBOL, **columns)
    replay = Replay(prices, asset, Terms())
    play([replay])
    live = Attentive(asset, as_market(prices))
    live.play()
    assert len(replay.fills) >= 1
    assert as_events(replay.fills) == [
        (at, side, Decimal(price)) for at, side, price in live.events
    ]
    assert replay.cycle.safety_orders == live.cycle.safety_orders
    assert replay.cycle.last_order_fill_price == live.cycle.last_order_fill_price
    assert replay.asset.allowed is live.state.asset.allowed


class Attentive(Player):
    """The trader, shown every single quote: so nothing that the search passes over is missed."""

    def play(self) -> None:
        for number in range(len(self.market.nanoseconds)):
            self.act(number)


def as_market(prices: PriceSeries) -> Market:
    bids = [str(prices.price(int(steps))) for steps in prices.bids]
    asks = [str(prices.price(int(steps))) for steps in prices.asks]
    return Market([int(at) for at in prices.times], bids, asks, [], [])
