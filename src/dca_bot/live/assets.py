"""All assets of one `main_app.py`: hands trade updates to the workers, and picks up what SQL and
the caretakers change.

Rule: lives on the event loop; what blocks is done in a thread, and its outcome applied here.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from dca_bot.broker import translate
from dca_bot.core.asset_row import buying_problem, pair_problems, trading_problem
from dca_bot.core.holdings import contradiction
from dca_bot.core.model import Asset, AssetState, Side
from dca_bot.core.order_ids import is_ours
from dca_bot.live.prices import LivePrices
from dca_bot.live.problems import AssetSnapshot
from dca_bot.live.row_lines import RowLines
from dca_bot.live.worker import Worker, WorkerContext
from dca_bot.program.errors import DcaError, RowLocked, StoreUnavailable, Unreadable
from dca_bot.program.log_text import asset_log
from dca_bot.watchdog.sight import AssetSight

log = logging.getLogger(__name__)

LOCKED_SECONDS = 15.0


class Assets:
    """`on_gap` is called when updates may have been missed, so that Alpaca is asked."""

    def __init__(
        self, context: WorkerContext, prices: LivePrices, *, on_gap: Callable[[], None]
    ) -> None:
        self._context = context
        self._prices = prices
        self._on_gap = on_gap
        self._workers: dict[int, Worker] = {}
        self._row_lines = RowLines()
        self._locked_until: dict[int, float] = {}  # when a row that was locked is tried again
        self.database_trouble = ""  # why the rows could not be read last time

    def on_trade_update(self, raw: dict[str, Any]) -> None:
        """A message of the trade stream: to its asset's worker, in order; never raises."""
        try:
            update = translate.trade_update(raw)
        except Unreadable as unreadable:
            if unreadable.client_order_id and not is_ours(unreadable.client_order_id):
                return
            log.warning("a trade update can't be read, asking Alpaca instead: %s", unreadable)
            self._on_gap()
            return
        if update is None:
            return
        worker = self._worker_of(update.symbol)
        if not is_ours(update.client_order_id):
            # only `latest_order_id` tells of an order that was written into the cycle by SQL
            if worker is not None and worker.waits_for(update.alpaca_order_id):
                self._on_gap()
        elif worker is None or update.replaced_by:  # not read yet; or it goes on in another order
            self._on_gap()
        else:
            worker.put_update(update)

    async def refresh(self) -> None:
        """Bring the workers to what the database says now."""
        # A worker that moves while the database is read knows better than this reading.
        versions = {asset_id: worker.version for asset_id, worker in self._workers.items()}
        try:
            states = await asyncio.to_thread(self._read_states)
        except StoreUnavailable as error:
            if not self.database_trouble:
                log.error("no orders until the database is back: %s", error)
            self.database_trouble = str(error)
            return
        if self.database_trouble:
            log.info("the database is back")
            self.database_trouble = ""
            self._on_gap()
        # The old ones first: another row may have the symbol of one that was deleted or renamed.
        self._drop_all_but({state.asset.asset_id: state.asset.symbol for state in states})
        conflicts = pair_problems(states, self._context.trader.rules)
        for state in states:
            conflict = conflicts.get(state.asset.asset_id, "")
            self._follow(self._with_problem(state, conflict), versions)

    def wanted_symbols(self) -> list[str]:
        """The symbols whose quotes matter, in the order of the rows: the first come first."""
        return [
            worker.symbol
            for _, worker in sorted(self._workers.items())
            if worker.state.asset.is_enabled and not worker.state.problem
        ]

    def holds_coins(self, symbol: str) -> bool:
        """Whether a wanted symbol's cycle may have a profit to take."""
        worker = self._worker_of(symbol)
        return bool(worker and worker.state.cycle and worker.state.cycle.quantity)

    def seen(self) -> dict[str, AssetSight]:
        """Every asset as it is seen now, by symbol, for whoever looks from outside."""
        rules = self._context.trader.rules
        return {
            worker.symbol: AssetSight(
                quote=self._prices.newest(worker.symbol),
                rules=rules.get(worker.symbol),
                problem=worker.state.problem or buying_problem(worker.state.asset),
                buy_pause_seconds=worker.pause_of(Side.BUY),
                sell_pause_seconds=worker.pause_of(Side.SELL),
                why=worker.trouble,
            )
            for worker in self._workers.values()
        }

    def snapshots(self) -> list[AssetSnapshot]:
        """Every asset as it is now, to be searched for problems."""
        return [
            AssetSnapshot(
                worker.state, self._prices.newest(worker.symbol), worker.trouble, worker.limit
            )
            for worker in self._workers.values()
        ]

    def symbols_not_traded(self) -> set[str]:
        """Enabled symbols that Alpaca did not list, or does not trade for a while."""
        enabled = {w.symbol for w in self._workers.values() if w.state.asset.is_enabled}
        rules = self._context.trader.rules
        return enabled - {symbol for symbol, each in rules.items() if each.tradable}

    def stop(self) -> None:
        """Begin nothing new."""
        for worker in self._workers.values():
            worker.stop()

    @property
    def is_busy(self) -> bool:
        return any(worker.is_busy for worker in self._workers.values())

    def _read_states(self) -> Sequence[AssetState]:
        """In a thread: all rows; an enabled asset without a cycle gets one (behaviour 1)."""
        states = self._context.store.assets()
        lacking = [
            state.asset
            for state in states
            if state.asset.is_enabled and state.cycle is None and not state.problem
        ]
        for asset in lacking:
            self._open_cycle(asset)
        return self._context.store.assets() if lacking else states

    def _open_cycle(self, asset: Asset) -> None:
        """Begin a cycle; a row that somebody keeps locked is left alone for a while, since each try
        waits for the lock, and the other assets with it."""
        now, key = self._context.loop.time(), asset.asset_id
        if now < self._locked_until.get(key, now):
            return
        try:
            self._context.trader.books.open_cycle(key)
            self._locked_until.pop(key, None)
        except RowLocked as error:
            if key not in self._locked_until:
                asset_log(log, asset.symbol).warning("no cycle could be begun: %s", error)
            self._locked_until[key] = now + LOCKED_SECONDS
        except StoreUnavailable:
            raise
        except DcaError as error:
            asset_log(log, asset.symbol).warning("no cycle could be begun: %s", error)

    def _with_problem(self, state: AssetState, conflict: str) -> AssetState:
        """The state, its problem completed by what makes the row unusable; reported once.

        `conflict` is what another row makes impossible.
        """
        asset, problem, no_buys = state.asset, state.problem, ""
        if not problem and asset.is_enabled:
            rules = self._context.trader.rules.get(asset.symbol)
            problem = trading_problem(asset, rules) or conflict or contradiction(state.cycle)
            no_buys = buying_problem(asset)
        self._row_lines.write(state, problem, no_buys)
        return replace(state, problem=problem)

    def _follow(self, state: AssetState, versions: dict[int, int]) -> None:
        worker = self._workers.get(state.asset.asset_id)
        if worker is None:
            worker = Worker(state, self._context)
            self._workers[state.asset.asset_id] = worker
            self._prices.watches[worker.symbol] = worker.watch
            worker.follow(state)
            return
        is_older = worker.is_busy or worker.version != versions.get(state.asset.asset_id)
        if worker.state != state and not is_older:
            worker.follow(state)

    def _drop_all_but(self, symbols: Mapping[int, str]) -> None:
        """`symbols` are those of the rows as they are now, by asset id."""
        for asset_id, worker in list(self._workers.items()):
            if symbols.get(asset_id) != worker.symbol:
                worker.stop()
                renamed = symbols.get(asset_id, "")
                self._row_lines.gone(asset_id, worker.symbol, worker.state.cycle, renamed=renamed)
                del self._workers[asset_id], self._prices.watches[worker.symbol]

    def _worker_of(self, symbol: str) -> Worker | None:
        """Alpaca writes BTC/USD in one place and BTCUSD in another (docs/alpaca.md 1.4); so may a
        row, by mistake, beside the right one."""
        workers = self._workers.values()
        alike = [each for each in workers if _joined(each.symbol) == _joined(symbol)]
        return next((each for each in alike if "/" in each.symbol), alike[0] if alike else None)


def _joined(symbol: str) -> str:
    return symbol.replace("/", "")
