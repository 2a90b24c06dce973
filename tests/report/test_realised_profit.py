"""What the books say was earned is what the exchange's own ledger has moved, to the cent.

A thousand cycles: CYCLES=1000 in the environment of the run.
"""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import replace
from decimal import Decimal

import pytest

from alpaca_simulator.exchange.orders import Side
from dca_bot.core.model import ZERO, Asset, CycleStatus
from tests.proofs.storms.mishaps import Calm
from tests.proofs.storms.outside.market import RandomMarket
from tests.proofs.storms.world import COINS, World

CYCLES = int(os.environ.get("CYCLES", "40"))
SYMBOLS = tuple(f"{coin}/USD" for coin in COINS)
CENT = Decimal("0.01")
HALF_A_CENT = Decimal("0.005")
HOUR = 3600.0
HOURS_MAX = 2_000


def lively_assets() -> list[Asset]:
    return [
        Asset(
            asset_id=number,
            symbol=symbol,
            is_enabled=True,
            base_order_amount=Decimal(20 + number),
            safety_order_amount=Decimal(15),
            max_safety_orders=4,
            safety_order_deviation_pct=Decimal("0.4"),
            take_profit_pct=Decimal("0.7"),
            cooldown_seconds=0,
            restart_deviation_pct=Decimal("0.1"),
            last_sell_price=None,
        )
        for number, symbol in enumerate(SYMBOLS, start=1)
    ]


@pytest.mark.parametrize("seed", [1, 2])
def test_the_profit_of_every_cycle_is_what_the_exchange_has_moved(seed: int) -> None:
    world = World(seed, Calm(), lively_assets())
    exchange = world.venue.exchange
    exchange.rules = replace(
        exchange.rules,
        partial_fill_chance=0.5,
        taker_fee=Decimal("0.0025"),
        maker_fee=Decimal("0.0015"),
    )
    cash_before = exchange.account.ledger.owned("USD")
    market = RandomMarket(world, SYMBOLS)
    try:
        market.begin()
        world.start_bot()
        world.cron.begin()
        for _ in range(HOURS_MAX):
            world.run(HOUR / 4)
            if len(world.store.results) >= CYCLES or world.complaints:
                break
        assert world.complaints == []
        moved: defaultdict[int, Decimal] = defaultdict(Decimal)
        fees: defaultdict[int, Decimal] = defaultdict(Decimal)
        for each in exchange.executions:
            cycle_id = int(str(each.order.terms.client_order_id).split("-")[1])
            worth = each.qty * each.price
            if each.order.terms.side is Side.BUY:
                moved[cycle_id] -= worth
                fees[cycle_id] += each.fee * each.price
            else:
                moved[cycle_id] += worth - each.fee
                fees[cycle_id] += each.fee
        results = world.store.results
        assert len(results) >= CYCLES
        for cycle_id, result in results.items():
            assert result.status is CycleStatus.COMPLETE
            assert result.net is not None
            assert abs(result.net - moved[cycle_id]) < HALF_A_CENT, result
            assert abs(result.fees - fees[cycle_id]) < HALF_A_CENT, result
        earned = sum((result.net or ZERO for result in results.values()), ZERO)
        still_in = sum((moved[cycle_id] for cycle_id in moved.keys() - results.keys()), ZERO)
        cash = exchange.account.ledger.owned("USD")
        assert abs(cash - cash_before - earned - still_in) < CENT
    finally:
        world.close()
