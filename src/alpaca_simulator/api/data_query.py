"""The parameters of historical market data: symbols, times, pages (docs/alpaca.md 5)."""

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from alpaca_simulator.clock import SECOND, parse_rfc3339
from alpaca_simulator.exchange.rejections import Rejection
from alpaca_simulator.prices.bars import MINUTE, Bar

SYMBOL = re.compile(r"^[A-Z0-9]+x?/[A-Z0-9]+$")
FRAME = re.compile(r"^(\d+)(Min|T|Hour|H|Day|D|Week|W|Month|M)$")
LIMIT, MAXIMUM = 1000, 10_000
HOUR, DAY = 60 * MINUTE, 24 * 60 * MINUTE
# The epoch was a Thursday; weeks begin on Mondays.
MONDAY = 4 * DAY
MOST = {"M": 59, "H": 23, "D": 1, "W": 1}
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


def read_history_query(query: Mapping[str, str], *, now: int) -> HistoryQuery:
    """Given the parameters, reads them; raises Rejection when they are off."""
    limit = query.get("limit", str(LIMIT))
    if not limit.isdecimal() or int(limit) < 1:
        raise invalid_query(f"invalid limit: {limit}")
    if int(limit) > MAXIMUM:
        raise invalid_query(f"invalid limit: larger than the allowed maximum of {MAXIMUM}")
    return HistoryQuery(
        symbols=read_symbols(query),
        start=_time(query, "start", now // DAY * DAY),
        end=_time(query, "end", now),
        limit=int(limit),
        descending=query.get("sort", "asc") == "desc",
        token=query.get("page_token"),
    )


def _time(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name)
    if not text:
        return default
    moment = parse_rfc3339(text.replace(" ", "+"))
    if moment is None:
        raise invalid_query(f"invalid {name}: {text}")
    return moment


def page(
    query: HistoryQuery, rows_of: Callable[[str], Sequence[Mapping[str, Any]]]
) -> tuple[dict[str, list[Mapping[str, Any]]], str | None]:
    """Given how to get a symbol's rows, returns a page of all symbols, and the next one's token.

    The limit counts rows across the symbols; a token says where the page before ended.
    """
    after_symbol, after_at = _read_token(query.token)
    found: dict[str, list[Mapping[str, Any]]] = {}
    left, token = query.limit, None
    for symbol in query.symbols:
        if symbol < after_symbol:
            continue
        rows = [row for row in rows_of(symbol) if query.start <= row["t"] <= query.end]
        rows.sort(key=lambda row: int(row["t"]), reverse=query.descending)
        if symbol == after_symbol:
            behind = after_at if query.descending else -after_at
            rows = [r for r in rows if (r["t"] if query.descending else -r["t"]) < behind]
        if rows and not left:
            return found, token
        if rows:
            found[symbol] = rows[:left]
            left -= len(found[symbol])
            token = _write_token(symbol, int(found[symbol][-1]["t"]))
            if len(found[symbol]) < len(rows):
                return found, token
    return found, None


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


def read_timeframe(text: str) -> Callable[[int], int]:
    """Given `5Min`, `1Hour`, `1Day` …, returns what maps a time to the start of its bar."""
    found = FRAME.match(text)
    if found is None:
        raise invalid_query(f"invalid timeframe: {text}")
    number, unit = int(found[1]), found[2]
    if unit in ("Month", "M"):
        if number not in MONTHS:
            raise invalid_query(f"invalid timeframe: {text}")
        return lambda at: _month(at, number)
    if not 0 < number <= MOST[{"T": "M"}.get(unit[0], unit[0])]:
        raise invalid_query(f"invalid timeframe: {text}")
    if unit[0] == "W":
        return lambda at: (at - MONDAY) // (7 * DAY) * 7 * DAY + MONDAY
    length = number * {"M": MINUTE, "T": MINUTE, "H": HOUR, "D": DAY}[unit[0]]
    return lambda at: at // length * length


def _month(at: int, number: int) -> int:
    moment = datetime.fromtimestamp(at // SECOND, UTC)
    month = (moment.month - 1) // number * number + 1
    return int(datetime(moment.year, month, 1, tzinfo=UTC).timestamp()) * SECOND


def merge(bars: Sequence[Bar], start_of: Callable[[int], int]) -> list[Bar]:
    """Given minute bars, merges those that begin in the same span."""
    merged: list[Bar] = []
    for bar in bars:
        at = start_of(bar.at)
        if not merged or merged[-1].at != at:
            merged.append(Bar(at, bar.open, bar.high, bar.low, bar.close))
        whole = merged[-1]
        whole.high = max(whole.high, bar.high)
        whole.low = min(whole.low, bar.low)
        whole.close = bar.close
        whole.volume += bar.volume
        whole.trades += bar.trades
        whole.value += bar.value
    return merged
