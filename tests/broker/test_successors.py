"""An order that a hand has replaced at Alpaca is one order with its successors."""

from dataclasses import replace
from decimal import Decimal

from dca_bot.broker.successors import followed
from dca_bot.core.model import OrderStatus, OrderUpdate, Side

BEFORE = OrderUpdate("dca-1", "a", "BTC/USD", Side.BUY, OrderStatus.OPEN, replaced_by="b")
AFTER = OrderUpdate("web-1", "b", "BTC/USD", Side.BUY, OrderStatus.FILLED)


def filled(update: OrderUpdate, quantity: int, price: int) -> OrderUpdate:
    return replace(update, filled_quantity=Decimal(quantity), filled_average_price=Decimal(price))


def test_an_order_that_nobody_replaced_is_taken_at_its_word() -> None:
    assert followed(AFTER, lambda _: BEFORE) is AFTER


def test_the_end_is_the_successors_and_the_fills_are_those_of_both() -> None:
    asked: list[str] = []

    def ask(alpaca_order_id: str) -> OrderUpdate:
        asked.append(alpaca_order_id)
        return filled(AFTER, 3, 60)

    found = followed(filled(BEFORE, 1, 100), ask)
    assert asked == ["b"]
    assert found == replace(filled(AFTER, 4, 70), client_order_id="dca-1")


def test_where_neither_has_filled_there_is_no_price() -> None:
    found = followed(BEFORE, lambda _: replace(AFTER, status=OrderStatus.CANCELED))
    assert (found.filled_quantity, found.filled_average_price) == (0, None)


def test_a_successor_that_alpaca_does_not_find_leaves_the_order_open() -> None:
    assert followed(BEFORE, lambda _: None) is BEFORE
