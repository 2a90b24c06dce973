"""order_manager.py: what is too old goes, what is in doubt is settled, all else stays."""

from datetime import timedelta
from decimal import Decimal

import pytest

from dca_bot.broker.rate_limit import RateLimiter
from dca_bot.caretakers.run import TURN_SECONDS_MAX
from dca_bot.core.model import Cycle, CycleStatus, Order, OrderKind, OrderStatus
from dca_bot.program.errors import BrokerUnavailable
from dca_bot.program.script import DEADLINE_SECONDS
from dca_bot.trading.settle import recover
from order_manager import CANCELS_MAX, REQUESTS_PER_MINUTE
from tests.builders import BTC, a_holding_cycle, an_asset
from tests.caretakers.small_world import LIMITS, SmallWorld

STALE = LIMITS.stale_order_seconds
ORPHAN = LIMITS.orphan_order_seconds
STUCK = LIMITS.stuck_sell_seconds


@pytest.fixture
def world() -> SmallWorld:
    """A base order of the bot is open and has not been filled."""
    world = SmallWorld()
    world.put_cycle()
    world.broker.holds_fills = True
    assert world.trade() is not None
    return world


def the_order(world: SmallWorld) -> str:
    return world.broker.submitted[0].client_order_id


def test_a_stale_buy_is_cancelled_and_its_cycle_watches_again(world: SmallWorld) -> None:
    world.clock.pass_by(STALE + 1)
    assert world.manage_orders() == 0
    assert world.open_ids == set()
    assert world.cycle.status is CycleStatus.WATCHING
    assert world.cycle.latest_order_id is None


def test_many_stale_buys_cost_little_more_than_their_cancels() -> None:
    """Alpaca's requests are few a minute, and a run has an end."""
    world, count = many_resting_buys()
    world.clock.pass_by(STALE + 1)
    world.broker.calls.clear()
    assert world.manage_orders() == 0
    assert world.open_ids == set()
    assert statuses(world) == [CycleStatus.WATCHING] * count
    assert world.cancels == count
    assert len(world.broker.calls) < count + 10


def test_many_buys_that_ended_unheard_are_booked_from_one_list() -> None:
    """So ends what a run has cancelled that was over before it saw the ends."""
    world, count = many_resting_buys()
    world.clock.pass_by(STALE + 1)
    for client_order_id in world.open_ids:
        world.broker.end(client_order_id, OrderStatus.CANCELED)
    world.broker.calls.clear()
    assert world.manage_orders() == 0
    assert statuses(world) == [CycleStatus.WATCHING] * count
    assert world.broker.calls == ["open_orders", "closed_orders"]


def test_what_a_list_of_closed_orders_does_not_tell_is_asked_for_alone() -> None:
    world, count = many_resting_buys()
    world.clock.pass_by(3 * 24 * 3600)  # the list goes back a day
    assert world.manage_orders() == 0
    assert statuses(world) == [CycleStatus.WATCHING] * count


def test_what_is_too_much_for_one_run_is_the_next_ones() -> None:
    world, count = many_resting_buys(CANCELS_MAX + 5)
    world.clock.pass_by(STALE + 1)
    assert world.manage_orders() == 0
    assert len(world.open_ids) == 5
    assert world.manage_orders() == 0
    assert statuses(world) == [CycleStatus.WATCHING] * count


def test_a_stuck_sell_does_not_wait_behind_stale_buys() -> None:
    world, count = many_resting_buys(CANCELS_MAX)
    held = a_holding_cycle(asset_id=count + 1)
    world.store.put_asset(an_asset(asset_id=held.asset_id, symbol="LAST/USD"))
    with world.store.transaction(held.asset_id) as tx:
        tx.add_cycle(held)
    world.broker.hold("LAST/USD", "1", "100")
    world.main_app.on_quote(
        world.store.assets()[-1], world.broker.quote("LAST/USD", 102, Decimal("102.1"))
    )
    assert statuses(world).pop() is CycleStatus.SELLING
    world.clock.pass_by(STALE + 1)
    assert world.manage_orders() == 0
    assert statuses(world).pop() is CycleStatus.WATCHING
    assert len(world.open_ids) == 1


def test_a_run_has_the_requests_to_cancel_so_many_orders_and_to_see_them_end() -> None:
    pauses: list[float] = []
    limiter = RateLimiter(
        REQUESTS_PER_MINUTE,
        wait_seconds_max=TURN_SECONDS_MAX,
        clock=lambda: sum(pauses),
        sleep=pauses.append,
    )
    limiter.acquire()
    for _ in range(CANCELS_MAX):
        limiter.acquire(urgent=True)
    limiter.acquire()
    limiter.acquire()
    assert sum(pauses) < 0.8 * DEADLINE_SECONDS


