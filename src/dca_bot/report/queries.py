# ruff: noqa: S608 - what is filled in here are names of columns
"""Every statement of the reports.

Rule: SELECT only; each can be pasted into a client once its %s are filled in.  What is asked again
and again reads by an index: the assets, their active cycles, and results since a moment.
"""

from datetime import UTC, datetime
from enum import StrEnum

from dca_bot.core.model import OrderKind, OrderStatus
from dca_bot.store.assets import CYCLES
from dca_bot.store.orders import EVENTS, ORDERS, RESULTS


def _words(words: type[StrEnum]) -> str:
    """All of them, for IN."""
    return ", ".join(f"'{word}'" for word in words)


def _short(number: str) -> str:
    """A column's value as text, exact, without the zeros that fill it up."""
    return f"TRIM(TRAILING '0' FROM {number})"


# For "all of it": a TIMESTAMP ends in 2038.
LONG_AGO = datetime(1971, 1, 1, tzinfo=UTC)
LONG_AHEAD = datetime(2037, 1, 1, tzinfo=UTC)

# Whatever became of them: an active cycle has few orders.
ORDERS_OF_ACTIVE_CYCLES = f"""
SELECT {ORDERS.all("o")}
  FROM dca_cycles c
  JOIN dca_orders o ON o.cycle_id = c.id
 WHERE c.active_asset_id IS NOT NULL
 ORDER BY o.id
"""

# For those in cooldown: when the cycle before was completed.
LAST_COMPLETED = """
SELECT c.asset_id, (SELECT d.completed_at FROM dca_cycles d
                     WHERE d.asset_id = c.asset_id AND d.status = 'complete'
                       AND d.completed_at IS NOT NULL
                     ORDER BY d.completed_at DESC LIMIT 1)
  FROM dca_cycles c
 WHERE c.active_asset_id IS NOT NULL AND c.status = 'cooldown'
"""

LAST_EVENTS = """
SELECT e.asset_id, e.at, e.told
  FROM dca_events e
  JOIN (SELECT MAX(id) AS id FROM dca_events GROUP BY asset_id) AS newest ON newest.id = e.id
"""

# Of all time, and since three moments: midnight, seven days ago, thirty days ago.
TOTALS = """
SELECT COUNT(*), SUM(net), SUM(IF(net IS NULL, 0, fees)), SUM(net IS NULL),
       SUM(IF(completed_at >= %s, net, 0)), SUM(IF(completed_at >= %s, net, 0)),
       SUM(IF(completed_at >= %s, net, 0)), SUM(net IS NOT NULL AND NOT fees_are_known)
  FROM dca_results
 WHERE status = 'complete'
"""

RESULTS_BETWEEN = f"""
SELECT {RESULTS.all()}
  FROM dca_results
 WHERE completed_at >= %s AND completed_at < %s
 ORDER BY completed_at DESC, cycle_id DESC
 LIMIT %s
"""

RESULTS_OF_SYMBOL = f"""
SELECT {RESULTS.all()}
  FROM dca_results
 WHERE completed_at >= %s AND completed_at < %s AND symbol = %s
 ORDER BY completed_at DESC, cycle_id DESC
 LIMIT %s
"""

RESULT = f"""
SELECT {RESULTS.all()}
  FROM dca_results
 WHERE cycle_id = %s
"""

# What no result is known of: finished before, without an order in the books.  Of one symbol, or
# with NULL twice of all.
CYCLES_WITHOUT_RESULT = """
SELECT c.id, a.asset_symbol, c.status, c.created_at, c.completed_at, c.safety_orders
  FROM dca_cycles c
  JOIN dca_assets a ON a.id = c.asset_id
 WHERE c.status IN ('complete', 'error')
   AND (%s IS NULL OR a.asset_symbol = %s)
   AND NOT EXISTS (SELECT 1 FROM dca_results r WHERE r.cycle_id = c.id)
 ORDER BY c.id DESC
 LIMIT %s
"""

CYCLE = f"""
SELECT {CYCLES.all()}
  FROM dca_cycles
 WHERE id = %s
"""

ORDERS_OF_CYCLE = f"""
SELECT {ORDERS.all()}, symbol
  FROM dca_orders
 WHERE cycle_id = %s
 ORDER BY id
"""

