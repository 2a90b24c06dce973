"""consistency_checker.py: the database becomes what Alpaca says, and nothing else changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from consistency_checker import SECOND_LOOK_SECONDS
from dca_bot.core.model import Cycle, CycleStatus, OrderKind, OrderStatus, OrderUpdate
from dca_bot.program.errors import BrokerUnavailable
from tests.builders import BTC, an_asset, an_order
from tests.caretakers.small_world import SmallWorld
from tests.fakes import FakeBroker

S = CycleStatus


@pytest.fixture
def world() -> SmallWorld:
    """One coin bought at 100, in the books as at Alpaca."""
    world = SmallWorld()
    world.hold()
    return world


# -- orders


def test_a_buy_that_was_filled_while_nobody_listened_is_booked() -> None:
    world = SmallWorld()
    world.put_cycle()
    world.trade()
    assert world.cycle.status is S.BUYING
    assert world.check_consistency() == 0
    assert world.cycle.status is S.WATCHING
    assert world.cycle.latest_order_id is None
    assert world.cycle.quantity == Decimal("0.1995")
    assert world.slept == []


def test_a_sell_that_was_filled_while_nobody_listened_completes_its_cycle(
    world: SmallWorld,
) -> None:
    old = world.cycle
    world.trade(price=102)
    assert world.cycle.status is S.SELLING
    world.check_consistency()
    assert world.cycle_by_id(old.cycle_id).status is S.COMPLETE
    assert world.cycle.status is S.COOLDOWN
    assert world.state.asset.last_sell_price == 102


@pytest.mark.parametrize(
    "ending", [OrderStatus.CANCELED, OrderStatus.EXPIRED, OrderStatus.REJECTED]
)
def test_an_order_that_ended_unfilled_lets_its_cycle_watch(ending: OrderStatus) -> None:
    world = SmallWorld()
    world.put_cycle()
    world.broker.holds_fills = True
    order = world.trade()
    assert order is not None
    world.broker.end(order.client_order_id, ending)
    world.check_consistency()
    assert world.cycle.status is S.WATCHING
    assert world.cycle.latest_order_id is None
    assert world.cycle.quantity == 0


def test_an_order_that_alpaca_does_not_know_is_given_up_once_it_cannot_be_on_its_way() -> None:
    world = SmallWorld()
    world.put_cycle()
    world.trade_in_doubt(taken=False, seconds=5)
    world.check_consistency()
    assert world.cycle.status is S.BUYING
    world.clock.pass_by(60)
    world.check_consistency()
    assert world.cycle.status is S.WATCHING


class OutOfSight(SmallWorld):
    """Alpaca has acknowledged a BUY long ago and finds it no more, unless it `comes_back` while
    the checker sleeps."""

    def __init__(self, *, comes_back: bool = False) -> None:
        super().__init__()
        self._comes_back = comes_back
        self.put_cycle()
        self.broker.holds_fills = True
        self.trade()
        [order] = self.store.live_orders()
        assert order.alpaca_order_id is not None
        self.broker.unseen = {order.client_order_id, order.alpaca_order_id}
        self.clock.pass_by(3600)

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        if self._comes_back:
            self.broker.unseen = set()


def test_an_acknowledged_order_that_two_looks_do_not_find_is_given_up() -> None:
    world = OutOfSight()
    assert world.check_consistency() == 0
    assert world.slept == [SECOND_LOOK_SECONDS]
    assert world.cycle.status is S.WATCHING
    assert world.cycle.latest_order_id is None
    assert world.store.live_orders() == []


def test_an_acknowledged_order_that_the_second_look_finds_stays_under_way() -> None:
    world = OutOfSight(comes_back=True)
    before = world.state, world.store.live_orders()
    assert world.check_consistency() == 0
    assert (world.state, world.store.live_orders()) == before


def test_order_manager_gives_up_no_acknowledged_order_that_it_does_not_find() -> None:
    world = OutOfSight()
    before = world.state, world.store.live_orders()
    assert world.manage_orders() == 0
    assert (world.state, world.store.live_orders()) == before


def test_an_open_order_is_no_inconsistency() -> None:
    world = SmallWorld()
    world.put_cycle()
    world.broker.holds_fills = True
    world.trade()
    before = world.state, world.store.live_orders()
    assert world.check_consistency() == 0
    assert (world.state, world.store.live_orders()) == before
    assert world.slept == []


# -- orders that a user gave to a cycle by SQL


def test_a_buy_by_hand_that_was_filled_is_booked_like_any_other() -> None:
    world = SmallWorld()
    order_id = world.order_by_hand(quantity="0.5")
    world.put_cycle(status=S.BUYING, latest_order_id=order_id)
    assert world.check_consistency() == 0
    assert world.cycle.status is S.WATCHING
    assert world.cycle.latest_order_id is None
    assert world.cycle.quantity == Decimal("0.49875")
    assert world.cycle.average_purchase_price == 100
    assert world.cycle.last_order_fill_price == 100


def test_a_sell_by_hand_that_was_filled_completes_its_cycle() -> None:
    world = SmallWorld()
    world.broker.hold(BTC, "1", "90")
    order_id = world.order_by_hand(OrderKind.TAKE_PROFIT, "1", limit=None)
    held = {"quantity": Decimal(1), "average_purchase_price": Decimal(90)}
    old = world.put_cycle(status=S.SELLING, latest_order_id=order_id, **held)
    world.check_consistency()
    assert world.cycle_by_id(old.cycle_id).status is S.COMPLETE
    assert world.cycle.status is S.COOLDOWN
    assert world.state.asset.last_sell_price == 100


def test_an_open_order_by_hand_is_waited_for() -> None:
    world = SmallWorld()
    world.broker.holds_fills = True
    order_id = world.order_by_hand()
    world.put_cycle(status=S.BUYING, latest_order_id=order_id)
    before = world.state
    world.check_consistency()
    assert world.state == before
    assert world.store.live_orders() == []


@pytest.mark.parametrize("order_id", [None, "", "no-such-order"])
@pytest.mark.parametrize("status", [S.BUYING, S.SELLING])
def test_a_cycle_whose_order_nobody_knows_watches_again(
    status: CycleStatus, order_id: str | None
) -> None:
    world = SmallWorld()
    world.hold(status=status, latest_order_id=order_id)
    assert world.check_consistency() == 0
    assert world.cycle.status is S.WATCHING
    assert world.cycle.latest_order_id is None
    assert world.cycle.quantity == 1


def test_an_order_that_was_booked_before_is_not_booked_again(world: SmallWorld) -> None:
    world.listen()
    order = world.trade(price=98)  # a safety order, filled and booked
    assert order is not None
    booked = world.cycle
    assert booked.safety_orders == 1
    world.edit_cycle(status=S.BUYING, latest_order_id=f"alpaca-{order.client_order_id}")
    world.check_consistency()
    assert world.cycle == booked


def test_an_order_of_another_symbol_does_not_fit_the_cycle() -> None:
    world = SmallWorld()
    world.broker.quote("ETH/USD", 100, 100)
    order_id = world.order_by_hand(quantity="0.5", symbol="ETH/USD")
    world.put_cycle(status=S.BUYING, latest_order_id=order_id)
    world.check_consistency()
    assert world.cycle.status is S.WATCHING
    assert world.cycle.quantity == 0


def test_an_open_order_whose_answer_was_lost_gets_its_id_from_the_list() -> None:
    world = SmallWorld()
    world.put_cycle()
    world.broker.holds_fills = True
    world.trade_in_doubt(taken=True, seconds=60)
    world.check_consistency()
    [order] = world.store.live_orders()
    assert order.status is OrderStatus.OPEN
    assert world.cycle.latest_order_id == order.alpaca_order_id


def test_an_open_order_that_was_partly_filled_unheard_is_booked() -> None:
    world = SmallWorld()
    world.put_cycle()
    world.broker.holds_fills = True
    order = world.trade()
    assert order is not None
    world.broker.fill(order.client_order_id, "0.1")
    world.check_consistency()
    assert world.cycle.status is S.BUYING
    assert world.cycle.quantity == Decimal("0.09975")


def test_an_order_of_the_other_side_does_not_fit_the_cycle() -> None:
    world = SmallWorld()
    order_id = world.order_by_hand(quantity="0.5")
    held = {"quantity": Decimal("0.49875"), "average_purchase_price": Decimal(100)}
    world.put_cycle(status=S.SELLING, latest_order_id=order_id, **held)
    world.check_consistency()
    assert world.cycle.status is S.WATCHING
    assert world.cycle.quantity == Decimal("0.49875")


# -- positions


def test_a_consistent_state_is_left_as_it_is(world: SmallWorld) -> None:
    before = world.state
    assert world.check_consistency() == 0
    assert world.state == before
    assert world.slept == []


def test_a_cycle_without_an_average_gets_alpacas(world: SmallWorld) -> None:
    world.edit_cycle(average_purchase_price=Decimal(0), last_order_fill_price=None)
    world.broker.hold(BTC, 1, 90)
    assert world.check_consistency() == 0
    assert (world.cycle.quantity, world.cycle.average_purchase_price) == (1, 90)
    before = world.state
    assert world.check_consistency() == 0
    assert world.state == before


def test_coins_sold_by_hand_end_the_cycle_and_begin_a_new_one(world: SmallWorld) -> None:
    old = world.cycle
    world.broker.hold(BTC, 0, 0)
    assert world.check_consistency() == 0
    gone = world.cycle_by_id(old.cycle_id)
    assert gone.status is S.ERROR
    assert gone.completed_at is not None
    assert gone.quantity == 1  # as it was, for whoever looks into it
    assert world.cycle.status is S.WATCHING
    assert world.cycle.quantity == 0
    assert world.slept == [SECOND_LOOK_SECONDS]


@pytest.mark.parametrize("held", ["0.4", "1.7"])
def test_alpacas_quantity_and_average_win(world: SmallWorld, held: str) -> None:
    before = world.cycle
    world.broker.hold(BTC, held, "97.123456789012")
    assert world.check_consistency() == 0
    assert world.cycle == replace(
        before, quantity=Decimal(held), average_purchase_price=Decimal("97.1234567890")
    )


def test_dust_where_coins_should_be_is_no_position(world: SmallWorld) -> None:
    old = world.cycle
    world.broker.hold(BTC, "0.000001", "100")
    world.check_consistency()
    assert world.cycle_by_id(old.cycle_id).status is S.ERROR


@pytest.mark.parametrize("held", ["1.0000000009", "0.9999999991"])
def test_less_than_one_increment_is_silent(world: SmallWorld, held: str) -> None:
    before = world.state
    world.broker.hold(BTC, held, "90")
    world.check_consistency()
    assert world.state == before
    assert world.slept == []


def test_one_increment_is_acted_on(world: SmallWorld) -> None:
    world.broker.hold(BTC, "0.999999999", "100")
    world.check_consistency()
    assert world.cycle.quantity == Decimal("0.999999999")


def test_a_difference_that_shows_only_once_is_alpaca_lagging(world: SmallWorld) -> None:
    before = world.state
    world.broker.hold(BTC, "0.5", "100")

    def catch_up(_: float) -> None:
        world.broker.hold(BTC, "1", "100")

    world.sleep = catch_up
    assert world.check_consistency() == 0
    assert world.state == before


def test_a_difference_that_still_moves_is_left_to_the_next_run(world: SmallWorld) -> None:
    before = world.state
    world.broker.hold(BTC, "0.5", "100")

    def move_on(_: float) -> None:
        world.broker.hold(BTC, "0.6", "100")

    world.sleep = move_on
    world.check_consistency()
    assert world.state == before


def test_a_cycle_that_begins_an_order_between_two_looks_is_left_alone(world: SmallWorld) -> None:
    world.broker.hold(BTC, "0.5", "100")
    world.broker.holds_fills = True

    def order(_: float) -> None:
        world.trade(price=98)

    world.sleep = order
    world.check_consistency()
    assert world.cycle.status is S.BUYING
    assert world.cycle.quantity == 1


def test_a_cycle_that_was_reset_by_hand_is_not_corrected_while_its_order_works(
    world: SmallWorld,
) -> None:
    """The fill would be booked on top of a quantity that holds it already."""
    world.broker.holds_fills = True
    order = world.trade(price=98)
    assert order is not None
    world.edit_cycle(status=S.WATCHING)
    world.broker.hold(BTC, "1.1", "100")
    world.clock.pass_by(61)  # the minute after an order is over, though this one works on
    before = world.state
    assert world.check_consistency() == 0
    assert world.state == before


def test_nothing_is_corrected_within_a_minute_of_the_end_of_the_last_order() -> None:
    world = SmallWorld()
    world.put_cycle()
    world.listen()
    world.trade()
    bought = world.cycle
    world.broker.hold(BTC, 0, 0)  # the list of positions lags behind the fill
    for _ in range(2):
        world.clock.pass_by(29)
        world.check_consistency()
        assert world.cycle == bought
    assert world.slept == []
    world.clock.pass_by(2)
    world.check_consistency()
    assert world.cycle_by_id(bought.cycle_id).status is S.ERROR


def test_the_minute_after_an_order_is_counted_by_alpacas_clock() -> None:
    world = SmallWorld()
    world.put_cycle()
    world.listen()
    world.trade()
    bought = world.cycle
    world.broker.hold(BTC, 0, 0)
    world.clock.pass_by(300)  # so says this machine's clock, which is wrong
    world.broker.clock_offset = timedelta(seconds=-290)
    world.check_consistency()
    assert world.cycle == bought


def test_the_end_of_an_order_counts_not_its_beginning() -> None:
    world = SmallWorld()
    world.put_cycle()
    world.listen()
    world.broker.holds_fills = True
    world.trade()
    world.clock.pass_by(3600)
    world.broker.release_fills()
    bought = world.cycle
    world.broker.hold(BTC, 0, 0)
    world.clock.pass_by(59)
    world.check_consistency()
    assert world.cycle == bought


def test_an_order_that_rested_for_days_and_has_just_ended_counts_as_the_last_one() -> None:
    world = SmallWorld()
    world.put_cycle()
    world.listen()
    world.broker.holds_fills = True
    world.trade()
    world.clock.pass_by(3 * 24 * 3600)
    world.broker.release_fills()
    bought = world.cycle
    world.broker.hold(BTC, 0, 0)
    world.clock.pass_by(20)
    world.check_consistency()
    assert world.cycle == bought
    world.clock.pass_by(60)
    world.check_consistency()
    assert world.cycle_by_id(bought.cycle_id).status is S.ERROR


@pytest.mark.parametrize("symbol", [BTC, "BTC/USDC"])
def test_an_order_by_hand_that_does_not_explain_the_position_is_waited_for(
    world: SmallWorld, symbol: str
) -> None:
    world.broker.quote(symbol, 100, 100)
    world.clock.pass_by(3600)
    world.order_by_hand(OrderKind.TAKE_PROFIT, "0.2", limit=None, symbol=symbol)
    world.broker.hold(BTC, "0.5", "100")
    world.check_consistency()
    assert world.cycle.quantity == 1
    world.clock.pass_by(60)
    world.check_consistency()
    assert world.cycle.quantity == Decimal("0.5")


@pytest.mark.parametrize("symbol", [BTC, "BTC/USDC"])
def test_what_orders_by_hand_account_for_is_corrected_at_once(
    world: SmallWorld, symbol: str
) -> None:
    world.broker.quote(symbol, 100, 100)
    world.clock.pass_by(3600)
    world.order_by_hand(OrderKind.TAKE_PROFIT, "0.5", limit=None, symbol=symbol)
    world.check_consistency()
    assert world.cycle.quantity == Decimal("0.5")


def test_an_order_between_two_looks_leaves_everything_to_the_next_run(world: SmallWorld) -> None:
    world.broker.hold(BTC, "0.5", "100")
    world.listen()

    def order_in_vain(_: float) -> None:
        world.broker.holds_fills = True
        order = world.trade(price=98)
        assert order is not None
        world.broker.end(order.client_order_id, OrderStatus.CANCELED)
        world.clock.pass_by(100)

    world.sleep = order_in_vain
    world.check_consistency()
    assert world.cycle.quantity == 1


def test_two_looks_are_half_a_minute_apart() -> None:
    assert SECOND_LOOK_SECONDS >= 30


# -- coins that are somebody else's


def test_more_than_the_ladder_could_have_bought_is_not_adopted() -> None:
    world = SmallWorld()
    cycle = world.hold("0.2")
    world.broker.hold(BTC, "1000.2", "100")
    assert world.check_consistency() == 0
    assert world.cycle == cycle
    order = world.trade(price=102)
    assert order is not None
    assert order.quantity == Decimal("0.2")


def test_a_deposit_without_a_price_is_not_taken_for_a_sale() -> None:
    world = SmallWorld()
    cycle = world.hold("0.2")
    world.broker.hold(BTC, "1000.2", "0")
    world.check_consistency()
    assert world.cycle == cycle


def test_a_quantity_without_a_price_keeps_the_average_of_the_books(world: SmallWorld) -> None:
    world.broker.hold(BTC, "0.5", "0")
    world.check_consistency()
    assert world.cycle.quantity == Decimal("0.5")
    assert world.cycle.average_purchase_price == 100


# -- the coins of several cycles


def two_cycles(world: SmallWorld | None = None) -> SmallWorld:
    """One BTC and one ETH bought at 100, in the books as at Alpaca."""
    world = world or SmallWorld()
    world.hold()
    world.store.put_asset(an_asset(asset_id=2, symbol="ETH/USD"))
    world.broker.quote("ETH/USD", 100, 100)
    world.broker.hold("ETH/USD", "1", "100")
    held = {"quantity": Decimal(1), "average_purchase_price": Decimal(100)}
    with world.store.transaction(2) as tx:
        tx.add_cycle(Cycle(0, 2, S.WATCHING, **held))
    return world


def test_an_empty_list_of_positions_ends_no_cycle() -> None:
    world = two_cycles()
    before = world.store.assets()
    world.broker.hold(BTC, 0, 0)
    world.broker.hold("ETH/USD", 0, 0)
    assert world.check_consistency() == 1
    assert world.store.assets() == before


@pytest.mark.parametrize("seconds_since", [1, 60, 10 * 24 * 3600])
def test_coins_of_several_cycles_that_orders_have_sold_end_their_cycles(
    seconds_since: int,
) -> None:
    world = two_cycles()
    world.clock.pass_by(10)
    world.order_by_hand(OrderKind.TAKE_PROFIT, "1", limit=None)
    world.broker.hold("ETH/USD", 0, 0)
    world.clock.pass_by(seconds_since)
    assert world.check_consistency() == 1
    bitcoin, ether = world.store.assets()
    assert bitcoin.cycle is not None
    assert bitcoin.cycle.quantity == 0
    assert ether.cycle is not None
    assert ether.cycle.quantity == 1


def test_alpaca_is_asked_no_more_however_many_cycles_were_sold_by_hand() -> None:
    """Its requests are few a minute, and a run has an end."""
    asked = []
    for count in (2, 30):
        world = SmallWorld()
        for number in range(count):
            hold_and_sell_by_hand(world, asset_id=100 + number, symbol=f"C{number}/USD")
        world.clock.pass_by(60)
        world.broker.calls.clear()
        assert world.check_consistency() == 0
        cycles = [state.cycle for state in world.store.assets() if state.asset.asset_id >= 100]
        assert [cycle.quantity for cycle in cycles if cycle] == [0] * count
        asked.append(list(world.broker.calls))
    assert asked[0] == asked[1]


def hold_and_sell_by_hand(world: SmallWorld, *, asset_id: int, symbol: str) -> None:
    """A base order of the bot, and the sale of what it bought on Alpaca's site."""
    world.listen()
    world.store.put_asset(an_asset(asset_id=asset_id, symbol=symbol))
    with world.store.transaction(asset_id) as tx:
        tx.add_cycle(Cycle(0, asset_id, S.WATCHING))
    state = world.store.assets()[-1]
    world.main_app.on_quote(state, world.broker.quote(symbol, 100, 100))
    world.clock.pass_by(1)
    world.order_by_hand(OrderKind.TAKE_PROFIT, "0.1995", limit=None, symbol=symbol)