def many_resting_buys(count: int = 20) -> tuple[SmallWorld, int]:
    """A resting base order in each of many assets."""
    world = SmallWorld()
    world.broker.holds_fills = True
    world.put_cycle()
    world.trade()
    for asset_id in range(2, count + 1):
        symbol = f"C{asset_id}/USD"
        world.store.put_asset(an_asset(asset_id=asset_id, symbol=symbol))
        with world.store.transaction(asset_id) as tx:
            tx.add_cycle(Cycle(0, asset_id, CycleStatus.WATCHING))
        state = world.store.assets()[-1]
        world.main_app.on_quote(state, world.broker.quote(symbol, 100, 100))
    return world, count


def statuses(world: SmallWorld) -> list[CycleStatus]:
    return [state.cycle.status for state in world.store.assets() if state.cycle]


def test_an_order_that_was_edited_at_alpaca_is_the_cycles_own(world: SmallWorld) -> None:
    order = the_order(world)
    world.broker.edit(order, "99")
    assert world.manage_orders() == 0
    assert world.cancels == 0
    world.clock.pass_by(STALE + 1)
    assert world.manage_orders() == 0
    assert world.cancels == 1
    assert world.cycle.status is CycleStatus.WATCHING
    assert world.store.order(order).status is OrderStatus.CANCELED


def test_many_edited_orders_are_followed_one_by_one() -> None:
    """The list of closed orders shows them, but not what has become of them."""
    world, count = many_resting_buys(3)
    orders = [each.client_order_id for each in world.broker.submitted]
    for each in orders:
        world.broker.edit(each, "99")
    assert world.manage_orders() == 0
    assert statuses(world) == [CycleStatus.BUYING] * count
    for each in orders:
        world.broker.fill(each)
    assert world.manage_orders() == 0
    assert statuses(world) == [CycleStatus.WATCHING] * count
    assert all(state.cycle and state.cycle.quantity > 0 for state in world.store.assets())


def test_a_buy_that_is_not_yet_stale_is_left_alone(world: SmallWorld) -> None:
    before = world.cycle
    world.clock.pass_by(STALE)
    world.manage_orders()
    assert world.open_ids == {the_order(world)}
    assert world.cycle == before
    assert world.cancels == 0


def test_an_order_from_the_future_is_young(world: SmallWorld) -> None:
    world.clock.pass_by(-10 * STALE)  # our clock runs behind Alpaca's
    world.manage_orders()
    assert world.cancels == 0


def test_what_was_filled_before_the_cancel_counts(world: SmallWorld) -> None:
    world.broker.fill(the_order(world), "0.1", "100")
    world.clock.pass_by(STALE + 1)
    world.manage_orders()
    assert world.cycle.status is CycleStatus.WATCHING
    assert world.cycle.quantity == Decimal("0.09975")
    assert world.cycle.average_purchase_price == 100


def test_a_fill_that_is_faster_than_the_cancel_wins(world: SmallWorld) -> None:
    world.broker.ignores_cancels = True
    world.clock.pass_by(STALE + 1)
    order = the_order(world)

    def fill_while_waiting(seconds: float) -> None:
        world.slept.append(seconds)
        if len(world.slept) == 1:
            world.broker.fill(order)

    world.sleep = fill_while_waiting
    world.manage_orders()
    assert world.cycle.quantity == Decimal("0.1995")
    assert world.cycle.status is CycleStatus.WATCHING


def test_a_cycle_moves_only_when_alpaca_says_that_its_order_has_ended(world: SmallWorld) -> None:
    world.broker.ignores_cancels = True
    world.clock.pass_by(STALE + 1)
    assert world.manage_orders() == 0
    assert world.cycle.status is CycleStatus.BUYING
    assert sum(world.slept) < 10
    world.broker.ignores_cancels = False
    world.manage_orders()
    assert world.cycle.status is CycleStatus.WATCHING


