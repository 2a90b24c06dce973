"""The object of `dca status --json`, which the page shows too."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from dca_bot.core.model import ZERO, Side
from dca_bot.report.ladder import still_wanted
from dca_bot.report.now import AssetNow, HealthReport, Now, closest_first
from dca_bot.report.profit import Totals
from dca_bot.report.words import state_of, why


def status(now: Now, health: HealthReport, earned: Totals) -> dict[str, Any]:
    """Everything that `status` knows; Decimals and times are written out by whoever prints it."""
    assets = closest_first(now.assets)
    wants = [still_wanted(each) for each in assets]
    wanted = sum(wants, ZERO)
    cash = now.sight.cash if now.sight else None
    return {
        "mode": now.mode,
        "health": health.word.value,
        "reasons": list(health.reasons),
        "at": now.at,
        "ages": ages(now),
        "cash": cash,
        "invested": now.invested,
        "realised_net": earned.net,
        "fees": earned.fees,
        "cycles": earned.cycles,
        "cycles_unknown": earned.unknown,
        "realised": {
            "today": earned.today,
            "7_days": earned.week,
            "30_days": earned.month,
            "all": earned.net,
        },
        "fees_estimated": earned.estimated > 0,  # until Alpaca's records tell them
        "cycles_estimated": earned.estimated,
        "net_if_sold": now.net_if_sold,
        "to_correct": list(dict.fromkeys([*now.to_correct, *earned.to_correct])),
        "ladders_want": wanted,
        "cash_suffices": None if cash is None else cash >= wanted,
        "assets": [
            asset_status(each, health, now.at, wants=its)
            for each, its in zip(assets, wants, strict=True)
        ],
    }


def ages(now: Now) -> dict[str, Any]:
    """How long ago things were last heard of, in seconds; None: never, as far as is known."""
    beat = now.beat
    since = _seconds(now.at, beat.at if beat else None)
    decisions = [each.last_event[0] for each in now.assets if each.last_event]
    return {
        "heartbeat": since,
        "quote": _later(beat.quote_age_seconds if beat else None, since),
        "trade_stream": _later(beat.trade_stream_age_seconds if beat else None, since),
        "decision": _seconds(now.at, max(decisions, default=None)),
        "caretakers": {name: _seconds(now.at, at) for name, at in now.caretakers.items()},
    }


def asset_status(
    each: AssetNow, health: HealthReport, at: datetime, *, wants: Decimal
) -> dict[str, Any]:
    """One row of the table; `wants` is what its ladder can still ask for."""
    asset, cycle, quote = each.asset, each.cycle, each.quote
    target, next_buy = each.take_profit_price, each.next_buy_price
    return {
        "symbol": asset.symbol,
        "state": state_of(each).value,
        "waits_for": why(each, health, at),
        "is_enabled": asset.is_enabled,
        "cycle_id": cycle.cycle_id if cycle else None,
        "status": cycle.status.value if cycle else None,
        "quantity": each.quantity,
        "average_price": cycle.average_purchase_price if cycle and each.is_holding else None,
        "bid": quote.bid if quote else None,
        "ask": quote.ask if quote else None,
        "quote_at": quote.at if quote else None,
        "safety_orders": cycle.safety_orders if cycle else 0,
        "max_safety_orders": asset.max_safety_orders,
        "invested": each.invested,
        "can_want": wants,
        "next_buy_price": next_buy,
        "next_buy_pct": _rounded(each.distance_pct(next_buy, Side.BUY)),
        "take_profit_price": target,
        "take_profit_pct": _rounded(each.distance_pct(target, Side.SELL)),
        "net_if_sold": each.net_if_sold,
        "began_at": each.began_at,
        "last_event_at": each.last_event[0] if each.last_event else None,
        "last_event": each.last_event[1] if each.last_event else None,
    }


def _seconds(now: datetime, then: datetime | None) -> float | None:
    return None if then is None else round(max(0.0, (now - then).total_seconds()), 1)


def _later(age: float | None, since: float | None) -> float | None:
    return None if age is None or since is None else round(age + since, 1)


def _rounded(pct: Decimal | None) -> Decimal | None:
    return None if pct is None else round(pct, 4)
