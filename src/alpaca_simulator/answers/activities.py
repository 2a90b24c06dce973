"""Account activities: FILL rows at once, CFEE rows in batches, later (docs/alpaca.md 1.5, 2.6)."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from alpaca_simulator.answers.times import read_time
from alpaca_simulator.clock import rfc3339, rfc3339_micros
from alpaca_simulator.decimals import wire
from alpaca_simulator.exchange.account import CASH
from alpaca_simulator.exchange.books import Books
from alpaca_simulator.exchange.rejections import invalid
from alpaca_simulator.exchange.updates import Execution

PAGE = 100
ROWS_KEPT = 10_000
TRADE_KINDS = frozenset({"FILL"})


class Activity(NamedTuple):
    """A row and its place in the order of time."""

    at: int
    id: str
    row: dict[str, Any]


class Activities:
    """The rows of one exchange, each made once, kept in the order of time."""

    def __init__(self, exchange: Books) -> None:
        self._exchange = exchange
        self._rows: list[Activity] = []
        self._filled = 0  # how many executions have their rows
        self._posted = 0  # and how many the rows of their fees
        self._places: dict[str, tuple[int, str]] = {}

    def page(
        self, kind: str | None, query: Mapping[str, str], *, delay: int
    ) -> list[dict[str, Any]]:
        """Given the parameters, returns the page; fills younger than `delay` are left out."""
        self._catch_up()
        size = query.get("page_size") or str(PAGE)
        if not size.isascii() or not size.isdecimal() or not 0 < int(size[:9]) <= PAGE:
            raise invalid(f"page_size must be between 1 and {PAGE}")
        horizon = self._exchange.clock.now() - delay
        wanted = _filter(kind, query)
        page: list[dict[str, Any]] = []
        for activity in self._from_token(query):
            if len(page) == int(size):
                break
            late = activity.row["activity_type"] in TRADE_KINDS and activity.at > horizon
            if not late and wanted(activity):
                page.append(activity.row)
        return page

    def _from_token(self, query: Mapping[str, str]) -> Iterator[Activity]:
        direction = query.get("direction") or "desc"
        if direction not in ("asc", "desc"):
            raise invalid("direction must be asc or desc")
        place = self._places.get(query.get("page_token", ""))
        if direction == "asc":
            start = 0 if place is None else bisect_right(self._rows, place, key=_place)
            return (self._rows[n] for n in range(start, len(self._rows)))
        end = len(self._rows) if place is None else bisect_left(self._rows, place, key=_place)
        return (self._rows[n] for n in range(end - 1, -1, -1))

    def _catch_up(self) -> None:
        executions = self._exchange.executions
        for execution in executions.since(self._filled):
            activity_id = self._exchange.ids.activity(execution.at)
            self._add(execution.at, activity_id, execution.activity(activity_id))
        self._filled = executions.total
        oldest = next(executions.since(self._posted), None)
        delay = self._exchange.rules.fee_posting_delay
        # One batch for all, once the oldest has waited long enough.
        if oldest is not None and oldest.at + delay <= self._exchange.clock.now():
            self.post_fees()

    def post_fees(self) -> int:
        """Posts the fee rows of every execution that has none yet; returns how many."""
        now = self._exchange.clock.now()
        posted = 0
        for execution in self._exchange.executions.since(self._posted):
            row = self._fee_row(execution, now)
            self._add(now, row["id"], row)
            posted += 1
        self._posted = self._exchange.executions.total
        return posted

    def _add(self, at: int, activity_id: str, row: dict[str, Any]) -> None:
        insort(self._rows, Activity(at, activity_id, row), key=_place)
        self._places[activity_id] = (at, activity_id)
        if len(self._rows) > ROWS_KEPT * 11 // 10:
            for old in self._rows[:-ROWS_KEPT]:
                del self._places[old.id]
            del self._rows[:-ROWS_KEPT]

    def _fee_row(self, execution: Execution, now: int) -> dict[str, Any]:
        row: dict[str, Any] = {
            "id": self._exchange.ids.fee_activity(now),
            "activity_type": "CFEE",
            "status": "executed",
            "created_at": rfc3339_micros(now),
            "date": rfc3339(now)[:10],
            "currency": CASH,
        }
        if execution.fee_currency == CASH:
            description = "Coin Pair Transaction Fee (USD)"
            return row | {"description": description, "net_amount": wire(-execution.fee)}
        return row | {
            "description": "Coin Pair Transaction Fee (Non USD)",
            "net_amount": "0",
            "symbol": f"{execution.fee_currency}{CASH}",
            "qty": wire(-execution.fee),
            "price": wire(execution.price),
        }


def _place(activity: Activity) -> tuple[int, str]:
    return activity.at, activity.id


def _filter(kind: str | None, query: Mapping[str, str]) -> Any:
    """What a row must be: of a kind or category, of an order, after, before or on a day."""
    kinds = {kind} if kind else {one for one in query.get("activity_types", "").split(",") if one}
    category, order_id, day = (query.get(name) for name in ("category", "order_id", "date"))
    after, until = (read_time(query, name) for name in ("after", "until"))

    def wanted(activity: Activity) -> bool:
        row, at = activity.row, activity.at
        is_trade = row["activity_type"] in TRADE_KINDS
        return (
            (not kinds or row["activity_type"] in kinds)
            and (category is None or (category == "trade_activity") == is_trade)
            and order_id in (None, row.get("order_id"))
            and (after is None or at > after)
            and (until is None or at < until)
            and day in (None, str(row.get("date") or row["transaction_time"])[:10])
        )

    return wanted
