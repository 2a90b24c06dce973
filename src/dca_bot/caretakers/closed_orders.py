"""Alpaca's closed orders, one list for all assets: when a coin was last traded, by whomever, and
whether orders that the books don't know have sold what is gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from dca_bot.core.model import Asset, Cycle, Order, OrderUpdate
from dca_bot.core.overdue import shows_the_sale
from dca_bot.trading.ports import Broker, Store

LISTED = timedelta(days=1)  # a list that goes back further may be long, and says nothing of today
NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ClosedOrders:
    """What was submitted since then, by whomever, and has ended."""

    since: datetime
    orders: Sequence[OrderUpdate]

    @classmethod
    def of_the_last_day(cls, broker: Broker, now: datetime) -> ClosedOrders:
        """One list, whatever the number of assets; raises BrokerUnavailable."""
        since = now - LISTED
        return cls(since, broker.closed_orders(since))

    def last_end(
        self, coin: str, last_order: Order | None, besides: Sequence[OrderUpdate] = ()
    ) -> datetime | None:
        """When the last order in a coin ended; `last_order` is the books' last one.

        By Alpaca's clock, or else the time of its intent.  `besides` are orders that don't count.
        None: there was no order.
        """
        ends = [
            each.ended_at or each.created_at
            for each in self.orders
            if _is_in(coin, each) and each not in besides
        ]
        ends.append(last_order.created_at if last_order else None)
        return max((end for end in ends if end is not None), default=None)

    def by_others(self, asset: Asset, cycle: Cycle, store: Store) -> Sequence[OrderUpdate]:
        """Orders in an asset's coin, since its cycle began, that the books don't know."""
        return _by_others(self.orders, asset, cycle, store)

    def leaves_open_the_end_of(self, order: Order) -> bool:
        """Whether an order was sent before the list begins, and may have rested until now."""
        return order.created_at <= self.since


def sold_by_others(
    gone: Sequence[tuple[Asset, Cycle]], closed: ClosedOrders, store: Store, broker: Broker
) -> Set[int]:
    """Of which of these assets, by id, orders that the books don't know have sold the coins.

    `closed` tells it mostly; for what it leaves open, older orders are asked for once.
    Raises BrokerUnavailable.
    """
    shown = {asset.asset_id for asset, cycle in gone if _show(closed.orders, asset, cycle, store)}
    rest = [(asset, cycle) for asset, cycle in gone if asset.asset_id not in shown]
    if rest:
        older = broker.closed_orders(min(cycle.created_at or NEVER for _, cycle in rest))
        shown |= {asset.asset_id for asset, cycle in rest if _show(older, asset, cycle, store)}
    return shown


def _show(orders: Iterable[OrderUpdate], asset: Asset, cycle: Cycle, store: Store) -> bool:
    return shows_the_sale(cycle, asset.coin, _by_others(orders, asset, cycle, store))


def _by_others(
    orders: Iterable[OrderUpdate], asset: Asset, cycle: Cycle, store: Store
) -> Sequence[OrderUpdate]:
    return [
        each
        for each in orders
        if _is_in(asset.coin, each)
        and (each.created_at or NEVER) > (cycle.created_at or NEVER)
        and store.order(each.client_order_id) is None
    ]


def _is_in(coin: str, order: OrderUpdate) -> bool:
    return order.symbol.partition("/")[0] == coin
