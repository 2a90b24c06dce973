"""What was recorded of one pair, in whole steps, and the prices that a backtest makes of it.

Quotes are taken as they are, a trade's price as bid and ask.  A bar tells less: its closes can be
taken for quotes, or a path is laid through it, kindly or unkindly.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from dca_bot.backtest.prices.series import Prices, narrowed
from dca_bot.program.errors import DcaError

Column = NDArray[np.int64]

SECOND = 1_000_000_000
DAY = 86_400 * SECOND
DIGITS_MAX = 10  # DECIMAL(20, 10) of the price columns
GAP_MAX = 7 * DAY
BASIS_POINTS = 10_000


class Form(StrEnum):
    """What a recording holds, and the columns that count."""

    QUOTES = "quotes"
    TRADES = "trades"
    BARS = "bars"

    @property
    def columns(self) -> tuple[str, ...]:
        match self:
            case Form.QUOTES:
                return ("bid", "ask")
            case Form.TRADES:
                return ("price",)
            case Form.BARS:
                return ("open", "high", "low", "close")


@dataclass(frozen=True, eq=False)
class Recording:
    """`columns` as `form.columns` names them, in steps of 10^-digits; times in nanoseconds."""

    symbol: str
    form: Form
    times: NDArray[np.int64]
    columns: dict[str, Column]
    digits: int

    def __len__(self) -> int:
        return len(self.times)

    def part(self, since: int | None, until: int | None) -> Recording:
        """The points from `since` on and before `until` (nanoseconds; None: no limit)."""
        start = 0 if since is None else int(np.searchsorted(self.times, since))
        end = len(self) if until is None else int(np.searchsorted(self.times, until))
        columns = {name: column[start:end] for name, column in self.columns.items()}
        return Recording(self.symbol, self.form, self.times[start:end], columns, self.digits)

    def gaps(self, longer_than: int = GAP_MAX) -> list[tuple[int, int]]:
        """Stretches without any price of at least `longer_than`, as times in nanoseconds."""
        steps = np.diff(self.times)
        places = np.flatnonzero(steps >= longer_than)
        return [(int(self.times[at]), int(self.times[at + 1])) for at in places]


@dataclass(frozen=True, slots=True)
class Path:
    """How a bar is walked through: its low before its high, or the other way round."""

    low_first: bool
    spread_bps: Decimal = Decimal(0)


def points(recording: Recording, spread_bps: Decimal = Decimal(0)) -> Prices:
    """Each row as one point: quotes as they are, else the price or close with a spread around."""
    if recording.form is Form.QUOTES:
        bids = narrowed(recording.columns["bid"])
        asks = narrowed(recording.columns["ask"])
        if bids.dtype != asks.dtype:
            bids, asks = recording.columns["bid"], recording.columns["ask"]
        return Prices(recording.symbol, recording.times, bids, asks, recording.digits)
    column = recording.columns["close" if recording.form is Form.BARS else "price"]
    return _with_spread(recording, recording.times, column, spread_bps, points_per_bar=1)


def path(recording: Recording, walk: Path) -> Prices:
    """Four points a bar: its open, its two extremes in the order of `walk`, and its close."""
    bars = recording.columns
    extremes = ("low", "high") if walk.low_first else ("high", "low")
    rows = [bars[name] for name in ("open", *extremes, "close")]
    values = np.stack(rows, axis=1).reshape(-1)
    offsets = np.arange(4) * (bar_length(recording) // 4)
    times = (recording.times[:, None] + offsets).reshape(-1)
    return _with_spread(recording, times, values, walk.spread_bps, points_per_bar=4)


def bar_length(recording: Recording) -> int:
    """The usual distance between two bars, in nanoseconds."""
    if len(recording) < 2:
        return 60 * SECOND
    return int(np.median(np.diff(recording.times)))


def _with_spread(
    recording: Recording,
    times: NDArray[np.int64],
    values: Column,
    spread_bps: Decimal,
    *,
    points_per_bar: int,
) -> Prices:
    digits = recording.digits
    if not spread_bps:
        both = narrowed(values)
        return Prices(recording.symbol, times, both, both, digits, points_per_bar)
    # Half the spread needs finer steps than the prices; the ask is rounded up, the bid down.
    finer = min(DIGITS_MAX, digits + 3) - digits
    values = values * 10**finer
    half = np.ceil(values * float(spread_bps / 2 / BASIS_POINTS)).astype(np.int64)
    bids = narrowed(values - half)
    asks = narrowed(values + half)
    if bids.dtype != asks.dtype:
        bids = bids.astype(np.int64)
    return Prices(recording.symbol, times, bids, asks, digits + finer, points_per_bar)


def joined(parts: list[Recording]) -> Recording:
    """Recordings of one pair and form, one after the other, in the finest steps among them."""
    digits = max(part.digits for part in parts)
    columns = {
        name: np.concatenate([part.columns[name] * 10 ** (digits - part.digits) for part in parts])
        for name in parts[0].form.columns
    }
    times = np.concatenate([part.times for part in parts])
    return Recording(parts[0].symbol, parts[0].form, times, columns, digits)


def require_whole(recording: Recording, *, allow_gaps: bool) -> None:
    """Raise DcaError where there is nothing to work on, or where a week or more is missing."""
    if len(recording) < 2:
        raise DcaError(
            f"{recording.symbol}: no prices in this time: choose another with --from and --to, "
            f"or fetch them with 'dca history {recording.symbol} --from DAY'"
        )
    gaps = recording.gaps()
    if gaps and not allow_gaps:
        since, until = gaps[0]
        more = f" and {len(gaps) - 1} more" if len(gaps) > 1 else ""
        raise DcaError(
            f"{recording.symbol}: no prices for {(until - since) / DAY:.1f} days, from "
            f"{moment(since)} to {moment(until)}{more}: fetch them with 'dca history', leave that "
            "time out with --from and --to, or take it as it is with --allow-gaps"
        )


def moment(nanoseconds: int) -> str:
    """A time as a human reads it, to the minute, UTC."""
    return datetime.fromtimestamp(nanoseconds / SECOND, UTC).strftime("%Y-%m-%d %H:%M")
