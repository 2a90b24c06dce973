"""Adds an asset: writes its row into dca_assets, after checking it and showing its ladder.

What is not said is as in the README's example: 20 for each order, 5 safety orders 1.5 % apart,
1 % take profit, 300 s cooldown.  As in: dca add ETH/USD base_order_amount=50 max_safety_orders=4
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from dataclasses import replace

from dca_bot.backtest.parameters import SAMPLE, sample_asset
from dca_bot.commands.act.action import NOT_DONE, action, add_yes
from dca_bot.commands.arguments import WrongCall
from dca_bot.commands.configure.rows import assignments, check, preview, shown
from dca_bot.core.model import AssetState, column_of
from dca_bot.store.configuration import Configuration, with_values
from dca_bot.store.values import UnusableValue, Value

EXAMPLE: dict[str, Value] = {column_of(field): value for field, value in SAMPLE.items()}
# Above the ids of all rows: of two rows of a coin the one that was there first trades it.
NEWEST = sys.maxsize


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("symbol", metavar="SYMBOL", help="as in BTC/USD")
    parser.add_argument("columns", metavar="column=value", nargs="*", help="columns of dca_assets")
    add_yes(parser)


def run(arguments: Namespace) -> int:
    symbol = arguments.symbol.upper()
    values = {**EXAMPLE, **assignments(arguments.columns)}
    asset = with_values(replace(sample_asset(symbol), asset_id=NEWEST), values)
    with action(arguments) as this:
        if any(state.asset.symbol == symbol for state in this.store.assets()):
            raise WrongCall(_there(symbol))
        check(this, AssetState(asset, None))
        said = ", ".join(f"{column} {shown(column, value)}" for column, value in values.items())
        plan = [f"A row for {symbol}: {said}.", *preview(this, asset)]
        if asset.is_enabled:
            plan.append("The bot begins to trade it at once.")
        if not this.agree(plan, arguments):
            return NOT_DONE
        try:
            with Configuration(this.database) as rows:
                rows.add(symbol, values)
        except UnusableValue:  # somebody else was faster
            raise WrongCall(_there(symbol)) from None
        [added] = this.states(symbol)
        this.bare_hand.note(added.asset.asset_id, f"the row was added by hand: {said}")
        this.did(f"{symbol} was added to dca_assets")
        return this.finish(symbol)


def _there(symbol: str) -> str:
    return f"dca_assets has a row for {symbol} already: `dca set {symbol} column=value` changes it"