EVENTS_OF_CYCLE = f"""
SELECT {EVENTS.all()}, id
  FROM dca_events
 WHERE cycle_id = %s
 ORDER BY id
"""

# A group is a symbol, or a day of the user's: the moment moved by his distance from UTC.
BY_SYMBOL = """
SELECT symbol, COUNT(*), SUM(net), SUM(fees), MAX(net), MIN(net), SUM(cost)
  FROM dca_results
 WHERE status = 'complete' AND net IS NOT NULL AND completed_at >= %s AND completed_at < %s
 GROUP BY symbol
 ORDER BY symbol
"""

FIRST_AND_LAST = """
SELECT MIN(completed_at), MAX(completed_at)
  FROM dca_results
 WHERE completed_at >= %s AND completed_at < %s
"""

BY_DAY = """
SELECT DATE(DATE_ADD(completed_at, INTERVAL %s SECOND)), COUNT(*), SUM(net), SUM(fees), MAX(net),
       MIN(net), SUM(cost)
  FROM dca_results
 WHERE status = 'complete' AND net IS NOT NULL AND completed_at >= %s AND completed_at < %s
 GROUP BY 1
 ORDER BY 1
"""

DOUBTS = """
SELECT SUM(net IS NULL), SUM(net IS NOT NULL AND NOT fees_are_known)
  FROM dca_results
 WHERE status = 'complete' AND completed_at >= %s AND completed_at < %s
"""

# Money at work: what each finished cycle had in, for as long as it lasted within the time asked.
CAPITAL_SECONDS = """
SELECT SUM(cost * TIMESTAMPDIFF(SECOND, GREATEST(began_at, %s), LEAST(completed_at, %s))),
       MIN(began_at)
  FROM dca_results
 WHERE completed_at >= %s AND began_at < %s
"""

# First and last price of each asset's orders within a time, for buy and hold.
FIRST_AND_LAST_BUY = """
SELECT a.asset_symbol,
       (SELECT filled_average_price FROM dca_orders o
         WHERE o.asset_id = a.id AND filled_quantity > 0 AND created_at >= %s
         ORDER BY id LIMIT 1),
       (SELECT filled_average_price FROM dca_orders o
         WHERE o.asset_id = a.id AND filled_quantity > 0 AND created_at < %s
         ORDER BY id DESC LIMIT 1)
  FROM dca_assets a
"""

HONEST = """
SELECT COUNT(*), SUM(safety_orders >= max_safety_orders AND max_safety_orders > 0), SUM(net < 0)
  FROM dca_results
 WHERE status = 'complete'
"""

DURATION_AT = """
SELECT TIMESTAMPDIFF(SECOND, began_at, completed_at) AS lasted
  FROM dca_results
 WHERE status = 'complete'
 ORDER BY lasted
 LIMIT 1 OFFSET %s
"""

DEEPEST = """
SELECT cycle_id, symbol, drawdown_pct
  FROM dca_results
 WHERE drawdown_pct < 0
 ORDER BY drawdown_pct
 LIMIT 5
"""

# What is wrong with them is said beside every sum: `reader.result_oddity`.
UNSOUND_RESULTS = f"""
SELECT {RESULTS.all()}
  FROM dca_results
 WHERE status NOT IN ('complete', 'error') OR cost < 0 OR proceeds < 0 OR began_at > completed_at
 ORDER BY cycle_id LIMIT 20
"""

# As `reader.order_oddity`, and with a kind and a status that are known.
SOUND_ORDER = f"""o.kind IN ({_words(OrderKind)})
        AND o.status IN ({_words(OrderStatus)})
        AND o.quantity > 0 AND o.filled_quantity >= 0
        AND COALESCE(o.limit_price, 0) >= 0 AND COALESCE(o.filled_average_price, 0) >= 0
        AND COALESCE(o.fee, 0) >= 0 AND o.received_quantity BETWEEN 0 AND o.filled_quantity
        AND o.filled_quantity * COALESCE(o.filled_average_price, 0) < 10000000000"""

UNSOUND_ORDERS = f"""
SELECT {ORDERS.all("o")}
  FROM dca_orders o
 WHERE o.created_at < %s
   AND NOT ({SOUND_ORDER})
 ORDER BY o.id LIMIT 20
"""