def test_the_bots_own_sales_do_not_explain_what_is_gone() -> None:
    world = two_cycles()
    world.listen()
    world.clock.pass_by(10)
    world.broker.holds_fills = True
    order = world.trade(price=102)
    assert order is not None
    world.broker.fill(order.client_order_id, "0.5")
    world.broker.end(order.client_order_id, OrderStatus.CANCELED)
    world.clock.pass_by(100)
    for symbol in (BTC, "ETH/USD"):
        world.broker.hold(symbol, 0, 0)
    before = world.store.assets()
    assert world.check_consistency() == 1
    assert world.store.assets() == before


def test_a_sale_of_before_the_cycle_explains_nothing() -> None:
    world = SmallWorld()
    world.broker.hold(BTC, "1", "100")
    world.order_by_hand(OrderKind.TAKE_PROFIT, "1", limit=None)
    world.clock.pass_by(10)
    two_cycles(world)
    for symbol in (BTC, "ETH/USD"):
        world.broker.hold(symbol, 0, 0)
    before = world.store.assets()
    assert world.check_consistency() == 1
    assert world.store.assets() == before


def test_one_of_several_positions_that_is_gone_counts() -> None:
    world = two_cycles()
    world.broker.hold(BTC, 0, 0)
    assert world.check_consistency() == 0
    assert world.cycle.quantity == 0


