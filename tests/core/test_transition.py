"""What news of an order makes of the cycle, for every state that both can be in."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from functools import reduce
from itertools import permutations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dca_bot.core.booking import apply_alone, apply_update, conclude
from dca_bot.core.model import (
    Cycle,
    CycleStatus,
    Order,
    OrderKind,
    OrderStatus,
    OrderUpdate,
    Side,
)
from dca_bot.core.money import round_down, storable_price
from dca_bot.core.records import Booked
from dca_bot.core.transition import (
    as_table,
    end_cooldown,
    fail,
    let_go,
    sell_out,
    start_order,
    whole_second,
)
from dca_bot.program.errors import IllegalTransition
from dca_bot.program.settings import PROJECT_ROOT
from tests.builders import (
    BUY_KINDS,
    CHECKED,
    NOW,
    SIDES,
    STEP,
    a_cycle,
    a_fill,
    a_holding_cycle,
    an_asset,
    an_order,
    an_update,
)

INTENDED, OPEN, FILLED = OrderStatus.INTENDED, OrderStatus.OPEN, OrderStatus.FILLED
CANCELED, EXPIRED = OrderStatus.CANCELED, OrderStatus.EXPIRED
REJECTED, LOST = OrderStatus.REJECTED, OrderStatus.LOST
KINDS = {Side.BUY: OrderKind.BASE, Side.SELL: OrderKind.TAKE_PROFIT}
UNDER_WAY = {Side.BUY: CycleStatus.BUYING, Side.SELL: CycleStatus.SELLING}
LIVE = (INTENDED, OPEN)


def booked(cycle: Cycle, order: Order, *updates: OrderUpdate) -> Booked:
    """The books after these updates, one after the other."""
    return reduce(
        lambda so_far, update: apply_update(
            an_asset(), so_far.cycle, so_far.order, update, NOW + timedelta(seconds=1.5)
        ),
        updates,
        Booked(cycle, order),
    )


def buying(kind: OrderKind = OrderKind.BASE, *, status: OrderStatus = OPEN) -> tuple[Cycle, Order]:
    """A cycle with a BUY of one coin under way; before a safety order it holds one at 100."""
    if kind is OrderKind.BASE:
        return a_cycle(status=CycleStatus.BUYING), an_order(status=status)
    return (
        a_holding_cycle(status=CycleStatus.BUYING, safety_orders=1),
        an_order(kind=kind, rung=2, status=status),
    )


def selling(*, status: OrderStatus = OPEN) -> tuple[Cycle, Order]:
    order = an_order(kind=OrderKind.TAKE_PROFIT, limit_price=None, status=status)
    return a_holding_cycle(status=CycleStatus.SELLING), order


# -- every pair


def expected_cycle_status(
    cycle: CycleStatus, side: Side, order: OrderStatus, reported: OrderStatus, *, fills: bool
) -> CycleStatus:
    """The rules, said once more and differently: by what is known, not by how it is stored."""
    if cycle in (CycleStatus.COMPLETE, CycleStatus.ERROR):
        return cycle
    works_after_all = order is LOST and reported is OPEN
    if works_after_all and cycle is CycleStatus.WATCHING:
        return UNDER_WAY[side]
    was_live, is_end = order in LIVE, reported not in LIVE
    may_be_sold_out = side is Side.SELL and cycle in (CycleStatus.SELLING, CycleStatus.WATCHING)
    if may_be_sold_out and fills and (is_end or not was_live):
        return CycleStatus.COMPLETE
    if was_live and is_end and cycle is UNDER_WAY[side]:
        return CycleStatus.WATCHING
    return cycle


@pytest.mark.parametrize("cycle_status", list(CycleStatus))
@pytest.mark.parametrize("side", SIDES)
def test_every_pair_of_states_has_one_outcome(cycle_status: CycleStatus, side: Side) -> None:
    cycle = a_holding_cycle(status=cycle_status)
    for order_status, reported, fills in product(OrderStatus, OrderStatus, (False, True)):
        order = an_order(kind=KINDS[side], status=order_status)
        update = a_fill(order, 1, 100, status=reported) if fills else an_update(order, reported)
        after = booked(cycle, order, update)
        expected = expected_cycle_status(cycle_status, side, order_status, reported, fills=fills)
        assert after.cycle.status is expected, (update, order_status)
        is_complete = cycle_status.is_active and expected is CycleStatus.COMPLETE
        assert (after.sold_at is not None) is is_complete, (update, order_status)
        assert after.cycle.quantity >= 0
        # Telling it again changes nothing more, and completes nothing twice.
        assert booked(after.cycle, after.order, update) == replace(after, sold_at=None)


@pytest.mark.parametrize(
    ("before", "reported"), list(product(list(OrderStatus), list(OrderStatus)))
)
def test_an_order_that_ended_stays_so_unless_alpaca_knows_better(
    before: OrderStatus, reported: OrderStatus
) -> None:
    cycle, order = buying()
    after = booked(cycle, replace(order, status=before), an_update(order, reported)).order.status
    if reported is INTENDED:
        assert after is before
    elif reported is FILLED:
        assert after is FILLED
    elif before is LOST:  # the cycle waits for another order, so a working one is an orphan
        assert after is (LOST if reported is OPEN else reported)
    elif before in LIVE:
        assert after is reported
    else:
        assert after is before


# -- starting and ending


@pytest.mark.parametrize("side", SIDES)
def test_a_watching_cycle_starts_an_order(side: Side) -> None:
    started = start_order(a_cycle(latest_order_id="old"), side)
    assert (started.status, started.latest_order_id) == (UNDER_WAY[side], None)


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("status", [s for s in CycleStatus if s is not CycleStatus.WATCHING])
def test_no_other_cycle_starts_an_order(status: CycleStatus, side: Side) -> None:
    with pytest.raises(IllegalTransition):
        start_order(a_cycle(status=status), side)


@pytest.mark.parametrize("status", list(CycleStatus))
def test_only_a_cooldown_can_be_over(status: CycleStatus) -> None:
    if status is CycleStatus.COOLDOWN:
        assert end_cooldown(a_cycle(status=status)) == a_cycle()
        return
    with pytest.raises(IllegalTransition):
        end_cooldown(a_cycle(status=status))


@pytest.mark.parametrize("status", list(CycleStatus))
def test_only_a_cycle_that_waits_for_an_order_lets_go_of_it(status: CycleStatus) -> None:
    cycle = a_cycle(status=status, latest_order_id="gone")
    if status in UNDER_WAY.values():
        assert let_go(cycle) == a_cycle()
        return
    with pytest.raises(IllegalTransition):
        let_go(cycle)


def test_a_cycle_in_error_says_since_when() -> None:
    failed = fail(a_cycle(latest_order_id="x"), NOW + timedelta(seconds=0.9))
    assert failed == a_cycle(status=CycleStatus.ERROR, completed_at=NOW)


def test_times_are_cut_to_the_second_never_into_the_future() -> None:
    assert whole_second(NOW + timedelta(microseconds=999_999)) == NOW


# -- buying


@pytest.mark.parametrize("kind", BUY_KINDS)
def test_an_open_buy_names_its_order(kind: OrderKind) -> None:
    cycle, order = buying(kind, status=INTENDED)
    after = booked(cycle, order, an_update(order, OPEN))
    assert after.cycle == replace(cycle, latest_order_id="alpaca-1")
    assert after.order == replace(order, status=OPEN, alpaca_order_id="alpaca-1")


def test_a_filled_base_order_is_booked_net_of_its_fee() -> None:
    cycle, order = buying()
    after = booked(cycle, order, a_fill(order, 1, 100, position="0.9975")).cycle
    assert after == a_cycle(
        quantity="0.9975", average_purchase_price="100", last_order_fill_price="100"
    )


def test_a_filled_safety_order_counts_and_weighs_into_the_average() -> None:
    cycle, order = buying(OrderKind.SAFETY)
    after = booked(cycle, order, a_fill(order, 1, 50, position="2")).cycle
    assert after == a_holding_cycle(
        quantity="2", average_purchase_price="75", last_order_fill_price="50", safety_orders=2
    )


def test_partial_fills_count_as_they_come_and_a_safety_order_once() -> None:
    cycle, order = buying(OrderKind.SAFETY)
    part = booked(cycle, order, a_fill(order, "0.3", 80, status=OPEN, position="1.3"))
    assert (part.cycle.status, part.cycle.quantity) == (CycleStatus.BUYING, Decimal("1.3"))
    assert part.cycle.safety_orders == 2
    whole = booked(part.cycle, part.order, a_fill(order, 1, 90, position="2"))
    assert (whole.cycle.status, whole.cycle.quantity) == (CycleStatus.WATCHING, Decimal(2))
    assert (whole.cycle.safety_orders, whole.cycle.average_purchase_price) == (2, Decimal(95))


def test_coins_without_an_average_count_at_the_last_fill_s_price() -> None:
    cycle, order = buying(OrderKind.SAFETY)
    without = replace(cycle, average_purchase_price=Decimal(0))
    after = booked(without, order, a_fill(order, 1, 90, position="2")).cycle
    assert after.average_purchase_price == 95


@pytest.mark.parametrize("kind", BUY_KINDS)
@pytest.mark.parametrize("end", [CANCELED, EXPIRED, REJECTED, LOST])
def test_a_buy_that_ends_unfilled_leaves_the_cycle_as_it_was(
    kind: OrderKind, end: OrderStatus
) -> None:
    cycle, order = buying(kind)
    after = booked(cycle, order, an_update(order, OPEN), an_update(order, end))
    assert after.cycle == replace(cycle, status=CycleStatus.WATCHING)


def test_a_canceled_buy_keeps_the_part_that_was_filled() -> None:
    cycle, order = buying()
    after = booked(cycle, order, a_fill(order, "0.3", 100, status=CANCELED)).cycle
    assert after == a_cycle(
        quantity="0.29925", average_purchase_price="100", last_order_fill_price="100"
    )


def test_a_fill_after_the_cancel_still_counts() -> None:
    cycle, order = buying()
    after = booked(cycle, order, an_update(order, CANCELED), a_fill(order, 1, position="0.9975"))
    assert after.cycle.quantity == Decimal("0.9975")
    assert after.order.status is FILLED


def test_news_of_an_earlier_rung_does_not_move_the_next_one_up() -> None:
    _, order = buying()
    cycle = a_holding_cycle(last_order_fill_price="90")
    after = booked(cycle, replace(order, status=CANCELED), a_fill(order, 1, 100)).cycle
    assert after.last_order_fill_price == Decimal(90)
    assert after.quantity == Decimal("1.9975")


def test_a_price_with_endless_digits_is_cut_to_what_the_columns_hold() -> None:
    cycle, order = buying()
    after = booked(cycle, order, a_fill(order, 1, Decimal(200) / 3)).cycle
    assert after.average_purchase_price == Decimal("66.6666666667")
    assert after.last_order_fill_price == Decimal("66.6666666667")


def test_a_correction_by_hand_between_two_partial_fills_stands() -> None:
    cycle, order = buying()
    part = booked(cycle, order, a_fill(order, "0.4", 100, status=OPEN, position="0.399"))
    by_hand = replace(part.cycle, quantity=Decimal(1), average_purchase_price=Decimal(90))
    after = booked(by_hand, part.order, a_fill(order, 1, 100)).cycle
    more = Decimal("0.6") * Decimal("0.9975")
    assert after.quantity == 1 + more
    assert after.average_purchase_price == storable_price((90 + more * 100) / (1 + more))


def test_an_exact_receipt_replaces_an_estimate() -> None:
    cycle, order = buying()
    after = booked(cycle, order, a_fill(order, 1), a_fill(order, 1, position="0.998"))
    assert after.cycle.quantity == Decimal("0.998")


@pytest.mark.parametrize("position", [None, "0.9975"])
def test_a_fill_told_twice_forgets_nothing_that_was_seen_since(position: str | None) -> None:
    cycle, order = a_cycle(status=CycleStatus.BUYING), an_order()
    fill = a_fill(order, 1, position=position)
    once = booked(cycle, order, fill)
    seen = replace(once.cycle, highest_bid=Decimal(103), stop_loss_since=NOW)
    again = apply_update(an_asset(), seen, once.order, fill, NOW)
    assert (again.cycle, again.order) == (seen, once.order)


def test_an_estimate_never_replaces_an_exact_receipt() -> None:
    cycle, order = buying()
    after = booked(cycle, order, a_fill(order, 1, position="0.998"), a_fill(order, 1))
    assert after.cycle.quantity == Decimal("0.998")


def test_an_order_given_up_as_lost_that_works_after_all_is_followed_again() -> None:
    """Otherwise the next quote would place a second one beside it."""
    cycle, order = buying()
    after = booked(
        cycle,
        order,
        conclude(order, LOST, "never heard of"),
        an_update(order, OPEN),
    )
    assert after.cycle == replace(cycle, latest_order_id="alpaca-1")
    assert after.order.status is OPEN


def test_a_lost_order_never_takes_the_place_of_the_one_that_followed_it() -> None:
    cycle, order = buying()
    waiting = replace(cycle, latest_order_id="alpaca-2")
    after = booked(waiting, replace(order, status=LOST), an_update(order, OPEN))
    assert after.cycle == waiting
    assert after.order.status is LOST


# -- selling


def test_a_filled_sell_completes_the_cycle() -> None:
    cycle, order = selling()
    after = booked(cycle, order, a_fill(order, 1, 101))
    assert after.sold_at == Decimal(101)
    assert after.cycle == replace(
        cycle,
        status=CycleStatus.COMPLETE,
        quantity=Decimal(0),
        latest_order_id="alpaca-1",
        completed_at=NOW + timedelta(seconds=1),
    )


def test_a_part_filled_sell_that_was_canceled_leaves_the_rest_to_be_sold() -> None:
    cycle, order = selling()
    after = booked(cycle, order, a_fill(order, "0.4", 101, status=CANCELED))
    assert after.sold_at is None
    assert after.cycle == a_holding_cycle(quantity="0.6")


def test_a_canceled_sell_that_left_dust_completes_the_cycle() -> None:
    cycle, order = selling()
    after = booked(cycle, order, a_fill(order, "0.999", 101, status=CANCELED))
    assert (after.cycle.status, after.sold_at) == (CycleStatus.COMPLETE, Decimal(101))


def test_a_sell_that_had_to_leave_part_of_the_position_goes_on() -> None:
    cycle, order = selling()
    after = booked(cycle, replace(order, quantity=Decimal("0.4")), a_fill(order, "0.4", 101))
    assert after.cycle == a_holding_cycle(quantity="0.6")


@pytest.mark.parametrize("held", ["0", "0.009"])
def test_a_filled_sell_after_which_alpaca_holds_nothing_completes_whatever_is_left(
    held: str,
) -> None:
    cycle, order = selling()
    after = booked(
        cycle, replace(order, quantity=Decimal("0.9")), a_fill(order, "0.9", 101, position=held)
    )
    assert (after.cycle.status, after.sold_at) == (CycleStatus.COMPLETE, Decimal(101))


@pytest.mark.parametrize("status", [CANCELED, OPEN])
def test_a_sell_that_is_not_filled_says_nothing_about_what_is_left(status: OrderStatus) -> None:
    cycle, order = selling()
    after = booked(cycle, order, a_fill(order, "0.9", 101, status=status, position="0"))
    assert after.cycle.quantity == Decimal("0.1")
    assert after.cycle.status is not CycleStatus.COMPLETE


def test_a_buy_whose_position_is_gone_completes_nothing() -> None:
    cycle, order = buying()
    after = booked(cycle, order, a_fill(order, 1, 100, position="0"))
    assert after.cycle.status is CycleStatus.WATCHING


def test_a_fill_that_overtakes_the_cancel_of_a_sell_completes_the_cycle() -> None:
    cycle, order = selling()
    after = booked(cycle, order, an_update(order, CANCELED), a_fill(order, 1, 101))
    assert (after.cycle.status, after.sold_at) == (CycleStatus.COMPLETE, Decimal(101))


def test_a_sell_never_makes_the_quantity_negative() -> None:
    cycle, order = selling()
    after = booked(cycle, order, a_fill(order, "1.005", 101))
    assert after.cycle.quantity == 0


@pytest.mark.parametrize("status", [CycleStatus.COMPLETE, CycleStatus.ERROR])
@pytest.mark.parametrize("side", SIDES)
def test_a_finished_cycle_stays_as_it_is_and_the_order_tells_of_the_late_fill(
    status: CycleStatus, side: Side
) -> None:
    cycle = a_holding_cycle(status=status)
    order = an_order(kind=KINDS[side], status=CANCELED)
    after = booked(cycle, order, a_fill(order, 1, 100))
    assert after.cycle == cycle
    assert (after.order.filled_quantity, after.sold_at) == (Decimal(1), None)


# -- whatever the order of things


@st.composite
def histories(draw: st.DrawFn) -> tuple[OrderKind, list[OrderUpdate]]:
    """A BUY's true history at the exchange: partial fills, its end, and what was reported of it."""
    kind = draw(st.sampled_from(BUY_KINDS))
    cycle, order = buying(kind)
    steps = draw(st.lists(st.integers(1, 10**9), min_size=1, max_size=4))
    part = draw(st.sampled_from([Decimal(1), Decimal("0.37")]))  # of the order
    filled = cost = Decimal(0)
    held = cycle.quantity
    updates = [an_update(order, OPEN)]
    for number, step in enumerate(steps):
        is_last = number == len(steps) - 1
        fill = part - filled if is_last else round_down(part * step / sum(steps), STEP)
        price = draw(st.integers(9000, 9850)) / Decimal(100)
        if not fill:
            continue
        filled += fill
        cost += fill * price
        held += fill - round_down(fill * Decimal("0.0022"), STEP)
        reported = a_fill(
            order,
            filled,
            cost / filled,
            status=FILLED if is_last and part == 1 else OPEN,
            position=held,
        )
        updates.append(reported)
        if draw(st.booleans()):  # REST tells the same without the position
            updates.append(replace(reported, position_quantity=None))
    if part < 1:
        updates.append(replace(updates[-1], status=CANCELED, position_quantity=None))
    if draw(st.booleans()):  # a cancel that lost the race, told with what it knew of
        known = draw(st.sampled_from(updates))
        updates.append(replace(known, status=CANCELED, position_quantity=None))
    return kind, updates


