"""What the account holds, by coin, what is too little to be worth an order, and whose it can be.

Rule: not knowing is not nothing; a position that can't be read is never taken for none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from dca_bot.core.model import USD_LIKE, Asset, AssetState, Cycle, Holding
from dca_bot.program.errors import BrokerUnavailable

# What remains of a sold position below this value is dust: it completes the cycle (behaviour 6).
DUST_USD = Decimal(1)


@dataclass(frozen=True, slots=True)
class Holdings:
    """The account's crypto positions by coin; what can't be read concerns its own coin alone.

    `unreadable` tells by coin what is wrong; under "" stands a position that doesn't even say
    whose it is.
    """

    readable: Mapping[str, Holding] = field(default_factory=dict)
    unreadable: Mapping[str, str] = field(default_factory=dict)

    def of(self, coin: str) -> Holding | None:
        """The position in `coin`; None: there is none.  Raises BrokerUnavailable if in doubt."""
        if coin in self.unreadable:
            raise BrokerUnavailable(self.unreadable[coin])
        held = self.readable.get(coin)
        if held is None and "" in self.unreadable:
            raise BrokerUnavailable(self.unreadable[""])
        return held


def is_dust(rest: Decimal, price: Decimal, asset: Asset) -> bool:
    """Whether so little is left that no order is worth placing for it.

    Worth less than 1 USD; in another quote currency, than a hundredth of a base order.
    """
    limit = DUST_USD if asset.quote_currency in USD_LIKE else asset.base_order_amount / 100
    return rest * price < limit


def contradiction(cycle: Cycle | None) -> str:
    """What no cycle can be, as SQL may have left it; "" where there is nothing.

    Coins without any price can be neither bought to nor sold.  consistency_checker.py gives them
    Alpaca's average.
    """
    if cycle is None or cycle.quantity == 0:
        return ""
    if cycle.quantity < 0:
        problem = f"quantity is {cycle.quantity.normalize():f}, below 0"
    elif cycle.average_purchase_price <= 0 and not cycle.last_order_fill_price:
        average = cycle.average_purchase_price.normalize()
        holds = cycle.quantity.normalize()
        problem = f"average_purchase_price is {average:f} where {holds:f} are held"
    else:
        return ""
    return f"{problem}: correct row {cycle.cycle_id} of dca_cycles"


def state_of(asset: Asset, cycle: Cycle | None, bought_as: str) -> AssetState:
    """The asset with its active cycle; `bought_as` is the other symbol in which that has coins or
    an order under way, "" where there is none.

    Coins of one symbol must never be sold, bought or counted as those of another.
    """
    if cycle is None or not bought_as:
        return AssetState(asset, cycle)
    holds = f"holds {cycle.quantity.normalize():f}" if cycle.quantity > 0 else "has an order"
    problem = (
        f"its cycle {holds} of {bought_as}: set asset_symbol back to {bought_as}, or let the coins "
        f"go unsold with `dca release {asset.symbol}`"
    )
    return AssetState(asset, cycle, problem, bought_as)