def test_a_stuck_sell_is_cancelled_so_that_the_bot_can_try_again() -> None:
    world = SmallWorld()
    world.hold()
    world.broker.holds_fills = True
    world.trade(price=102)
    assert world.cycle.status is CycleStatus.SELLING
    world.clock.pass_by(STUCK)
    world.manage_orders()
    assert world.cancels == 0
    world.clock.pass_by(1)
    world.manage_orders()
    assert world.cycle.status is CycleStatus.WATCHING
    assert world.cycle.quantity == 1
    world.listen()
    world.broker.release_fills()
    world.trade(price=102)
    assert world.state.asset.last_sell_price == 102


def test_a_sell_that_ends_part_filled_leaves_the_rest() -> None:
    world = SmallWorld()
    world.hold()
    world.broker.holds_fills = True
    order = world.trade(price=102)
    assert order is not None
    world.broker.fill(order.client_order_id, "0.4", "102")
    world.clock.pass_by(STUCK + 1)
    world.manage_orders()
    assert world.cycle.status is CycleStatus.WATCHING
    assert world.cycle.quantity == Decimal("0.6")


def test_an_order_that_no_cycle_tracks_is_cancelled_once_it_is_old_enough() -> None:
    world = SmallWorld()
    world.put_cycle()
    world.broker.holds_fills = True
    world.order_by_hand()
    world.clock.pass_by(ORPHAN)
    world.manage_orders()
    assert world.cancels == 0
    world.clock.pass_by(1)
    world.manage_orders()
    assert world.open_ids == set()


def test_in_the_symbol_of_a_disabled_row_only_the_bots_own_orders_are_orphans() -> None:
    world = SmallWorld(is_enabled=False)
    world.broker.holds_fills = True
    world.order_by_hand()
    world.broker.submit(_an_order("dca-7-base-abc"), BTC)
    world.clock.pass_by(100 * ORPHAN)
    world.manage_orders()
    assert world.open_ids == {"by-hand-0"}


def test_orders_in_other_symbols_are_somebody_elses() -> None:
    world = SmallWorld()
    world.broker.holds_fills = True
    world.broker.quote("ETH/USD", 10, 10)
    stranger = _an_order("web-123")
    ours = _an_order("dca-7-base-abc")
    for order in (stranger, ours):
        world.broker.submit(order, "ETH/USD")
    world.clock.pass_by(100 * ORPHAN)
    world.manage_orders()
    assert world.open_ids == {"web-123"}  # the other carries the bot's prefix


def test_an_edited_order_of_a_deleted_row_is_an_orphan(world: SmallWorld) -> None:
    world.broker.edit(the_order(world), "99")
    recover(world.main_app.books, world.store, world.broker)
    world.store.delete_asset(1)
    world.clock.pass_by(ORPHAN + 1)
    world.manage_orders()
    assert (world.open_ids, world.store.live_orders()) == (set(), [])


def test_an_order_whose_cycle_is_over_is_an_orphan(world: SmallWorld) -> None:
    world.edit_cycle(status=CycleStatus.ERROR, completed_at=world.clock())
    world.put_cycle()
    world.clock.pass_by(ORPHAN + 1)
    world.manage_orders()
    assert world.open_ids == set()
    assert world.store.live_orders() == []
    assert world.cycle.status is CycleStatus.WATCHING


def test_an_order_that_a_user_gave_to_a_cycle_is_tracked_by_its_id_alone() -> None:
    world = SmallWorld()
    world.broker.holds_fills = True
    order_id = world.order_by_hand()
    world.put_cycle(status=CycleStatus.BUYING, latest_order_id=order_id)
    world.clock.pass_by(STALE)
    world.manage_orders()
    assert world.cancels == 0
    world.broker.fill("by-hand-0", "0.5", "100")
    world.clock.pass_by(1)
    world.manage_orders()
    assert world.open_ids == set()
    assert world.cycle.status is CycleStatus.WATCHING
    assert world.cycle.latest_order_id is None
    assert world.cycle.quantity == Decimal("0.49875")


def test_an_order_whose_answer_main_app_still_waits_for_is_left_alone() -> None:
    world = SmallWorld()
    world.put_cycle()
    world.broker.holds_fills = True
    world.trade_in_doubt(taken=True, seconds=5)
    world.manage_orders()
    [row] = world.store.live_orders()
    assert row.status is OrderStatus.INTENDED
    assert world.cancels == 0


def test_an_order_in_doubt_that_alpaca_has_is_adopted() -> None:
    world = SmallWorld()
    world.put_cycle()
    world.broker.holds_fills = True
    world.trade_in_doubt(taken=True, seconds=60)
    world.manage_orders()
    assert world.cycle.status is CycleStatus.BUYING
    assert world.cycle.latest_order_id is not None
    assert [row.status for row in world.store.live_orders()] == [OrderStatus.OPEN]


