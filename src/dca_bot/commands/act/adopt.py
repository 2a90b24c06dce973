"""Makes the coins that Alpaca holds, and no cycle owns, the asset's cycle.

Quantity and average price are Alpaca's.  From then on they are traded as if the bot had bought
them: safety orders below, the take profit above.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from decimal import Decimal

from dca_bot.commands.act.action import NOT_DONE, action, add_yes
from dca_bot.core.holdings import is_dust
from dca_bot.core.ladder import next_safety_price, take_profit_price
from dca_bot.core.model import new_cycle
from dca_bot.core.transition import adopt
from dca_bot.program.errors import DcaError
from dca_bot.report.numbers import amount_in_words, plain_quantity, price_in_words


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("symbol", metavar="SYMBOL", help="as in BTC/USD")
    add_yes(parser)


def run(arguments: Namespace) -> int:
    with action(arguments) as this:
        [state] = this.states(arguments.symbol)
        asset = state.asset
        holding = this.broker.holdings().of(asset.coin)
        if holding is None or is_dust(holding.quantity, holding.average_entry_price, asset):
            raise DcaError(f"Alpaca holds no {asset.coin}: there is nothing to adopt")
        if holding.average_entry_price <= 0:
            raise DcaError(f"Alpaca returned no price for its {asset.coin}: they can't be adopted")
        for other in this.states(None):
            if other.asset.coin == asset.coin and other.cycle and other.cycle.quantity > 0:
                raise DcaError(
                    f"cycle {other.cycle.cycle_id} of {other.asset.symbol} holds {asset.coin}: "
                    f"`dca close {other.asset.symbol}` or `dca release {other.asset.symbol}` first"
                )
        cycle = state.cycle or new_cycle(asset.asset_id)
        after = adopt(cycle, holding)
        cost = after.quantity * after.average_purchase_price
        plan = [
            f"{asset.symbol}: {plain_quantity(after.quantity)} {asset.coin} at "
            f"{price_in_words(after.average_purchase_price)} on average "
            f"({amount_in_words(cost, asset.quote_currency)}) become its cycle.",
            f"It sells at {_price(take_profit_price(asset, after))}, and buys its next safety "
            f"order at {_price(next_safety_price(asset, after))}.",
        ]
        if not this.agree(plan, arguments):
            return NOT_DONE
        if this.broker.holdings().of(asset.coin) != holding:
            raise DcaError(f"Alpaca's {asset.coin} changed meanwhile: look at the numbers again")
        made = this.bare_hand.adopt(asset.asset_id, holding)
        held = plain_quantity(made.quantity)
        this.did(f"{asset.symbol}: {held} {asset.coin} are its cycle {made.cycle_id}")
        return this.finish(asset.symbol)


def _price(price: Decimal | None) -> str:
    return "no price" if price is None else price_in_words(price)
