"""One backtest: what is exact is run once, what a bar does not tell is run twice.

The unkind run lets each bar's high come before its low, with a spread and a delay; the kind one
the low first, without either.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from dca_bot.backtest.engine import Replay, play
from dca_bot.backtest.exchange import Purse, Terms
from dca_bot.backtest.parameters import ladder_cost
from dca_bot.backtest.prices.recording import Form, Path, Recording, path, points
from dca_bot.backtest.prices.series import Prices
from dca_bot.backtest.result import Result, result_of
from dca_bot.core.model import Asset

MILLISECOND = 1_000_000


@dataclass(frozen=True, slots=True)
class Market:
    """How orders fare.  None: what suits the recording (10 bps and 300 ms for paths of bars)."""

    fee_percent: Decimal = Decimal("0.25")
    spread_bps: Decimal | None = None
    latency_ms: int | None = None
    closes: bool = False  # a bar's close is its only price


@dataclass(frozen=True, slots=True)
class Case:
    """One run: `name` is `result`, `pessimistic` or `optimistic`."""

    name: str
    result: Result
    replays: tuple[Replay, ...]


def is_exact(recordings: Sequence[Recording], market: Market) -> bool:
    """Whether the recording leaves nothing to be guessed."""
    return market.closes or all(each.form is not Form.BARS for each in recordings)


def run_cases(
    recordings: Sequence[Recording],
    assets: Sequence[Asset],
    market: Market,
    cash: Decimal | None = None,
) -> list[Case]:
    """Run what must be run: one exact case, or the worse and the better one."""
    if is_exact(recordings, market):
        spread, latency = market.spread_bps or Decimal(0), market.latency_ms or 0
        terms = Terms(market.fee_percent, latency * MILLISECOND)
        return [_case("result", recordings, assets, terms, cash, lambda r: points(r, spread))]
    spread = Decimal(10) if market.spread_bps is None else market.spread_bps
    latency = 300 if market.latency_ms is None else market.latency_ms
    unkind, kind = Path(low_first=False, spread_bps=spread), Path(low_first=True)
    slow, quick = Terms(market.fee_percent, latency * MILLISECOND), Terms(market.fee_percent)
    runs = [
        _case("pessimistic", recordings, assets, slow, cash, lambda r: _prices(r, unkind)),
        _case("optimistic", recordings, assets, quick, cash, lambda r: _prices(r, kind)),
    ]
    # A path that is unkind to most cycles can be kind to all of them together.
    worse, better = sorted(runs, key=lambda case: case.result.equity)
    return [
        Case("pessimistic", worse.result, worse.replays),
        Case("optimistic", better.result, better.replays),
    ]


def _prices(recording: Recording, walk: Path) -> Prices:
    return path(recording, walk) if recording.form is Form.BARS else points(recording)


def _case(
    name: str,
    recordings: Sequence[Recording],
    assets: Sequence[Asset],
    terms: Terms,
    cash: Decimal | None,
    prices_of: Callable[[Recording], Prices],
) -> Case:
    purse = Purse(cash)
    replays = [
        Replay(prices_of(recording), asset, terms, purse)
        for recording, asset in zip(recordings, assets, strict=True)
    ]
    play(replays)
    capital = cash or sum((ladder_cost(asset) for asset in assets), Decimal(0))
    return Case(name, result_of(replays, capital), tuple(replays))
