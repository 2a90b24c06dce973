"""The situations of order_manager.py: stale, stuck, orphaned, and none of its business.

Rule: main_app.py does not run, so whatever changes is the caretaker's doing.
"""

from __future__ import annotations

from dca_integration.scenarios.parked import ended_without_fill, name_of, park_buy, park_sell
from dca_integration.stage import AMOUNT, FIRST, FOREIGN, SECOND, Stage

SCRIPT = "order_manager.py"


def stale_buy(stage: Stage) -> None:
    """A BUY that rests for too long is cancelled; a dry run only says so."""
    asset_id = stage.add_asset(FIRST)
    order = park_buy(stage, asset_id, FIRST)
    before = stage.books.everything()
    stage.until_old(order)
    stage.run(SCRIPT, "--dry-run")
    stage.claim("the database after the dry run", stage.books.everything() == before, True)
    still_open(stage, order.order_id)
    stage.run(SCRIPT)
    ended_without_fill(stage, asset_id, order, "canceled")


def stuck_sell(stage: Stage) -> None:
    """A SELL that rests for too long is cancelled, and the cycle keeps its coins."""
    asset_id = stage.add_asset(SECOND)
    order = park_sell(stage, asset_id, SECOND)
    held = stage.cycle(asset_id).quantity
    stage.until_old(order)
    stage.run(SCRIPT)
    stage.order_ends(order, "canceled")
    cycle = stage.cycle(asset_id)
    stage.claim(
        "status, latest_order_id and quantity of the cycle",
        (cycle.status, cycle.latest_order_id, cycle.quantity),
        ("watching", None, held),
    )
    stage.books_match(asset_id, SECOND)


def orphans(stage: Stage) -> None:
    """Orders that no cycle tracks go; those in symbols that the bot does not trade stay."""
    stage.add_asset(FIRST)
    stage.step(f"place an order by hand in {FIRST}, and two in {FOREIGN}, one of them named dca-…")
    in_our_symbol = stage.account.place_far_away(FIRST, "buy", AMOUNT)
    with_our_name = stage.account.place_far_away(FOREIGN, "buy", AMOUNT, name_of(9, "base"))
    foreign = stage.account.place_far_away(FOREIGN, "buy", AMOUNT)
    stage.until_old(foreign)
    stage.run(SCRIPT, "--dry-run")
    still_open(stage, in_our_symbol.order_id, with_our_name.order_id, foreign.order_id)
    stage.run(SCRIPT)
    stage.order_ends(in_our_symbol, "canceled")
    stage.order_ends(with_our_name, "canceled")
    still_open(stage, foreign.order_id)


def still_open(stage: Stage, *order_ids: str) -> None:
    """Exactly these orders are open at Alpaca."""
    found = {order.order_id for order in stage.account.open_orders()}
    stage.claim("open orders at Alpaca", found, set(order_ids))
