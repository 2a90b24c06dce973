"""Changes columns of an asset's row, after checking the row and showing its ladder.

The change counts for the running cycle too.
As in: dca set BTC/USD take_profit_percent=1.5 trailing_percent=0.3
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from dca_bot.commands.act.session import NOT_DONE, add_yes, session
from dca_bot.commands.configure.rows import assignments, check, preview, with_values
from dca_bot.core.model import AssetState
from dca_bot.store.configuration import Configuration
from dca_bot.store.statements import Value


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("symbol", metavar="SYMBOL", help="as in BTC/USD")
    parser.add_argument("columns", metavar="column=value", nargs="+", help="columns of dca_assets")
    add_yes(parser)


def run(arguments: Namespace) -> int:
    return write(arguments, assignments(arguments.columns))


def write(arguments: Namespace, values: dict[str, Value]) -> int:
    """Change the row's columns; the exit status."""
    with session(arguments) as this:
        [state] = this.states(arguments.symbol)
        after = with_values(state.asset, values)
        if after.is_enabled:
            check(this, after)
        plan = [_change(state, values)]
        if after.is_enabled:
            plan += preview(this, after)
        if not this.agree(plan, arguments):
            return NOT_DONE
        with Configuration(this.database) as rows:
            rows.change(state.asset.asset_id, values)
        said = ", ".join(f"{column} = {value}" for column, value in values.items())
        this.bare_hand.note(state.asset.asset_id, f"the row was changed by hand: {said}")
        this.did(f"{state.asset.symbol}: {said}")
        return this.finish()


def _change(state: AssetState, values: dict[str, Value]) -> str:
    asset, cycle = state.asset, state.cycle
    told = ", ".join(f"{column} becomes {value}" for column, value in values.items())
    running = ""
    if cycle is not None and cycle.quantity > 0:
        running = f" Its running cycle holds {cycle.quantity:f} {asset.coin}: it counts for it too."
    return f"{asset.symbol}: {told}.{running}"
