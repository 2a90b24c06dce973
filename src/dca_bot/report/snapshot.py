"""A snapshot of everything: rows and orders at one moment, and what the bot says in LOG_DIR."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from dca_bot.core.model import AssetState
from dca_bot.report import queries
from dca_bot.report.now import NO_SIGHT, AssetNow, Now
from dca_bot.report.reader import Reader, cycle_oddity, is_beyond_counting, moment, order_oddity
from dca_bot.store.assets import ALL_ASSETS, ASSETS, CYCLES, read_state
from dca_bot.store.orders import ORDERS
from dca_bot.store.values import Row
from dca_bot.watchdog import heartbeat, sight
from dca_bot.watchdog.caretaker_marks import SILENCE_MAX, SuccessMark
from dca_bot.watchdog.mode import mode_of_running


def take_snapshot(reader: Reader, log_dir: Path, now: datetime, *, mode: str) -> Now:
    """Everything as it is at `now`; `mode` is what the settings say, where no bot says another."""
    seen, beat = sight.read(log_dir), heartbeat.read(log_dir)
    orders = defaultdict(list)
    unreadable = {}  # the asset of an order that can't be read, and why; all others are shown
    for row in reader.rows(queries.ORDERS_OF_ACTIVE_CYCLES):
        order = reader.take(ORDERS, row)
        if order is None:
            unreadable[row[1]] = reader.to_correct[-1]
        elif problem := order_oddity(order):  # the bot trades on; the sums do without it
            reader.must_correct(ORDERS.to_correct(row, problem))
        else:
            orders[order.asset_id].append(order)
    completed = {
        int(str(row[0])): moment(row[1])
        for row in reader.rows(queries.LAST_COMPLETED)
        if row[1] is not None
    }
    events = {
        int(str(row[0])): (moment(row[1]), str(row[2])) for row in reader.rows(queries.LAST_EVENTS)
    }
    states = [_state(reader, row) for row in reader.rows(ALL_ASSETS)]
    assets = []
    for state in states:
        asset = state.asset
        asset_sight = seen.assets.get(asset.symbol, NO_SIGHT) if seen else NO_SIGHT
        problem = state.problem or unreadable.get(asset.asset_id, "")
        assets.append(
            AssetNow(
                asset=asset,
                cycle=state.cycle,
                problem=problem or (asset_sight.problem if asset.is_enabled else ""),
                orders=tuple(orders[asset.asset_id]),
                seen=asset_sight,
                completed_at=completed.get(asset.asset_id),
                cash=seen.cash if seen and asset.quote_currency == "USD" else None,
                last_event=events.get(asset.asset_id),
            )
        )
    return Now(
        at=now,
        mode=mode_of_running(seen, beat) or mode,
        beat=beat,
        sight=seen,
        assets=tuple(assets),
        caretakers={name: SuccessMark(log_dir, name).time() for name in SILENCE_MAX},
        to_correct=reader.to_correct,
    )


def _state(reader: Reader, row: Row) -> AssetState:
    """Asset and cycle; without the cycle where nothing can be worked out of its row."""
    state = read_state(row)
    cycle, problem = state.cycle, state.problem
    if cycle is not None and (odd := cycle_oddity(cycle)):
        problem = CYCLES.to_correct(row[ASSETS.width :], odd)
        if is_beyond_counting(cycle):
            state = replace(state, cycle=None, problem=problem)
    if problem:
        reader.must_correct(problem)
    return state
