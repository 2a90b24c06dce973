"""/v2/account/portfolio/history: the account's equity over time, as it was noted each minute."""

import re
from bisect import bisect_right
from collections import deque
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from alpaca_simulator.answers.times import read_time
from alpaca_simulator.clock import SECOND
from alpaca_simulator.exchange.rejections import invalid

MINUTE = 60 * SECOND
DAY = 24 * 60 * MINUTE
STEPS = {"1Min": MINUTE, "5Min": 5 * MINUTE, "15Min": 15 * MINUTE, "1H": 60 * MINUTE, "1D": DAY}
PERIOD = re.compile(r"^([0-9]{1,4})([DWMA])$")
DAYS = {"D": 1, "W": 7, "M": 30, "A": 365}
POINTS_MOST = 10_000


def portfolio_history(
    query: Mapping[str, str],
    equities: deque[tuple[int, Decimal]],
    *,
    base: Decimal,
    equity: Decimal,
    now: int,
) -> dict[str, Any]:
    """Given the equities noted so far and the present one, writes the history; raises Rejection."""
    end = min(read_time(query, "end") or read_time(query, "date_end") or now, now)
    start = read_time(query, "start") or end - _period(query.get("period") or "1M")
    frame = query.get("timeframe") or ("1D" if end - start > 7 * DAY else "15Min")
    step = STEPS.get(frame)
    if step is None:
        raise invalid("invalid timeframe")
    if (end - start) // step > POINTS_MOST:
        raise invalid("the timeframe is too small for the period")
    first = -(-start // step) * step
    times = [*range(first, end, step), end]
    moments = [at for at, _ in equities]
    values = [base if not (n := bisect_right(moments, at)) else equities[n - 1][1] for at in times]
    if end == now:
        values[-1] = equity
    return {
        "timestamp": [at // SECOND for at in times],
        "equity": [float(value) for value in values],
        "profit_loss": [float(value - base) for value in values],
        "profit_loss_pct": [float((value - base) / base) if base else 0.0 for value in values],
        "base_value": float(base),
        "timeframe": frame,
    }


def _period(text: str) -> int:
    found = PERIOD.match(text)
    if found is None:
        raise invalid("invalid period")
    return int(found[1]) * DAYS[found[2]] * DAY
