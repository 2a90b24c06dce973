# ruff: noqa: S608 - what is filled in here are names of columns
"""Assets with their cycles, and the budget of all: their tables, and every statement about them.

Rule: the columns of each table are declared once; SELECTs, INSERTs, UPDATEs, the reading of rows
and the check of the schema follow from that, and what each means stands in `sql/schema.sql`.
Each statement can be pasted into a client once its %s are filled in; parameters are always bound.
"""

from __future__ import annotations

from typing import Any

from dca_bot.core.holdings import state_of
from dca_bot.core.model import (
    ZERO,
    AfterStopLoss,
    Allowed,
    Asset,
    AssetState,
    Cycle,
    CycleStatus,
    Exposure,
    column_of,
)
from dca_bot.program.errors import UnreadableRow
from dca_bot.store.columns import NO_NULL, Column, Table, same
from dca_bot.store.values import (
    MOMENT,
    PERCENT,
    PRICE,
    QUANTITY,
    RATE,
    SECOND,
    TRUTH,
    WHOLE,
    ColumnType,
    Row,
    text,
    word,
)

SYMBOL = text(25)


def _of_asset(field: str, kind: ColumnType, *, null: Any = NO_NULL) -> Column:
    return Column(column_of(field), kind, field, null)


ASSETS = Table(
    "dca_assets",
    Asset,
    _of_asset("asset_id", WHOLE),
    _of_asset("symbol", SYMBOL),
    _of_asset("is_enabled", TRUTH),
    _of_asset("base_order_amount", PRICE),
    _of_asset("safety_order_amount", PRICE),
    _of_asset("max_safety_orders", WHOLE),
    _of_asset("safety_order_deviation_pct", PERCENT),
    _of_asset("take_profit_pct", PERCENT),
    _of_asset("cooldown_seconds", WHOLE),
    _of_asset("restart_deviation_pct", PERCENT),
    _of_asset("last_sell_price", PRICE, null=None),
    _of_asset("safety_order_volume_scale", PERCENT),
    _of_asset("safety_order_step_scale", PERCENT),
    _of_asset("take_profit_after_fees", TRUTH),
    _of_asset("trailing_pct", PERCENT, null=None),
    _of_asset("stop_loss_pct", PERCENT, null=None),
    _of_asset("stop_loss_seconds", WHOLE),
    _of_asset("after_stop_loss", word(AfterStopLoss)),
    _of_asset("max_spread_pct", PERCENT, null=None),
    _of_asset("min_start_price", PRICE, null=None),
    _of_asset("max_start_price", PRICE, null=None),
    _of_asset("allowed", word(Allowed)),
    _of_asset("allowed_before", word(Allowed), null=None),
    more="created_at updated_at",
)

CYCLES = Table(
    "dca_cycles",
    Cycle,
    Column("id", WHOLE, "cycle_id"),
    same("asset_id", WHOLE),
    same("created_at", SECOND, null=None),
    same("status", word(CycleStatus), changes=True),
    same("quantity", QUANTITY, changes=True),
    same("average_purchase_price", PRICE, changes=True),
    same("safety_orders", WHOLE, changes=True),
    same("latest_order_id", text(255), null=None, changes=True),
    same("last_order_fill_price", PRICE, null=None, changes=True),
    same("completed_at", SECOND, null=None, changes=True),
    same("fee_rate", RATE, null=None, changes=True),
    same("highest_bid", PRICE, null=None, changes=True),
    same("stop_loss_since", MOMENT, null=None, changes=True),
    more="updated_at active_asset_id one_active_cycle completed_cycles",
)

# The asset's row is the lock between processes.  Both tables are read by a unique key, so InnoDB
# locks the asset first, then its active cycle, and nothing of any other asset.
LOCK_ASSET = f"""
SELECT {ASSETS.all("a")},
       {CYCLES.all("c")}
  FROM dca_assets a
  LEFT JOIN dca_cycles c ON c.active_asset_id = a.id
 WHERE a.id = %s
   FOR UPDATE
"""

# Last, the other symbol in which the cycle has coins or an order: somebody has edited the row's.
ALL_ASSETS = f"""
SELECT {ASSETS.all("a")},
       {CYCLES.all("c")},
       (SELECT o.symbol
          FROM dca_orders o
         WHERE o.cycle_id = c.id AND o.asset_id = a.id
           AND BINARY o.symbol <> BINARY a.asset_symbol
           AND (o.live_asset_id IS NOT NULL OR (o.filled_quantity > 0 AND c.quantity > 0))
         LIMIT 1)
  FROM dca_assets a
  LEFT JOIN dca_cycles c ON c.active_asset_id = a.id
 ORDER BY a.id
"""

CYCLE_BY_ID = f"""
SELECT {CYCLES.all()}
  FROM dca_cycles
 WHERE id = %s AND asset_id = %s
"""

