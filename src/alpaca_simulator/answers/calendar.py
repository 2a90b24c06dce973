"""The stock market's clock and calendar, which clients ask for though crypto never closes.

Every weekday is a market day here, holidays too.
"""

from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import Any

from alpaca_simulator.clock import SECOND, new_york, new_york_offset

OPENS, CLOSES = time(9, 30), time(16, 0)
PRE_OPENS, POST_CLOSES = time(4, 0), time(20, 0)
LONGEST_DAYS = 366 * 10
MARKETS = {
    "NYSE": ("XNYS", "New York Stock Exchange"),
    "NASDAQ": ("XNAS", "Nasdaq Stock Market"),
}


def clock(now: int) -> dict[str, Any]:
    """Writes GET /v2/clock."""
    local = new_york(now)
    return {
        "timestamp": f"{local:%Y-%m-%dT%H:%M:%S}.{now % SECOND:09d}{local.isoformat()[-6:]}",
        "is_open": _is_market_day(local.date()) and OPENS <= local.time() < CLOSES,
        "next_open": _next(local, OPENS).isoformat(),
        "next_close": _next(local, CLOSES).isoformat(),
    }


def clocks(now: int, markets: str) -> dict[str, Any]:
    """Writes GET /v3/clock for the markets that are named, separated by commas."""
    local = new_york(now)
    names = [name for name in markets.upper().split(",") if name in MARKETS] or ["NYSE"]
    return {"clocks": [_clock_of(name, local) for name in names]}


def _clock_of(name: str, local: datetime) -> dict[str, Any]:
    mic, full_name = MARKETS[name]
    is_open = _is_market_day(local.date()) and OPENS <= local.time() < CLOSES
    until = _next(local, CLOSES if is_open else OPENS)
    return {
        "market": {"acronym": name, "mic": mic, "name": full_name, "timezone": "America/New_York"},
        "timestamp": local.isoformat(),
        "is_market_day": _is_market_day(local.date()),
        "next_market_open": _next(local, OPENS).isoformat(),
        "next_market_close": _next(local, CLOSES).isoformat(),
        "phase": "core" if is_open else "closed",
        "phase_until": until.isoformat(),
    }


def calendar(start: date, end: date) -> list[dict[str, str]]:
    """Writes GET /v2/calendar."""
    return [
        {
            "date": day.isoformat(),
            "open": f"{OPENS:%H:%M}",
            "close": f"{CLOSES:%H:%M}",
            "session_open": f"{PRE_OPENS:%H%M}",
            "session_close": f"{POST_CLOSES:%H%M}",
            "settlement_date": _after(day).isoformat(),
        }
        for day in _market_days(start, end)
    ]


def calendar_of(market: str, start: date, end: date) -> dict[str, Any] | None:
    """Writes GET /v3/calendar/{market}; None when there is no such market."""
    name = market.upper()
    if name not in MARKETS:
        return None
    mic, full_name = MARKETS[name]
    days = [
        {
            "date": day.isoformat(),
            "core_start": _moment(day, OPENS).isoformat(),
            "core_end": _moment(day, CLOSES).isoformat(),
            "pre_start": _moment(day, PRE_OPENS).isoformat(),
            "pre_end": _moment(day, OPENS).isoformat(),
            "post_start": _moment(day, CLOSES).isoformat(),
            "post_end": _moment(day, POST_CLOSES).isoformat(),
            "settlement_date": _after(day).isoformat(),
        }
        for day in _market_days(start, end)
    ]
    described = {"acronym": name, "mic": mic, "name": full_name, "timezone": "America/New_York"}
    return {"market": described, "calendar": days}


def _market_days(start: date, end: date) -> list[date]:
    count = min((end - start).days + 1, LONGEST_DAYS)
    days = (start + timedelta(days=n) for n in range(count))
    return [day for day in days if _is_market_day(day)]


def _is_market_day(day: date) -> bool:
    return day.weekday() < 5


def _after(day: date) -> date:
    day += timedelta(days=1)
    while not _is_market_day(day):
        day += timedelta(days=1)
    return day


def _next(local: datetime, at: time) -> datetime:
    day = local.date()
    if not _is_market_day(day) or local.time() >= at:
        day = _after(day)
    return _moment(day, at)


def _moment(day: date, at: time) -> datetime:
    noon = datetime.combine(day, time(17), UTC)
    return datetime.combine(day, at, timezone(new_york_offset(noon)))
