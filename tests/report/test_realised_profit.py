"""What the books say was earned is what the exchange's own ledger has moved, to the cent.

Prices stray at random and half of the orders are filled in parts.  A few cycles in every run, a
thousand of each seed with `--proofs`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from decimal import Decimal

import pytest

from alpaca_simulator.exchange.orders import Side
from dca_bot.core.model import ZERO, Asset, CycleStatus
from tests.builders import an_asset
from tests.proofs.storms.mishaps import Calm
from tests.proofs.storms.outside.market import RandomMarket
from tests.proofs.storms.outside.rows import COINS
from tests.proofs.storms.world import World

FEW, MANY = 40, 1_000
SYMBOLS = tuple(f"{coin}/USD" for coin in COINS)
CENT = Decimal("0.01")
HALF_A_CENT = Decimal("0.005")
HOUR = 3600.0
HOURS_MAX = 100
# Where the price has left a ladder behind, nothing would be sold for days: now and then all
# prices rise above whatever they were.
HOURS_BETWEEN_RISES = 2
RISE = Decimal("1.01")


def lively_assets() -> list[Asset]:
    return [
        an_asset(
            asset_id=number,
            symbol=symbol,
            base_order_amount=20 + number,
            safety_order_amount=15,
            max_safety_orders=4,
            safety_order_deviation_pct="0.4",
            take_profit_pct="0.7",
            cooldown_seconds=0,
            restart_deviation_pct="0.1",
        )
        for number, symbol in enumerate(SYMBOLS, start=1)
    ]


@pytest.mark.parametrize(
    ("seed", "cycles"),
    [
        (1, FEW),
        pytest.param(1, MANY, marks=pytest.mark.proof),
        pytest.param(2, MANY, marks=pytest.mark.proof),
    ],
)
def test_the_profit_of_every_cycle_is_what_the_exchange_has_moved(seed: int, cycles: int) -> None:
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
        for quarters in range(1, 4 * HOURS_MAX):
            world.run(HOUR / 4)
            if len(world.store.results) >= cycles or world.complaints:
                break
            if quarters % (4 * HOURS_BETWEEN_RISES) == 0:
                market.lift(RISE)
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
        assert len(results) >= cycles
        for cycle_id, result in results.items():
            assert result.status is CycleStatus.COMPLETE
            assert result.net is not None
            assert abs(result.net - moved[cycle_id]) < HALF_A_CENT, result
            assert abs(result.fees - fees[cycle_id]) < HALF_A_CENT, result
        earned = sum((result.net or ZERO for result in results.values()), ZERO)
        still_in = sum((moved[cycle_id] for cycle_id in moved.keys() - results.keys()), ZERO)
        parts = Counter(each.order.terms.client_order_id for each in exchange.executions)
        assert max(parts.values()) > 1
        cash = exchange.account.ledger.owned("USD")
        assert abs(cash - cash_before - earned - still_in) < CENT
    finally:
        world.close()
