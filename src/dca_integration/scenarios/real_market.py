"""What a real market does: a pair in another money, a BUY that rests at the take profit, a halt.

Rule: as in `trading.py`, a scenario moves the row instead of the market.
"""

from __future__ import annotations

from decimal import Decimal

from dca_integration.scenarios.parked import park_buy
from dca_integration.stage import DOLLAR, FIRST, IN_DOLLARS, Stage

A_LITTLE_MORE = Decimal(40)


def pair_in_another_money(stage: Stage) -> None:
    """A pair quoted in USDC is bought and sold; the position belongs to the coin."""
    stage.step(f"buy {DOLLAR} for {A_LITTLE_MORE} USD by hand, to pay with")
    stage.order_ends(stage.account.buy_at_market(DOLLAR, A_LITTLE_MORE), "filled")
    asset_id = stage.add_asset(IN_DOLLARS, take_profit_percent=Decimal(5))
    stage.start_bot()
    stage.bought(asset_id)
    stage.books_match(asset_id, FIRST)
    stage.step("lower its average_purchase_price by 10 %, as if the price had risen")
    stage.books.write("UPDATE dca_cycles SET average_purchase_price = average_purchase_price * 0.9")
    stage.completes(asset_id)
    stage.nothing_held(FIRST)


def resting_buy(stage: Stage) -> None:
    """The take profit is due while a BUY rests: it is cancelled, and then everything is sold."""
    bought = stage.buy_by_hand(FIRST)
    price = bought.price or Decimal(0)
    asset_id = stage.add_asset(FIRST, take_profit_percent=Decimal(5), max_safety_orders=1)
    resting = park_buy(
        stage,
        asset_id,
        FIRST,
        kind="safety",
        quantity=stage.account.held(FIRST),
        average_purchase_price=price * Decimal("0.8"),
        last_order_fill_price=price,
    )
    stage.start_bot()
    stage.order_ends(resting, "canceled")
    stage.completes(asset_id)
    stage.nothing_held(FIRST)


def halt(stage: Stage) -> None:
    """An asset that Alpaca has halted is not bought, and is bought once it is traded again."""
    stage.steered.halt(FIRST)
    asset_id = stage.add_asset(FIRST)
    stage.start_bot()
    stage.bot_says("Alpaca has halted it")
    stage.claim("orders that the bot has written down", stage.orders(asset_id), 0)
    stage.step(f"let {FIRST} be traded again; the bot asks every 60 s")
    stage.steered.resume(FIRST)
    stage.bought(asset_id)
