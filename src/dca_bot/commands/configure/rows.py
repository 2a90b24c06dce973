"""What add, set, enable and disable have in common: a row with changes, checked and shown first."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable, Iterator
from dataclasses import replace
from decimal import Decimal

from dca_bot.commands.act.action import NOT_DONE, Action, action
from dca_bot.commands.arguments import WrongCall
from dca_bot.core.asset_row import buying_problem, pair_problems, trading_problem
from dca_bot.core.model import ZERO, Asset, AssetState
from dca_bot.program.errors import BrokerUnavailable
from dca_bot.report.ladder import as_a_preview, ladder_from, money_wanted
from dca_bot.store.configuration import Configuration, read_values, with_values
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
    yield f"Its ladder from {_short(price)}:"
    for rung in ladder.rungs:
        name = "base order" if rung.number == 0 else f"safety order {rung.number}"
        yield (
            f"  {name:15} at {_short(rung.trigger):>12}  in {rung.invested:>9.2f}  "
            f"sells at {_short(rung.take_profit_price):>12}  net {rung.net:+.2f}"
        )
    yield from (f"  {warning}" for warning in ladder.warnings)
    yield f"All of it would take {money_wanted(ladder):.2f} {asset.quote_currency}."


def write(arguments: Namespace, values: dict[str, Value]) -> int:
    """Change the row's columns; the exit status."""
    with action(arguments) as this:
        [state] = this.states(arguments.symbol)
        after = with_values(state.asset, values)
        if after.is_enabled:
            check(this, replace(state, asset=after))
        plan = [_change(state, values)]
        if after.is_enabled:
            plan += preview(this, after)
        if not this.agree(plan, arguments):
            return NOT_DONE
        with Configuration(this.database) as rows:
            rows.change(state.asset.asset_id, values)
        said = ", ".join(f"{name} = {_shown(name, value)}" for name, value in values.items())
        this.bare_hand.note(state.asset.asset_id, f"the row was changed by hand: {said}")
        this.did(f"{state.asset.symbol}: {said}")
        return this.finish()


def _change(state: AssetState, values: dict[str, Value]) -> str:
    asset, cycle = state.asset, state.cycle
    changes = ", ".join(f"{name} becomes {_shown(name, value)}" for name, value in values.items())
    running = ""
    if values.get("is_enabled") == 0:
        running = " It gets no orders of any kind then, no take profit either; its coins stay."
    elif cycle is not None and cycle.quantity > 0:
        running = f" Its running cycle holds {cycle.quantity:f} {asset.coin}: it counts for it too."
    return f"{asset.symbol}: {changes}.{running}"


def _shown(column: str, value: Value) -> str:
    """As SQL writes it."""
    if value is None:
        return "NULL"
    return str(bool(value)).upper() if column in TRUTHS else str(value)


def _short(price: Decimal) -> str:
    places = max(2, 4 - price.adjusted()) if price > ZERO else 2
    return f"{price:,.{places}f}"
