-- The whole database.  Pipe it into an empty one, or into one that has only the two tables of the
-- README: it adds what is missing.  Piped in again it changes nothing.
--
--     mysql -u your_db_user -p dca_bot_db < sql/schema.sql
--
-- For MariaDB 10.5 or newer and MySQL 8.  MySQL knows no ADD COLUMN IF NOT EXISTS, so each addition
-- to an existing table asks information_schema first and is prepared only where it is missing.
-- Rule: every statement ends with a semicolon at the end of its line, and no other line does.

-- Some clients and servers refuse an UPDATE that names no key.
SET SESSION sql_safe_updates = 0;

CREATE TABLE IF NOT EXISTS dca_assets (
    id INT AUTO_INCREMENT PRIMARY KEY,
    asset_symbol VARCHAR(25) NOT NULL UNIQUE, -- e.g., 'BTC/USD'
    is_enabled BOOLEAN NOT NULL DEFAULT TRUE,
    base_order_amount DECIMAL(20, 10) NOT NULL,
    safety_order_amount DECIMAL(20, 10) NOT NULL,
    max_safety_orders INT NOT NULL,
    safety_order_deviation DECIMAL(10, 4) NOT NULL, -- Percentage price drop to trigger safety order
    take_profit_percent DECIMAL(10, 4) NOT NULL, -- Percentage price rise from avg purchase price to trigger sell
    cooldown_period INT NOT NULL, -- Seconds after a take profit
    buy_order_price_deviation_percent DECIMAL(10, 4) NOT NULL, -- Percent down from last sell to start new cycle (preempts cooldown)
    last_sell_price DECIMAL(20, 10) NULL, -- Price of the last successful take-profit sell for this asset
    created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE IF NOT EXISTS dca_cycles (
    id INT AUTO_INCREMENT PRIMARY KEY,
    asset_id INT NOT NULL,
    status VARCHAR(20) NOT NULL, -- e.g., 'watching', 'buying', 'selling', 'cooldown', 'complete', 'error'
    quantity DECIMAL(30, 15) NOT NULL DEFAULT 0, -- Total quantity of the asset held in this cycle
    average_purchase_price DECIMAL(20, 10) NOT NULL DEFAULT 0, -- Weighted average purchase price for this cycle
    safety_orders INT NOT NULL DEFAULT 0, -- Number of safety orders filled in this cycle
    latest_order_id VARCHAR(255) NULL, -- Alpaca order ID of the most recent order for this cycle
    last_order_fill_price DECIMAL(20, 10) NULL, -- Fill price of the most recent BUY order in this cycle
    completed_at TIMESTAMP NULL, -- Timestamp when the cycle reached a terminal status ('complete', 'error')
    created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
    FOREIGN KEY (asset_id) REFERENCES dca_assets(id) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

-- An asset has at most one active cycle: a unique index ignores NULLs, so finished cycles don't
-- count.  VIRTUAL, because MySQL refuses a STORED column that is computed from a column with a
-- cascading foreign key; InnoDB indexes virtual columns just as well.
SET @addition = (
    SELECT IF(COUNT(*) > 0, 'DO 0', 'ALTER TABLE dca_cycles
        ADD COLUMN active_asset_id INT GENERATED ALWAYS AS
            (CASE WHEN status IN (''complete'', ''error'') THEN NULL ELSE asset_id END) VIRTUAL')
      FROM information_schema.columns
     WHERE table_schema = DATABASE() AND table_name = 'dca_cycles'
       AND column_name = 'active_asset_id'
);
PREPARE addition FROM @addition;
EXECUTE addition;

SET @addition = (
    SELECT IF(COUNT(*) > 0, 'DO 0', 'ALTER TABLE dca_cycles
        ADD UNIQUE KEY one_active_cycle (active_asset_id)')
      FROM information_schema.statistics
     WHERE table_schema = DATABASE() AND table_name = 'dca_cycles'
       AND index_name = 'one_active_cycle'
);
PREPARE addition FROM @addition;
EXECUTE addition;

-- The latest completed cycle of an asset, for its cooldown, without reading all the others.
SET @addition = (
    SELECT IF(COUNT(*) > 0, 'DO 0', 'ALTER TABLE dca_cycles
        ADD KEY completed_cycles (asset_id, completed_at)')
      FROM information_schema.statistics
     WHERE table_schema = DATABASE() AND table_name = 'dca_cycles'
       AND index_name = 'completed_cycles'
);
PREPARE addition FROM @addition;
EXECUTE addition;

-- What a strategy may have beyond the plainest; docs/strategy.md explains each column.  With their
-- defaults nothing of it happens.  `allowed`: 'all'; 'cycle', no new cycle begins; 'exit', no BUYs.
SET @addition = (
    SELECT IF(COUNT(*) > 0, 'DO 0', 'ALTER TABLE dca_assets
        ADD COLUMN safety_order_volume_scale DECIMAL(10, 4) NOT NULL DEFAULT 1,
        ADD COLUMN safety_order_step_scale DECIMAL(10, 4) NOT NULL DEFAULT 1,
        ADD COLUMN take_profit_after_fees BOOLEAN NOT NULL DEFAULT FALSE,
        ADD COLUMN trailing_percent DECIMAL(10, 4) NULL,
        ADD COLUMN stop_loss_percent DECIMAL(10, 4) NULL,
        ADD COLUMN stop_loss_seconds INT NOT NULL DEFAULT 0,
        ADD COLUMN after_stop_loss ENUM(''pause'', ''cooldown'') NOT NULL DEFAULT ''pause'',
        ADD COLUMN max_spread_percent DECIMAL(10, 4) NULL,
        ADD COLUMN min_start_price DECIMAL(20, 10) NULL,
        ADD COLUMN max_start_price DECIMAL(20, 10) NULL,
        ADD COLUMN allowed ENUM(''all'', ''cycle'', ''exit'') NOT NULL DEFAULT ''all''')
      FROM information_schema.columns
     WHERE table_schema = DATABASE() AND table_name = 'dca_assets'
       AND column_name = 'allowed'
);
PREPARE addition FROM @addition;
EXECUTE addition;

-- What `dca resume` of all assets gives back after `dca pause` of all; NULL: the column `allowed` was
-- set for this asset alone.
SET @addition = (
    SELECT IF(COUNT(*) > 0, 'DO 0', 'ALTER TABLE dca_assets
        ADD COLUMN allowed_before ENUM(''all'', ''cycle'', ''exit'') NULL')
      FROM information_schema.columns
     WHERE table_schema = DATABASE() AND table_name = 'dca_assets'
       AND column_name = 'allowed_before'
);
PREPARE addition FROM @addition;
EXECUTE addition;

-- What a cycle remembers for them: the highest fee rate that its BUYs were charged; since its last
-- BUY, the highest bid at or above the target, and when the bid fell to the stop loss.
SET @addition = (
    SELECT IF(COUNT(*) > 0, 'DO 0', 'ALTER TABLE dca_cycles
        ADD COLUMN fee_rate DECIMAL(6, 4) NULL,
        ADD COLUMN highest_bid DECIMAL(20, 10) NULL,
        ADD COLUMN stop_loss_since TIMESTAMP(6) NULL')
      FROM information_schema.columns
     WHERE table_schema = DATABASE() AND table_name = 'dca_cycles'
       AND column_name = 'stop_loss_since'
);
PREPARE addition FROM @addition;
EXECUTE addition;

-- Every order that the bot ever meant to send, written before it is sent.
CREATE TABLE IF NOT EXISTS dca_orders (
    id INT AUTO_INCREMENT PRIMARY KEY,
    client_order_id VARCHAR(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL, -- ours, sent along with the order
    alpaca_order_id VARCHAR(255) NULL, -- Alpaca's, once it has answered
    asset_id INT NOT NULL,
    cycle_id INT NOT NULL,
    kind VARCHAR(20) NOT NULL, -- 'base', 'safety', 'extra', 'adopted', 'take_profit', 'stop_loss' or 'close'
    rung INT NOT NULL DEFAULT 0, -- which safety order of the cycle; 0 for the others
    status VARCHAR(20) NOT NULL, -- 'intended', 'open', 'filled', 'canceled', 'expired', 'rejected', 'lost'
    quantity DECIMAL(30, 15) NOT NULL,
    limit_price DECIMAL(20, 10) NULL, -- NULL: a market order
    filled_quantity DECIMAL(30, 15) NOT NULL DEFAULT 0, -- cumulative, before fees
    filled_average_price DECIMAL(20, 10) NULL,
    received_quantity DECIMAL(30, 15) NOT NULL DEFAULT 0, -- what a BUY has put into the cycle, after fees
    quantity_before DECIMAL(30, 15) NULL, -- the cycle's quantity when the first fill was booked
    average_before DECIMAL(20, 10) NULL, -- the cycle's average price then
    symbol VARCHAR(25) NULL, -- as the asset's row had it, which may be gone
    fee DECIMAL(30, 15) NULL, -- of a SELL's fills, in the coin behind the slash; NULL: not known
    fee_is_known BOOLEAN NOT NULL DEFAULT FALSE, -- by Alpaca's own records; an estimate until then
    created_at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    updated_at TIMESTAMP NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
    live_asset_id INT GENERATED ALWAYS AS
        (CASE WHEN status IN ('intended', 'open') THEN asset_id ELSE NULL END) VIRTUAL, -- at most one live order per asset
    UNIQUE KEY client_order_id (client_order_id),
    UNIQUE KEY one_live_order (live_asset_id),
    KEY orders_of_asset (asset_id),
    KEY orders_of_cycle (cycle_id),
    KEY orders_by_time (created_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

-- An order has no foreign keys: what was traded is remembered when the asset's row is deleted.
SET @addition = (
    SELECT COALESCE(CONCAT('ALTER TABLE dca_orders ',
                           GROUP_CONCAT(CONCAT('DROP FOREIGN KEY ', constraint_name))), 'DO 0')
      FROM information_schema.table_constraints
     WHERE table_schema = DATABASE() AND table_name = 'dca_orders'
       AND constraint_type = 'FOREIGN KEY'
);
PREPARE addition FROM @addition;
EXECUTE addition;

SET @addition = (
    SELECT IF(COUNT(*) > 0, 'DO 0', 'ALTER TABLE dca_orders
        ADD COLUMN symbol VARCHAR(25) NULL AFTER average_before')
      FROM information_schema.columns
     WHERE table_schema = DATABASE() AND table_name = 'dca_orders' AND column_name = 'symbol'
);
PREPARE addition FROM @addition;
EXECUTE addition;

SET @addition = (
    SELECT IF(COUNT(*) > 0, 'DO 0', 'ALTER TABLE dca_orders
        ADD COLUMN fee DECIMAL(30, 15) NULL AFTER symbol')
      FROM information_schema.columns
     WHERE table_schema = DATABASE() AND table_name = 'dca_orders' AND column_name = 'fee'
);
PREPARE addition FROM @addition;
EXECUTE addition;

SET @addition = (
    SELECT IF(COUNT(*) > 0, 'DO 0', 'ALTER TABLE dca_orders
        ADD COLUMN fee_is_known BOOLEAN NOT NULL DEFAULT FALSE AFTER fee')
      FROM information_schema.columns
     WHERE table_schema = DATABASE() AND table_name = 'dca_orders'
       AND column_name = 'fee_is_known'
);
PREPARE addition FROM @addition;
EXECUTE addition;

SET @addition = (
    SELECT IF(COUNT(*) > 0, 'DO 0', 'ALTER TABLE dca_orders ADD KEY orders_by_time (created_at)')
      FROM information_schema.statistics
     WHERE table_schema = DATABASE() AND table_name = 'dca_orders'
       AND index_name = 'orders_by_time'
);
PREPARE addition FROM @addition;
EXECUTE addition;

UPDATE dca_orders o JOIN dca_assets a ON a.id = o.asset_id
   SET o.symbol = a.asset_symbol, o.updated_at = o.updated_at
 WHERE o.symbol IS NULL;

-- What happened to each cycle and why: decisions and outcomes, as they were written.
CREATE TABLE IF NOT EXISTS dca_events (
    id BIGINT AUTO_INCREMENT PRIMARY KEY,
    at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    asset_id INT NOT NULL,
    symbol VARCHAR(25) NOT NULL,
    cycle_id INT NOT NULL,
    kind VARCHAR(20) NOT NULL, -- 'began', 'ordered', 'filled', 'ended', 'complete', 'resumed', 'corrected', 'given up', 'let go', 'allowed', 'changed', 'adopted', 'released'
    told VARCHAR(255) NOT NULL, -- a sentence
    client_order_id VARCHAR(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,
    price DECIMAL(20, 10) NULL, -- what was seen
    against DECIMAL(20, 10) NULL, -- what it was compared with
    quantity DECIMAL(30, 15) NULL,
    KEY events_of_cycle (cycle_id, id),
    KEY events_of_asset (asset_id, id),
    KEY events_by_time (at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

-- One row that every BUY under a limit for all assets locks (MAX_INVESTED and its like).
CREATE TABLE IF NOT EXISTS dca_budget (
    id TINYINT NOT NULL PRIMARY KEY,
    losses_from TIMESTAMP NULL -- DAILY_LOSS_LIMIT counts what ended later; what ended before has paused all once
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

SET @addition = (
    SELECT IF(COUNT(*) > 0, 'DO 0', 'ALTER TABLE dca_budget ADD COLUMN losses_from TIMESTAMP NULL')
      FROM information_schema.columns
     WHERE table_schema = DATABASE() AND table_name = 'dca_budget' AND column_name = 'losses_from'
);
PREPARE addition FROM @addition;
EXECUTE addition;
DEALLOCATE PREPARE addition;

-- What each finished cycle came to, in the coin behind the slash.  NULL: it can't be known.
CREATE TABLE IF NOT EXISTS dca_results (
    cycle_id INT NOT NULL PRIMARY KEY,
    asset_id INT NOT NULL,
    symbol VARCHAR(25) NOT NULL,
    status VARCHAR(20) NOT NULL, -- 'complete' or 'error'
    began_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, -- its first order that was filled
    completed_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    safety_orders INT NOT NULL,
    max_safety_orders INT NULL, -- as the row was then
    cost DECIMAL(20, 10) NOT NULL, -- paid for BUYs
    proceeds DECIMAL(20, 10) NOT NULL, -- of SELLs, before fees
    fees DECIMAL(20, 10) NOT NULL, -- of both sides
    net DECIMAL(20, 10) NULL, -- after all fees
    left_quantity DECIMAL(30, 15) NOT NULL, -- coins that its orders did not sell
    drawdown_pct DECIMAL(10, 4) NULL, -- below its average at its deepest BUY
    fees_are_known BOOLEAN NOT NULL DEFAULT FALSE, -- those of its SELLs, by Alpaca's own records
    KEY results_by_time (completed_at),
    KEY results_of_asset (asset_id, completed_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

SET @addition = (
    SELECT IF(COUNT(*) > 0, 'DO 0', 'ALTER TABLE dca_results
        ADD COLUMN fees_are_known BOOLEAN NOT NULL DEFAULT FALSE')
      FROM information_schema.columns
     WHERE table_schema = DATABASE() AND table_name = 'dca_results'
       AND column_name = 'fees_are_known'
);
PREPARE addition FROM @addition;
EXECUTE addition;
DEALLOCATE PREPARE addition;

-- Cycles from before have what can be known of them: an unknown fee of a SELL is taken for what
-- the cycle's BUYs were seen to pay.
INSERT IGNORE INTO dca_results (cycle_id, asset_id, symbol, status, began_at, completed_at,
    safety_orders, cost, proceeds, fees, net, left_quantity)
SELECT id, asset_id, symbol, status, began_at, completed_at, safety_orders, cost, proceeds,
       buy_fees + CEILING(proceeds * rate * 100) / 100,
       IF(status = 'complete' AND received > 0 AND sold > 0,
          proceeds - CEILING(proceeds * rate * 100) / 100 - cost, NULL),
       received - sold
  FROM (SELECT c.id, c.asset_id, MAX(o.symbol) AS symbol, c.status,
               MIN(o.created_at) AS began_at, c.completed_at, c.safety_orders,
               SUM(IF(o.kind IN ('take_profit', 'stop_loss', 'close'), 0, o.received_quantity)) AS received,
               SUM(IF(o.kind IN ('take_profit', 'stop_loss', 'close'), o.filled_quantity, 0)) AS sold,
               SUM(IF(o.kind IN ('take_profit', 'stop_loss', 'close'), 0, o.filled_quantity * o.filled_average_price)) AS cost,
               SUM(IF(o.kind IN ('take_profit', 'stop_loss', 'close'), o.filled_quantity * o.filled_average_price, 0)) AS proceeds,
               SUM(IF(o.kind IN ('take_profit', 'stop_loss', 'close'), 0,
                      (o.filled_quantity - o.received_quantity) * o.filled_average_price)) AS buy_fees,
               COALESCE(ROUND(MAX(IF(o.kind IN ('take_profit', 'stop_loss', 'close'), NULL,
                      (o.filled_quantity - o.received_quantity) / o.filled_quantity)), 4), 0.0025) AS rate
          FROM dca_cycles c
          JOIN dca_orders o ON o.cycle_id = c.id AND o.filled_quantity > 0
          LEFT JOIN dca_results r ON r.cycle_id = c.id
         WHERE c.completed_at IS NOT NULL AND c.status IN ('complete', 'error')
           AND r.cycle_id IS NULL AND o.symbol IS NOT NULL
         GROUP BY c.id, c.asset_id, c.status, c.completed_at, c.safety_orders) AS known;
