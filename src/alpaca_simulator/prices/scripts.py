"""A script of prices: a JSON list of steps, each some seconds after the one before."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from alpaca_simulator.decimals import read_decimal


class ScriptError(Exception):
    """A script that cannot be played."""


@dataclass(frozen=True, slots=True)
class ScriptStep:
    """After `after` seconds, a symbol's prices."""

    after: float
    symbol: str
    bid: Decimal
    ask: Decimal


def read_script(body: object) -> list[ScriptStep]:
    """Given `[step, …]` or `{"steps": [step, …]}`, reads the steps; raises ScriptError.

    A step is `{"symbol", "after", "bid", "ask"}`, or with `"price"` and `"spread_bps"` in place of
    bid and ask, or with `"path": [price, …]`, one each `after` seconds.
    """
    rows = body.get("steps") if isinstance(body, dict) else body
    if not isinstance(rows, list) or not rows:
        raise ScriptError("a script is a list of steps")
    return [step for number, row in enumerate(rows, 1) for step in _steps(row, number)]


def _steps(row: Any, number: int) -> list[ScriptStep]:
    if not isinstance(row, dict) or not isinstance(row.get("symbol"), str):
        raise ScriptError(f"step {number}: a symbol is needed")
    after = read_decimal(row.get("after", 0))
    if after is None or after < 0:
        raise ScriptError(f"step {number}: after is a number of seconds")
    half = (read_decimal(row.get("spread_bps", 0)) or Decimal(0)) / 20_000
    if "path" in row:
        prices = [(price, price) for price in row["path"]]
    elif "price" in row:
        prices = [(row["price"], row["price"])]
    else:
        prices = [(row.get("bid"), row.get("ask"))]
    steps = []
    for low, high in prices:
        bid, ask = read_decimal(low), read_decimal(high)
        if bid is None or ask is None:
            raise ScriptError(f"step {number}: bid and ask, price, or path is needed")
        steps.append(ScriptStep(float(after), row["symbol"], bid * (1 - half), ask * (1 + half)))
    return steps
