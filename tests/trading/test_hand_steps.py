"""What each deed of a hand does to the books and at the exchange: one step, and no more."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from datetime import timedelta
from decimal import Decimal

import pytest

from dca_bot.core.model import CycleStatus, OrderKind, OrderStatus, Quote, Side
from dca_bot.core.records import EventKind
from dca_bot.program.errors import (
    BrokerUnavailable,
    IllegalTransition,
    OrderOutcomeUnknown,
    OrderRefused,
    OrderWithheld,
)
from dca_bot.trading.budget import NO_LIMITS, Budget
from dca_bot.trading.by_hand import Hand
from tests.builders import Floor, a_holding
from tests.fakes import FakeBroker


def hand_of(floor: Floor, budget: Budget = NO_LIMITS) -> Hand:
    return Hand(floor.store, floor.broker, floor.clock, floor.rules, budget)


def bought() -> Floor:
    """A cycle holds 0.2 coins, less the fee, bought at 100."""
    floor = Floor()
    floor.see(100)
    return floor


def resting(kind: OrderKind) -> Floor:
    """An order of this kind is at Alpaca, and does not fill."""
    floor = Floor()
    if kind is not OrderKind.BASE:
        floor.see(100)
    floor.broker.holds_fills = True
    order = floor.see({OrderKind.BASE: 100, OrderKind.SAFETY: 98, OrderKind.TAKE_PROFIT: 102}[kind])
    assert order is not None
    assert order.kind is kind
    return floor


def event_kinds(floor: Floor) -> list[EventKind]:
    return [event.kind for _, event in floor.store.events]


# -- a BUY beside the ladder


def test_an_extra_buy_joins_the_cycle_and_leaves_the_ladder_as_it_was() -> None:
    floor = bought()
    order = hand_of(floor).buy(1, Decimal(30), floor.quote(90))
    assert floor.kinds_sent == [OrderKind.BASE, OrderKind.EXTRA]
    assert (order.quantity * 90).quantize(Decimal("0.01")) == 30
    assert floor.cycle.status is CycleStatus.WATCHING
    assert floor.cycle.quantity == floor.held
    assert floor.cycle.safety_orders == 0
    assert floor.order(order.client_order_id).status is OrderStatus.FILLED
    assert event_kinds(floor)[-2:] == [EventKind.ORDERED, EventKind.FILLED]


def test_what_the_answer_to_an_extra_buy_says_is_booked_by_whoever_sent_it() -> None:
    floor = bought()
    floor.tells_at_once(False)
    floor.broker.answer_shows_fill = True
    hand_of(floor).buy(1, Decimal(30), floor.quote(90))
    assert floor.cycle.status is CycleStatus.WATCHING
    assert floor.cycle.quantity > Decimal("0.5")


@pytest.mark.parametrize("status", [CycleStatus.COOLDOWN, CycleStatus.BUYING])
def test_only_a_watching_cycle_is_added_to(status: CycleStatus) -> None:
    floor = bought()
    floor.put_cycle(status=status)
    with pytest.raises(OrderRefused, match=f"its cycle is {status}, and holds no coins"):
        hand_of(floor).buy(1, Decimal(30), floor.quote(90))


def test_a_cycle_without_coins_begins_with_its_base_order_and_not_by_hand() -> None:
    floor = Floor()
    with pytest.raises(OrderRefused, match="its cycle is watching, and holds no coins"):
        hand_of(floor).buy(1, Decimal(30), floor.quote(90))
    assert floor.kinds_sent == []


def test_a_cycle_of_less_than_a_coin_or_of_many_can_be_added_to() -> None:
    floor = bought()
    floor.put_cycle(quantity="5")
    assert hand_of(floor).buy(1, Decimal(30), floor.quote(90)).kind is OrderKind.EXTRA


def test_an_asset_without_a_cycle_is_not_added_to() -> None:
    floor = Floor()
    floor.put_cycle(status=CycleStatus.ERROR)
    with pytest.raises(OrderRefused, match="its cycle is not there"):
        hand_of(floor).buy(1, Decimal(30), floor.quote(90))


@pytest.mark.parametrize(
    ("seconds", "ahead", "is_bought"), [(10, 0, True), (11, 0, False), (6, 5, False)]
)
def test_an_extra_buy_is_not_at_a_price_that_is_too_old(
    seconds: int, ahead: int, *, is_bought: bool
) -> None:
    floor = bought()
    quote = floor.quote(90)
    floor.clock.pass_by(seconds)
    floor.broker.clock_offset = timedelta(seconds=ahead)
    with nullcontext() if is_bought else pytest.raises(OrderRefused, match="11 s old"):
        hand_of(floor).buy(1, Decimal(30), quote)
    assert (OrderKind.EXTRA in floor.kinds_sent) is is_bought
    assert floor.cycle.status is CycleStatus.WATCHING


def test_an_extra_buy_below_the_minimum_is_refused_before_it_is_intended() -> None:
    floor = bought()
    with pytest.raises(OrderRefused, match="minimum"):
        hand_of(floor).buy(1, Decimal(5), floor.quote(90))
    assert floor.cycle.status is CycleStatus.WATCHING
    assert floor.kinds_sent == [OrderKind.BASE]


def test_an_extra_buy_counts_against_what_may_be_invested() -> None:
    floor = bought()
    hand = hand_of(floor, Budget(invested_max=Decimal(40)))
    with pytest.raises(OrderRefused, match="MAX_INVESTED of 40"):
        hand.buy(1, Decimal(30), floor.quote(90))
    assert floor.kinds_sent == [OrderKind.BASE]
    assert hand.buy(1, Decimal(15), floor.quote(90)).kind is OrderKind.EXTRA


# -- coins that Alpaca holds already


def test_adopted_coins_are_the_cycles_as_if_it_had_bought_them() -> None:
    floor = Floor()
    floor.broker.hold("BTC/USD", "0.5", 100)
    hand_of(floor).adopt(1, a_holding("0.5"))
    assert floor.cycle.quantity == Decimal("0.5")
    assert floor.cycle.last_order_fill_price == 100
    assert floor.cycle.status is CycleStatus.WATCHING
    with floor.store.transaction(1) as tx:
        [order] = tx.orders_of_cycle(floor.cycle.cycle_id)
    assert (order.kind, order.status) == (OrderKind.ADOPTED, OrderStatus.FILLED)
    assert (order.filled_quantity, order.filled_average_price) == (Decimal("0.5"), 100)
    assert event_kinds(floor)[-1] is EventKind.ADOPTED
    floor.see(102)
    assert floor.kinds_sent == [OrderKind.TAKE_PROFIT]


def test_an_asset_without_a_cycle_gets_one_for_the_coins() -> None:
    floor = Floor()
    before = floor.cycle.cycle_id
    floor.put_cycle(status=CycleStatus.ERROR)
    hand_of(floor).adopt(1, a_holding("0.5"))
    assert floor.cycle.cycle_id > before
    assert floor.cycle.quantity == Decimal("0.5")


def test_a_cycle_that_owns_coins_adopts_no_others() -> None:
    floor = bought()
    with pytest.raises(IllegalTransition):
        hand_of(floor).adopt(1, a_holding("0.5"))


@pytest.mark.parametrize("is_enabled", [True, False])
def test_released_coins_stay_at_alpaca_and_a_new_cycle_watches(is_enabled: bool) -> None:
    floor = bought()
    held, released = floor.held, floor.cycle
    floor.edit(is_enabled=is_enabled)
    assert hand_of(floor).release(1) == released
    assert floor.held == held
    with floor.store.transaction(1) as tx:
        after = tx.cycle_by_id(released.cycle_id)
    assert after is not None
    assert after.status is CycleStatus.COMPLETE
    assert floor.store.results[released.cycle_id].left_quantity == released.quantity
    assert event_kinds(floor)[-1] is EventKind.RELEASED
    assert (floor.state.cycle is not None) is is_enabled
    if floor.state.cycle is not None:
        assert floor.cycle.cycle_id > released.cycle_id
        assert floor.cycle.quantity == 0


def test_nothing_is_released_while_an_order_is_under_way() -> None:
    floor = resting(OrderKind.SAFETY)
    with pytest.raises(IllegalTransition, match="an order under way"):
        hand_of(floor).release(1)


def test_nothing_is_released_where_there_is_no_cycle() -> None:
    floor = Floor()
    floor.put_cycle(status=CycleStatus.ERROR)
    with pytest.raises(IllegalTransition, match="or no cycle"):
        hand_of(floor).release(1)


# -- the end of a BUY, and of a cycle


def test_a_resting_buy_is_cancelled_and_then_it_is_over() -> None:
    floor = resting(OrderKind.SAFETY)
    hand = hand_of(floor)
    assert "cancel asked for" in hand.end_buy(1).sentence
    assert floor.cycle.status is CycleStatus.WATCHING
    step = hand.end_buy(1)
    assert (step.sentence, step.is_over) == ("no BUY is under way", True)


def test_who_ends_a_buy_leaves_a_sell_alone() -> None:
    floor = resting(OrderKind.TAKE_PROFIT)
    assert hand_of(floor).end_buy(1).is_over
    assert "cancel" not in floor.broker.calls


def test_a_sell_is_left_a_moment_to_fill_and_then_cancelled() -> None:
    floor = resting(OrderKind.TAKE_PROFIT)
    hand = hand_of(floor)
    floor.clock.pass_by(20)
    step = hand.close(1)
    assert "about to fill" in step.sentence
    assert (step.is_over, step.needs_others) == (False, False)
    assert "cancel" not in floor.broker.calls
    floor.clock.pass_by(1)
    assert "cancel asked for" in hand.close(1).sentence
    assert floor.broker.calls.count("cancel") == 1


def test_an_order_that_alpaca_does_not_know_yet_is_neither_cancelled_nor_replaced() -> None:
    floor = bought()
    floor.broker.lose_answer(taken=False)
    with pytest.raises(OrderOutcomeUnknown):
        floor.see(98)
    step = hand_of(floor).close(1)
    assert "in doubt" in step.sentence
    assert (step.is_over, step.needs_others) == (False, False)


def test_of_an_order_that_has_ended_it_is_said_how() -> None:
    floor = resting(OrderKind.SAFETY)
    floor.tells_at_once(False)
    floor.broker.end(floor.broker.submitted[-1].client_order_id, OrderStatus.EXPIRED)
    assert "has ended: expired" in hand_of(floor).close(1).sentence
    assert "cancel" not in floor.broker.calls


@pytest.mark.parametrize("status", [CycleStatus.COOLDOWN, CycleStatus.WATCHING])
def test_where_nothing_is_held_a_close_is_over(status: CycleStatus) -> None:
    floor = Floor()
    floor.put_cycle(status=status)
    step = hand_of(floor).close(1)
    assert (step.sentence, step.is_over, step.needs_others) == ("nothing is held", True, False)


def test_where_there_is_no_cycle_a_close_is_over() -> None:
    floor = Floor()
    floor.put_cycle(status=CycleStatus.ERROR)
    assert hand_of(floor).close(1).is_over


def test_a_cycle_that_waits_for_an_unknown_order_is_left_to_the_checker() -> None:
    floor = bought()
    floor.put_cycle(status=CycleStatus.SELLING)
    step = hand_of(floor).close(1)
    assert (step.is_over, step.needs_others) == (False, True)
    assert "consistency_checker.py" in step.sentence


def test_coins_that_alpaca_does_not_hold_are_left_to_the_checker() -> None:
    floor = bought()
    floor.broker.hold("BTC/USD", 0, 100)
    step = hand_of(floor).close(1)
    assert (step.is_over, step.needs_others) == (False, True)
    assert floor.kinds_sent == [OrderKind.BASE]


def test_without_a_price_nothing_is_sold() -> None:
    floor = Floor()
    floor.broker.hold("BTC/USD", "0.5", 100)
    hand_of(floor).adopt(1, a_holding("0.5"))
    with pytest.raises(BrokerUnavailable, match="no price of BTC/USD"):
        hand_of(floor).close(1)


def test_without_the_rules_of_an_asset_nothing_is_sold() -> None:
    floor = bought()
    floor.rules.clear()
    with pytest.raises(BrokerUnavailable, match="no price of BTC/USD"):
        hand_of(floor).close(1)


def test_a_sale_by_hand_is_a_market_order_of_all_that_the_cycle_holds() -> None:
    floor = bought()
    held = floor.cycle.quantity
    floor.quote(97)
    step = hand_of(floor).close(1)
    assert (step.is_over, step.needs_others) == (False, False)
    sale = floor.broker.submitted[-1]
    assert (sale.kind, sale.side, sale.limit_price) == (OrderKind.CLOSE, Side.SELL, None)
    assert sale.quantity == held
    assert EventKind.ORDERED in event_kinds(floor)[2:]
    assert floor.cycle.status is CycleStatus.COOLDOWN


# -- what it tells


def test_an_order_is_reported_as_alpaca_has_it_now() -> None:
    floor = resting(OrderKind.SAFETY)
    floor.tells_at_once(False)
    order = floor.broker.submitted[-1]
    floor.broker.fill(order.client_order_id)
    latest = hand_of(floor).refreshed(order)
    assert (latest.status, latest.filled_quantity) == (OrderStatus.FILLED, order.quantity)


def test_a_change_of_the_row_stands_in_the_story() -> None:
    floor = Floor()
    hand_of(floor).note(1, "take_profit_percent 1 -> 2")
    assert floor.store.events[-1][1].sentence == "take_profit_percent 1 -> 2"


# -- while an order is under way


def test_an_order_by_hand_is_the_cycles_while_it_is_under_way() -> None:
    floor = bought()
    floor.broker.holds_fills = True
    hand_of(floor).buy(1, Decimal(30), floor.quote(90))
    assert floor.cycle.status is CycleStatus.BUYING
    other = bought()
    other.broker.holds_fills = True
    other.quote(97)
    hand_of(other).close(1)
    assert other.cycle.status is CycleStatus.SELLING


def test_a_cycle_that_moves_while_its_price_is_asked_for_is_looked_at_again() -> None:
    class Meanwhile(FakeBroker):
        def latest_quotes(self, symbols: Iterable[str]) -> Mapping[str, Quote]:
            floor.put_cycle(quantity="0.1")
            return super().latest_quotes(symbols)

    floor = Floor(broker=Meanwhile())
    floor.see(100)
    floor.quote(97)
    step = hand_of(floor).close(1)
    assert (step.sentence, step.is_over) == ("its cycle has moved meanwhile", False)
    assert floor.kinds_sent == [OrderKind.BASE]


# -- a row that was given another symbol


def test_coins_of_another_symbol_are_neither_sold_nor_added_to() -> None:
    floor = bought()
    floor.broker.hold("ETH/USD", "5", "100")
    floor.edit(symbol="ETH/USD")
    floor.rules["ETH/USD"] = floor.rules["BTC/USD"]
    hand, quote = hand_of(floor), floor.quote(100)
    assert "set asset_symbol back to BTC/USD" in hand.close(1).sentence
    with pytest.raises(OrderWithheld, match="set asset_symbol back to BTC/USD"):
        hand.buy(1, Decimal(30), quote)
    assert floor.kinds_sent == [OrderKind.BASE]
    hand.release(1)
    assert floor.state.problem == ""
