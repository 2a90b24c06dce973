"""How an order can end other than filled: in parts, cancelled, refused, expired.

Rule: the bot runs meanwhile and hears of it by its stream.  The asset is disabled where the next
base order would hide what the end has left.
"""

from __future__ import annotations

from decimal import Decimal

from dca_integration.scenarios.parked import ended_without_fill, park_buy
from dca_integration.stage import AMOUNT, FIRST, Stage

# In USD: what is more is refused because of its size, whatever cash there is (docs/alpaca.md 1.1).
ORDER_MAX = 200_000


def partial_fill(stage: Stage) -> None:
    """A part counts as it comes, and stays when the rest is cancelled."""
    asset_id = stage.add_asset(FIRST)
    with stage.market.holding_fills():
        stage.start_bot()
        placed = stage.soon(
            "the cycle",
            lambda: stage.books.cycles(asset_id),
            "buying, with the order's id",
            lambda cycles: bool(cycles) and cycles[-1].latest_order_id is not None,
        )[-1]
        order = stage.account.order(placed.latest_order_id or "")
        part = (order.quantity / 3).quantize(Decimal("1e-9"))
        stage.step(f"fill {part:f} of {order.quantity:f}")
        stage.steered.fill(order.order_id, part)
        partly = stage.soon(
            "the cycle",
            lambda: stage.cycle(asset_id),
            "still buying, with what the part has brought",
            lambda cycle: cycle.quantity > 0,
        )
        stage.claim("its status", partly.status, "buying")
        stage.books_match(asset_id, FIRST)
        stage.step("cancel the rest")
        stage.account.cancel(order.order_id)
        stage.bot_says("base order canceled")
        after = stage.bought(asset_id)
    stage.claim("its quantity", after.quantity, partly.quantity)
    stage.books_match(asset_id, FIRST)
    stage.claim("orders that the bot has written down", stage.orders(asset_id), 1)


def cancellation(stage: Stage) -> None:
    """A BUY that somebody cancels at Alpaca: the cycle watches again, and buys again."""
    asset_id = stage.add_asset(FIRST, is_enabled=False)
    order = park_buy(stage, asset_id, FIRST)
    stage.start_bot()
    stage.bot_says("trade stream connected")
    stage.claim("the cycle meanwhile", stage.cycle(asset_id).status, "buying")
    stage.step(f"cancel {order}")
    stage.account.cancel(order.order_id)
    ended_without_fill(stage, asset_id, order, "canceled")
    stage.step("enable the asset")
    stage.books.write("UPDATE dca_assets SET is_enabled = TRUE")
    stage.bought(asset_id)


def expiry(stage: Stage) -> None:
    """An order that Alpaca lets expire: the same."""
    asset_id = stage.add_asset(FIRST, is_enabled=False)
    order = park_buy(stage, asset_id, FIRST)
    stage.start_bot()
    stage.bot_says("trade stream connected")
    stage.step(f"let {order} expire")
    stage.steered.expire(order.order_id)
    ended_without_fill(stage, asset_id, order, "expired")


def rejection(stage: Stage) -> None:
    """An order beyond the account's cash is refused, said, and not sent again and again."""
    too_much = (stage.account.cash() + 1000).quantize(Decimal(1))
    asset_id = stage.add_asset(FIRST, base_order_amount=too_much)
    stage.start_bot()
    refused_at = stage.bot_says("no buy order, next try in 5 s")
    if too_much < ORDER_MAX:
        # the next try: it asks for the cash, and sends nothing
        pause = (stage.bot_says("waiting for") - refused_at).total_seconds()
        stage.claim_that("pause", f"{pause} s", holds=pause > 4, expected="about 5 s")
    stage.claim("orders sent", stage.orders(asset_id), 1)
    stage.claim("orders rejected", stage.orders(asset_id, status="rejected"), 1)
    cycle = stage.cycle(asset_id)
    stage.claim("the cycle", (cycle.status, cycle.latest_order_id), ("watching", None))
    stage.step(f"lower base_order_amount to {AMOUNT}")
    stage.books.write("UPDATE dca_assets SET base_order_amount = %s", (AMOUNT,))
    stage.bought(asset_id)
