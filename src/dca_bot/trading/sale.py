"""How much of a cycle a SELL takes, by the books and by what Alpaca lets go.

Rule: the bot's own sales and those by hand take the same.
"""

from __future__ import annotations

from decimal import Decimal

from dca_bot.core.model import ZERO, AssetRules, Cycle, Holding, Quote
from dca_bot.core.position import fees_assumed, size_sell
from dca_bot.trading.ports import Transaction


def size_of_sale(
    tx: Transaction, cycle: Cycle, holding: Holding | None, quote: Quote, rules: AssetRules
) -> Decimal:
    """`size_sell` of the cycle; 0: nothing worth an order."""
    return size_sell(
        tx.asset, cycle, holding, quote, rules, assumed_fees=_assumed_fees(tx, cycle, holding)
    )


def _assumed_fees(tx: Transaction, cycle: Cycle, holding: Holding | None) -> Decimal:
    """Asked for only where Alpaca has more than the books: a SELL waits for each statement."""
    if holding is None or holding.available <= cycle.quantity:
        return ZERO
    return fees_assumed(tx.orders_of_cycle(cycle.cycle_id))
