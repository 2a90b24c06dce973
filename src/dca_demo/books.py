"""The demo's database: three assets go in, and what the view shows comes out.

Rule: after the three assets nothing is written here; from then on the database is the bot's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Self

from dca_bot.core.model import ZERO, OrderKind, OrderStatus
from dca_bot.program.setting_groups import DatabaseSettings
from dca_bot.store.assets import ALL_ASSETS, read_state
from dca_bot.store.connection import LOCK_WAIT_SECONDS, Session
from dca_bot.store.schema import ensure_schema
from dca_bot.store.values import Row
from dca_demo.state import AssetNow, Flow, OrderNow
from dca_sandbox.exchange import BidAsk

ORDERS_SHOWN_MAX = 20

# Small steps and short pauses, for a market in which a whole cycle takes about a minute.  What a
# take profit leaves after the fees of both sides (0.5 %) is the profit.
INSERT_ASSETS = """
INSERT INTO dca_assets (
    asset_symbol, is_enabled, base_order_amount, safety_order_amount,
    max_safety_orders, safety_order_deviation, take_profit_percent,
    cooldown_period, buy_order_price_deviation_percent
) VALUES
    ('BTC/USD', TRUE, 100, 150, 6, 0.7, 0.8, 15, 1.5),
    ('ETH/USD', TRUE, 100, 150, 6, 0.8, 0.9, 12, 1.5),
    ('SOL/USD', TRUE, 100, 150, 5, 0.9, 1.0, 10, 1.5)
"""

FLOWS = """
SELECT o.asset_id, c.status IN ('complete', 'error'),
       SUM(IF(o.kind IN ('take_profit', 'stop_loss', 'close'), 0, 1)
           * o.filled_quantity * o.filled_average_price),
       SUM(IF(o.kind IN ('take_profit', 'stop_loss', 'close'), 1, 0)
           * o.filled_quantity * o.filled_average_price),
       SUM(o.fee)
  FROM dca_orders o
  JOIN dca_cycles c ON c.id = o.cycle_id
 WHERE o.filled_quantity > 0
 GROUP BY 1, 2
"""

COMPLETED_CYCLES = """
SELECT asset_id, COUNT(*), MAX(completed_at)
  FROM dca_cycles
 WHERE status = 'complete'
 GROUP BY asset_id
"""

LATEST_ORDERS = """
SELECT a.asset_symbol, o.cycle_id, o.kind, o.rung, o.status, o.quantity, o.limit_price,
       o.filled_quantity, o.filled_average_price, o.created_at
  FROM dca_orders o
  JOIN dca_assets a ON a.id = o.asset_id
 ORDER BY o.id DESC
 LIMIT %s
"""


@dataclass(frozen=True, slots=True)
class Completed:
    """The completed cycles of one asset."""

    count: int = 0
    last_at: datetime | None = None


def fill(settings: DatabaseSettings) -> None:
    """Load the schema and insert the three assets, as a user would."""
    ensure_schema(settings)
    session = Session(settings, LOCK_WAIT_SECONDS)
    try:
        session.write(INSERT_ASSETS)
        session.commit()
    finally:
        session.close()


class Books:
    """Reads what the bot has written; raises StoreUnavailable when the database is away."""

    def __init__(self, settings: DatabaseSettings) -> None:
        self._session = Session(settings, LOCK_WAIT_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def assets(self, prices: Mapping[str, BidAsk]) -> tuple[AssetNow, ...]:
        """Every asset with what its orders have moved so far."""
        states = [read_state(row) for row in self._session.rows(ALL_ASSETS)]
        flows, completed = self._flows(), self._completed()
        self._session.rollback()  # the next reading is a new transaction
        return tuple(
            AssetNow(
                state.asset,
                state.cycle,
                prices.get(state.asset.symbol),
                this_cycle=flows.get((state.asset.asset_id, False), Flow()),
                finished=flows.get((state.asset.asset_id, True), Flow()),
                cycles_completed=completed.get(state.asset.asset_id, Completed()).count,
                completed_at=completed.get(state.asset.asset_id, Completed()).last_at,
            )
            for state in states
        )

    def latest_orders(self) -> tuple[OrderNow, ...]:
        """The newest first."""
        rows = self._session.rows(LATEST_ORDERS, (ORDERS_SHOWN_MAX,))
        self._session.rollback()
        return tuple(_order(row) for row in rows)

    def _flows(self) -> dict[tuple[int, bool], Flow]:
        return {
            (_whole(row[0]), bool(row[1])): Flow(_money(row[2]), _money(row[3]), _money(row[4]))
            for row in self._session.rows(FLOWS)
        }

    def _completed(self) -> dict[int, Completed]:
        return {
            _whole(row[0]): Completed(_whole(row[1]), _time(row[2]))
            for row in self._session.rows(COMPLETED_CYCLES)
        }


def _order(row: Row) -> OrderNow:
    return OrderNow(
        symbol=str(row[0]),
        cycle_id=_whole(row[1]),
        kind=OrderKind(str(row[2])),
        rung=_whole(row[3]),
        status=OrderStatus(str(row[4])),
        quantity=_money(row[5]),
        limit_price=None if row[6] is None else _money(row[6]),
        filled_quantity=_money(row[7]),
        filled_average_price=None if row[8] is None else _money(row[8]),
        created_at=_time(row[9]),
    )


def _whole(value: object) -> int:
    return int(str(value))


def _money(value: object) -> Decimal:
    return ZERO if value is None else Decimal(str(value))


def _time(value: object) -> datetime:
    assert isinstance(value, datetime), value  # noqa: S101 - the column's type
    return value.replace(tzinfo=UTC)
