"""A close by hand, crashed at every step and repeated: sold once, and only what is the cycle's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from typing import Any, cast

import pytest

from dca_bot.core.holdings import Holdings
from dca_bot.core.model import Allowed, CycleStatus, OrderKind, Side
from dca_bot.program.errors import (
    BrokerUnavailable,
    CycleChanged,
    OrderOutcomeUnknown,
    OrderWithheld,
)
from dca_bot.trading.by_hand import Hand
from dca_bot.trading.ports import Broker, Store
from tests.builders import Floor
from tests.fakes import FakeBroker

FOREIGN = Decimal("0.7")


class Crash(BaseException):
    """The process is gone between two instructions."""


class Steps:
    """Counts what the process does, and ends it at one of its steps."""

    def __init__(self, crash_at: int) -> None:
        self.count, self._crash_at = 0, crash_at

    def step(self) -> None:
        self.count += 1
        if self.count == self._crash_at:
            raise Crash


class CrashingStore:
    def __init__(self, store: Any, steps: Steps) -> None:
        self._store, self._steps = store, steps

    @contextmanager
    def transaction(self, asset_id: int) -> Iterator[Any]:
        self._steps.step()
        with self._store.transaction(asset_id) as tx:
            yield tx
            self._steps.step()  # everything written, nothing committed
        self._steps.step()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


class CrashingBroker:
    def __init__(self, broker: Any, steps: Steps) -> None:
        self._broker, self._steps = broker, steps

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._broker, name)
        if name not in ("submit", "cancel", "order", "holdings", "latest_quotes"):
            return found

        def call(*arguments: Any, **options: Any) -> Any:
            self._steps.step()
            answer = found(*arguments, **options)
            self._steps.step()
            return answer

        return call


def holding(floor: Floor) -> None:
    floor.see(100)


def with_a_buy_that_rests_after_a_part(floor: Floor) -> None:
    floor.see(100)
    floor.broker.holds_fills = True
    order = floor.see(98)
    assert order is not None
    floor.broker.fill(order.client_order_id, Decimal("0.05"))


def with_a_take_profit_that_is_about_to_fill(floor: Floor) -> None:
    floor.see(100)
    floor.broker.holds_fills = True
    assert floor.see(102) is not None


def close(hand: Hand, floor: Floor) -> None:
    """As the command does it: step by step, until it is over."""
    hand.allow(floor.asset.asset_id, Allowed.EXIT, "by hand")
    for _ in range(40):
        try:
            if hand.close(floor.asset.asset_id).is_over:
                return
        except (CycleChanged, OrderOutcomeUnknown, BrokerUnavailable):
            pass
        floor.clock.pass_by(5)
        if floor.cycle.status is CycleStatus.SELLING:
            floor.broker.release_fills()
    raise AssertionError(f"never over: {floor.state}")


def a_hand(floor: Floor, crash_at: int) -> tuple[Hand, Steps]:
    steps = Steps(crash_at)
    store = cast(Store, CrashingStore(floor.store, steps))
    broker = cast(Broker, CrashingBroker(floor.broker, steps))
    return Hand(store, broker, floor.clock, floor.rules), steps


def sold(floor: Floor) -> Decimal:
    """What orders of the bot have sold, by the exchange's own account."""
    updates = {update.client_order_id: update for update in floor.broker.updates}
    return sum(
        (each.filled_quantity for each in updates.values() if each.side is Side.SELL), Decimal(0)
    )


def test_the_positions_that_a_close_needs_are_urgent() -> None:
    asked: list[bool] = []

    class Listening(FakeBroker):
        def holdings(self, *, urgent: bool = False) -> Holdings:
            asked.append(urgent)
            return super().holdings(urgent=urgent)

    floor = Floor(broker=Listening())
    floor.see(100)
    asked.clear()
    close(a_hand(floor, -1)[0], floor)
    assert asked == [True]


@pytest.mark.parametrize(
    "prepare",
    [holding, with_a_buy_that_rests_after_a_part, with_a_take_profit_that_is_about_to_fill],
)
def test_a_close_that_crashes_anywhere_goes_on_when_it_is_repeated(
    prepare: Callable[[Floor], None],
) -> None:
    crashes = 0
    for crash_at in range(1, 200):
        floor = Floor(take_profit_pct="1")
        prepare(floor)
        floor.broker.hold("BTC/USD", floor.held + FOREIGN, 100)
        owned = floor.held - FOREIGN
        floor.quote(97)
        hand, steps = a_hand(floor, crash_at)
        try:
            close(hand, floor)
        except Crash:
            crashes += 1
            floor.clock.pass_by(2)
            close(a_hand(floor, -1)[0], floor)
        assert floor.asset.allowed is Allowed.EXIT
        assert floor.cycle.status is CycleStatus.COOLDOWN, crash_at
        assert abs(sold(floor) - owned) < Decimal("0.000001"), crash_at
        assert abs(floor.held - FOREIGN) < Decimal("0.000001"), crash_at
        if steps.count < crash_at:
            break
    assert crashes > 10


def test_a_close_beside_a_take_profit_of_the_running_bot_sells_once() -> None:
    floor = Floor(take_profit_pct="1")
    floor.see(100)
    hand, _ = a_hand(floor, -1)
    quote = floor.quote(102)
    floor.trader.on_quote(floor.state, quote)
    close(hand, floor)
    assert floor.kinds_sent == [OrderKind.BASE, OrderKind.TAKE_PROFIT]


def test_a_close_leaves_nothing_that_a_fee_only_assumed_has_hidden() -> None:
    """Alpaca took no fee and told no position: the books took the usual one off."""
    floor = Floor(at_once=False, broker=FakeBroker(fee_rate="0"), base_order_amount="100000")
    order = floor.see(100)
    assert order is not None
    floor.broker.fail("holdings", BrokerUnavailable("down"))
    floor.settle(order.client_order_id)
    assert (floor.cycle.quantity, floor.held) == (Decimal("997.5"), Decimal(1000))
    close(a_hand(floor, -1)[0], floor)
    assert floor.cycle.status is CycleStatus.COOLDOWN
    assert floor.held == 0


def test_nothing_is_bought_for_an_asset_that_was_disabled_or_delisted_meanwhile() -> None:
    floor = Floor()
    floor.see(100)
    hand, quote = a_hand(floor, -1)[0], floor.quote(99)
    floor.edit(is_enabled=False)
    with pytest.raises(OrderWithheld, match="it is disabled"):
        hand.buy(floor.asset.asset_id, Decimal(20), quote)
    floor.edit(is_enabled=True)
    floor.rules.clear()
    with pytest.raises(OrderWithheld, match="does not list BTC/USD"):
        hand.buy(floor.asset.asset_id, Decimal(20), quote)
    assert floor.kinds_sent == [OrderKind.BASE]


def test_no_order_is_sent_by_a_clock_that_is_far_off() -> None:
    floor = Floor()
    floor.see(100)
    floor.broker.clock_offset = timedelta(seconds=-31)
    hand, _ = a_hand(floor, -1)
    with pytest.raises(BrokerUnavailable, match="31 s off"):
        hand.close(floor.asset.asset_id)
    assert floor.cycle.status is CycleStatus.WATCHING
    assert floor.kinds_sent == [OrderKind.BASE]
