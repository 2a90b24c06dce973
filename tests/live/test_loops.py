"""The loops beside the streams, in time that jumps to what comes next."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

from dca_bot.core.model import CycleStatus, Order, OrderStatus
from dca_bot.live.loops import follow_database, follow_rules, keep_orders_settled, watch_clock
from dca_bot.live.quiet import LOOK_SECONDS, look_after_quotes
from dca_bot.program.errors import (
    BrokerUnavailable,
    DcaError,
    OrderOutcomeUnknown,
    StoreUnavailable,
    Unreadable,
)
from tests.builders import Floor, rules_of
from tests.proofs.storms.virtual_time import VirtualLoop

OF_ORDERS = "asked Alpaca about the orders under way"


@pytest.fixture(autouse=True)
def _every_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


def lines(caplog: pytest.LogCaptureFixture, about: str) -> list[str]:
    return [each.getMessage() for each in caplog.records if about in each.getMessage()]


class Scene:
    """A floor whose trader hears nothing, and loops whose seconds pass at once."""

    def __init__(self) -> None:
        self.floor = Floor(at_once=False)
        self.gap = asyncio.Event()
        self.loop = VirtualLoop()
        self.loop.start_work = self._at_once

    def _at_once(self, work: Callable[[], Any], future: asyncio.Future[Any]) -> None:
        try:
            future.set_result(work())
        except DcaError as error:
            future.set_exception(error)

    def placed(self, *, rests: bool = False, age: float = 60) -> Order:
        self.floor.broker.holds_fills = rests
        order = self.floor.see(100)
        assert order is not None
        self.floor.clock.pass_by(age)
        self.floor.broker.calls.clear()
        return order

    def run(self, loop_to_run: Coroutine[Any, Any, None], seconds: float) -> None:
        """Let a loop go on for so long."""

        async def for_a_while() -> None:
            running = asyncio.ensure_future(loop_to_run)
            await asyncio.sleep(seconds)
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running

        self.loop.run_until_complete(for_a_while())

    def keep_settled(self, seconds: float, *, after_gap: bool = False) -> None:
        if after_gap:
            self.gap.set()
        floor = self.floor
        self.run(
            keep_orders_settled(
                floor.trader.books, floor.store, floor.broker, floor.clock, self.gap
            ),
            seconds,
        )


@pytest.fixture
def scene() -> Iterator[Scene]:
    scene = Scene()
    yield scene
    scene.loop.close()


# -- orders under way


def test_after_a_gap_every_order_under_way_is_asked_about_at_once(scene: Scene) -> None:
    scene.placed(age=0)
    scene.keep_settled(0.1, after_gap=True)
    assert scene.floor.cycle.quantity > 0


def test_an_update_that_never_came_is_noticed_within_twice_fifteen_seconds(scene: Scene) -> None:
    scene.placed()
    scene.keep_settled(14.9)
    assert scene.floor.cycle.status is CycleStatus.BUYING
    scene.keep_settled(15.1)
    assert scene.floor.cycle.quantity > 0


@pytest.mark.parametrize(("age", "is_asked"), [(5, False), (5.001, True)])
def test_an_order_of_a_few_seconds_is_left_to_the_stream(
    scene: Scene, age: float, is_asked: bool
) -> None:
    scene.placed(age=age)
    scene.keep_settled(15.1)
    assert bool(scene.floor.broker.calls) is is_asked


@pytest.mark.parametrize(
    ("rests", "after_gap", "line"),
    [
        (True, True, f"{OF_ORDERS} asked=1 ended=0 in_doubt=0"),
        (False, True, f"{OF_ORDERS} asked=1 ended=1 in_doubt=0"),
        (False, False, f"{OF_ORDERS} asked=1 ended=1 in_doubt=0"),
        (True, False, None),
    ],
)
def test_a_line_tells_what_was_asked_after_a_gap_or_what_had_ended_unheard(
    scene: Scene, rests: bool, after_gap: bool, line: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    scene.placed(rests=rests)
    scene.keep_settled(100, after_gap=after_gap)
    assert lines(caplog, OF_ORDERS) == ([line] if line else [])


def test_with_nothing_under_way_a_gap_is_no_news(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    scene.keep_settled(100, after_gap=True)
    assert caplog.records == []


@pytest.mark.parametrize(
    "trouble", [BrokerUnavailable("502"), StoreUnavailable("the database is away")]
)
def test_trouble_is_reported_once_and_tried_again_within_seconds(
    scene: Scene, trouble: DcaError, caplog: pytest.LogCaptureFixture
) -> None:
    scene.placed(age=0)
    scene.floor.broker.fail("open_orders", trouble, times=4)
    scene.keep_settled(8.1, after_gap=True)
    assert scene.floor.broker.calls.count("open_orders") == 5
    assert scene.floor.cycle.quantity > 0
    assert len(lines(caplog, f"could not ask about orders under way, trying again: {trouble}")) == 1


def test_an_order_in_doubt_is_asked_about_again_within_seconds(scene: Scene) -> None:
    scene.floor.broker.lose_answer(taken=False)
    with pytest.raises(OrderOutcomeUnknown):
        scene.floor.see(100)
    scene.floor.broker.calls.clear()
    scene.keep_settled(9, after_gap=True)
    assert scene.floor.broker.calls.count("order") == 5
    scene.floor.clock.pass_by(31)
    scene.keep_settled(1, after_gap=True)
    assert scene.floor.cycle.status is CycleStatus.WATCHING


def test_an_order_that_cannot_be_booked_is_reported_once(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    order = scene.placed()
    scene.floor.broker.fail("order", Unreadable("unknown order status 'frobnicated'"), times=3)
    scene.keep_settled(50, after_gap=True)
    assert len(lines(caplog, f"can't be booked, trying again: {order.client_order_id}")) == 1
    scene.keep_settled(20)
    assert scene.floor.order(order.client_order_id).status is OrderStatus.FILLED


# -- the list of assets


def test_alpacas_list_is_read_daily_soon_after_a_refusal_and_each_minute_of_a_halt(
    scene: Scene,
) -> None:
    floor, refusal, halted = scene.floor, asyncio.Event(), set[str]()

    def reads(seconds: float) -> int:
        floor.broker.calls.clear()
        scene.run(follow_rules(floor.trader, floor.broker, lambda: halted, refusal), seconds)
        return floor.broker.calls.count("rules")

    assert reads(24 * 3600 - 60) == 0
    assert reads(24 * 3600 + 1) == 1
    refusal.set()
    assert reads(1) == 1
    assert reads(59) == 0  # the refusal has been heard
    halted.add("BTC/USD")
    assert reads(5 * 62 + 1) == 5


def test_refusals_in_dozens_are_one_reason_to_read_alpacas_list(
    scene: Scene,
    caplog: pytest.LogCaptureFixture,
) -> None:
    floor, refusal = scene.floor, asyncio.Event()
    floor.broker.fail("rules", BrokerUnavailable("502"))

    async def refused_all_the_time() -> None:
        follow = asyncio.ensure_future(
            follow_rules(floor.trader, floor.broker, lambda: (), refusal)
        )
        for _ in range(39):
            refusal.set()
            await asyncio.sleep(0.1)
        follow.cancel()

    before = floor.trader.rules
    floor.broker.asset_rules = {"BTC/USD": rules_of(tradable=False)}
    scene.run(refused_all_the_time(), 5)
    assert floor.broker.calls.count("rules") == 2
    assert len(lines(caplog, "the old one stands: 502")) == 1
    assert floor.trader.rules != before


# -- the database


def test_the_quote_stream_is_told_what_is_wanted_after_each_reading(scene: Scene) -> None:
    done: list[Any] = []

    async def refresh() -> None:
        done.append("read")

    async def watch(symbols: Iterable[str]) -> None:
        done.append(list(symbols))

    scene.run(follow_database(refresh, lambda: ["BTC/USD"], watch, 1.0), 2.5)
    assert done == ["read", ["BTC/USD"]] * 3


# -- the clock


def test_a_wrong_clock_is_reported_once_for_each_degree_and_when_it_is_right_again(
    scene: Scene,
    caplog: pytest.LogCaptureFixture,
) -> None:

    async def drift() -> None:
        following = asyncio.ensure_future(watch_clock(scene.floor.broker))
        for seconds in (0, 3, 40, 3, 0):
            scene.floor.broker.clock_offset = timedelta(seconds=seconds)
            await asyncio.sleep(10)
        following.cancel()

    scene.run(drift(), 60)
    assert [(each.levelname, each.getMessage().split(",")[0]) for each in caplog.records] == [
        ("WARNING", "this machine's clock is 3 s behind Alpaca's"),
        ("ERROR", "this machine's clock is 40 s behind Alpaca's"),
        ("WARNING", "this machine's clock is 3 s behind Alpaca's"),
        ("INFO", "this machine's clock agrees with Alpaca's again"),
    ]


# -- quotes


class Looks:
    """Writes down each look: when, and whether the stream had just connected."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop, self.seen = loop, list[tuple[float, bool]]()

    async def look(self, *, just_connected: bool = False) -> None:
        self.seen.append((round(self._loop.time(), 3), just_connected))


def test_quotes_are_looked_after_at_each_connect_and_every_ten_seconds(scene: Scene) -> None:
    looks, connected = Looks(scene.loop), asyncio.Event()
    connected.set()
    after: Callable[..., Awaitable[None]] = look_after_quotes
    scene.run(after(looks, set, connected), 2.5 * LOOK_SECONDS)  # type: ignore[arg-type]
    assert looks.seen == [(0, True), (10, False), (20, False)]


def test_quotes_that_come_too_late_are_reported_once_while_that_lasts(
    scene: Scene,
    caplog: pytest.LogCaptureFixture,
) -> None:
    troubles: Sequence[set[str]] = [set(), {"late"}, {"late"}, set(), {"late"}]
    found = iter(troubles)
    looks = Looks(scene.loop)
    after: Callable[..., Awaitable[None]] = look_after_quotes
    scene.run(after(looks, lambda: next(found), asyncio.Event()), 5.5 * LOOK_SECONDS)  # type: ignore[arg-type]
    assert lines(caplog, "late") == ["late", "late"]
