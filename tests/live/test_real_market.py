"""What a real market does to the bot: resting BUYs at the take profit, halts, orders that are too
large, rows that stand in each other's way."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal

import pytest

from dca_bot.core.model import Asset, AssetRules, CycleStatus, OrderKind
from dca_bot.trading.budget import Budget
from tests.helpers import played_by
from tests.live.test_assets import BTC, ETH, World, play, until

STEP = Decimal("0.000000001")


async def resting_safety_order(world: World) -> str:
    """A base order has filled at 100, a safety order rests at 98; its client order id."""
    await world.bought()
    world.broker.holds_fills = True
    world.quote("BTC/USD", "97.9", "98")
    await until(lambda: len(world.broker.submitted) == 2)
    await world.idle()
    return world.broker.submitted[1].client_order_id


# -- a BUY that still rests when the take profit is due


@played_by(play)
async def test_a_resting_buy_is_cancelled_and_then_everything_is_sold(world: World) -> None:
    await resting_safety_order(world)
    world.quote("BTC/USD", "101", "101.1")
    await until(lambda: len(world.broker.submitted) == 3)
    assert world.broker.submitted[2].kind is OrderKind.TAKE_PROFIT
    assert world.broker.submitted[2].quantity == Decimal("0.1995")
    assert world.broker.calls.count("cancel") == 1


@played_by(play)
async def test_what_the_buy_has_filled_before_its_cancel_is_sold_as_well(world: World) -> None:
    safety_order = await resting_safety_order(world)
    world.broker.fill(safety_order, Decimal("0.1"))
    await world.idle()
    world.quote("BTC/USD", "101", "101.1")
    await until(lambda: len(world.broker.submitted) == 3)
    assert world.broker.submitted[2].quantity == Decimal("0.29925")


@played_by(play)
async def test_a_buy_that_fills_before_its_cancel_is_not_lost(world: World) -> None:
    safety_order = await resting_safety_order(world)
    world.broker.ignores_cancels = True
    world.quote("BTC/USD", "101", "101.1")
    await until(lambda: "cancel" in world.broker.calls)
    await world.idle()
    world.broker.fill(safety_order, price=Decimal(98))
    await until(lambda: world.cycle().safety_orders == 1)
    await world.idle()
    world.broker.release_fills()
    world.quote("BTC/USD", "101", "101.1")
    await until(lambda: world.cycle().status is CycleStatus.COOLDOWN)


@played_by(play)
async def test_a_resting_base_order_without_any_fill_is_left_alone(world: World) -> None:
    world.broker.holds_fills = True
    world.quote("BTC/USD", "99.9", "100")
    await until(lambda: len(world.broker.submitted) == 1)
    await world.idle()
    world.quote("BTC/USD", "150", "150.1")
    await world.idle()
    assert "cancel" not in world.broker.calls


# -- more than Alpaca takes in one order


def test_a_large_position_is_sold_in_parts_one_after_the_other() -> None:
    rich = replace(BTC, base_order_amount=Decimal(150_000), safety_order_amount=Decimal(150_000))

    async def scenario(world: World) -> None:
        world.broker.money["USD"] = Decimal(1_000_000)
        world.quote("BTC/USD", "99.9", "100")
        await until(lambda: world.cycle().quantity > 0)
        await world.idle()
        for ask in ("98", "96"):
            world.quote("BTC/USD", ask, ask)
            await until(lambda at=ask: world.cycle().last_order_fill_price == Decimal(at))
            await world.idle()
        world.quote("BTC/USD", "103", "103.1")
        await until(lambda: world.cycle().status is CycleStatus.COOLDOWN)
        sells = [each for each in world.broker.submitted if each.kind is OrderKind.TAKE_PROFIT]
        assert len(sells) == 3
        assert all(each.quantity * 103 <= 200_000 for each in sells)
        assert world.broker.holdings().of("BTC") is None

    play(scenario, rich)


# -- halts


@played_by(play)
async def test_a_halted_asset_gets_no_orders_until_alpaca_trades_it_again(world: World) -> None:
    world.rules_of_alpaca["BTC/USD"] = AssetRules("BTC/USD", False, STEP, STEP)
    await world.assets.refresh()
    assert world.assets.symbols_not_traded() == {"BTC/USD"}
    world.quote("BTC/USD", "99.9", "100")
    await world.idle()
    assert world.broker.submitted == []
    world.rules_of_alpaca["BTC/USD"] = AssetRules("BTC/USD", True, STEP, STEP)
    await world.assets.refresh()
    assert world.assets.symbols_not_traded() == set()
    await until(lambda: world.cycle().quantity > 0)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (BTC, "halted"),
        (replace(BTC, take_profit_pct=Decimal(0)), "take_profit_percent"),
    ],
)
def test_a_row_that_is_not_traded_is_reported_once_with_its_reason(
    row: Asset, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(world: World) -> None:
        world.rules_of_alpaca["BTC/USD"] = AssetRules("BTC/USD", message != "halted", STEP, STEP)
        for _ in range(3):
            await world.assets.refresh()

    play(scenario, row)
    assert sum(message in record.getMessage() for record in caplog.records) == 1


# -- rows that only BUYs suffer from


@pytest.mark.parametrize(
    "columns",
    [
        {"base_order_amount": Decimal(5)},
        {"safety_order_amount": Decimal(-1)},
        {"safety_order_deviation_pct": Decimal(0)},
        {"max_safety_orders": -1},
    ],
)
@played_by(play)
async def test_coins_are_sold_though_the_row_can_buy_no_more(
    world: World, columns: dict[str, Decimal]
) -> None:
    await world.bought()
    world.store.put_asset(replace(BTC, **columns))
    await world.assets.refresh()
    world.quote("BTC/USD", "90", "90.1")
    await world.idle()
    assert len(world.broker.submitted) == 1
    world.quote("BTC/USD", "101", "101.1")
    await until(lambda: world.cycle().status is CycleStatus.COOLDOWN)


# -- rows that stand in each other's way


@played_by(play, BTC, replace(BTC, asset_id=2, symbol="BTC/USDC"))
async def test_of_two_rows_of_one_coin_only_the_first_is_traded(world: World) -> None:
    world.quote("BTC/USDC", "99.9", "100")
    world.quote("BTC/USD", "99.9", "100")
    await until(lambda: world.cycle(1).quantity > 0)
    await world.idle()
    assert [order.asset_id for order in world.broker.submitted] == [1]


@played_by(play, BTC, replace(BTC, asset_id=2, symbol="BTC/USDC"))
async def test_the_second_row_of_a_coin_is_traded_once_the_first_is_disabled(world: World) -> None:
    world.broker.money["USDC"] = Decimal(1000)
    world.quote("BTC/USDC", "99.9", "100")
    world.store.put_asset(replace(BTC, is_enabled=False))
    await world.assets.refresh()
    await until(lambda: world.cycle(2).quantity > 0)


@played_by(play, BTC, replace(BTC, asset_id=2, symbol="BTCUSD"), replace(ETH, asset_id=3))
async def test_a_right_symbol_and_its_misspelling_can_both_be_deleted(world: World) -> None:
    world.store.delete_asset(2)
    await world.assets.refresh()
    await world.bought()
    world.store.delete_asset(1)
    await world.assets.refresh()
    assert world.assets.wanted_symbols() == ["ETH/USD"]


@played_by(play, BTC, replace(BTC, asset_id=2, symbol="BTCUSD"))
async def test_news_of_an_order_reaches_the_row_that_is_spelt_right(world: World) -> None:
    await world.bought()
    world.quote("BTC/USD", "101", "101.1")
    await until(lambda: world.cycle().status is CycleStatus.COOLDOWN)


# -- a limit for all assets


class HurriedLoop(asyncio.SelectorEventLoop):
    """A minute of its passes in less than a second."""

    def time(self) -> float:
        return super().time() * 100


@played_by(play, BTC, ETH, loop_factory=HurriedLoop, budget=Budget(active_cycles_max=1))
async def test_a_limit_that_keeps_a_buy_back_is_known_until_the_buy_goes_through(
    world: World,
) -> None:
    await world.bought()
    world.quote("ETH/USD", "99.9", "100")
    await world.idle()
    limits = {each.state.asset.symbol: each.limit for each in world.assets.snapshots()}
    assert limits == {"BTC/USD": "", "ETH/USD": "MAX_ACTIVE_CYCLES"}
    assert world.refusals == []  # Alpaca's rules have nothing to do with it
    world.quote("BTC/USD", "102", "102.1")
    await until(lambda: world.cycle().status is CycleStatus.COOLDOWN)

    def has_bought() -> bool:
        world.tell("ETH/USD", "99.9", "100")
        return world.cycle(2).quantity > 0

    await until(has_bought)
    await world.idle()
    assert {each.limit for each in world.assets.snapshots()} == {""}
