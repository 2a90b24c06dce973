"""What happened, why and what it earned is written in the transaction that makes it true."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from dca_bot.caretakers.orders import Settler
from dca_bot.caretakers.run import Run
from dca_bot.core.model import CycleStatus, OrderStatus
from dca_bot.core.records import EventKind
from dca_bot.program.errors import OrderRefused
from tests.builders import Floor, a_fill, an_update


def kinds(floor: Floor) -> list[str]:
    return [event.kind.value for _, event in floor.store.events]


def test_a_cycle_tells_its_decisions_and_outcomes_with_the_prices_compared() -> None:
    floor = Floor()
    for price in ("100", "98", "103"):
        floor.see(price)
    assert kinds(floor) == ["began", *["ordered", "filled"] * 3, "complete"]
    _, safety = floor.store.events[3]
    assert (safety.price, safety.against) == (98, 100)
    assert "98" in safety.sentence
    assert "100" in safety.sentence
    _, sale = floor.store.events[5]
    assert sale.price == 103
    assert {symbol for symbol, _ in floor.store.events} == {"BTC/USD"}


def test_a_completed_cycle_leaves_what_it_came_to() -> None:
    floor = Floor()
    for price in ("100", "103"):
        floor.see(price)
    (result,) = floor.store.results.values()
    assert result.status is CycleStatus.COMPLETE
    assert result.cost == 20
    assert result.net is not None
    assert Decimal("0.4") < result.net < Decimal("0.6")


def test_the_price_that_cuts_a_cooldown_short_is_reported_with_the_last_sale() -> None:
    floor = Floor()
    for price in ("100", "103", "100"):
        floor.see(price)
    (event,) = [event for _, event in floor.store.events if event.kind is EventKind.RESUMED]
    assert (event.price, event.against) == (100, 103)


def test_an_update_that_comes_again_is_reported_once() -> None:
    floor = Floor(at_once=False)
    order = floor.see("100")
    assert order is not None
    for _ in range(3):
        floor.trader.books.on_update(1, a_fill(order, order.quantity))
    assert kinds(floor).count("filled") == 1


def test_a_refused_order_is_reported_with_the_reason() -> None:
    floor = Floor(at_once=False)
    floor.broker.refuse("account is restricted")
    with pytest.raises(OrderRefused):
        floor.see("100")
    _, event = floor.store.events[-1]
    assert event.kind is EventKind.ENDED
    assert "account is restricted" in event.sentence


def test_a_reason_of_any_length_is_cut_to_its_column() -> None:
    floor = Floor(at_once=False)
    order = floor.see("100")
    assert order is not None
    long = replace(an_update(order, OrderStatus.REJECTED), reason="x\n" * 999)
    floor.trader.books.on_update(1, long)
    _, event = floor.store.events[-1]
    assert len(event.sentence) == 255
    assert "\n" not in event.sentence


def test_an_order_that_nobody_knows_is_reported_when_it_is_let_go() -> None:
    floor = Floor()
    floor.put_cycle(status=CycleStatus.BUYING, latest_order_id="no-such-order")
    settler = Settler(floor.store, floor.broker, floor.clock, Run())
    settler.settle_without_row(floor.state)
    _, event = floor.store.events[-1]
    assert event.kind is EventKind.LET_GO
    assert "no-such-order" in event.sentence


def test_a_fill_for_an_asset_whose_row_was_deleted_is_kept_with_its_order() -> None:
    floor = Floor(at_once=False)
    order = floor.see("100")
    assert order is not None
    floor.store.delete_asset(order.asset_id)
    assert floor.trader.books.on_update(1, a_fill(order, order.quantity, 99)) is None
    kept = floor.order(order.client_order_id)
    assert (kept.status, kept.filled_average_price) == (OrderStatus.FILLED, 99)
    assert 0 < kept.received_quantity < order.quantity
    assert floor.store.live_orders() == []


def test_the_profit_that_a_sale_in_parts_logs_is_the_whole_cycles() -> None:
    floor = Floor(at_once=False)
    floor.broker.holds_fills = True
    bought = floor.see("100")
    assert bought is not None
    floor.hear(floor.broker.fill(bought.client_order_id))
    part = floor.see("110")
    assert part is not None
    half = part.quantity / 2
    floor.hear(floor.broker.fill(part.client_order_id, half, 110))
    floor.hear(floor.broker.end(part.client_order_id, OrderStatus.CANCELED))
    rest = floor.see("120")
    assert rest is not None
    update = floor.broker.fill(rest.client_order_id, rest.quantity, 120)
    entry = floor.trader.books.on_update(1, update)
    assert entry is not None
    assert entry.net is not None
    gained = half * 110 + rest.quantity * 120 - bought.quantity * 100
    assert abs(entry.net - gained) < Decimal("0.1")  # the fees of so little
    [result] = floor.store.results.values()
    assert entry.net == result.net