def test_a_list_with_one_unreadable_position_is_not_an_empty_one() -> None:
    world = two_cycles()
    world.broker.hold(BTC, 0, 0)
    world.broker.unreadable["ETH"] = "no price"
    world.check_consistency()
    assert world.cycle.quantity == 0


def test_a_coin_that_two_cycles_claim_is_left_alone() -> None:
    world = SmallWorld()
    world.hold()
    world.store.put_asset(an_asset(asset_id=2, symbol="BTC/USDC"))
    held = {"quantity": Decimal(1), "average_purchase_price": Decimal(100)}
    with world.store.transaction(2) as tx:
        tx.add_cycle(Cycle(0, 2, S.WATCHING, **held))
    world.broker.hold(BTC, "0.5", "100")
    before = world.store.assets()
    world.check_consistency()
    assert world.store.assets() == before


def test_a_position_that_another_row_owns_is_no_news() -> None:
    world = SmallWorld()
    world.hold()
    world.store.put_asset(an_asset(asset_id=2, symbol="BTC/USDC"))
    with world.store.transaction(2) as tx:
        tx.add_cycle(Cycle(0, 2, S.WATCHING))
    world.check_consistency()
    assert world.slept == []


# -- a sale that has taken all


def test_what_is_left_in_the_books_after_a_whole_sale_ends_as_complete() -> None:
    world = SmallWorld()
    old = world.hold("1")
    world.broker.hold(BTC, "0.9", "100")  # the fees were higher than anybody thought
    order = world.trade(price=102)
    assert order is not None
    world.broker.updates.clear()  # nobody heard of the fill
    world.clock.pass_by(100)
    world.check_consistency()
    assert world.cycle_by_id(old.cycle_id).status is S.COMPLETE
    assert world.cycle.status is S.COOLDOWN
    assert world.state.asset.last_sell_price == 102


