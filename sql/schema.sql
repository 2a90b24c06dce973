-- The whole database.  Pipe it into an empty one, or into one that has only the two tables of the
-- README: it adds what is missing.  Piped in again it changes nothing.
--
--     mysql -u your_db_user -p dca_bot_db < sql/schema.sql
--
-- For MariaDB 10.5 or newer and MySQL 8.  MySQL knows no ADD COLUMN IF NOT EXISTS, so each addition
-- to an existing table asks information_schema first and is prepared only where it is missing.
-- Rule: every statement ends with a semicolon at the end of its line, and no other line does.

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
DEALLOCATE PREPARE addition;

-- Every order that the bot ever meant to send, written before it is sent.
CREATE TABLE IF NOT EXISTS dca_orders (
    id INT AUTO_INCREMENT PRIMARY KEY,
    client_order_id VARCHAR(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL, -- ours, sent along with the order
    alpaca_order_id VARCHAR(255) NULL, -- Alpaca's, once it has answered
    asset_id INT NOT NULL,
    cycle_id INT NOT NULL,
    kind VARCHAR(20) NOT NULL, -- 'base', 'safety' or 'take_profit'
    rung INT NOT NULL DEFAULT 0, -- which safety order of the cycle; 0 for the others
    status VARCHAR(20) NOT NULL, -- 'intended', 'open', 'filled', 'canceled', 'expired', 'rejected', 'lost'
    quantity DECIMAL(30, 15) NOT NULL,
    limit_price DECIMAL(20, 10) NULL, -- NULL: a market order
    filled_quantity DECIMAL(30, 15) NOT NULL DEFAULT 0, -- cumulative, before fees
    filled_average_price DECIMAL(20, 10) NULL,
    received_quantity DECIMAL(30, 15) NOT NULL DEFAULT 0, -- what a BUY has put into the cycle, after fees
    quantity_before DECIMAL(30, 15) NULL, -- the cycle's quantity when the first fill was booked
    average_before DECIMAL(20, 10) NULL, -- the cycle's average price then
    created_at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    updated_at TIMESTAMP NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
    live_asset_id INT GENERATED ALWAYS AS
        (CASE WHEN status IN ('intended', 'open') THEN asset_id ELSE NULL END) VIRTUAL, -- at most one live order per asset
    UNIQUE KEY client_order_id (client_order_id),
    UNIQUE KEY one_live_order (live_asset_id),
    KEY orders_of_asset (asset_id),
    KEY orders_of_cycle (cycle_id),
    FOREIGN KEY (asset_id) REFERENCES dca_assets(id) ON DELETE CASCADE,
    FOREIGN KEY (cycle_id) REFERENCES dca_cycles(id) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
