"""Lots are sold first in first out, and every coin and every cent is found again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

from dca_bot.report.gains import Gain, newest_gains, sales
from tests.builders import BTC, NOW

DAY = timedelta(days=1)


def bought(quantity: str, price: str, days: int) -> str:
    worth = Decimal(quantity) * Decimal(price)
    return f"{(NOW + days * DAY).timestamp()} {worth} {quantity}"


def sold(quantity: str, price: str, days: int, fee: str = "0") -> str:
    return f"{bought(quantity, price, days)} {fee} 1"


def gains(orders: Sequence[str]) -> list[Gain]:
    """Lot by lot; what a sale says of all its lots together is what they come to."""
    lots = []
    for sale in sales([(BTC, ",".join(orders))]):
        of_sale = list(sale.gains())
        assert sale.lot_count == len(of_sale)
        known = [each.gain for each in of_sale if each.gain is not None]
        assert abs(sale.gain - sum(known)) < Decimal("0.01")
        lots += of_sale
    return lots


def test_the_oldest_lot_is_sold_first_and_a_part_of_one_keeps_its_share_of_the_cost() -> None:
    orders = [bought("1", "100", 0), bought("2", "80", 1), sold("2", "120", 2)]
    first, second = gains(orders)
    assert (first.quantity, first.cost, first.gain) == (1, 100, 20)
    assert (second.quantity, second.cost, second.gain) == (1, 80, 40)
    assert (first.acquired_at, second.acquired_at) == (NOW, NOW + DAY)
    assert first.sold_at == NOW + 2 * DAY


def test_the_fee_of_a_sell_is_shared_by_its_lots() -> None:
    orders = [bought("1", "100", 0), bought("3", "100", 1), sold("4", "100", 2, fee="4")]
    first, second = gains(orders)
    assert (first.fees, first.gain) == (1, -1)
    assert (second.fees, second.gain) == (3, -3)


def test_what_a_lot_leaves_is_sold_by_the_next_sell() -> None:
    orders = [bought("2", "100", 0), sold("1", "110", 1), sold("1", "130", 2)]
    assert [each.gain for each in gains(orders)] == [10, 30]


def test_coins_of_unknown_origin_have_an_unknown_gain() -> None:
    first, second = gains([bought("1", "100", 0), sold("3", "110", 1)])
    assert (first.gain, second.gain) == (10, None)
    assert (second.quantity, second.acquired_at, second.proceeds) == (2, None, 220)


def test_a_crumb_of_earlier_dust_is_no_lot_of_its_own() -> None:
    (only,) = gains([bought("1", "100", 0), sold("1.000001", "110", 1)])
    assert only.quantity == 1


def test_the_last_lots_are_the_newest() -> None:
    orders = [
        *(bought("1", "100", 0), bought("1", "90", 1), bought("1", "80", 2)),
        *(sold("2", "110", 3), sold("1", "120", 4)),
    ]
    found = list(sales([(BTC, ",".join(orders))]))
    assert [each.cost for each in newest_gains(found, 2)] == [90, 80]
    assert [each.cost for each in newest_gains(found, 9)] == [100, 90, 80]


def test_a_sale_of_another_coin_leaves_a_lot_alone() -> None:
    months = [(BTC, bought("1", "100", 0)), ("ETH/USD", sold("1", "90", 1))]
    _, sale = sales([*months, (BTC, sold("1", "110", 2))])
    assert sale.gain == 10


def test_a_fee_that_alpaca_has_not_told_is_estimated() -> None:
    at = (NOW + DAY).timestamp()
    [sale] = sales([(BTC, f"{bought('1', '100', 0)},{at} 100 1 - 0")])
    assert (sale.fee, sale.gain, sale.fee_is_known) == (Decimal("0.25"), Decimal("-0.25"), False)