def in_every_order(updates: Sequence[OrderUpdate]) -> Iterable[Sequence[OrderUpdate]]:
    return permutations(updates) if len(updates) <= 5 else ()


@given(history=histories(), data=st.data())
@CHECKED
def test_the_same_updates_in_any_order_give_the_same_cycle(
    history: tuple[OrderKind, list[OrderUpdate]], data: st.DataObject
) -> None:
    kind, updates = history
    cycle, order = buying(kind, status=INTENDED)
    expected = booked(cycle, order, *updates)
    shuffled = data.draw(st.permutations(updates + data.draw(st.lists(st.sampled_from(updates)))))
    for reported in (*in_every_order(updates), shuffled):
        after = booked(cycle, order, *reported)
        assert after.cycle == expected.cycle
        assert after.order.received_quantity == expected.order.received_quantity


@given(history=histories(), data=st.data())
@CHECKED
def test_no_news_of_a_buy_books_more_than_was_bought(
    history: tuple[OrderKind, list[OrderUpdate]], data: st.DataObject
) -> None:
    kind, updates = history
    cycle, order = buying(kind, status=INTENDED)
    state = Booked(cycle, order)
    for update in data.draw(st.lists(st.sampled_from(updates), min_size=1, max_size=12)):
        before, state = state, booked(state.cycle, state.order, update)
        bought = state.order.filled_quantity
        net = state.cycle.quantity - cycle.quantity
        assert before.order.filled_quantity <= bought <= order.quantity
        assert bought * Decimal("0.99") - Decimal("0.000000001") <= net <= bought
        assert state.cycle.safety_orders - cycle.safety_orders in (0, 1)
        if bought:
            assert Decimal(90) <= state.cycle.average_purchase_price <= Decimal(100)


