"""Holds the tables against the exchange's own record.

Rule: it believes the exchange alone, recomputes everything from its orders and fills, and uses
none of the bot's code.  Rows are dicts by column, as a client of the database shows them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from tests.proofs.storms.rules.edits import as_one

Row = dict[str, Any]
SELLS = ("take_profit", "stop_loss", "close")
ENDED = ("filled", "canceled", "expired", "rejected")
PRICE_DIGITS = Decimal("0.0000000001")  # of the price columns
DUST_USD = Decimal(1)
# How far a quantity may be off whose fee was estimated, where fees reach 2 %, and an average of
# such quantities.
FEE_RATE = Decimal("0.02")
USUAL_FEE = Decimal("0.0025")  # what the bot assumes where Alpaca doesn't tell
AVERAGE_TOLERANCE = Decimal("0.005")


@dataclass(frozen=True)
class Books:
    """Everything that both sides have.

    `touched` are the cycles that a hand or a correction has moved: what they hold is compared with
    the position, and not with their own orders.
    """

    assets: list[Row]
    cycles: list[Row]
    orders: list[Row]
    record: dict[str, Any]
    coins: dict[str, Decimal]
    touched: frozenset[int] = frozenset()


def complaints(books: Books) -> list[str]:
    """Everything in which the two sides disagree once the sea is quiet; empty is well."""
    return [
        *always(books),
        *_unlike_orders(books),
        *_unlike_positions(books),
        *_unlike_cycles(books),
        *_unlike_sales(books),
    ]


def always(books: Books) -> list[str]:
    """What may never be seen, not even in the middle of a storm."""
    return [*_unknown_or_double_orders(books), *_overlapping_orders(books), *_too_many_buys(books)]


def _ours(books: Books) -> list[Row]:
    whole = as_one(books.record["orders"])
    return [order for order in whole if order["client_order_id"].startswith("dca-")]


def _unknown_or_double_orders(books: Books) -> Iterator[str]:
    known = {row["client_order_id"] for row in books.orders}
    for client_id, count in Counter(o["client_order_id"] for o in _ours(books)).items():
        if client_id not in known:
            yield f"the exchange has {client_id}, of which the database has never heard"
        if count > 1:
            yield f"{client_id} was used for {count} orders"


def _overlapping_orders(books: Books) -> Iterator[str]:
    """One order per asset at a time, by the exchange's own times."""
    by_symbol = defaultdict(list)
    for order in _ours(books):
        by_symbol[order["symbol"]].append(order)
    for symbol, orders in by_symbol.items():
        orders.sort(key=lambda order: _sortable(order["created_at"]))
        for earlier, later in zip(orders, orders[1:], strict=False):
            end = _ended_at(earlier)
            if end is None or end > _sortable(later["created_at"]):
                yield (
                    f"{symbol}: {later['client_order_id']} was placed while "
                    f"{earlier['client_order_id']} was open"
                )


def _ended_at(order: Row) -> str | None:
    if order["status"] not in ENDED:
        return None
    moments = (order[name] for name in ("filled_at", "canceled_at", "expired_at", "failed_at"))
    return max((_sortable(at) for at in moments if at), default=None)


def _sortable(moment: str) -> str:
    # the exchange trims zeros at the end of the fraction, so that texts don't sort by themselves
    second, _, fraction = moment.removesuffix("Z").partition(".")
    return f"{second}.{fraction:0<9}"


def _too_many_buys(books: Books) -> Iterator[str]:
    assets = {row["id"]: row for row in books.assets}
    at_exchange = {order["client_order_id"]: order for order in _ours(books)}
    buys: Counter[int] = Counter()
    for row in books.orders:
        order = at_exchange.get(row["client_order_id"])
        if row["kind"] in (*SELLS, "extra") or order is None:
            continue  # what is bought by hand is no rung
        asset = assets[row["asset_id"]]
        amount = asset["base_order_amount"]
        if row["kind"] != "base":
            scale = asset.get("safety_order_volume_scale", 1)
            amount = asset["safety_order_amount"] * max(1, scale) ** (row["rung"] - 1)
        cost = Decimal(order["qty"]) * Decimal(order["limit_price"])
        if cost > amount:
            yield f"{row['client_order_id']} costs {cost}, more than {amount}"
        if Decimal(order["filled_qty"]) > 0:
            buys[row["cycle_id"]] += 1
    cycles = {row["id"]: row for row in books.cycles}
    for cycle_id, count in buys.items():
        most = 1 + assets[cycles[cycle_id]["asset_id"]]["max_safety_orders"]
        if count > most:
            yield f"cycle {cycle_id} bought {count} times, {most} are allowed"