def test_a_position_that_no_cycle_owns_is_reported_and_never_sold() -> None:
    world = SmallWorld()
    world.put_cycle()
    world.broker.hold(BTC, "0.5", "100")
    before = world.state
    assert world.check_consistency() == 0
    assert world.state == before
    assert world.broker.submitted == []


def test_a_row_that_cannot_be_read_says_nothing_about_its_position(world: SmallWorld) -> None:
    world.broker.hold(BTC, "0.5", "100")
    world.store.problems = {1: "status is 'wachting': correct it"}
    assert world.check_consistency() == 1
    assert world.slept == []


def test_a_position_in_the_symbol_that_a_row_was_given_is_not_taken_for_its_cycles() -> None:
    world = SmallWorld()
    world.listen()
    world.put_cycle()
    world.trade()
    before = world.cycle
    world.broker.hold("ETH/USD", "0.1", "100")
    world.store.put_asset(an_asset(symbol="ETH/USD"))
    world.clock.pass_by(120)
    assert world.check_consistency() == 1
    assert world.cycle == before


def test_a_position_in_another_symbol_is_nobodys_business(world: SmallWorld) -> None:
    world.broker.hold("ETH/USD", "5", "10")
    world.check_consistency()
    assert world.slept == []


def test_a_symbol_that_alpaca_does_not_know_says_nothing_about_its_coins(
    world: SmallWorld,
) -> None:
    world.store.put_asset(replace(world.state.asset, symbol="btc/usd"))
    before = world.state
    assert world.check_consistency() == 0
    assert world.state == before