@given(
    parts=st.lists(st.integers(1, 98), min_size=1, max_size=4),
    ends_filled=st.booleans(),
    data=st.data(),
)
@CHECKED
def test_the_news_of_a_sell_in_any_order_give_the_same_cycle(
    parts: list[int], ends_filled: bool, data: st.DataObject
) -> None:
    cycle, order = selling()
    sold = [Decimal(n) / 100 for n in sorted(set(parts))]
    updates = [an_update(order, OPEN)]
    updates += [a_fill(order, part, 101, status=OPEN) for part in sold]
    end = a_fill(order, 1, 101) if ends_filled else a_fill(order, sold[-1], 101, status=CANCELED)
    expected = booked(cycle, order, *updates, end)
    reported = data.draw(st.permutations([*updates, end, end]))
    assert booked(cycle, order, *reported).cycle == expected.cycle
    assert expected.cycle.status is (CycleStatus.COMPLETE if ends_filled else CycleStatus.WATCHING)


def test_the_documents_show_every_change_of_status() -> None:
    page = (PROJECT_ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert as_table() in page


@pytest.mark.parametrize("status", [CycleStatus.COMPLETE, CycleStatus.ERROR])
def test_a_cycle_that_is_over_cannot_fail(status: CycleStatus) -> None:
    with pytest.raises(IllegalTransition):
        fail(a_cycle(status=status), NOW)


@pytest.mark.parametrize("status", [CycleStatus.BUYING, CycleStatus.COOLDOWN, CycleStatus.ERROR])
def test_only_a_cycle_that_sells_or_watches_is_sold_out(status: CycleStatus) -> None:
    with pytest.raises(IllegalTransition):
        sell_out(a_cycle(status=status), None, NOW)


# -- news of an order whose asset and cycle have been deleted


def test_an_order_of_a_deleted_row_follows_what_alpaca_says_until_it_has_ended() -> None:
    order = an_order(alpaca_order_id="alpaca-1")
    again = an_update(order, OrderStatus.INTENDED, alpaca_order_id=None)
    assert apply_alone(order, again) == order
    ended = apply_alone(order, an_update(order, OrderStatus.CANCELED))
    assert ended.status is OrderStatus.CANCELED
    assert apply_alone(ended, an_update(order, OrderStatus.OPEN)) == ended
    lost = replace(order, status=OrderStatus.LOST)
    assert apply_alone(lost, an_update(order, OrderStatus.OPEN)).status is OrderStatus.OPEN


def test_the_fill_of_an_order_of_a_deleted_row_is_kept_as_it_was_booked() -> None:
    exact = an_order(
        alpaca_order_id="alpaca-1",
        filled_quantity="0.5",
        filled_average_price="100",
        received_quantity="0.499",
    )
    assert apply_alone(exact, a_fill(exact, "0.5", status="open")) == exact
    assert apply_alone(exact, a_fill(exact, "0.4", status="open")) == exact
    more = apply_alone(exact, a_fill(exact, "1", 99))
    assert (more.filled_quantity, more.filled_average_price) == (1, 99)
    assert more.received_quantity == Decimal("0.9975")


@pytest.mark.parametrize(
    ("told", "replaced_by", "expected"),
    [
        ("alpaca-2", None, "alpaca-2"),
        ("alpaca-0", "alpaca-1", "alpaca-1"),  # late news of what it was before
        (None, None, "alpaca-1"),
    ],
)
def test_an_edited_order_has_the_id_that_nobody_has_replaced(
    told: str | None, replaced_by: str | None, expected: str
) -> None:
    order = an_order(alpaca_order_id="alpaca-1")
    cycle = start_order(a_cycle(), Side.BUY, "alpaca-1")
    update = an_update(order, OrderStatus.OPEN, alpaca_order_id=told, replaced_by=replaced_by)
    assert apply_update(an_asset(), cycle, order, update, NOW).order.alpaca_order_id == expected
    assert apply_alone(order, update).alpaca_order_id == expected


def test_an_order_that_is_first_heard_of_when_it_was_edited_has_an_id() -> None:
    order = an_order()
    update = an_update(order, OrderStatus.OPEN, alpaca_order_id="a", replaced_by="b")
    assert apply_alone(order, update).alpaca_order_id == "a"