def _unlike_orders(books: Books) -> Iterator[str]:
    rows_by_id = {row["client_order_id"]: row for row in books.orders}
    at_exchange = {order["client_order_id"]: order for order in _ours(books)}
    for client_id, order in at_exchange.items():
        row = rows_by_id.get(client_id)
        if row is None:
            continue
        if row["filled_quantity"] != Decimal(order["filled_qty"]):
            yield f"{client_id}: booked {row['filled_quantity']}, filled {order['filled_qty']}"
        if order["status"] in ENDED and row["status"] != order["status"]:
            yield f"{client_id}: {row['status']} in the database, {order['status']} there"
    for client_id, row in rows_by_id.items():
        if client_id not in at_exchange and row["status"] not in ("lost", "rejected"):
            yield f"{client_id} is {row['status']}, but never reached the exchange"


def _unlike_positions(books: Books) -> Iterator[str]:
    for asset in books.assets:
        active = [
            cycle
            for cycle in books.cycles
            if cycle["asset_id"] == asset["id"] and cycle["status"] not in ("complete", "error")
        ]
        held = sum((cycle["quantity"] for cycle in active), Decimal(0))
        there = books.coins.get(asset["asset_symbol"].partition("/")[0], Decimal(0))
        is_exact = all(_is_exact(cycle, books) for cycle in books.cycles)
        worth = (held - there) * _highest_price(asset, books)
        # a sale is rounded down to whole increments: what it leaves is dust of no cycle
        may_differ = _is_dust(worth) and (there > held or not is_exact)
        if held != there and not may_differ:
            yield f"{asset['asset_symbol']}: the cycle holds {held}, the exchange {there}"


def _is_exact(cycle: Row, books: Books) -> bool:
    """Whether nothing of a cycle was estimated (a fee that nobody told) or moved by a hand."""
    if cycle["id"] in books.touched:
        return False
    fees = _coin_fees(books)
    net = {
        order["client_order_id"]: Decimal(order["filled_qty"]) - _fee(order, fees)
        for order in _ours(books)
    }
    return all(
        row["received_quantity"] == net.get(row["client_order_id"], Decimal(0))
        for row in books.orders
        if row["cycle_id"] == cycle["id"] and row["kind"] not in SELLS
    )


def _is_dust(worth: Decimal) -> bool:
    return abs(worth) < DUST_USD


def _highest_price(asset: Row, books: Books) -> Decimal:
    prices = (f["price"] for f in books.record["fills"] if f["symbol"] == asset["asset_symbol"])
    return max(map(Decimal, prices), default=Decimal(0))


def _unlike_cycles(books: Books) -> Iterator[str]:
    """Each cycle's columns, recomputed from the exchange's fills."""
    at_exchange = {order["client_order_id"]: order for order in _ours(books)}
    actives = Counter(
        row["asset_id"] for row in books.cycles if row["status"] not in ("complete", "error")
    )
    for asset_id, count in actives.items():
        if count != 1:
            yield f"asset {asset_id} has {count} active cycles"
    for cycle in books.cycles:
        rows_here = [row for row in books.orders if row["cycle_id"] == cycle["id"]]
        filled = [
            (row, at_exchange[row["client_order_id"]])
            for row in rows_here
            if row["client_order_id"] in at_exchange
            and Decimal(at_exchange[row["client_order_id"]]["filled_qty"]) > 0
        ]
        yield from _unlike_cycle(cycle, filled, books)


