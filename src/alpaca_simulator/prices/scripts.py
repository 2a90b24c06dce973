"""A script of prices: a JSON list of steps, each some seconds after the one before."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from alpaca_simulator.decimals import read_decimal
from alpaca_simulator.prices.walk import tick_of

LONGEST = 10**9  # seconds
SPREAD_MOST = 5000
PRICE_MOST = 10**12


class ScriptError(Exception):
    """A script that cannot be played."""


@dataclass(frozen=True, slots=True)
class ScriptStep:
    """After `after` seconds, a symbol's prices."""

    after: float
    symbol: str
    bid: Decimal
    ask: Decimal


def read_script(body: object, middle: Callable[[str], Decimal]) -> list[ScriptStep]:
    """Given `[step, …]` or `{"steps": [step, …]}`, reads the steps; raises ScriptError.

    A step is `{"symbol", "after", "bid", "ask"}`, or with `"price"` and `"spread_bps"` in place of
    bid and ask, or with `"path": [price, …]`, one each `after` seconds, or with `"percent": [n, …]`
    likewise, counted from the price in force; `middle` returns it (0 for an unknown pair).
    """
    rows = body.get("steps") if isinstance(body, dict) else body
    if not isinstance(rows, list) or not rows:
        raise ScriptError("a script is a list of steps")
    return [step for number, row in enumerate(rows, 1) for step in _steps(row, number, middle)]


def _steps(row: Any, number: int, middle: Callable[[str], Decimal]) -> list[ScriptStep]:
    if not isinstance(row, dict) or not isinstance(row.get("symbol"), str):
        raise ScriptError(f"step {number}: a symbol is needed")
    present = middle(row["symbol"])
    if not present:
        raise ScriptError(f"step {number}: there is no pair {row['symbol']}")
    after = read_decimal(row.get("after", 0))
    if after is None or not 0 <= after <= LONGEST:
        raise ScriptError(f"step {number}: after is a number of seconds")
    spread = read_decimal(row.get("spread_bps", 0))
    if spread is None or not 0 <= spread <= SPREAD_MOST:
        raise ScriptError(f"step {number}: spread_bps is not between 0 and {SPREAD_MOST}")
    half = spread / 20_000
    steps = []
    for low, high in _prices(row, number, present):
        bid, ask = read_decimal(low), read_decimal(high)
        if bid is None or ask is None:
            raise ScriptError(f"step {number}: bid and ask, price, path or percent is needed")
        if not (0 <= bid <= PRICE_MOST and 0 <= ask <= PRICE_MOST):
            raise ScriptError(f"step {number}: {low} is no price")
        steps.append(ScriptStep(float(after), row["symbol"], bid * (1 - half), ask * (1 + half)))
    return steps


def _prices(row: dict[str, Any], number: int, present: Decimal) -> list[tuple[Any, Any]]:
    """The bid and ask of each step that a row stands for, as they were written."""
    for name in ("path", "percent"):
        if name in row and not isinstance(row[name], list):
            raise ScriptError(f"step {number}: {name} is a list of numbers")
    if "path" in row:
        return [(price, price) for price in row["path"]]
    if "percent" in row:
        percents = [read_decimal(percent) for percent in row["percent"]]
        tick = tick_of(present)
        moved = [
            None if percent is None else (present * (1 + percent / 100)).quantize(tick)
            for percent in percents
        ]
        return [(price, price) for price in moved]
    if "price" in row:
        return [(row["price"], row["price"])]
    return [(row.get("bid"), row.get("ask"))]
