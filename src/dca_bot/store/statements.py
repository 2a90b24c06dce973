"""Every statement of the live store.

Rule: each can be pasted into a client once its %s are filled in; parameters are always bound.
Nullable columns are compared with <=>, since `= NULL` never matches.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

Value = int | str | Decimal | datetime | None  # what is bound, and what a column holds
Row = Sequence[Value]

# The asset's row is the lock between processes.  Both tables are read by a unique key, so InnoDB
# locks the asset first, then its active cycle, and nothing of any other asset.
LOCK_ASSET = """
SELECT a.id, a.asset_symbol, a.is_enabled, a.base_order_amount, a.safety_order_amount,
       a.max_safety_orders, a.safety_order_deviation, a.take_profit_percent, a.cooldown_period,
       a.buy_order_price_deviation_percent, a.last_sell_price,
       a.safety_order_volume_scale, a.safety_order_step_scale, a.take_profit_after_fees,
       a.trailing_percent, a.stop_loss_percent, a.stop_loss_seconds, a.after_stop_loss,
       a.max_spread_percent, a.min_start_price, a.max_start_price, a.allowed,
       a.allowed_before,
       c.id, c.asset_id, c.status, c.quantity, c.average_purchase_price, c.safety_orders,
       c.latest_order_id, c.last_order_fill_price, c.completed_at, c.created_at,
       c.fee_rate, c.highest_bid, c.stop_loss_since
  FROM dca_assets a
  LEFT JOIN dca_cycles c ON c.active_asset_id = a.id
 WHERE a.id = %s
   FOR UPDATE
"""

ALL_ASSETS = """
SELECT a.id, a.asset_symbol, a.is_enabled, a.base_order_amount, a.safety_order_amount,
       a.max_safety_orders, a.safety_order_deviation, a.take_profit_percent, a.cooldown_period,
       a.buy_order_price_deviation_percent, a.last_sell_price,
       a.safety_order_volume_scale, a.safety_order_step_scale, a.take_profit_after_fees,
       a.trailing_percent, a.stop_loss_percent, a.stop_loss_seconds, a.after_stop_loss,
       a.max_spread_percent, a.min_start_price, a.max_start_price, a.allowed,
       a.allowed_before,
       c.id, c.asset_id, c.status, c.quantity, c.average_purchase_price, c.safety_orders,
       c.latest_order_id, c.last_order_fill_price, c.completed_at, c.created_at,
       c.fee_rate, c.highest_bid, c.stop_loss_since
  FROM dca_assets a
  LEFT JOIN dca_cycles c ON c.active_asset_id = a.id
 ORDER BY a.id
"""

CYCLE_BY_ID = """
SELECT id, asset_id, status, quantity, average_purchase_price, safety_orders,
       latest_order_id, last_order_fill_price, completed_at, created_at,
       fee_rate, highest_bid, stop_loss_since
  FROM dca_cycles
 WHERE id = %s AND asset_id = %s
"""

PREVIOUS_CYCLE = """
SELECT id, asset_id, status, quantity, average_purchase_price, safety_orders,
       latest_order_id, last_order_fill_price, completed_at, created_at,
       fee_rate, highest_bid, stop_loss_since
  FROM dca_cycles
 WHERE asset_id = %s AND status = 'complete' AND completed_at IS NOT NULL
 ORDER BY completed_at DESC, id DESC
 LIMIT 1
"""

INSERT_CYCLE = """
INSERT INTO dca_cycles (asset_id, status, quantity, average_purchase_price, safety_orders,
                        latest_order_id, last_order_fill_price, completed_at, fee_rate,
                        highest_bid, stop_loss_since, created_at)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, COALESCE(%s, CURRENT_TIMESTAMP))
"""

SAVE_CYCLE = """
UPDATE dca_cycles
   SET status = %s, quantity = %s, average_purchase_price = %s, safety_orders = %s,
       latest_order_id = %s, last_order_fill_price = %s, completed_at = %s,
       fee_rate = %s, highest_bid = %s, stop_loss_since = %s
 WHERE id = %s AND asset_id = %s
   AND status = %s AND quantity = %s AND average_purchase_price = %s AND safety_orders = %s
   AND latest_order_id <=> %s AND last_order_fill_price <=> %s AND completed_at <=> %s
   AND fee_rate <=> %s AND highest_bid <=> %s AND stop_loss_since <=> %s
"""

ORDER_BY_CLIENT_ID = """
SELECT client_order_id, asset_id, cycle_id, kind, rung, quantity, limit_price, status, created_at,
       alpaca_order_id, filled_quantity, filled_average_price, received_quantity,
       quantity_before, average_before, fee, fee_is_known
  FROM dca_orders
 WHERE client_order_id = %s
