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

from dca_bot.backtest.prices.series import PriceSeries, Whole, narrowed
from dca_bot.program.errors import DcaError

Column = NDArray[np.int64]

SECOND = 1_000_000_000
DAY = 86_400 * SECOND
DIGITS_MAX = 10  # DECIMAL(20, 10) of the price columns
GAP_MAX = 7 * DAY
BASIS_POINTS = 10_000
HALF_SPREAD_STEPS = 100  # at least so many, so that rounding it can't be seen


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

    def gaps(
        self, longer_than: int = GAP_MAX, *, since: int | None = None, until: int | None = None
    ) -> list[tuple[int, int]]:
        """Stretches without any price of at least `longer_than`, as times in nanoseconds.

        `since` and `until` count as prices: what is missing before the first and after the last.
        """
        ends = ([] if since is None else [since], [] if until is None else [until])
        times = np.concatenate([np.array(ends[0], np.int64), self.times, ends[1]]).astype(np.int64)
        places = np.flatnonzero(np.diff(times) >= longer_than)
        return [(int(times[at]), int(times[at + 1])) for at in places]


@dataclass(frozen=True, slots=True)
class Path:
    """How a bar is walked through: its low before its high, or the other way round."""

    low_first: bool
    spread_bps: Decimal = Decimal(0)


def points(recording: Recording, spread_bps: Decimal = Decimal(0)) -> PriceSeries:
    """Each row as one point: quotes as they are, else the price or close with a spread around."""
    if recording.form is Form.QUOTES:
        bids, asks = _alike(recording.columns["bid"], recording.columns["ask"])
        return PriceSeries(recording.symbol, recording.times, bids, asks, recording.digits)
    column = recording.columns["close" if recording.form is Form.BARS else "price"]
    spread = _Spread.over(int(column.min()), recording.digits, spread_bps)
    bids, asks = _alike(*spread.around(column))
    return PriceSeries(
        recording.symbol, recording.times, bids, asks, recording.digits + spread.finer
    )


def path(recording: Recording, walk: Path) -> PriceSeries:
    """Four points a bar: its open, its two extremes in the order of `walk`, and its close."""
    extremes = ("low", "high") if walk.low_first else ("high", "low")
    lowest = int(recording.columns["low"].min())
    spread = _Spread.over(lowest, recording.digits, walk.spread_bps)
    sides = [spread.around(recording.columns[name]) for name in ("open", *extremes, "close")]
    bids = np.stack([bids for bids, _ in sides], axis=1).reshape(-1)
    is_one = all(bids is asks for bids, asks in sides)
    asks = bids if is_one else np.stack([asks for _, asks in sides], axis=1).reshape(-1)
    quarters = (_bar_lengths(recording.times) // 4)[:, None] * np.arange(4)
    times = (recording.times[:, None] + quarters).reshape(-1)
    bids, asks = _alike(bids, asks)
    digits = recording.digits + spread.finer
    return PriceSeries(recording.symbol, times, bids, asks, digits, points_per_bar=4)


def _bar_lengths(times: NDArray[np.int64]) -> NDArray[np.int64]:
    """Of each bar until the next one, but no longer than bars usually are."""
    distances = np.diff(times)
    usual = int(np.median(distances)) if len(distances) else 60 * SECOND
    lengths: NDArray[np.int64] = np.minimum(np.append(distances, usual), usual)
    return lengths


@dataclass(frozen=True, slots=True)
class _Spread:
    """Half a spread as a share of the price, and by how many digits finer steps it needs."""

    half: float
    finer: int

    @classmethod
    def over(cls, lowest: int, digits: int, bps: Decimal) -> _Spread:
        half, finer = float(bps / 2 / BASIS_POINTS), 0
        while lowest * half * 10**finer < HALF_SPREAD_STEPS and digits + finer < DIGITS_MAX:
            finer += 1
        return cls(half, finer if bps else 0)

    def around(self, values: Column) -> tuple[Whole, Whole]:
        """Bids and asks; the ask is rounded up, the bid down."""
        if not self.half:
            both = narrowed(values)
            return both, both
        values = values * 10**self.finer
        away = np.ceil(values * self.half).astype(np.int64)
        return narrowed(values - away), narrowed(values + away)


def _alike(bids: Whole, asks: Whole) -> tuple[Whole, Whole]:
    """Both in the narrower form only where both fit."""
    if bids is asks:
        both = narrowed(bids)
        return both, both
    bids, asks = narrowed(bids), narrowed(asks)
    if bids.dtype != asks.dtype:
        return bids.astype(np.int64), asks.astype(np.int64)
    return bids, asks


def joined(parts: list[Recording]) -> Recording:
    """Recordings of one pair and form, one after the other, in the finest steps among them."""
    digits = max(part.digits for part in parts)
    columns = {
        name: np.concatenate([part.columns[name] * 10 ** (digits - part.digits) for part in parts])
        for name in parts[0].form.columns
    }
    times = np.concatenate([part.times for part in parts])
    return Recording(parts[0].symbol, parts[0].form, times, columns, digits)


def require_some(recording: Recording) -> None:
    """Raise DcaError where there is nothing to work on."""
    if len(recording) < 2:
        raise DcaError(
            f"{recording.symbol}: no prices in this time: choose another with --from and --to, "
            f"or fetch them with 'dca history {recording.symbol} --from DAY'"
        )


def require_whole(
    recording: Recording, *, since: int | None = None, until: int | None = None
) -> None:
    """Raise DcaError where a week or more is missing, also after `since` or before `until`."""
    gaps = recording.gaps(since=since, until=until)
    if gaps:
        first, last = gaps[0]
        more = f" and {len(gaps) - 1} more" if len(gaps) > 1 else ""
        raise DcaError(
            f"{recording.symbol}: no prices for {(last - first) / DAY:.1f} days, from "
            f"{moment(first)} to {moment(last)}{more}: fetch them with 'dca history', leave that "
            "time out with --from and --to, or take it as it is with --allow-gaps"
        )


def moment(nanoseconds: int) -> str:
    """A time as a human reads it, to the minute, UTC."""
    return datetime.fromtimestamp(nanoseconds / SECOND, UTC).strftime("%Y-%m-%d %H:%M")
