"""What is still at Alpaca: orders of the bot, coins of its cycles, and coins that aren't theirs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from dca_bot.commands.act.action import Action
from dca_bot.core.holdings import is_dust
from dca_bot.core.model import ZERO, AssetState, Holding, OrderUpdate
from dca_bot.core.order_ids import is_ours
from dca_bot.program.errors import BrokerUnavailable


def left_at_alpaca(action: Action, symbol: str | None = None) -> list[str]:
    """In sentences, for one asset or all; one sentence when Alpaca does not answer."""
    try:
        return [*_orders(action, symbol), *_coins(action, symbol)]
    except BrokerUnavailable as error:
        return [f"not known, since Alpaca does not answer: {error}"]


def _orders(action: Action, symbol: str | None) -> Iterator[str]:
    wanted = {state.asset.symbol for state in action.states(symbol)}
    for order in action.broker.open_orders():
        if is_ours(order.client_order_id) and (symbol is None or order.symbol in wanted):
            yield describe(order)


def describe(order: OrderUpdate) -> str:
    """An open order in words."""
    filled = f", {order.filled_quantity:f} filled" if order.filled_quantity else ""
    return f"{order.symbol}: an open {order.side} order {order.client_order_id}{filled}"


def _coins(action: Action, symbol: str | None) -> Iterator[str]:
    holdings = action.broker.holdings()
    for state in action.states(symbol):
        asset = replace(state.asset, symbol=state.bought_as or state.asset.symbol)
        yield from _of_asset(replace(state, asset=asset), holdings.of(asset.coin))


def _of_asset(state: AssetState, holding: Holding | None) -> Sequence[str]:
    asset, cycle = state.asset, state.cycle
    held = holding.quantity if holding else ZERO
    price = holding.average_entry_price if holding else ZERO
    owned = min(cycle.quantity, held) if cycle else ZERO
    said = []
    if not is_dust(owned, price, asset):
        number = cycle.cycle_id if cycle else 0
        said.append(f"{asset.symbol}: {owned:f} {asset.coin} of cycle {number}")
    if cycle is None and state.problem and not is_dust(held, price, asset):
        said.append(f"{asset.symbol}: {held:f} {asset.coin}; {state.problem}")
    elif not is_dust(held - owned, price, asset):
        said.append(f"{asset.symbol}: {held - owned:f} {asset.coin} that aren't the bot's")
    return said