# For an order of a cycle that the lock on its asset does not cover.
LOCK_CYCLE = """
SELECT id FROM dca_cycles WHERE id = %s AND asset_id = %s FOR UPDATE
"""

PREVIOUS_CYCLE = f"""
SELECT {CYCLES.all()}
  FROM dca_cycles
 WHERE asset_id = %s AND status = 'complete' AND completed_at IS NOT NULL
 ORDER BY completed_at DESC, id DESC
 LIMIT 1
"""

INSERT_CYCLE = f"""
INSERT INTO dca_cycles (asset_id, created_at, {CYCLES.changing()})
VALUES (%s, COALESCE(%s, CURRENT_TIMESTAMP), {CYCLES.changing_places()})
"""

# The active cycle, locked with its asset: nobody else can have written it since it was read.
SAVE_LOCKED_CYCLE = f"""
UPDATE dca_cycles
   SET {CYCLES.changed()}
 WHERE id = %s AND asset_id = %s
"""

SAVE_CYCLE = f"""
UPDATE dca_cycles
   SET {CYCLES.changed()}
 WHERE id = %s AND asset_id = %s
   AND {CYCLES.unchanged()}
"""

SET_LAST_SELL_PRICE = """
UPDATE dca_assets SET last_sell_price = %s WHERE id = %s
"""

# By every order of the past, so it is asked for only where a position is in the way.
LEFT_BEHIND = """
SELECT COALESCE(SUM(IF(o.kind IN ('take_profit', 'stop_loss', 'close'),
                       -o.filled_quantity, o.received_quantity)), 0)
  FROM dca_orders o
  LEFT JOIN dca_assets a ON a.id = o.asset_id
 WHERE o.symbol = %s AND o.filled_quantity > 0 AND a.id IS NULL
"""

SET_ALLOWED = """
UPDATE dca_assets SET allowed = %s, allowed_before = %s WHERE id = %s
"""

# Written to be locked: whoever adds to what all assets are in together has to wait here.
LOCK_BUDGET = "INSERT INTO dca_budget (id) VALUES (1) ON DUPLICATE KEY UPDATE id = id"

EXPOSURE = """
SELECT COUNT(IF(c.quantity > 0 OR c.status IN ('buying', 'selling'), 1, NULL)),
       COALESCE(SUM(c.quantity * c.average_purchase_price), 0)
         + (SELECT COALESCE(SUM((quantity - filled_quantity) * limit_price), 0)
              FROM dca_orders WHERE live_asset_id IS NOT NULL AND limit_price IS NOT NULL),
       (SELECT COALESCE(SUM(net), 0) FROM dca_results
         WHERE completed_at >= %s
           AND completed_at > COALESCE((SELECT losses_from FROM dca_budget),
                                       TIMESTAMP '1971-01-01 00:00:00'))
  FROM dca_cycles c
 WHERE c.active_asset_id IS NOT NULL
"""

# Also what has ended by another clock, a little ahead.
COUNT_LOSSES_FROM = """
UPDATE dca_budget
   SET losses_from = GREATEST(CAST(%s AS DATETIME),
                              COALESCE((SELECT MAX(completed_at) FROM dca_results),
                                       TIMESTAMP '1971-01-01 00:00:00'))
"""


def read_state(row: Row) -> AssetState:
    """Asset and active cycle of one row of ALL_ASSETS; a `problem` where a hand-edited row can't be
    read, or is about another symbol than its cycle."""
    try:
        asset = ASSETS.read(row)
    except UnreadableRow as error:
        return AssetState(_unreadable_asset(row), None, str(error))
    try:
        return state_of(asset, read_active_cycle(row), SYMBOL.read(row[-1]) if row[-1] else "")
    except UnreadableRow as error:
        return AssetState(asset, None, str(error))


def read_active_cycle(row: Row) -> Cycle | None:
    """The cycle after the asset's columns; None where the outer join found none."""
    end = ASSETS.width + CYCLES.width
    return None if row[ASSETS.width] is None else CYCLES.read(row[ASSETS.width : end])


def read_exposure(row: Row) -> Exposure:
    """A row of EXPOSURE."""
    active_cycles, invested, realised = row
    return Exposure(WHOLE.read(active_cycles), PRICE.read(invested), PRICE.read(realised))


def _unreadable_asset(row: Row) -> Asset:
    """Enough of an asset to speak of it; disabled, so that nothing is ever done with it."""
    return Asset(
        asset_id=row[0] if isinstance(row[0], int) else 0,
        symbol=row[1] if isinstance(row[1], str) else "?",
        is_enabled=False,
        base_order_amount=ZERO,
        safety_order_amount=ZERO,
        max_safety_orders=0,
        safety_order_deviation_pct=ZERO,
        take_profit_pct=ZERO,
        cooldown_seconds=0,
        restart_deviation_pct=ZERO,
        last_sell_price=None,
    )
