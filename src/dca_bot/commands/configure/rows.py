"""What add, set, enable and disable have in common: a row with changes, checked and shown first."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable, Iterator
from dataclasses import replace
from decimal import Decimal

from dca_bot.commands.act.action import NOT_DONE, Action, action
from dca_bot.commands.arguments import WrongCall
from dca_bot.core.asset_row import buying_problem, pair_problems, trading_problem
from dca_bot.core.model import Asset, AssetState, Side
from dca_bot.program.errors import BrokerUnavailable
from dca_bot.report.ladder import as_a_preview, ladder_from, money_wanted
from dca_bot.report.numbers import amount_in_words, plain_quantity, price_in_words
from dca_bot.store.configuration import Configuration, read_values, with_values, written
from dca_bot.store.values import UnusableValue, Value

TRUTHS = ("is_enabled", "take_profit_after_fees")


def assignments(words: Iterable[str]) -> dict[str, Value]:
    """`column=value ...` as values.  Raises WrongCall."""
    pairs = {}
    for word in words:
        column, equals, text = word.partition("=")
        if not equals:
            raise WrongCall(
                f"{word!r} is not of the form column=value, as in take_profit_percent=1.5"
            )
        pairs[column.strip().lower().replace("-", "_")] = text
    try:
        return read_values(pairs)
    except UnusableValue as error:
        raise WrongCall(str(error)) from None


def check(this: Action, state: AssetState) -> None:
    """Refuse a row that could not be traded, or that would end the trading of another one.

    Raises WrongCall and BrokerUnavailable.
    """
    asset = state.asset
    others = [each for each in this.store.assets() if each.asset.symbol != asset.symbol]
    before, after = (pair_problems(each, this.rules) for each in (others, [*others, state]))
    problems = [
        trading_problem(asset, this.rules.get(asset.symbol)),
        buying_problem(asset),
        after.get(asset.asset_id, ""),
    ]
    found = "; ".join(filter(None, problems))
    if found:
        raise WrongCall(f"nothing was written, since {asset.symbol} could not be traded: {found}")
    for other in (each.asset for each in others):
        if other.asset_id in after and other.asset_id not in before:
            raise WrongCall(
                f"nothing was written, since {other.symbol} could not be traded any more: "
                f"{after[other.asset_id]}"
            )


def preview(this: Action, asset: Asset) -> Iterator[str]:
    """The ladder that the row would buy at the price of now, in a few lines."""
    try:
        price = this.quote(asset.symbol).ask
    except BrokerUnavailable:
        yield "Alpaca returns no price now, so there is no preview of its ladder."
        return
    ladder = ladder_from(as_a_preview(asset), price, this.rules[asset.symbol])
    yield f"Its ladder from {price_in_words(price)}:"
    for rung in ladder.rungs:
        name = "base order" if rung.number == 0 else f"safety order {rung.number}"
        yield (
            f"  {name:14} at {price_in_words(rung.trigger):>10}  in {rung.invested:>9,.2f}  "
            f"sells at {price_in_words(rung.take_profit_price):>10}  net {rung.net:+,.2f}"
        )
    yield from (f"  {warning}" for warning in ladder.warnings)
    wanted = amount_in_words(money_wanted(ladder), asset.quote_currency)
    yield f"All of it would take {wanted}."


def write(arguments: Namespace, values: dict[str, Value]) -> int:
    """Change the row's columns; the exit status."""
    with action(arguments) as this:
        [state] = this.states(arguments.symbol)
        asset, after = state.asset, with_values(state.asset, values)
        if after == asset and "allowed" not in values:  # that one also says: for this asset alone
            said = ", ".join(f"{name} is {shown(name, value)}" for name, value in values.items())
            this.did(f"{asset.symbol}: {said} already, nothing was written")
            return this.finish(asset.symbol)
        if after.is_enabled:
            check(this, replace(state, asset=after))
        plan = [_changes(asset, values), *_meaning(this, state, after)]
        if after.is_enabled:
            plan += preview(this, after)
        if not this.agree(plan, arguments):
            return NOT_DONE
        with Configuration(this.database) as rows:
            rows.change(asset.asset_id, values)
        said = ", ".join(f"{name} = {shown(name, value)}" for name, value in values.items())
        this.bare_hand.note(asset.asset_id, f"the row was changed by hand: {said}")
        this.did(f"{asset.symbol}: {said}")
        return this.finish(asset.symbol)


def _changes(asset: Asset, values: dict[str, Value]) -> str:
    """The old values beside the new ones."""
    found = []
    for name, value in values.items():
        before, after = shown(name, written(asset, name)), shown(name, value)
        found.append(
            f"{name} is {after} already" if before == after else f"{name} {before} -> {after}"
        )
    return f"{asset.symbol}: {', '.join(found)}."


def _meaning(this: Action, before: AssetState, after: Asset) -> Iterator[str]:
    """What the change means for what is under way."""
    asset, cycle = before.asset, before.cycle
    held = ""
    if cycle is not None and cycle.quantity > 0:
        held = f"{plain_quantity(cycle.quantity)} {asset.coin}"
    if after.is_enabled or not asset.is_enabled:
        if held:
            yield f"Its running cycle holds {held}: the change counts for it too."
        return
    yield "It gets no orders of any kind then, no take profit either."
    for order in this.store.live_orders():
        if order.asset_id == asset.asset_id:
            yield f"The {order.side} {order.client_order_id} is under way, and may still fill."
            if order.side is Side.BUY:
                yield f"`dca pause {asset.symbol}` cancels it, before or after."
    if held:
        yield f"Its cycle keeps {held}, unsold: `dca close {asset.symbol}` sells them."


def shown(column: str, value: Value) -> str:
    """As SQL writes it."""
    if value is None:
        return "NULL"
    if isinstance(value, Decimal):
        return plain_quantity(value)
    return str(bool(value)).upper() if column in TRUTHS else str(value)
