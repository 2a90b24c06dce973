"""Account activities: FILL rows at once, CFEE rows in batches, later (docs/alpaca.md 1.5, 2.6)."""

from typing import Any

from alpaca_simulator.clock import rfc3339, rfc3339_micros
from alpaca_simulator.decimals import wire
from alpaca_simulator.exchange.account import CASH
from alpaca_simulator.exchange.updates import Execution
from alpaca_simulator.exchange.venue import Exchange


class Activities:
    """The rows of one exchange, each made once."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._fills: list[tuple[int, dict[str, Any]]] = []
        self._fees: list[tuple[int, dict[str, Any]]] = []
        self._fees_posted = 0  # how many executions have their fee rows

    def rows(self, *, delay: int = 0) -> list[tuple[int, dict[str, Any]]]:
        """Every row with its time, fills younger than `delay` left out."""
        self._catch_up()
        horizon = self._exchange.clock.now() - delay
        fills = [(at, row) for at, row in self._fills if at <= horizon]
        return sorted(fills + self._fees, key=lambda pair: (pair[0], pair[1]["id"]))

    def _catch_up(self) -> None:
        for execution in self._exchange.executions[len(self._fills) :]:
            row = execution.activity(self._exchange.ids.activity(execution.at))
            self._fills.append((execution.at, row))
        pending = self._exchange.executions[self._fees_posted :]
        delay = self._exchange.rules.fee_posting_delay
        # One batch for all, once the oldest has waited long enough.
        if pending and pending[0].at + delay <= self._exchange.clock.now():
            self.post_fees()

    def post_fees(self) -> int:
        """Posts the fee rows of every execution that has none yet; returns how many."""
        pending = self._exchange.executions[self._fees_posted :]
        now = self._exchange.clock.now()
        for execution in pending:
            self._fees.append((now, self._fee_row(execution, now)))
        self._fees_posted += len(pending)
        return len(pending)

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
