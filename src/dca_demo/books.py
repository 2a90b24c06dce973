"""The demo's three assets, and how they get into its database."""

from __future__ import annotations

from dca_bot.program.setting_groups import DatabaseSettings
from dca_bot.store.connection import LOCK_WAIT_SECONDS, Session
from dca_bot.store.schema import ensure_schema

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


def fill(settings: DatabaseSettings) -> None:
    """Load the schema and insert the three assets, as a user would."""
    ensure_schema(settings)
    session = Session(settings, LOCK_WAIT_SECONDS)
    try:
        session.write(INSERT_ASSETS)
        session.commit()
    finally:
        session.close()
