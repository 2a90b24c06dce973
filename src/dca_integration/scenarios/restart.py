"""main_app.py is killed in the middle of a trade, and started again.

Rule: where the market can hold fills back, the kill strikes between the order and its fill;
elsewhere it comes as early as it can, and the same must be true afterwards.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from dca_integration.scenarios.trading import DOWN
from dca_integration.stage import ASK_ALPACA_SECONDS, FIRST, Stage

SETTLE_SECONDS = 10.0


def killed_while_buying(stage: Stage) -> None:
    """What was filled meanwhile is booked once, and nothing is bought twice."""
    since = stage.account.now()
    asset_id = stage.add_asset(FIRST)
    kill_at_the_order(stage, asset_id, "base")
    settled_at_alpaca(stage)
    bot = stage.start_bot()
    stage.bot_says("caught up")
    stage.bought(asset_id)
    stage.books_match(asset_id, FIRST)
    stage.step("end it by SIGTERM, and start it once more")
    stage.claim("exit status of main_app.py", stage.programs.end_bot(bot), 0)
    stage.start_bot()
    stage.bot_says("quote stream connected")
    claim_orders(stage, since, "buy", 1)
    stage.books_match(asset_id, FIRST)


def killed_while_selling(stage: Stage) -> None:
    """The same in the take profit: sold once, and the cycle is complete."""
    since = stage.account.now()
    bought = stage.buy_by_hand(FIRST)
    asset_id = stage.add_asset(FIRST, take_profit_percent=Decimal(5))
    stage.add_cycle(
        asset_id,
        "watching",
        quantity=stage.account.held(FIRST),
        average_purchase_price=(bought.price or Decimal(0)) * DOWN,
        last_order_fill_price=bought.price,
    )
    kill_at_the_order(stage, asset_id, "take_profit")
    settled_at_alpaca(stage)
    stage.start_bot()
    stage.bot_says("caught up")
    stage.completes(asset_id)
    stage.claim("the next cycle", stage.cycle(asset_id).status, "cooldown")
    stage.nothing_held(FIRST)
    claim_orders(stage, since, "sell", 1)


def kill_at_the_order(stage: Stage, asset_id: int, kind: str) -> None:
    """Start main_app.py, and SIGKILL it as soon as its order is in the books."""
    with stage.market.holding_fills():
        bot = stage.start_bot()
        stage.soon(
            "orders in dca_orders",
            lambda: stage.orders(asset_id, kind=kind),
            f"one of kind {kind}",
            lambda count: count == 1,
        )
        stage.step("SIGKILL main_app.py")
        stage.programs.kill(bot)
    status = stage.cycle(asset_id).status
    stage.step(f"the cycle that it has left is {status}")


def settled_at_alpaca(stage: Stage) -> None:
    """Whatever was sent ends there, with nobody to hear of it; a BUY may be left to rest."""
    stage.step("wait until it has ended at Alpaca")
    stage.interruption.wait(
        lambda: not stage.account.open_orders(), SETTLE_SECONDS, ASK_ALPACA_SECONDS
    )


def claim_orders(stage: Stage, since: datetime, side: str, count: int) -> None:
    """So many orders of that side were filled at Alpaca since then."""
    placed = [each for each in stage.account.orders_of(FIRST, since) if each.side == side]
    filled = [each for each in placed if each.filled > 0]
    stage.claim(f"{side} orders filled at Alpaca", len(filled), count)
