"""What is still at Alpaca: orders of the bot, coins of its cycles, and coins that aren't theirs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import replace

from dca_bot.core.holdings import is_dust
from dca_bot.core.model import ZERO, AssetState, Holding, OrderUpdate
from dca_bot.core.order_ids import is_ours
from dca_bot.program.errors import BrokerUnavailable
from dca_bot.report.numbers import plain_quantity
from dca_bot.trading.ports import Broker


def left_at_alpaca(broker: Broker, states: Sequence[AssetState], *, is_all: bool) -> list[str]:
    """In sentences, for these assets; one sentence when Alpaca does not answer.

    `is_all`: orders of the bot that belong to none of them count too.
    """
    symbols = None if is_all else {state.asset.symbol for state in states}
    try:
        return [*_orders(broker, symbols), *_coins(broker, states)]
    except BrokerUnavailable as error:
        return [f"not known, since Alpaca does not answer: {error}"]


def _orders(broker: Broker, symbols: Set[str] | None) -> Iterator[str]:
    for order in broker.open_orders():
        if is_ours(order.client_order_id) and (symbols is None or order.symbol in symbols):
            yield describe(order)


def describe(order: OrderUpdate) -> str:
    """An open order in words."""
    filled = f", {plain_quantity(order.filled_quantity)} filled" if order.filled_quantity else ""
    return f"{order.symbol}: an open {order.side} order {order.client_order_id}{filled}"


def _coins(broker: Broker, states: Iterable[AssetState]) -> Iterator[str]:
    holdings = broker.holdings()
    for state in states:
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
        said.append(f"{asset.symbol}: {plain_quantity(owned)} {asset.coin} of cycle {number}")
    if cycle is None and state.problem and not is_dust(held, price, asset):
        said.append(f"{asset.symbol}: {plain_quantity(held)} {asset.coin}; {state.problem}")
    elif not is_dust(held - owned, price, asset):
        rest = plain_quantity(held - owned)
        said.append(f"{asset.symbol}: {rest} {asset.coin} that aren't the bot's")
    return said
