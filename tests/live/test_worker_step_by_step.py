"""One asset's worker, moved by hand: its thread, its loop and its clock do what the test says."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any, cast

import pytest

from dca_bot.core.model import (
    Allowed,
    CycleStatus,
    OrderKind,
    OrderStatus,
    OrderUpdate,
    Side,
    new_cycle,
)
from dca_bot.live.watch import NEVER_BUY, NEVER_SELL
from dca_bot.live.worker import Worker, WorkerContext
from dca_bot.program.errors import BrokerUnavailable, CycleChanged, StoreUnavailable
from tests.builders import Floor, a_fill, an_asset, an_order, an_update


@dataclass
class Timer:
    at: float
    call: Callable[[], None]
    is_cancelled: bool = False

    def cancel(self) -> None:
        self.is_cancelled = True


class Loop:
    """Calls at once what a thread asks for, and later when `pass_by` says so."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.timers: list[Timer] = []

    def time(self) -> float:
        return self.now

    def call_soon_threadsafe(self, call: Callable[[], None]) -> None:
        call()

    def call_later(self, seconds: float, call: Callable[[], None]) -> Timer:
        self.timers.append(Timer(self.now + seconds, call))
        return self.timers[-1]

    def waits(self) -> list[float]:
        """For how many seconds the timers that still count will wait."""
        return sorted(round(each.at - self.now, 3) for each in self.live())

    def live(self) -> list[Timer]:
        return [each for each in self.timers if not each.is_cancelled]

    def pass_by(self, seconds: float) -> None:
        self.now += seconds
        due = [each for each in self.live() if each.at <= self.now]
        self.timers = [each for each in self.timers if each not in due]
        for each in due:
            each.call()


