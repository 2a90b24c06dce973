"""An order of the bot that rests at Alpaca, as if the market had run away from it.

Rule: the test places it, far from the market and under a name of the bot's kind, and writes what
the bot would have written; so both markets can have every state that an order can be in.
"""

from __future__ import annotations

from dca_bot.program.clock import utc_now
from dca_bot.store.values import Value
from dca_integration.account import OrderSeen
from dca_integration.stage import AMOUNT, Stage


def name_of(cycle_id: int, purpose: str) -> str:
    """A client order id as the bot gives them; never the same twice."""
    return f"dca-{cycle_id}-{purpose}-{utc_now():%Y%m%d%H%M%S%f}"


def park_buy(
    stage: Stage, asset_id: int, symbol: str, *, kind: str = "base", **columns: Value
) -> OrderSeen:
    """A `buying` cycle whose BUY rests far below the market; `columns` are what it holds."""
    cycle_id = stage.add_cycle(asset_id, "buying", **columns)
    stage.step(f"place its {kind} order at half the price of {symbol}")
    order = stage.account.place_far_away(symbol, "buy", AMOUNT, name_of(cycle_id, kind))
    _write_down(stage, asset_id, cycle_id, order, kind)
    return order


def park_sell(stage: Stage, asset_id: int, symbol: str) -> OrderSeen:
    """A `selling` cycle whose SELL of the whole position rests far above the market."""
    bought = stage.buy_by_hand(symbol)
    held = stage.account.held(symbol)
    cycle_id = stage.add_cycle(
        asset_id,
        "selling",
        quantity=held,
        average_purchase_price=bought.price,
        last_order_fill_price=bought.price,
    )
    stage.step("place its SELL at one and a half times the price")
    order = stage.account.offer_far_away(symbol, held, name_of(cycle_id, "tp"))
    _write_down(stage, asset_id, cycle_id, order, "take_profit")
    return order


def _write_down(stage: Stage, asset_id: int, cycle_id: int, order: OrderSeen, kind: str) -> None:
    stage.books.write(
        "UPDATE dca_cycles SET latest_order_id = %s WHERE id = %s", (order.order_id, cycle_id)
    )
    stage.books.insert(
        "dca_orders",
        {
            "client_order_id": order.client_order_id,
            "alpaca_order_id": order.order_id,
            "asset_id": asset_id,
            "cycle_id": cycle_id,
            "kind": kind,
            "status": "open",
            "quantity": order.quantity,
        },
    )


def ended_without_fill(stage: Stage, asset_id: int, order: OrderSeen, status: str) -> None:
    """The books say so of an order and of its cycle."""
    stage.order_ends(order, status)
    stage.soon(
        "the order in dca_orders",
        lambda: stage.orders(asset_id, status=status),
        f"one that is {status}",
        lambda count: count == 1,
    )
    cycle = stage.cycle(asset_id)
    stage.claim(
        "status, latest_order_id and quantity of the cycle",
        (cycle.status, cycle.latest_order_id, cycle.quantity),
        ("watching", None, 0),
    )
