"""What a person does by `dca`, and the columns that hold a cycle's profit or end its loss."""

from __future__ import annotations

from decimal import Decimal

from dca_integration.scenarios.trading import DOWN, UP
from dca_integration.stage import FIRST, SECOND, Stage

DCA = "src/dca_bot/__main__.py"
RAISE_LAST_FILL = "UPDATE dca_cycles SET last_order_fill_price = last_order_fill_price * %s"
MOVE_AVERAGE = "UPDATE dca_cycles SET average_purchase_price = average_purchase_price * %s"
RAISE_HIGHEST_BID = "UPDATE dca_cycles SET highest_bid = highest_bid * %s"


def pause(stage: Stage) -> None:
    """A running bot buys no safety order once it is paused, and takes its profit all the same."""
    asset_id = stage.add_asset(FIRST, max_safety_orders=1, take_profit_percent=Decimal(5))
    stage.start_bot()
    stage.bought(asset_id)
    stage.run(DCA, "pause", FIRST, "--yes")
    stage.claim("dca_assets.allowed", _allowed(stage, asset_id), "exit")
    stage.step("raise its last_order_fill_price by 10 %, as if the price had fallen")
    stage.books.write(RAISE_LAST_FILL, (UP,))
    stage.step("lower its average_purchase_price by 10 %, as if the price had risen")
    stage.books.write(MOVE_AVERAGE, (DOWN,))
    stage.completes(asset_id)
    stage.claim("safety orders", stage.orders(asset_id, kind="safety"), 0)
    stage.claim("take profits", stage.orders(asset_id, kind="take_profit", status="filled"), 1)


def close(stage: Stage) -> None:
    """`dca close` sells what the cycle holds, and the asset is paused."""
    asset_id = stage.add_asset(FIRST)
    stage.start_bot()
    stage.bought(asset_id)
    stage.run(DCA, "close", FIRST, "--yes")
    stage.completes(asset_id)
    stage.nothing_held(FIRST)
    stage.claim("sales by hand", stage.orders(asset_id, kind="close", status="filled"), 1)
    stage.claim("dca_assets.allowed", _allowed(stage, asset_id), "exit")


def panic(stage: Stage) -> None:
    """`dca panic` sells what all cycles own, also beside a bot that is down."""
    assets = [stage.add_asset(symbol) for symbol in (FIRST, SECOND)]
    bot = stage.start_bot()
    for asset_id in assets:
        stage.bought(asset_id)
    stage.programs.end_bot(bot)
    stage.run(DCA, "panic", "--yes")
    for asset_id, symbol in zip(assets, (FIRST, SECOND), strict=True):
        stage.completes(asset_id)
        stage.nothing_held(symbol)
        stage.claim("dca_assets.allowed", _allowed(stage, asset_id), "exit")


def trailing(stage: Stage) -> None:
    """At its target a trailing take profit follows the bid; the fall from the highest sells."""
    asset_id = stage.add_asset(
        FIRST, take_profit_percent=Decimal(2), trailing_percent=Decimal("2.5")
    )
    stage.start_bot()
    stage.bought(asset_id)
    stage.step("lower its average_purchase_price by 10 %, as if the price had risen")
    stage.books.write(MOVE_AVERAGE, (DOWN,))
    stage.bot_says("take profit reached, its price is followed")
    stage.claim("take profits", stage.orders(asset_id, kind="take_profit"), 0)
    stage.step("raise its highest_bid by 10 %, as if the price had been there")
    stage.books.write(RAISE_HIGHEST_BID, (UP,))
    stage.completes(asset_id)
    stage.claim("take profits", stage.orders(asset_id, kind="take_profit", status="filled"), 1)


def stop_loss(stage: Stage) -> None:
    """A bid far below the average for some seconds sells at a loss, and pauses the asset."""
    asset_id = stage.add_asset(FIRST, stop_loss_percent=Decimal(5), stop_loss_seconds=3)
    stage.start_bot()
    stage.bought(asset_id)
    stage.step("raise its average_purchase_price by 10 %, as if the price had fallen")
    stage.books.write(MOVE_AVERAGE, (UP,))
    stage.bot_says("stop loss reached, its time begins")
    stage.completes(asset_id)
    stage.claim("stop losses", stage.orders(asset_id, kind="stop_loss", status="filled"), 1)
    stage.claim("dca_assets.allowed", _allowed(stage, asset_id), "exit")


def _allowed(stage: Stage, asset_id: int) -> object:
    ((allowed,),) = stage.books.rows("SELECT allowed FROM dca_assets WHERE id = %s", (asset_id,))
    return allowed
