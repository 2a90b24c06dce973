"""One backtest: what is exact is run once, what a bar does not tell is run twice.

The unkind run lets each bar's high come before its low, with a spread and a delay; the kind one
the low first, without either.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from dca_bot.backtest.engine import Replay, play
from dca_bot.backtest.exchange import SharedCash, Terms
from dca_bot.backtest.parameters import ladder_cost
from dca_bot.backtest.prices.recording import Form, Path, Recording, path, points
from dca_bot.backtest.prices.series import PriceSeries
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
    """One run: `name` is `result`, `pessimistic` or `optimistic`.

    `replays` are kept where they were asked for: they hold a copy of the prices.
    """

    name: str
    result: Result
    replays: tuple[Replay, ...] = ()


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: pairs, their prices and values, and the cash that they share."""

    recordings: Sequence[Recording]
    assets: Sequence[Asset]
    market: Market
    cash: Decimal | None = None
    keeps_replays: bool = False

    @property
    def is_exact(self) -> bool:
        """Whether the recordings leave nothing to be guessed."""
        return self.market.closes or all(each.form is not Form.BARS for each in self.recordings)

    @property
    def capital(self) -> Decimal:
        """The money that is set aside: the cash, or what the ladders can ask for."""
        return self.cash or sum(map(ladder_cost, self.assets), Decimal(0))


def run_cases(question: Question) -> list[Case]:
    """Run what must be run: one exact case, or the worse and the better one."""
    market = question.market
    if question.is_exact:
        spread, latency = market.spread_bps or Decimal(0), market.latency_ms or 0
        return [_case("result", question, latency, lambda each: points(each, spread))]
    spread = Decimal(10) if market.spread_bps is None else market.spread_bps
    latency = 300 if market.latency_ms is None else market.latency_ms
    unkind, kind = Path(low_first=False, spread_bps=spread), Path(low_first=True)
    runs = [
        _case("pessimistic", question, latency, lambda each: _prices(each, unkind)),
        _case("optimistic", question, 0, lambda each: _prices(each, kind)),
    ]
    # A path that is unkind to most cycles can be kind to all of them together.
    worse, better = sorted(runs, key=lambda case: case.result.equity)
    return [replace(worse, name="pessimistic"), replace(better, name="optimistic")]


def _prices(recording: Recording, walk: Path) -> PriceSeries:
    return path(recording, walk) if recording.form is Form.BARS else points(recording)


def _case(
    name: str, question: Question, latency_ms: int, prices_of: Callable[[Recording], PriceSeries]
) -> Case:
    shared_cash = SharedCash(question.cash)
    terms = Terms(question.market.fee_percent, latency_ms * MILLISECOND)
    replays = [
        Replay(prices_of(recording), asset, terms, shared_cash)
        for recording, asset in zip(question.recordings, question.assets, strict=True)
    ]
    play(replays)
    result = result_of(replays, question.capital)
    return Case(name, result, tuple(replays) if question.keeps_replays else ())