# -- cycles


def test_an_enabled_asset_without_a_cycle_gets_one() -> None:
    world = SmallWorld()
    world.check_consistency()
    assert world.cycle.status is S.WATCHING


def test_a_disabled_asset_without_a_cycle_gets_none() -> None:
    world = SmallWorld(is_enabled=False)
    world.check_consistency()
    assert world.state.cycle is None


def test_an_asset_whose_last_cycle_is_over_gets_a_new_one() -> None:
    world = SmallWorld()
    world.put_cycle(status=S.COMPLETE, completed_at=world.clock())
    world.check_consistency()
    assert world.cycle.status is S.WATCHING


# -- not knowing, and trouble


@pytest.mark.parametrize("verb", ["open_orders", "holdings", "rules"])
def test_what_alpaca_cannot_say_changes_nothing(world: SmallWorld, verb: str) -> None:
    world.broker.hold(BTC, 0, 0)
    world.broker.fail(verb, BrokerUnavailable("503"))
    before = world.state
    with pytest.raises(BrokerUnavailable, match="next run"):
        world.check_consistency()
    assert world.state == before


def test_an_order_that_cannot_be_asked_about_stays_in_doubt_and_others_are_served() -> None:
    world = SmallWorld()
    world.put_cycle()
    world.trade()
    world.broker.fail("order", BrokerUnavailable("500"))
    world.store.put_asset(an_asset(asset_id=2, symbol="ETH/USD"))
    assert world.check_consistency() == 1
    bitcoin, ether = world.store.assets()
    assert bitcoin.cycle is not None
    assert bitcoin.cycle.status is S.BUYING
    assert ether.cycle is not None