def _unlike_cycle(cycle: Row, filled: list[tuple[Row, Row]], books: Books) -> Iterator[str]:
    if cycle["status"] == "complete" and not any(o["side"] == "sell" for _, o in filled):
        yield f"cycle {cycle['id']} is complete, but nothing was sold"
    if cycle["id"] in books.touched:
        return
    safety = sum(1 for row, _ in filled if row["kind"] == "safety")
    if cycle["safety_orders"] != safety:
        yield f"cycle {cycle['id']}: {cycle['safety_orders']} safety orders, {safety} filled"
    if filled:
        yield from _unlike_columns(cycle, [order for _, order in filled], books)


def _unlike_columns(cycle: Row, orders: list[Row], books: Books) -> Iterator[str]:
    quantity, average, last_price = _traded(orders, books)
    is_exact = _is_exact(cycle, books)
    booked = cycle["average_purchase_price"]
    if abs(booked - average) > (0 if is_exact else average * AVERAGE_TOLERANCE):
        yield f"cycle {cycle['id']}: average {booked}, not {average}"
    if cycle["last_order_fill_price"] != last_price:
        yield f"cycle {cycle['id']}: last fill not {last_price} as the exchange says"
    estimated = Decimal(0) if is_exact else sum(Decimal(o["filled_qty"]) for o in orders) * FEE_RATE
    if abs(cycle["quantity"] - quantity) > estimated and not _is_sold_along(
        cycle, quantity, average, orders
    ):
        yield f"cycle {cycle['id']}: holds {cycle['quantity']}, should hold {quantity}"


def _is_sold_along(cycle: Row, quantity: Decimal, average: Decimal, orders: list[Row]) -> bool:
    """Whether what was sold beyond the cycle's own is dust of earlier cycles, or as many coins as
    an assumed fee (docs/reliability.md, "Whose coins an assumed fee is")."""
    bought = sum(Decimal(order["filled_qty"]) for order in orders if order["side"] == "buy")
    is_little = _is_dust(quantity * average) or -quantity <= bought * USUAL_FEE
    return cycle["quantity"] == 0 > quantity and is_little


def _unlike_sales(books: Books) -> Iterator[str]:
    """The sale that completed a cycle is what the next restart is measured from."""
    at_exchange = {order["client_order_id"]: order for order in _ours(books)}
    complete = {row["id"] for row in books.cycles if row["status"] == "complete"}
    for asset in books.assets:
        sales = [
            at_exchange[row["client_order_id"]]
            for row in books.orders
            if row["asset_id"] == asset["id"]
            and row["cycle_id"] in complete
            and row["kind"] in SELLS
            and row["filled_quantity"] > 0
            # the record may be a moment older than the tables
            and at_exchange[row["client_order_id"]]["filled_avg_price"] is not None
        ]
        if sales and asset["last_sell_price"] != _price(sales[-1]):
            yield f"{asset['asset_symbol']}: last sale {asset['last_sell_price']}, not {sales[-1]}"


def _traded(orders: list[Row], books: Books) -> tuple[Decimal, Decimal, Decimal | None]:
    """What is held net of fees, its average and the last BUY's price, order by order, exactly."""
    fees = _coin_fees(books)
    quantity = average = Decimal(0)
    last_price = None
    for order in sorted(orders, key=lambda order: _sortable(order["created_at"])):
        amount = Decimal(order["filled_qty"])
        if order["side"] == "sell":
            quantity -= amount
            continue
        last_price = _price(order)
        net = amount - _fee(order, fees)
        average = (quantity * average + net * last_price) / (quantity + net)
        average = average.quantize(PRICE_DIGITS, ROUND_HALF_EVEN)
        quantity += net
    return quantity, average, last_price


def _coin_fees(books: Books) -> dict[str, Decimal]:
    fees: dict[str, Decimal] = defaultdict(Decimal)
    for fill in books.record["fills"]:
        if fill["side"] == "buy":
            fees[fill["order_id"]] += Decimal(fill["fee"])
    return fees


def _fee(order: Row, fees: dict[str, Decimal]) -> Decimal:
    return sum((fees[each] for each in order["ids"]), Decimal(0))


def _price(order: Row) -> Decimal:
    return Decimal(order["filled_avg_price"]).quantize(PRICE_DIGITS, ROUND_HALF_EVEN)
