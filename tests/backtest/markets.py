"""Prices for tests of the backtest: recorded ones where they are there, and invented ones."""

import json
import random
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from dca_bot.backtest.prices.recording import Form, Recording
from dca_bot.backtest.prices.series import PriceSeries
from dca_bot.program.settings import PROJECT_ROOT
from tests.summary import NO_RECORDINGS

# Recorded markets are large, and not part of this repository.
DATA = PROJECT_ROOT.parent / "shared" / "data"
ANSWERS = DATA / "expected_public.json"
SYMBOL = "COIN/USD"
SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND


def known_cases() -> Iterator[Any]:
    """Every recorded file with every set of parameters: parameters, file, expected."""
    if not ANSWERS.exists():
        yield pytest.param(
            {}, "", {}, id="absent", marks=pytest.mark.skip(reason=f"needs {NO_RECORDINGS}")
        )
        return
    known = json.loads(ANSWERS.read_text())
    for file, answers in known["files"].items():
        for name, parameters in known["params"].items():
            case_id = f"{file.removesuffix('.csv.gz')}-{name}"
            yield pytest.param(parameters, file, answers[name], id=case_id)


def columns_of(parameters: dict[str, Any]) -> dict[str, Any]:
    """The columns of an asset that a set of the known answers stands for."""
    return {
        "symbol": SYMBOL,
        "base_order_amount": str(parameters["base"]),
        "safety_order_amount": str(parameters["so"]),
        "max_safety_orders": parameters["max_so"],
        "safety_order_deviation_pct": str(parameters["dev"]),
        "take_profit_pct": str(parameters["tp"]),
        "cooldown_seconds": parameters["cooldown_s"],
        "restart_deviation_pct": str(parameters["restart"]),
    }


def some_points(
    prices: Sequence[int | str], *, seconds: int = 1, spread: int = 0, digits: int = 2
) -> PriceSeries:
    """One point a price, `seconds` apart; the ask is `spread` steps above the bid."""
    steps = np.array([int(Decimal(price).scaleb(digits)) for price in prices], np.int64)
    times = START + np.arange(len(steps)) * seconds * SECOND
    asks = steps + spread if spread else steps
    return PriceSeries(SYMBOL, times, steps, asks, digits)


def a_walk(seed: int, points: int, *, percent: float = 0.2, first: int = 100_000) -> list[int]:
    """A random walk in cents, never below one dollar."""
    dice = random.Random(seed)
    price, walk = float(first), []
    for _ in range(points):
        price = max(100.0, price * (1 + dice.gauss(0, percent / 100)))
        walk.append(round(price))
    return walk


def a_walk_of_quotes(seed: int, points: int) -> PriceSeries:
    """A walk with a spread that changes, at moments that are not evenly apart."""
    dice = random.Random(seed)
    bids = np.array(a_walk(seed, points), np.int64)
    asks = bids + np.array([dice.choice([1, 1, 2, 10, 200]) for _ in range(points)])
    times = START + np.cumsum([dice.randint(1, 90_000) for _ in range(points)]) * 10**6
    return PriceSeries(SYMBOL, times.astype(np.int64), bids, asks, 2)


def some_bars(rows: Sequence[tuple[int, int, int, int]], *, seconds: int = 60) -> Recording:
    """Bars of (open, high, low, close) in whole dollars."""
    table = np.array(rows, np.int64) * 100
    times = START // (60 * SECOND) * 60 * SECOND + np.arange(len(rows)) * seconds * SECOND
    columns = dict(zip(Form.BARS.columns, table.T, strict=True))
    return Recording(SYMBOL, Form.BARS, times, columns, 2)