class Pool:
    """Keeps the work until `Bench.work` does it."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], None]] = []

    def submit(self, work: Callable[[], None]) -> None:
        self.waiting.append(work)


class Bench:
    """A worker for the asset of a Floor; nothing tells it anything unless a test does."""

    def __init__(self, **columns: Any) -> None:
        self.floor = Floor(at_once=False, **columns)
        self.loop, self.pool = Loop(), Pool()
        self.heard: list[str] = []
        context = WorkerContext(
            trader=self.floor.trader,
            store=self.floor.store,
            pool=cast(Executor, self.pool),
            loop=cast(asyncio.AbstractEventLoop, self.loop),
            on_store_trouble=lambda: self.heard.append("store"),
            on_refusal=lambda: self.heard.append("refusal"),
        )
        self.worker = Worker(self.floor.state, context)
        self.worker.follow(self.floor.state)

    def work(self) -> None:
        """Everything that waits is done, and what follows from it."""
        while self.pool.waiting:
            self.pool.waiting.pop(0)()

    def see(self, price: int | str) -> None:
        """The market moves, and the stream tells it."""
        quote = self.floor.quote(price)
        raw = {"S": quote.symbol, "bp": float(quote.bid), "ap": float(quote.ask)}
        self.worker.watch.newest = raw | {"t": quote.at.isoformat()}
        watch = self.worker.watch
        if quote.ask <= watch.buy_at_or_below or quote.bid >= watch.sell_at_or_above:
            watch.reached(self.worker.watch.newest)

    def act(self, price: int | str) -> None:
        self.see(price)
        self.work()

    def tell(self, *updates: OrderUpdate) -> None:
        """The stream tells news of orders, all before any of it is worked on."""
        for update in updates:
            self.worker.put_update(update)
        self.work()

    def tell_all(self) -> None:
        """Everything that the exchange has to say."""
        updates, self.floor.broker.updates = self.floor.broker.updates, []
        self.tell(*updates)

    def bought(self) -> None:
        self.act(100)
        self.tell_all()
        assert self.floor.cycle.quantity > 0

    def doubtful(self, *, taken: bool) -> None:
        """A base order was sent, and no answer came."""
        self.floor.broker.lose_answer(taken=taken)
        self.act(100)

    @property
    def sent(self) -> list[OrderKind]:
        return self.floor.kinds_sent


def lines(caplog: pytest.LogCaptureFixture, level: int = logging.WARNING) -> list[str]:
    return [each.getMessage() for each in caplog.records if each.levelno == level]


# -- what is told, and how often


def test_a_reason_that_lasts_is_reported_once(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench()
    for seconds in (6, 16, 46):
        bench.floor.broker.refuse("not active")
        bench.act(100)
        bench.loop.pass_by(seconds)
    assert len(bench.sent) == 3
    assert sum("not active" in line for line in lines(caplog)) == 1
    assert bench.worker.trouble == "not active"


def test_another_reason_is_reported_and_so_is_the_old_one_once_an_order_went_through(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bench = Bench()
    for reason in ("not active", "too small"):
        bench.floor.broker.refuse(reason)
        bench.act(100)
        bench.loop.pass_by(60)
    bench.act(100)
    assert bench.worker.trouble == ""
    bench.tell_all()
    bench.floor.broker.refuse("too small")
    bench.act(98)
    assert sum("too small" in line for line in lines(caplog)) == 2


def test_the_line_of_a_refusal_names_the_side_and_the_pause(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bench = Bench()
    bench.bought()
    bench.floor.broker.refuse("not now")
    bench.act(102)
    [record] = [each for each in caplog.records if "next try" in each.getMessage()]
    assert record.getMessage() == "no sell order, next try in 5 s: not now"
    assert record.__dict__["subject"] == "BTC/USD c1"


def test_how_far_an_asset_may_go_is_reported_when_it_changes(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bench = Bench()
    for columns, count in (
        ({"take_profit_pct": 2}, 0),
        ({"allowed": Allowed.EXIT}, 1),
        ({"take_profit_pct": 1}, 1),
    ):
        bench.floor.edit(**columns)
        bench.worker.follow(bench.floor.state)
        assert sum("paused: no BUYs" in line for line in lines(caplog)) == count


# -- pauses


def test_after_a_refusal_the_worker_looks_again_when_the_pause_is_over() -> None:
    bench = Bench()
    bench.floor.broker.refuse("not now")
    bench.act(100)
    assert bench.loop.waits() == [5]
    bench.act(99)
    assert len(bench.sent) == 1
    bench.loop.pass_by(5)
    bench.work()
    assert len(bench.sent) == 2


def test_an_edited_row_ends_the_pause() -> None:
    bench = Bench()
    bench.floor.broker.refuse("not now")
    bench.act(100)
    bench.worker.follow(bench.floor.state)
    assert bench.worker.pause_of(Side.BUY) == 5
    bench.floor.edit(base_order_amount=30)
    bench.worker.follow(bench.floor.state)
    assert bench.worker.pause_of(Side.BUY) == 0
    assert bench.worker.trouble == ""
    bench.act(100)
    assert bench.floor.broker.submitted[-1].quantity == Decimal("0.3")


def test_only_the_last_timer_counts() -> None:
    bench = Bench()
    bench.floor.broker.refuse("not now")
    bench.act(100)
    bench.worker.follow(bench.floor.state)
    bench.worker.follow(bench.floor.state)
    assert bench.loop.waits() == [5]


def test_a_refusal_pauses_its_side_alone() -> None:
    bench = Bench()
    bench.bought()
    bench.floor.broker.refuse("not now")
    bench.act(98)
    assert bench.worker.pause_of(Side.BUY) == 5
    assert bench.worker.pause_of(Side.SELL) == 0
    assert bench.heard == ["refusal"]
    bench.act(102)
    assert bench.sent[-1] is OrderKind.TAKE_PROFIT


def test_an_order_that_ended_unfilled_pauses_its_side() -> None:
    bench = Bench()
    bench.floor.broker.holds_fills = True
    bench.act(100)
    order = bench.floor.broker.submitted[0]
    bench.tell(an_update(order, OrderStatus.CANCELED))
    assert (bench.worker.pause_of(Side.BUY), bench.worker.pause_of(Side.SELL)) == (5, 0)
    bench.loop.pass_by(5)
    bench.tell(an_update(order, OrderStatus.CANCELED))
    assert bench.worker.pause_of(Side.BUY) == 0


def test_a_rejection_that_the_answer_to_the_order_says_pauses_its_side() -> None:
    bench = Bench()
    bench.floor.broker.holds_fills = True

    def reject(update: OrderUpdate) -> None:
        if update.status is OrderStatus.OPEN:
            bench.floor.broker.end(update.client_order_id, OrderStatus.REJECTED)

    bench.floor.broker.listener = reject
    bench.floor.broker.answer_shows_fill = True
    pauses = []
    for _ in range(5):
        bench.act(100)
        bench.act(100)  # paused
        pauses.append(bench.worker.pause_of(Side.BUY))
        bench.loop.pass_by(pauses[-1])
    assert pauses == [5, 15, 45, 135, 300]
    assert len(bench.sent) == 5


@pytest.mark.parametrize("price", [100, 98])
def test_an_end_that_somebody_else_has_booked_pauses_its_side(price: int) -> None:
    bench = Bench()
    if price == 98:
        bench.bought()
    bench.floor.broker.holds_fills = True
    bench.act(price)
    order = bench.floor.broker.submitted[-1]
    bench.floor.broker.end(order.client_order_id, OrderStatus.REJECTED)
    bench.floor.settle(order.client_order_id)
    bench.worker.follow(bench.floor.state)
    assert (bench.worker.pause_of(Side.BUY), bench.worker.pause_of(Side.SELL)) == (5, 0)
    assert bench.worker.trouble == "buy order ended with nothing filled"


def test_an_order_in_doubt_that_was_rejected_pauses_its_side() -> None:
    bench = Bench()
    bench.floor.broker.holds_fills = True
    bench.doubtful(taken=True)
    [sent] = bench.floor.broker.submitted
    bench.floor.broker.end(sent.client_order_id, OrderStatus.REJECTED)
    bench.loop.pass_by(1)
    bench.work()
    assert bench.worker.pause_of(Side.BUY) == 5


def test_a_part_filled_unheard_is_no_reason_for_a_pause() -> None:
    bench = Bench()
    bench.floor.broker.holds_fills = True
    bench.act(100)
    [sent] = bench.floor.broker.submitted
    bench.floor.broker.fill(sent.client_order_id, "0.1")
    bench.floor.settle(sent.client_order_id)
    bench.worker.follow(bench.floor.state)
    bench.floor.broker.end(sent.client_order_id, OrderStatus.CANCELED)
    bench.floor.settle(sent.client_order_id)
    bench.worker.follow(bench.floor.state)
    assert bench.floor.cycle.status is CycleStatus.WATCHING
    assert bench.worker.pause_of(Side.BUY) == 0


def test_a_row_that_has_moved_does_not_hide_why_the_last_order_was_refused() -> None:
    bench = Bench()
    bench.floor.broker.refuse("not active")
    bench.act(100)
    bench.loop.pass_by(5)
    bench.floor.broker.fail("holdings", CycleChanged("it has moved"))
    bench.act(100)
    assert bench.worker.trouble == "not active"


def test_news_of_an_order_that_is_open_pauses_nothing() -> None:
    bench = Bench()
    bench.floor.broker.holds_fills = True
    bench.act(100)
    order = bench.floor.broker.submitted[0]
    bench.tell(an_update(order, OrderStatus.OPEN, alpaca_order_id="another"))
    assert bench.worker.pause_of(Side.BUY) == 0


def test_a_fill_ends_every_pause() -> None:
    bench = Bench()
    bench.bought()
    bench.floor.broker.holds_fills = True
    bench.floor.broker.refuse("not now")
    bench.act(102)
    assert bench.worker.pause_of(Side.SELL) == 5
    bench.act(98)
    bench.floor.broker.fill(bench.floor.broker.submitted[-1].client_order_id, "0.05")
    bench.tell_all()
    assert bench.worker.pause_of(Side.SELL) == 0


@pytest.mark.parametrize("error", [BrokerUnavailable("away"), RuntimeError("no one expected this")])
def test_trouble_pauses_both_sides_for_half_a_minute_at_most(error: Exception) -> None:
    bench = Bench()
    for _ in range(5):
        bench.floor.broker.fail("holdings", error)
        bench.act(100)
        bench.loop.pass_by(bench.worker.pause_of(Side.BUY))
        bench.work()
    bench.floor.broker.fail("holdings", error)
    bench.act(100)
    assert (bench.worker.pause_of(Side.BUY), bench.worker.pause_of(Side.SELL)) == (30, 30)
    assert bench.heard == []


# -- an order in doubt


def test_an_order_in_doubt_is_asked_about_soon_and_then_less_and_less_often() -> None:
    bench = Bench()
    bench.doubtful(taken=False)
    waits = []
    for _ in range(7):
        [seconds] = bench.loop.waits()
        waits.append(seconds)
        bench.loop.pass_by(seconds)
        bench.work()
    assert waits == [1, 2, 4, 8, 8, 8, 8]
    assert bench.sent == [OrderKind.BASE]
    bench.floor.clock.pass_by(31)
    bench.loop.pass_by(8)
    bench.work()
    assert bench.floor.cycle.status is CycleStatus.WATCHING
    assert bench.worker.state.cycle == bench.floor.cycle
    assert bench.loop.waits() == [5]  # nothing was bought: a pause, and no question
    bench.loop.pass_by(5)
    bench.act(100)
    assert bench.sent == [OrderKind.BASE, OrderKind.BASE]


def test_while_an_order_is_in_doubt_no_quote_is_acted_on() -> None:
    bench = Bench()
    bench.doubtful(taken=False)
    bench.act(90)
    assert bench.sent == [OrderKind.BASE]
    assert bench.worker.pause_of(Side.BUY) == 0


def test_an_order_in_doubt_that_alpaca_has_is_booked_at_the_first_question() -> None:
    bench = Bench()
    bench.doubtful(taken=True)
    bench.loop.pass_by(1)
    bench.work()
    assert bench.floor.cycle.quantity > 0
    assert bench.worker.state.cycle == bench.floor.cycle
    assert bench.loop.waits() == []


def test_news_that_settles_the_doubt_ends_the_questions() -> None:
    bench = Bench()
    bench.doubtful(taken=True)
    bench.tell_all()
    bench.loop.pass_by(1)
    bench.work()
    assert bench.floor.cycle.quantity > 0
    assert bench.loop.waits() == []


# -- a BUY that rests when the take profit is due


def resting(bench: Bench) -> None:
    """A safety order rests at 98, the take profit of what is held is at 101."""
    bench.bought()
    bench.floor.broker.holds_fills = True
    bench.act(98)
    bench.tell_all()


def test_a_cancelled_buy_is_asked_about_until_it_has_ended() -> None:
    bench = Bench()
    resting(bench)
    bench.floor.broker.ignores_cancels = True
    bench.act(102)
    bench.act(103)
    waits = []
    while bench.loop.waits():
        [seconds] = bench.loop.waits()
        waits.append(seconds)
        bench.loop.pass_by(seconds)
        for work in list(bench.pool.waiting):
            bench.pool.waiting.remove(work)
            work()
        if len(waits) == 5:
            break
    assert waits == [1, 2, 4, 8, 8]
    assert bench.floor.broker.calls.count("cancel") == 1
    bench.work()
    assert bench.floor.broker.calls.count("cancel") == 2


def test_once_the_buy_has_ended_all_is_sold_at_the_price_that_was_due() -> None:
    bench = Bench()
    resting(bench)
    bench.act(102)
    assert bench.floor.broker.calls.count("cancel") == 1
    bench.loop.pass_by(1)
    bench.work()
    assert bench.sent[-1] is OrderKind.TAKE_PROFIT
    bench.tell_all()
    assert bench.loop.waits() == [5]


# -- the row


def test_a_newer_reading_counts_and_its_problem_stays() -> None:
    bench = Bench()
    bench.worker.follow(replace(bench.floor.state, problem="what is wrong"))
    order = an_order(client_order_id="dca-1-base-x")
    bench.tell(an_update(order, OrderStatus.CANCELED))
    assert bench.worker.state.problem == "what is wrong"


def test_a_row_with_a_problem_is_not_traded_until_it_is_corrected() -> None:
    bench = Bench()
    bench.worker.follow(replace(bench.floor.state, problem="what is wrong"))
    bench.act(100)
    assert bench.sent == []
    bench.worker.follow(bench.floor.state)
    bench.work()
    assert bench.sent == [OrderKind.BASE]


def test_a_row_without_a_cycle_waits_for_one() -> None:
    bench = Bench()
    bench.worker.follow(replace(bench.floor.state, cycle=None))
    bench.act(100)
    assert bench.sent == []


def test_a_database_that_is_away_is_told_to_whoever_asks_alpaca_again() -> None:
    bench = Bench()
    bench.floor.broker.holds_fills = True
    bench.act(100)
    order = bench.floor.broker.submitted[0]
    bench.floor.store.transaction = away  # type: ignore[method-assign]
    bench.tell(a_fill(order, order.quantity))
    assert bench.heard == ["store"]
    assert bench.worker.pause_of(Side.SELL) == 5
    assert not bench.worker.is_busy


def away(asset_id: int) -> Any:
    raise StoreUnavailable("away")


def test_each_piece_of_work_makes_older_readings_known_as_such() -> None:
    bench = Bench()
    before = bench.worker.version
    bench.see(100)
    bench.worker.hit()
    assert bench.worker.is_busy
    assert len(bench.pool.waiting) == 1
    bench.work()
    assert not bench.worker.is_busy
    assert bench.worker.version == before + 1


def test_a_worker_that_was_stopped_ends_what_it_does_and_begins_nothing() -> None:
    bench = Bench()
    bench.see(100)
    bench.worker.stop()
    bench.work()
    assert bench.sent == [OrderKind.BASE]
    bench.tell_all()
    bench.act(90)
    assert bench.sent == [OrderKind.BASE]
    assert not bench.worker.is_busy


def test_a_quote_that_cannot_be_read_is_passed_over() -> None:
    bench = Bench()
    bench.worker.watch.newest = {"S": "BTC/USD", "bp": 1.0, "ap": 0.0, "t": "never"}
    bench.worker.hit()
    bench.work()
    assert bench.sent == []
    assert bench.worker.pause_of(Side.BUY) == 0


@pytest.mark.parametrize("price", ["10000000000", "1E+300"])
def test_a_price_beyond_what_the_books_can_hold_is_passed_over(price: str) -> None:
    bench = Bench()
    bench.bought()
    bench.act(price)
    assert bench.sent == [OrderKind.BASE]
    assert bench.worker.pause_of(Side.SELL) == 0
    bench.act(102)
    assert bench.sent == [OrderKind.BASE, OrderKind.TAKE_PROFIT]


def test_a_quote_too_old_is_not_acted_on_and_the_next_one_is() -> None:
    bench = Bench()
    bench.see(100)
    bench.floor.clock.now += timedelta(seconds=30)
    bench.work()
    assert bench.sent == []
    bench.act(100)
    assert bench.sent == [OrderKind.BASE]


def test_what_a_cancelled_sell_has_left_waits_for_the_pause_and_the_next_price() -> None:
    bench = Bench()
    bench.bought()
    bench.floor.broker.holds_fills = True
    bench.act(102)
    order = bench.floor.broker.submitted[-1]
    bench.floor.broker.end(order.client_order_id, OrderStatus.CANCELED)
    bench.tell_all()
    bench.loop.pass_by(5)
    bench.work()
    assert len(bench.sent) == 2  # the price that was due has been acted on
    bench.act(102)
    assert len(bench.sent) == 3


def test_after_a_withdrawal_an_order_in_doubt_is_only_asked_about() -> None:
    bench = Bench()
    resting(bench)
    bench.act(102)
    bench.loop.pass_by(1)
    bench.work()
    bench.tell_all()
    bench.floor.broker.release_fills()
    bench.tell_all()
    assert bench.floor.cycle.status is CycleStatus.COOLDOWN
    bench.floor.edit(restart_deviation_pct=0)
    bench.worker.follow(bench.floor.state)
    bench.floor.broker.lose_answer(taken=False)
    bench.act(100)
    sent = len(bench.sent)
    for _ in range(6):
        [seconds] = bench.loop.waits()
        bench.loop.pass_by(seconds)
        bench.work()
    assert len(bench.sent) == sent


def test_no_limit_keeps_a_new_worker_back() -> None:
    assert Bench().worker.limit == ""


def test_while_a_worker_is_busy_no_quote_hits() -> None:
    bench = Bench()
    assert bench.worker.watch.buy_at_or_below > 100
    bench.see(100)
    assert bench.worker.is_busy
    watch = bench.worker.watch
    assert (watch.buy_at_or_below, watch.sell_at_or_above) == (NEVER_BUY, NEVER_SELL)
    bench.worker.put_update(an_update(an_order(client_order_id="dca-1-base-x"), "open"))
    assert len(bench.pool.waiting) == 1


def test_what_a_trouble_has_left_in_the_books_is_known_at_once() -> None:
    bench = Bench()
    bench.doubtful(taken=False)
    assert bench.worker.state.cycle == bench.floor.cycle
    assert bench.floor.cycle.status is CycleStatus.BUYING


def test_what_was_learnt_once_does_not_come_back_over_a_newer_reading() -> None:
    bench = Bench()
    bench.bought()
    bench.floor.edit(take_profit_pct=50)
    bench.worker.follow(bench.floor.state)
    bench.worker.watch.newest = {"S": "BTC/USD", "bp": 1.0, "ap": 0.0, "t": "never"}
    bench.worker.hit()
    bench.work()
    assert bench.worker.state.asset.take_profit_pct == 50


def test_news_of_an_order_that_belongs_to_another_row_says_nothing_of_this_one() -> None:
    bench = Bench()
    bench.floor.store.put_asset(an_asset(asset_id=2, symbol="ETH/USD"))
    with bench.floor.store.transaction(2) as tx:
        cycle = tx.add_cycle(new_cycle(2))
        order = an_order(client_order_id="dca-2-base-x", asset_id=2, cycle_id=cycle.cycle_id)
        tx.add_order(order)
    before = bench.worker.state
    bench.tell(an_update(order, OrderStatus.CANCELED))
    assert bench.floor.order("dca-2-base-x").status is OrderStatus.CANCELED
    assert bench.worker.state == before


def test_the_shorter_pause_is_not_kept_waiting_by_the_longer_one() -> None:
    bench = Bench()
    bench.bought()
    for price in (102, 102, 98):  # SELLs wait for 15 s then, and BUYs for 5 s
        bench.floor.broker.refuse("not now")
        bench.act(price)
        bench.loop.pass_by(5 if bench.worker.pause_of(Side.SELL) == 5 else 0)
    assert bench.loop.waits() == [5]
    assert bench.worker.pause_of(Side.SELL) == 15
    bench.loop.pass_by(5)
    bench.work()
    assert bench.sent[-1] is OrderKind.SAFETY
    assert bench.worker.pause_of(Side.SELL) == 10


@pytest.mark.parametrize(("needs_cash", "heard"), [(True, []), (False, ["refusal"])])
def test_lack_of_cash_is_no_reason_to_read_alpacas_rules_and_another_refusal_is(
    needs_cash: bool, heard: list[str]
) -> None:
    bench = Bench()
    bench.floor.broker.refuse("no", needs_cash=needs_cash)
    bench.act(100)
    assert bench.heard == heard


def test_lack_of_cash_is_tried_again_within_a_minute_and_another_refusal_after_minutes() -> None:
    for needs_cash, longest in ((True, 45), (False, 300)):
        bench = Bench()
        for _ in range(6):
            bench.floor.broker.money["USD"] = Decimal(0 if needs_cash else 1000)
            if not needs_cash:
                bench.floor.broker.refuse("no")
            bench.act(100)
            last = bench.worker.pause_of(Side.BUY)
            bench.loop.pass_by(last)
        assert last == longest