def test_a_dry_run_changes_nothing() -> None:
    world = SmallWorld()
    world.put_cycle()
    world.trade()
    world.store.put_asset(an_asset(asset_id=2, symbol="ETH/USD"))
    before = world.store.assets(), world.store.live_orders()
    assert world.check_consistency(dry_run=True) == 0
    assert (world.store.assets(), world.store.live_orders()) == before


@pytest.mark.parametrize("held", ["0", "0.5"])
def test_a_dry_run_corrects_no_position(world: SmallWorld, held: str) -> None:
    world.broker.hold(BTC, held, "90")
    before = world.state
    world.check_consistency(dry_run=True)
    assert world.state == before


def test_a_position_that_cannot_be_read_leaves_its_own_cycle_alone(world: SmallWorld) -> None:
    before = world.cycle
    world.broker.unreadable["BTC"] = "a position without readable quantity and price"
    world.check_consistency()
    assert world.cycle == before


def test_what_differs_only_at_the_second_look_is_left_to_the_next_run() -> None:
    world = two_cycles()
    world.broker.hold(BTC, "0.5", "100")

    def move_the_other(_: float) -> None:
        world.broker.hold("ETH/USD", "0.5", "100")

    world.sleep = move_the_other
    assert world.check_consistency() == 0
    bitcoin, ether = (state.cycle for state in world.store.assets())
    assert bitcoin is not None
    assert bitcoin.quantity == Decimal("0.5")
    assert ether is not None
    assert ether.quantity == 1


