# ruff: noqa: S608 - what is filled in here are names of columns
"""Orders, and the events and results of cycles: the tables, and every statement about them.

Rule: the columns of each table are declared once; SELECTs, INSERTs, UPDATEs, the reading of rows
and the check of the schema follow from that, and what each means stands in `sql/schema.sql`.
Each statement can be pasted into a client once its %s are filled in; parameters are always bound.
"""

from __future__ import annotations

from dca_bot.core.model import ZERO, CycleStatus, Order, OrderKind, OrderStatus
from dca_bot.core.records import SENTENCE_LENGTH_MAX, CycleResult, Event, EventKind
from dca_bot.store.columns import Column, Table, same
from dca_bot.store.values import (
    MOMENT,
    PERCENT_DIGITS,
    PRICE,
    PRICE_DIGITS,
    QUANTITY,
    QUANTITY_DIGITS,
    SECOND,
    TRUTH,
    WHOLE,
    or_nearest,
    or_null,
    text,
    word,
)

ORDERS = Table(
    "dca_orders",
    Order,
    same("client_order_id", text(128)),
    same("asset_id", WHOLE),
    same("cycle_id", WHOLE),
    same("kind", word(OrderKind)),
    same("rung", WHOLE),
    same("quantity", QUANTITY),
    same("limit_price", PRICE, null=None),
    same("created_at", MOMENT),
    same("status", word(OrderStatus), changes=True),
    same("alpaca_order_id", text(255), null=None, changes=True),
    same("filled_quantity", QUANTITY, changes=True),
    same("filled_average_price", PRICE, null=None, changes=True),
    same("received_quantity", QUANTITY, changes=True),
    same("quantity_before", QUANTITY, null=None, changes=True),
    same("average_before", PRICE, null=None, changes=True),
    same("fee", QUANTITY, null=None, changes=True),
    same("fee_is_known", TRUTH, changes=True),
    more="id symbol updated_at live_asset_id one_live_order orders_by_time",
)

EVENTS = Table(
    "dca_events",
    Event,
    same("at", MOMENT),
    same("cycle_id", WHOLE),
    same("kind", word(EventKind)),
    Column("told", text(SENTENCE_LENGTH_MAX), "sentence"),
    same("client_order_id", text(128), null=None),
    same("price", or_null(PRICE_DIGITS), null=None),
    same("against", or_null(PRICE_DIGITS), null=None),
    same("quantity", or_null(QUANTITY_DIGITS), null=None),
    more="id asset_id symbol events_of_cycle events_of_asset events_by_time",
)

# Rows of earlier releases have no `max_safety_orders` and no `drawdown_pct`.
RESULTS = Table(
    "dca_results",
    CycleResult,
    same("cycle_id", WHOLE),
    same("asset_id", WHOLE),
    same("symbol", text(25)),
    same("began_at", SECOND),
    same("completed_at", SECOND),
    same("max_safety_orders", WHOLE, null=0),
    same("status", word(CycleStatus), changes=True),
    same("safety_orders", WHOLE, changes=True),
    same("cost", or_nearest(PRICE_DIGITS), changes=True),
    same("proceeds", or_nearest(PRICE_DIGITS), changes=True),
    same("fees", or_nearest(PRICE_DIGITS), changes=True),
    same("net", or_null(PRICE_DIGITS), null=None, changes=True),
    same("left_quantity", or_nearest(QUANTITY_DIGITS), changes=True),
    same("drawdown_pct", or_nearest(PERCENT_DIGITS), null=ZERO, changes=True),
    same("fees_are_known", TRUTH, changes=True),
    more="results_by_time results_of_asset",
)

ORDER_BY_CLIENT_ID = f"""
SELECT {ORDERS.all()}
  FROM dca_orders
 WHERE client_order_id = %s
"""

LOCK_ORDER = """
SELECT client_order_id FROM dca_orders WHERE client_order_id = %s FOR UPDATE
"""

ORDER_OF_ASSET = f"""
SELECT {ORDERS.all()}
  FROM dca_orders
 WHERE client_order_id = %s AND asset_id = %s
"""

LAST_ORDER = f"""
SELECT {ORDERS.all()}
  FROM dca_orders
 WHERE asset_id = %s
 ORDER BY created_at DESC, id DESC
 LIMIT 1
"""

LIVE_ORDER = f"""
SELECT {ORDERS.all()}
  FROM dca_orders
 WHERE live_asset_id = %s
"""

# Of assets that have a row still: what an order of another came to can't be worked out again.
SELLS_OF_ESTIMATED_FEE = f"""
SELECT {ORDERS.all("o")}
  FROM dca_orders o
  JOIN dca_assets a ON a.id = o.asset_id
 WHERE o.created_at >= %s AND NOT o.fee_is_known AND o.filled_quantity > 0
   AND o.kind IN ('take_profit', 'stop_loss', 'close')
   AND o.status NOT IN ('intended', 'open')
 ORDER BY o.created_at, o.id
"""

LIVE_ORDERS = f"""
SELECT {ORDERS.all()}
  FROM dca_orders
 WHERE live_asset_id IS NOT NULL
 ORDER BY created_at, id
"""

ORDERS_OF_CYCLE = f"""
SELECT {ORDERS.all()}
  FROM dca_orders
 WHERE cycle_id = %s AND asset_id = %s
 ORDER BY id
"""

INSERT_ORDER = f"""
INSERT INTO dca_orders (symbol, {ORDERS.all()})
VALUES (%s, {ORDERS.places()})
"""

SAVE_ORDER = f"""
UPDATE dca_orders
   SET {ORDERS.changed()}
 WHERE client_order_id = %s AND asset_id = %s AND status = %s AND filled_quantity = %s
"""

INSERT_EVENT = f"""
INSERT INTO dca_events (asset_id, symbol, {EVENTS.all()})
VALUES (%s, %s, {EVENTS.places()})
"""

# A late fill replaces the result that was known before.
PUT_RESULT = f"""
INSERT INTO dca_results ({RESULTS.all()})
VALUES ({RESULTS.places()})
    ON DUPLICATE KEY UPDATE {RESULTS.put_anew()}
"""
