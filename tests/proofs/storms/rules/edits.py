"""Orders that a hand has edited on Alpaca's site: each is one with its successors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from alpaca_simulator.exchange.orders import Order
from alpaca_simulator.exchange.venue import Exchange

Row = dict[str, Any]
OF_THE_FIRST = ("client_order_id", "created_at", "qty", "limit_price")


def successors(exchange: Exchange, order: Order) -> list[Order]:
    """An order and all that have taken its place, in turn."""
    chain = [order]
    while chain[-1].replaced_by:
        chain.append(exchange.order(chain[-1].replaced_by))
    return chain


def first_of(exchange: Exchange, order: Order) -> Order:
    """The order in whose place this one is."""
    while order.terms.replaces:
        order = exchange.order(order.terms.replaces)
    return order


def as_one(rows: Iterable[Row]) -> list[Row]:
    """Each order that replaces no other, with its successors: their end, and what all have filled.
    `ids` are the names of them all."""
    by_id = {row["id"]: row for row in rows}
    return [_as_one(row, by_id) for row in by_id.values() if not row["replaces"]]


def _as_one(row: Row, by_id: Mapping[str, Row]) -> Row:
    chain = [row]
    while chain[-1]["replaced_by"]:
        chain.append(by_id[chain[-1]["replaced_by"]])
    whole = chain[-1] | {name: row[name] for name in OF_THE_FIRST}
    whole["ids"] = [each["id"] for each in chain]
    if len(chain) > 1:
        filled = [each for each in chain if each["filled_avg_price"] is not None]
        quantity = sum((Decimal(each["filled_qty"]) for each in filled), Decimal(0))
        cost = sum(
            (Decimal(each["filled_qty"]) * Decimal(each["filled_avg_price"]) for each in filled),
            Decimal(0),
        )
        whole["filled_qty"] = quantity
        whole["filled_avg_price"] = cost / quantity if quantity else None
    return whole