"""

LOCK_ORDER = """
SELECT client_order_id FROM dca_orders WHERE client_order_id = %s FOR UPDATE
"""

ORDER_OF_ASSET = """
SELECT client_order_id, asset_id, cycle_id, kind, rung, quantity, limit_price, status, created_at,
       alpaca_order_id, filled_quantity, filled_average_price, received_quantity,
       quantity_before, average_before, fee, fee_is_known
  FROM dca_orders
 WHERE client_order_id = %s AND asset_id = %s
"""

LAST_ORDER = """
SELECT client_order_id, asset_id, cycle_id, kind, rung, quantity, limit_price, status, created_at,
       alpaca_order_id, filled_quantity, filled_average_price, received_quantity,
       quantity_before, average_before, fee, fee_is_known
  FROM dca_orders
 WHERE asset_id = %s
 ORDER BY created_at DESC, id DESC
 LIMIT 1
"""

LIVE_ORDER = """
SELECT client_order_id, asset_id, cycle_id, kind, rung, quantity, limit_price, status, created_at,
       alpaca_order_id, filled_quantity, filled_average_price, received_quantity,
       quantity_before, average_before, fee, fee_is_known
  FROM dca_orders
 WHERE live_asset_id = %s
"""

# Of assets that have a row still: what an order of another came to can't be worked out again.
SELLS_OF_ESTIMATED_FEE = """
SELECT o.client_order_id, o.asset_id, o.cycle_id, o.kind, o.rung, o.quantity, o.limit_price,
       o.status, o.created_at, o.alpaca_order_id, o.filled_quantity, o.filled_average_price,
       o.received_quantity, o.quantity_before, o.average_before, o.fee, o.fee_is_known
  FROM dca_orders o
  JOIN dca_assets a ON a.id = o.asset_id
 WHERE o.created_at >= %s AND NOT o.fee_is_known AND o.filled_quantity > 0
   AND o.kind IN ('take_profit', 'stop_loss', 'close')
   AND o.status NOT IN ('intended', 'open')
 ORDER BY o.created_at, o.id
"""

LIVE_ORDERS = """
SELECT client_order_id, asset_id, cycle_id, kind, rung, quantity, limit_price, status, created_at,
       alpaca_order_id, filled_quantity, filled_average_price, received_quantity,
       quantity_before, average_before, fee, fee_is_known
  FROM dca_orders
 WHERE live_asset_id IS NOT NULL
 ORDER BY created_at, id
"""

ORDERS_OF_CYCLE = """
SELECT client_order_id, asset_id, cycle_id, kind, rung, quantity, limit_price, status, created_at,
       alpaca_order_id, filled_quantity, filled_average_price, received_quantity,
       quantity_before, average_before, fee, fee_is_known
  FROM dca_orders
 WHERE cycle_id = %s AND asset_id = %s
 ORDER BY id
"""

# From its cycle, so that there is no order without one.
INSERT_ORDER = """
INSERT INTO dca_orders (client_order_id, asset_id, cycle_id, kind, rung, quantity, limit_price,
                        status, created_at, alpaca_order_id, filled_quantity,
                        filled_average_price, received_quantity, quantity_before, average_before,
                        fee, fee_is_known, symbol)
SELECT %s, asset_id, id, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s
  FROM dca_cycles
 WHERE id = %s AND asset_id = %s
"""

SAVE_ORDER = """
UPDATE dca_orders
   SET status = %s, alpaca_order_id = %s, filled_quantity = %s, filled_average_price = %s,
       received_quantity = %s, quantity_before = %s, average_before = %s, fee = %s,
       fee_is_known = %s
 WHERE client_order_id = %s AND asset_id = %s AND status = %s AND filled_quantity = %s
"""

SET_LAST_SELL_PRICE = """
UPDATE dca_assets SET last_sell_price = %s WHERE id = %s
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

# Also what has ended by another clock, a little ahead.
COUNT_LOSSES_FROM = """
UPDATE dca_budget
   SET losses_from = GREATEST(CAST(%s AS DATETIME),
                              COALESCE((SELECT MAX(completed_at) FROM dca_results),
                                       TIMESTAMP '1971-01-01 00:00:00'))
"""

INSERT_EVENT = """
INSERT INTO dca_events (asset_id, symbol, at, cycle_id, kind, told, client_order_id, price,
                        against, quantity)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
"""

# News of a late fill replaces what was known before.
PUT_RESULT = """
INSERT INTO dca_results (cycle_id, asset_id, symbol, status, began_at, completed_at,
                         safety_orders, max_safety_orders, cost, proceeds, fees, net,
                         left_quantity, drawdown_pct, fees_are_known)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
    ON DUPLICATE KEY UPDATE cost = VALUES(cost), proceeds = VALUES(proceeds), fees = VALUES(fees),
       net = VALUES(net), left_quantity = VALUES(left_quantity), status = VALUES(status),
       safety_orders = VALUES(safety_orders), drawdown_pct = VALUES(drawdown_pct),
       fees_are_known = VALUES(fees_are_known)
"""
