"""The list of cycles, also of those of which only a row is left."""

from __future__ import annotations

import pytest

from dca_bot.program.settings import DatabaseSettings
from dca_bot.report.cycles import closed_lines
from dca_bot.report.reader import Reader
from tests.helpers import apply_sql

WITHOUT_RESULTS = b"""
INSERT INTO dca_assets (id, asset_symbol, base_order_amount, safety_order_amount,
                        max_safety_orders, safety_order_deviation, take_profit_percent,
                        cooldown_period, buy_order_price_deviation_percent)
VALUES (1, 'BTC/USD', 20, 20, 5, 1.5, 1, 300, 2), (2, 'ETH/USD', 20, 20, 5, 1.5, 1, 300, 2);
INSERT INTO dca_cycles (id, asset_id, status, completed_at)
VALUES (1, 1, 'complete', '2026-01-01 12:00:00'), (2, 2, 'complete', '2026-01-02 12:00:00'),
       (3, 2, 'error', '2026-01-03 12:00:00');
"""


@pytest.mark.parametrize(("symbol", "ids"), [("BTC/USD", [1]), ("ETH/USD", [3, 2]), (None, [3, 2])])
def test_cycles_of_other_assets_push_none_out_of_the_list(
    database: DatabaseSettings, symbol: str | None, ids: list[int]
) -> None:
    apply_sql(database, WITHOUT_RESULTS)
    with Reader(database) as reader:
        assert [line.id for line in closed_lines(reader, symbol, 2)] == ids
