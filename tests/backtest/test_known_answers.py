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
from dca_bot.core.model import ZERO, Side
from tests.backtest.markets import (
    DATA,
    SYMBOL,
    a_walk_of_quotes,
    columns_of,
    known_cases,
)
from tests.builders import an_asset
from tests.trading.test_known_answers import Market, Player

TRIED_ON_WALKS = [
    {"base": 20, "so": 20, "max_so": 5, "dev": 1.5, "tp": 1, "cooldown_s": 300, "restart": 2},
    {"base": 50, "so": 30, "max_so": 0, "dev": 1, "tp": 0.05, "cooldown_s": 0, "restart": 0},
    {"base": 12, "so": 99, "max_so": 9, "dev": 0.1, "tp": 0.1, "cooldown_s": 7, "restart": 0.1},
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


@pytest.mark.parametrize("parameters", TRIED_ON_WALKS)
@pytest.mark.parametrize("seed", range(3))
def test_the_live_trader_does_the_same_on_a_random_market(
    parameters: dict[str, Any], seed: int
) -> None:
    prices = a_walk_of_quotes(seed, 5_000)
    replay = Replay(prices, an_asset(**columns_of(parameters)), Terms())
    play([replay])
    bids = [str(prices.price(steps)) for steps in prices.bids]
    asks = [str(prices.price(steps)) for steps in prices.asks]
    market = Market(
        [int(at) for at in prices.times],
        bids,
        asks,
        [float(bid) for bid in bids],
        [float(ask) for ask in asks],
    )
    live = Player(an_asset(**columns_of(parameters)), market)
    live.play()
    assert len(replay.fills) > 5
    assert as_events(replay.fills) == [
        (at, side, Decimal(price)) for at, side, price in live.events
    ]
    assert replay.cycle.safety_orders == live.cycle.safety_orders
    assert replay.cycle.last_order_fill_price == live.cycle.last_order_fill_price