# The orders of each cycle as one text, and those of an asset's month as one: a year has many, and a
# row for each would take longer to read than all the rest.  By cycle first, which an index orders.
# Only of cycles that were not over before: a cycle sells what it has bought.
DEALS_BY_MONTH = f"""
SELECT symbol, GROUP_CONCAT(orders ORDER BY first_id)
  FROM (SELECT MIN(o.symbol) AS symbol, MIN(o.id) AS first_id, MIN(o.created_at) AS began_at,
               GROUP_CONCAT(CONCAT_WS(' ', UNIX_TIMESTAMP(o.created_at),
                                      {_short("o.filled_quantity * o.filled_average_price")},
                                      IF(o.kind IN ('take_profit', 'stop_loss', 'close'),
                                         CONCAT_WS(' ', {_short("o.filled_quantity")},
                                                   COALESCE({_short("o.fee")}, '-'),
                                                   o.fee_is_known),
                                         {_short("o.received_quantity")}))
                            ORDER BY o.id) AS orders
          FROM dca_orders o
          LEFT JOIN dca_results r ON r.cycle_id = o.cycle_id
         WHERE o.created_at < %s AND o.filled_quantity > 0 AND o.filled_average_price IS NOT NULL
           AND (r.completed_at IS NULL OR r.completed_at >= %s)
           AND (o.received_quantity > 0 OR o.kind IN ('take_profit', 'stop_loss', 'close'))
           AND {SOUND_ORDER}
         GROUP BY o.cycle_id) AS by_cycle
 GROUP BY symbol, EXTRACT(YEAR_MONTH FROM began_at)
 ORDER BY MIN(first_id)
"""

TRADES_OF_ASSET = """
SELECT created_at, kind, filled_average_price
  FROM dca_orders
 WHERE asset_id = %s AND created_at >= %s AND filled_quantity > 0 AND kind <> 'adopted'
 ORDER BY id
"""

SYMBOLS = """
SELECT asset_symbol FROM dca_assets
UNION
SELECT symbol FROM dca_orders
 WHERE symbol IS NOT NULL AND id IN (SELECT MIN(id) FROM dca_orders GROUP BY asset_id)
"""

SERVER = """
SELECT VERSION(), CURRENT_USER(), UTC_TIMESTAMP(), NOW()
"""

GRANTS = """
SHOW GRANTS
"""

# Filled or not: what Alpaca has filled may be missing in the books.  What was adopted was no order.
SENT_ORDERS = f"""
SELECT {ORDERS.all()}, symbol
  FROM dca_orders
 WHERE created_at >= %s AND created_at < %s
   AND (alpaca_order_id IS NOT NULL OR filled_quantity > 0) AND kind <> 'adopted'
 ORDER BY id
"""

# From the fill of the last rung to the end of its cycle, and since when there are cycles at all.
SECONDS_ON_LAST_RUNG = """
SELECT SUM(TIMESTAMPDIFF(SECOND, o.created_at, r.completed_at)),
       (SELECT MIN(began_at) FROM dca_results)
  FROM dca_results r
  JOIN dca_orders o ON o.cycle_id = r.cycle_id AND o.kind = 'safety'
       AND o.rung = r.max_safety_orders AND o.filled_quantity > 0
 WHERE r.max_safety_orders > 0 AND r.safety_orders >= r.max_safety_orders
"""

NEWEST_EVENT = "SELECT COALESCE(MAX(id), 0) FROM dca_events"

LAST_EVENT_BEFORE = "SELECT COALESCE(MAX(id), 0) FROM dca_events WHERE at < %s"

# `is_whole`: the fill that completed its order.
EVENTS_SINCE = """
SELECT e.id, e.symbol, e.kind, e.told, r.net, o.kind, o.rung,
       o.status = 'filled' AND NOT EXISTS (
           SELECT 1 FROM dca_events later
            WHERE later.cycle_id = e.cycle_id AND later.id > e.id AND later.kind = 'filled'
              AND later.client_order_id = e.client_order_id
       ) AS is_whole
  FROM dca_events e
  LEFT JOIN dca_results r ON r.cycle_id = e.cycle_id
  LEFT JOIN dca_orders o ON o.client_order_id = e.client_order_id
 WHERE e.id > %s
 ORDER BY e.id
 LIMIT 500
"""
