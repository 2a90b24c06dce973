"""The parameters of historical market data: symbols, times, pages (docs/alpaca.md 5)."""

import base64
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from alpaca_simulator.clock import SECOND, parse_rfc3339
from alpaca_simulator.exchange.rejections import Rejection
from alpaca_simulator.prices.bar import DAY, HOUR, MINUTE
from alpaca_simulator.prices.past import BEGINNING

Row = Mapping[str, Any]

SYMBOL = re.compile(r"^[A-Z0-9]+x?/[A-Z0-9]+$")
FRAME = re.compile(r"^([0-9]+)(min|t|hour|h|day|d|week|w|month|m)$", re.IGNORECASE)
UNITS = {"t": "min", "h": "hour", "d": "day", "w": "week", "m": "month"}
UNITS |= {name: name for name in UNITS.values()}
LIMIT, MAXIMUM = 1000, 10_000
WEEK = 7 * DAY
# The epoch was a Thursday; weeks begin on Mondays.
MONDAY = 4 * DAY
MOST = {"min": 59, "hour": 23, "day": 1, "week": 1}
MONTHS = (1, 2, 3, 6, 12)


def invalid_query(message: str) -> Rejection:
    """A 400 of the data API, which has no code."""
    return Rejection(400, None, message)


def read_symbols(query: Mapping[str, str]) -> list[str]:
    """Given the parameters, returns the symbols; raises Rejection for `BTCUSD` (1.4)."""
    symbols = sorted({symbol for symbol in query.get("symbols", "").split(",") if symbol})
    if not symbols:
        raise invalid_query("symbols is required")
    for symbol in symbols:
        if not SYMBOL.match(symbol):
            raise invalid_query(f"invalid symbol: {symbol} does not match ^[A-Z]+x?/[A-Z]+$")
    return symbols


@dataclass(frozen=True, slots=True)
class HistoryQuery:
    """What a historical request asks for."""

    symbols: list[str]
    start: int
    end: int
    limit: int
    descending: bool
    token: str | None
    window: int = DAY  # so much is read at a time when the newest comes first


def read_history_query(query: Mapping[str, str], *, now: int) -> HistoryQuery:
    """Given the parameters, reads them; raises Rejection when they are off."""
    limit = query.get("limit", str(LIMIT))
    if not limit.isascii() or not limit.isdecimal() or not int(limit[:9]):
        raise invalid_query(f"invalid limit: {limit}")
    if int(limit[:9]) > MAXIMUM:
        raise invalid_query(f"invalid limit: larger than the allowed maximum of {MAXIMUM}")
    sort = query.get("sort") or "asc"
    if sort not in ("asc", "desc"):
        raise invalid_query(f"invalid sort: {sort}")
    return HistoryQuery(
        symbols=read_symbols(query),
        start=_time(query, "start", now // DAY * DAY),
        end=_time(query, "end", now),
        limit=int(limit),
        descending=sort == "desc",
        token=query.get("page_token"),
    )


def _time(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name)
    if not text:
        return default
    moment = parse_rfc3339(text.replace(" ", "+"))
    if moment is None:
        raise invalid_query(
            f"Invalid format for parameter {name}: error parsing '{text}' as RFC3339 or "
            f'2006-01-02 time: parsing time "{text}" as "2006-01-02": cannot parse "{text}" '
            f'as "2006"'
        )
    return moment


Rows = Callable[[int, int], Iterator[Row]]  # from a moment to another, oldest first


def page(
    query: HistoryQuery, rows_of: Mapping[str, Rows]
) -> tuple[dict[str, list[Row]], str | None]:
    """Given how to get each symbol's rows, returns a page of them, and the next one's token.

    The limit counts rows across the symbols; a token says where the page before ended.
    """
    after_symbol, after_at = _read_token(query.token)
    found: dict[str, list[Row]] = {}
    left, token = query.limit, None
    for symbol in (one for one in query.symbols if one >= after_symbol and one in rows_of):
        start, end = query.start, query.end
        if symbol == after_symbol and query.descending:
            end = min(end, after_at - 1)
        elif symbol == after_symbol:
            start = max(start, after_at + 1)
        rows = list(islice(_ordered(rows_of[symbol], start, end, query), left + 1))
        if rows and not left:
            return found, token
        if rows:
            found[symbol] = rows[:left]
            token = _write_token(symbol, int(found[symbol][-1]["t"]))
            if left < len(rows):
                return found, token
            left -= len(rows)
    return found, None


def _ordered(rows: Rows, start: int, end: int, query: HistoryQuery) -> Iterator[Row]:
    if not query.descending:
        yield from rows(max(start, BEGINNING), end)
        return
    while end >= max(start, BEGINNING):
        since = max(start, BEGINNING, end - query.window)
        yield from reversed(list(rows(since, end)))
        end = since - 1


def _write_token(symbol: str, at: int) -> str:
    # As in the recorded next_page_token: BTC/USD|M|1788264000000000000.
    return base64.b64encode(f"{symbol}|M|{at}".encode()).decode()


def _read_token(token: str | None) -> tuple[str, int]:
    if not token:
        return "", 0
    try:
        symbol, _, at = base64.b64decode(token).decode().split("|")
        return symbol, int(at)
    except ValueError:
        raise invalid_query("invalid page_token") from None


@dataclass(frozen=True, slots=True)
class Timeframe:
    """How long bars are: where the one of a moment begins, and of which they are made."""

    start_of: Callable[[int], int]
    made_of: int  # a minute, an hour or a day
    longest: int


def read_timeframe(text: str) -> Timeframe:
    """Given `5Min`, `1Hour`, `1Day` … in any case, reads it; raises Rejection."""
    found = FRAME.match(text)
    if found is None or len(found[1]) > 2:
        raise invalid_query(f"invalid timeframe: {text}")
    number, unit = int(found[1]), UNITS[found[2].lower()]
    if unit == "month":
        if number not in MONTHS:
            raise invalid_query(f"invalid timeframe: {text}")
        return Timeframe(lambda at: _month(at, number), DAY, 31 * number * DAY)
    if not 0 < number <= MOST[unit]:
        raise invalid_query(f"invalid timeframe: {text}")
    if unit == "week":
        return Timeframe(lambda at: (at - MONDAY) // WEEK * WEEK + MONDAY, DAY, WEEK)
    base = {"min": MINUTE, "hour": HOUR, "day": DAY}[unit]
    length = number * base
    return Timeframe(lambda at: at // length * length, base, length)


def _month(at: int, number: int) -> int:
    moment = datetime.fromtimestamp(at // SECOND, UTC)
    month = (moment.month - 1) // number * number + 1
    return int(datetime(moment.year, month, 1, tzinfo=UTC).timestamp()) * SECOND
