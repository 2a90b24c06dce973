"""One asset's worker: takes its messages in order, one at a time, in a thread.

Rules: `hit`, `put_update`, `follow`, `stop` are called on the event loop and never block or raise;
everything that blocks runs in `_work`, in the pool; what a thread finds out comes back through
`_done`, on the loop.  Nothing that happens to this asset stops the others.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import Any

from dca_bot.broker import translate
from dca_bot.core.asset_row import buying_problem
from dca_bot.core.decide import triggers
from dca_bot.core.model import (
    Asset,
    AssetState,
    CycleStatus,
    OrderStatus,
    OrderUpdate,
    Side,
)
from dca_bot.core.overdue import WAITING_FOR_ORDER
from dca_bot.core.story import MEANINGS
from dca_bot.live.pauses import MAX_SECONDS, OURS_MAX_SECONDS, Awaited, Pauses
from dca_bot.live.watch import Watch
from dca_bot.program.errors import (
    CycleChanged,
    DcaError,
    OrderOutcomeUnknown,
    OrderRefused,
    OrderWithheld,
    StoreUnavailable,
)
from dca_bot.program.log_text import asset_log
from dca_bot.trading.ports import Store
from dca_bot.trading.trader import Trader

log = logging.getLogger("dca_bot.trade")

TROUBLE_MAX_SECONDS = 30.0  # an outage of Alpaca or the database ends by itself
SETTLE_SECONDS = (1.0, 2.0, 4.0, 8.0, 8.0)


@dataclass(frozen=True, slots=True)
class WorkerContext:
    """What all workers share."""

    trader: Trader
    store: Store
    pool: Executor
    loop: asyncio.AbstractEventLoop
    on_store_trouble: Callable[[], None]
    on_refusal: Callable[[], None]  # Alpaca refused an order: its rules may have changed


class Worker:
    def __init__(self, state: AssetState, context: WorkerContext) -> None:
        self.symbol = state.asset.symbol  # for good: a row given another one gets another worker
        self.state = state
        self.version = 0  # grows as each piece of work ends, so that an older reading is recognised
        self.is_busy = False
        self.watch = Watch(self.hit)
        self._context = context
        self._updates: deque[OrderUpdate] = deque()
        self._learned: AssetState | None = None  # what the thread leaves for `_done`
        self._settling: int | None = None  # how often the order under way was asked about
        self._is_withdrawing = False  # a resting BUY was cancelled, so that its coins can be sold
        self._pauses = Pauses(context.loop.time)
        self._awaited: Awaited | None = None
        self._reason = ""
        self.limit = ""  # the setting that keeps a BUY back which its price asks for
        self._is_stopped = False
        self._timer: asyncio.TimerHandle | None = None

    def hit(self) -> None:
        """A price was reached."""
        self._start()

    def put_update(self, update: OrderUpdate) -> None:
        """Alpaca said something of an order of this asset."""
        self._updates.append(update)
        self._start()

    def follow(self, state: AssetState) -> None:
        """The row in the database is like this now, by whoever's hand."""
        if state.asset != self.state.asset:
            self._pauses.clear()
            self._reason = self.limit = ""
            if state.asset.allowed is not self.state.asset.allowed:
                asset_log(log, self.symbol).warning(MEANINGS[state.asset.allowed])
        self._take(state)
        self._arm()

    def waits_for(self, alpaca_order_id: str | None) -> bool:
        """Whether this is the order that the cycle names."""
        cycle = self.state.cycle
        named = cycle.latest_order_id if cycle else None
        return named is not None and named == alpaca_order_id

    def stop(self) -> None:
        """Begin nothing new; what is under way goes on to its end."""
        self._is_stopped = True

    def pause_of(self, side: Side) -> float:
        """For how many seconds no order of this side is tried."""
        return self._pauses.left(side)

    @property
    def trouble(self) -> str:
        """Why the last order was refused or failed; "" once one was placed or the row edited."""
        return self._reason

    def _start(self) -> None:
        self.watch.disarm()
        if not self.is_busy and not self._is_stopped:
            self.is_busy = True
            self._context.pool.submit(self._work)

    def _arm(self) -> None:
        """Let quotes hit again, as far as no pause forbids it."""
        self.watch.disarm()
        if self._is_stopped or self.state.cycle is None or self.state.problem:
            return
        pauses = [left for side in Side if (left := self._pauses.left(side))]
        if pauses and self._settling is None:  # or else the end of settling arms again
            self._call_later(min(pauses), self._arm)
        try:
            prices = triggers(self.state.asset, self.state.cycle)
            self.watch.arm(prices.without(*self._paused(self.state.asset)))
        except Exception:  # noqa: BLE001 - one asset's trouble must not stop the others
            prefix = asset_log(log, self.symbol, self.state.cycle.cycle_id)
            prefix.exception("no orders until its rows are edited: they give no price")

    def _paused(self, asset: Asset) -> set[Side]:
        """The sides of which no order is tried now."""
        paused = {side for side in Side if self._pauses.left(side)}
        return paused | {Side.BUY} if buying_problem(asset) else paused

    def _take(self, state: AssetState) -> None:
        """On the loop: the asset is like this now.  Whoever booked it and wherever it was heard, an
        order that ended with nothing filled is not tried again at once (behaviour 8)."""
        before, self.state = self.state, state
        if state.cycle is not None and state.cycle.status in WAITING_FOR_ORDER:
            self._awaited = self._awaited or Awaited.by(state.cycle, before.cycle)
            return
        awaited, self._awaited = self._awaited, None
        if awaited is not None and awaited.brought_nothing(state.cycle):
            seconds = self._pauses.begin(awaited.side)
            reason = f"{awaited.side} order ended with nothing filled"
            self._say(f"{reason}: next try in {seconds:.0f} s", reason)

    def _call_later(self, seconds: float, what: Callable[[], None]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._context.loop.call_later(seconds, what)

    def _done(self) -> None:
        """On the loop again, after a piece of work."""
        self.is_busy = False
        self.version += 1
        if self._learned is not None:
            self._take(replace(self._learned, problem=self.state.problem))
            self._learned = None
        if self._updates:
            self._start()
        elif self._settling is not None:
            delay = SETTLE_SECONDS[: self._settling + 1][-1]  # the last one goes on
            self._call_later(delay, self._start)
        else:
            self._arm()

    def _work(self) -> None:
        """In a thread: what was said of orders, then what is in doubt, or else the newest quote.

        Not both: the prices and pauses that news of an order leaves behind decide, in `_arm`,
        whether the quote still matters.
        """
        try:
            has_news = bool(self._updates)
            while self._updates:
                self._on_update(self._updates.popleft())
            if self._settling is not None:
                self._settle(self._settling)
            elif not has_news and (raw := self.watch.take_newest()) is not None:
                self._on_quote(raw)
        except Exception as error:  # noqa: BLE001 - one asset's trouble must not stop the others
            self._contain(error)
            self._learn(self._read())
        self._context.loop.call_soon_threadsafe(self._done)

    def _learn(self, state: AssetState | None) -> None:
        """In a thread: the row is like this now, as far as that is known."""
        if state is not None and state.asset.asset_id == self.state.asset.asset_id:
            self._learned = state

    def _read(self) -> AssetState | None:
        try:
            with self._context.store.transaction(self.state.asset.asset_id) as tx:
                return AssetState(tx.asset, tx.cycle)
        except DcaError:
            return None  # the next refresh will see; until then the old prices stand
        except Exception:  # noqa: BLE001 - `_done` must follow, or the worker is busy for ever
            asset_log(log, self.state.asset.symbol).exception("its row could not be read")
            return None

    def _on_update(self, update: OrderUpdate) -> None:
        entry = self._context.trader.books.on_update(self.state.asset.asset_id, update)
        if entry is not None:
            self._learn(entry.state)
            if update.side is Side.SELL and update.status is OrderStatus.FILLED:
                self.watch.look_again()  # more than Alpaca takes in one order is sold in parts
        if update.filled_quantity:
            self._pauses.clear()

    def _on_quote(self, raw: dict[str, Any]) -> None:
        state, quote = self.state, translate.quote(raw)
        if quote is None:
            return
        acted = self._context.trader.on_quote(state, quote, paused=self._paused(state.asset))
        self._learn(acted.state)
        if acted.order is not None and state.cycle is not None:
            self._reason = self.limit = ""
            self._awaited = Awaited(state.cycle.cycle_id, acted.order.side, state.cycle.quantity)
        if acted.withdrawn:
            self._settling, self._is_withdrawing = 0, True

    def _settle(self, asked: int) -> None:
        """Ask about the order under way, again and later while it is in doubt, and for a while
        when it is a BUY that must end."""
        with self._context.store.transaction(self.state.asset.asset_id) as tx:
            order = tx.live_order()
        self._settling = asked + 1
        is_known = order is None or self._context.trader.books.settle(order)
        state = self._read()
        self._learn(state)
        is_buying = state and state.cycle and state.cycle.status is CycleStatus.BUYING
        if self._is_withdrawing and is_buying and self._settling < len(SETTLE_SECONDS):
            return
        if is_known:
            self._settling = None
        if self._is_withdrawing:
            self._is_withdrawing = False
            self.watch.look_again()  # at the price that made the take profit due

    def _contain(self, error: Exception) -> None:
        """React to what ended a piece of work (see errors.py)."""
        match error:
            case OrderOutcomeUnknown():
                self._settling = 0
                return
            case OrderRefused():
                self._refused(error)
                return
            case CycleChanged():
                self._say(f"the row was changed meanwhile: {error}", level=logging.DEBUG)
            case StoreUnavailable():
                self._context.on_store_trouble()
                self._say(f"{error}; trying again later", str(error))
            case DcaError():
                self._say(f"{error}; trying again later", str(error))
            case _:
                asset_log(log, self.state.asset.symbol).exception("unexpected trouble")
        for side in Side:
            self._pauses.begin(side, longest=TROUBLE_MAX_SECONDS)

    def _refused(self, refusal: OrderRefused) -> None:
        """Leave the refused side alone for a while; the other one goes on."""
        self.limit = refusal.limit
        if not (refusal.needs_cash or isinstance(refusal, OrderWithheld)):
            self._context.on_refusal()
        is_quick_to_ask = refusal.needs_cash or refusal.limit
        longest = OURS_MAX_SECONDS if is_quick_to_ask else MAX_SECONDS
        seconds = self._pauses.begin(refusal.side, longest=longest)
        self._say(f"no {refusal.side} order, next try in {seconds:.0f} s: {refusal}", str(refusal))

    def _say(self, line: str, reason: str = "", *, level: int = logging.WARNING) -> None:
        # A reason that lasts is logged once; the pause between two tries grows meanwhile.
        if reason and reason == self._reason:
            level = logging.DEBUG
        self._reason = reason or self._reason
        cycle = self.state.cycle
        prefix = asset_log(log, self.state.asset.symbol, cycle.cycle_id if cycle else None)
        prefix.log(level, line)
