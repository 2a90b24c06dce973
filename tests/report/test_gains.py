"""Lots are sold first in first out, and every coin and every cent is found again."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from dca_bot.report.gains import Deal, deals_of, gains
from tests.builders import BTC, NOW

DAY = timedelta(days=1)


def bought(quantity: str, price: str, days: int) -> Deal:
    coins, at = Decimal(quantity), (NOW + days * DAY).timestamp()
    return Deal(BTC, at, coins, coins * Decimal(price))


def sold(quantity: str, price: str, days: int, fee: str = "0") -> Deal:
    at, coins = (NOW + days * DAY).timestamp(), Decimal(quantity)
    return Deal(BTC, at, coins, coins * Decimal(price), is_sell=True, fee=Decimal(fee))


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


def test_the_orders_of_a_cycle_are_read_from_its_text() -> None:
    buy, sell = deals_of(BTC, "10.5 200.5 1.995,20.25 219.45 1.995 0.55 1")
    assert buy == Deal(BTC, 10.5, Decimal("1.995"), Decimal("200.5"))
    fee = Decimal("0.55")
    assert sell == Deal(BTC, 20.25, Decimal("1.995"), Decimal("219.45"), True, fee, True)
    (lot,) = gains([buy, sell])
    assert (lot.cost, lot.proceeds) == (Decimal("200.5"), Decimal("218.9"))
