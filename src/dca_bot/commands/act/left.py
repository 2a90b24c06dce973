"""What is still at Alpaca: orders of the bot, coins of its cycles, and coins that aren't theirs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import replace
from decimal import Decimal

from dca_bot.core.holdings import is_dust
from dca_bot.core.model import ZERO, AssetState, Holding, OrderUpdate
from dca_bot.core.order_ids import is_ours
from dca_bot.core.position import other_holder
from dca_bot.program.errors import BrokerUnavailable
from dca_bot.report.numbers import plain_quantity
from dca_bot.trading.ports import Broker


def left_at_alpaca(
    broker: Broker, states: Sequence[AssetState], wanted: Sequence[AssetState] | None
) -> list[str]:
    """In sentences, for the `wanted` of all these assets, or for all and whatever else is the
    bot's; one sentence when Alpaca does not answer."""
    symbols = None if wanted is None else {state.asset.symbol for state in wanted}
    try:
        return [*_orders(broker, symbols), *_coins(broker, states, wanted)]
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


def _coins(
    broker: Broker, states: Iterable[AssetState], wanted: Sequence[AssetState] | None
) -> Iterator[str]:
    holdings = broker.holdings()
    for state in states if wanted is None else wanted:
        asset = replace(state.asset, symbol=state.bought_as or state.asset.symbol)
        other = other_holder(asset, states)
        others = other.cycle.quantity if other and other.cycle else ZERO
        yield from _of_asset(replace(state, asset=asset), holdings.of(asset.coin), others)
        if other and other.cycle and wanted is not None:  # else its own row says so
            number, name = other.cycle.cycle_id, other.asset.symbol
            yield f"{name}: {plain_quantity(others)} {asset.coin} of its cycle {number}"


def _of_asset(state: AssetState, holding: Holding | None, others: Decimal) -> Sequence[str]:
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
    elif not is_dust(rest := held - owned - others, price, asset):
        foreign = plain_quantity(rest)
        said.append(f"{asset.symbol}: {foreign} {asset.coin} that aren't the bot's")
    return said