def test_an_order_in_doubt_that_was_filled_is_booked() -> None:
    world = SmallWorld()
    world.put_cycle()
    world.trade_in_doubt(taken=True, seconds=60)
    world.manage_orders()
    assert world.cycle.status is CycleStatus.WATCHING
    assert world.cycle.quantity == Decimal("0.1995")


def test_an_order_in_doubt_that_alpaca_never_got_is_given_up() -> None:
    world = SmallWorld()
    world.put_cycle()
    world.trade_in_doubt(taken=False, seconds=60)
    world.manage_orders()
    assert world.cycle.status is CycleStatus.WATCHING
    assert world.store.live_orders() == []


def test_a_dry_run_changes_nothing(world: SmallWorld) -> None:
    world.order_by_hand()
    world.clock.pass_by(STALE + 1)
    before = world.cycle, world.store.live_orders(), world.open_ids
    assert world.manage_orders(dry_run=True) == 0
    assert (world.cycle, world.store.live_orders(), world.open_ids) == before
    assert world.cancels == 0


def test_nothing_is_changed_when_alpaca_cannot_be_asked(world: SmallWorld) -> None:
    world.clock.pass_by(STALE + 1)
    world.broker.fail("open_orders", BrokerUnavailable("503"))
    before = world.cycle
    with pytest.raises(BrokerUnavailable, match="next run"):
        world.manage_orders()
    assert world.cycle == before


def test_one_asset_in_trouble_does_not_stop_the_others(world: SmallWorld) -> None:
    world.store.put_asset(an_asset(asset_id=2, symbol="ETH/USD"))
    world.broker.quote("ETH/USD", 10, 10)
    world.broker.submit(_an_order("by-hand-eth"), "ETH/USD")
    world.clock.pass_by(STALE + 1)
    world.broker.fail("cancel", BrokerUnavailable("500"))  # of the first one
    assert world.manage_orders() == 1
    assert world.open_ids == {the_order(world)}


def test_what_an_unreadable_cycle_tracks_is_not_known_so_nothing_is_an_orphan() -> None:
    world = SmallWorld()
    world.broker.holds_fills = True
    world.order_by_hand()
    world.clock.pass_by(ORPHAN + 1)
    world.store.problems = {1: "status is 'buyin'"}
    assert world.manage_orders() == 1
    assert world.cancels == 0


def test_a_typing_error_in_latest_order_id_takes_nobody_elses_order() -> None:
    world = SmallWorld()
    world.broker.holds_fills = True
    world.broker.quote("ETH/USD", 10, 10)
    update = world.broker.submit(_an_order("web-1"), "ETH/USD")
    world.put_cycle(status=CycleStatus.BUYING, latest_order_id=update.alpaca_order_id)
    world.clock.pass_by(100 * STALE)
    world.manage_orders()
    assert world.open_ids == {"web-1"}


def _an_order(client_order_id: str) -> Order:
    return Order(
        client_order_id=client_order_id,
        asset_id=0,
        cycle_id=0,
        kind=OrderKind.BASE,
        rung=0,
        quantity=Decimal(2),
        limit_price=Decimal(10),
        status=OrderStatus.INTENDED,
        created_at=SmallWorld().clock() - timedelta(0),
    )


@pytest.mark.parametrize(("ahead", "cancels"), [(-ORPHAN, 0), (0, 0), (2, 1)])
def test_the_age_of_an_order_is_counted_by_alpacas_clock(ahead: int, cancels: int) -> None:
    world = SmallWorld()
    world.put_cycle()
    world.broker.holds_fills = True
    world.order_by_hand()
    world.clock.pass_by(ORPHAN - 1)
    world.broker.clock_offset = timedelta(seconds=ahead)
    world.manage_orders()
    assert world.cancels == cancels


@pytest.mark.parametrize(("count", "questions"), [(2, ["order", "order"]), (3, ["closed_orders"])])
def test_a_few_orders_are_asked_for_one_by_one_and_more_from_one_list(
    count: int, questions: list[str]
) -> None:
    world, _ = many_resting_buys(count)
    for client_order_id in world.open_ids:
        world.broker.end(client_order_id, OrderStatus.CANCELED)
    world.broker.calls.clear()
    assert world.manage_orders() == 0
    assert world.broker.calls == ["open_orders", *questions]
    assert statuses(world) == [CycleStatus.WATCHING] * count