def test_coins_that_are_gone_were_not_sold_by_the_sale_of_an_earlier_cycle(
    world: SmallWorld,
) -> None:
    world.listen()
    assert world.trade(price=102) is not None
    world.edit_cycle(status=S.ERROR, completed_at=world.clock())
    world.clock.pass_by(100)
    later = world.hold()
    world.broker.hold(BTC, 0, 0)
    assert world.check_consistency() == 0
    assert world.cycle_by_id(later.cycle_id).status is S.ERROR


def test_a_dry_run_ends_no_cycle_that_has_sold_all(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    world = SmallWorld()
    world.hold("1")
    world.broker.hold(BTC, "0.9", "100")
    world.broker.let_positions_lag()
    assert world.trade(price=102) is not None
    world.check_consistency()  # books the sale, and leaves what differs to the next run
    world.broker.catch_up()
    world.clock.pass_by(100)
    before = world.state
    assert world.check_consistency(dry_run=True) == 0
    assert world.state == before
    assert "dry run, not done: all is sold, cycle complete" in caplog.text


class Meanwhile(FakeBroker):
    """Something happens while Alpaca is asked about an order by its id."""

    happens: Callable[[], None] = staticmethod(lambda: None)

    def order_by_id(self, alpaca_order_id: str) -> OrderUpdate | None:
        self.happens()
        return super().order_by_id(alpaca_order_id)


@pytest.mark.parametrize("what", ["an order", "an edit"])
def test_a_cycle_that_has_moved_while_its_order_was_asked_for_is_not_let_go(what: str) -> None:
    world = SmallWorld()
    broker = Meanwhile(BTC, clock=world.clock)
    world.broker = broker
    cycle = world.put_cycle(status=S.BUYING, latest_order_id="never-heard-of")

    def happens() -> None:
        if what == "an edit":
            world.edit_cycle(latest_order_id="another")
            return
        with world.store.transaction(1) as tx:
            tx.add_order(an_order(cycle_id=cycle.cycle_id))

    broker.happens = happens  # type: ignore[method-assign]
    world.check_consistency()
    assert world.cycle.status is S.BUYING
