"""Every scenario in the order of its number.  Rule: a sentence says what must be seen."""

from __future__ import annotations

from dca_integration.scenario import Scenario
from dca_integration.scenarios import (
    by_hand,
    consistency,
    cooldowns,
    old_orders,
    order_ends,
    real_market,
    restart,
    trading,
    watchdog,
)

SCENARIOS = (
    Scenario("both streams connect, and quotes come", trading.both_streams),
    Scenario("a full cycle, and the next one begins", trading.full_cycle),
    Scenario("a fallen price ends the cooldown", trading.restart_by_price),
    Scenario("a fallen price buys a safety order", trading.safety_order),
    Scenario("an existing position stops the base order", trading.existing_position),
    Scenario(
        "a partial fill counts and stays",
        order_ends.partial_fill,
        only_simulated="the paper account fills in parts at random",
    ),
    Scenario("a cancelled BUY: the cycle watches again", order_ends.cancellation),
    Scenario("a rejected BUY is not sent again at once", order_ends.rejection),
    Scenario(
        "an expired BUY: the cycle watches again",
        order_ends.expiry,
        only_simulated="Alpaca lets crypto orders expire after some 90 days",
    ),
    Scenario("a pair in USDC: the position is the coin's", real_market.pair_in_another_money),
    Scenario("a BUY rests when the take profit is due", real_market.resting_buy),
    Scenario(
        "a halted asset is traded again by itself",
        real_market.halt,
        only_simulated="nobody can halt a pair of Alpaca's",
    ),
    Scenario("order_manager.py cancels a stale BUY", old_orders.stale_buy),
    Scenario("order_manager.py cancels a stuck SELL", old_orders.stuck_sell),
    Scenario("order_manager.py cancels orphans, and no others", old_orders.orphans),
    Scenario("cooldown_manager.py ends what is over", cooldowns.cooldowns),
    Scenario("consistency_checker.py settles orders that ended", consistency.order_ended_unseen),
    Scenario("consistency_checker.py follows the position", consistency.position_differs),
    Scenario("consistency_checker.py leaves what agrees", consistency.consistent_state),
    Scenario("watchdog.py starts and replaces the bot", watchdog.first_start),
    Scenario("watchdog.py replaces a bot that hangs", watchdog.hung),
    Scenario("watchdog.py is not misled by a PID file", watchdog.strangers_pid),
    Scenario("watchdog.py leaves all as it is while paused", watchdog.pause),
    Scenario("dca pause: no BUYs, and the take profit", by_hand.pause),
    Scenario("dca close sells one cycle", by_hand.close),
    Scenario("dca panic sells them all", by_hand.panic),
    Scenario("a trailing take profit follows the bid", by_hand.trailing),
    Scenario("a stop loss sells after its seconds", by_hand.stop_loss),
    Scenario("main_app.py is killed while it buys", restart.killed_while_buying),
    Scenario("main_app.py is killed while it sells", restart.killed_while_selling),
)
