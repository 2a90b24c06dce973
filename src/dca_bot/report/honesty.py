"""What it can cost: money that is stuck, how deep it went, and how long cycles take.

Rule: what no order has seen is not known.  A drawdown is at least so deep as the bot's own BUYs
have shown, and of open cycles also as deep as the price is now.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from dca_bot.report import queries
from dca_bot.report.now import AssetNow, Now
from dca_bot.report.reader import Reader, moment, money, whole

HUNDRED = Decimal(100)


@dataclass(frozen=True, slots=True)
class Stuck:
    """An open cycle that holds coins, the oldest first."""

    symbol: str
    cycle_id: int
    since: datetime
    seconds: int
    invested: Decimal
    drawdown_pct: Decimal | None  # of the bid below the average; None: no price
    is_on_last_rung: bool


@dataclass(frozen=True, slots=True)
class Deep:
    """A finished cycle and how far below its average it went, at least."""

    symbol: str
    cycle_id: int
    drawdown_pct: Decimal


@dataclass(frozen=True, slots=True)
class Honesty:
    stuck: tuple[Stuck, ...]
    deepest: tuple[Deep, ...]
    finished: int
    used_last_rung: int
    at_a_loss: int
    median_seconds: int | None
    seconds_95_pct: int | None
    fully_invested_share: Decimal | None  # of the time of all assets, on the last rung


def honesty(reader: Reader, now: Now) -> Honesty:
    """Everything of the kind, over the whole history."""
    finished, last_rung, losses = reader.row(queries.HONEST)
    count = whole(finished)
    return Honesty(
        stuck=stuck_now(now),
        deepest=tuple(
            Deep(str(symbol), whole(cycle_id), money(pct))
            for cycle_id, symbol, pct in reader.rows(queries.DEEPEST)
        ),
        finished=count,
        used_last_rung=whole(last_rung),
        at_a_loss=whole(losses),
        median_seconds=_duration(reader, count, Decimal("0.5")),
        seconds_95_pct=_duration(reader, count, Decimal("0.95")),
        fully_invested_share=_share(reader, now),
    )


def stuck_now(now: Now) -> tuple[Stuck, ...]:
    """The open cycles that hold coins, the oldest first; read from what is at hand."""
    stuck = [_stuck(each, now.at) for each in now.assets if each.is_holding and each.cycle]
    return tuple(sorted(stuck, key=lambda each: each.since))


def _stuck(each: AssetNow, at: datetime) -> Stuck:
    cycle = each.cycle
    assert cycle is not None  # noqa: S101 - the caller has looked
    since = each.began_at or at
    average, quote = cycle.average_purchase_price, each.quote
    return Stuck(
        symbol=each.asset.symbol,
        cycle_id=cycle.cycle_id,
        since=since,
        seconds=int((at - since).total_seconds()),
        invested=each.invested,
        drawdown_pct=(quote.bid / average - 1) * HUNDRED if quote and average else None,
        is_on_last_rung=_is_on_last_rung(each),
    )


def _is_on_last_rung(each: AssetNow) -> bool:
    return each.cycle is not None and each.cycle.safety_orders >= each.asset.max_safety_orders > 0


def _duration(reader: Reader, count: int, share: Decimal) -> int | None:
    """How long a cycle of this rank took."""
    if not count:
        return None
    rank = min(count - 1, int(share * count))
    return whole(reader.row(queries.DURATION_AT, rank)[0])


def _share(reader: Reader, now: Now) -> Decimal | None:
    seconds, began = reader.row(queries.SECONDS_ON_LAST_RUNG)
    if began is None or not now.assets:
        return None
    at_work = sum(
        int((now.at - each.orders[-1].created_at).total_seconds())
        for each in now.assets
        if each.is_holding and each.orders and _is_on_last_rung(each)
    )
    whole_time = int((now.at - moment(began)).total_seconds()) * len(now.assets)
    if whole_time <= 0:
        return None
    return min(Decimal(1), (money(seconds) + at_work) / whole_time)
