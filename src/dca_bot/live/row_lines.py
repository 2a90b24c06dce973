"""The log lines about rows of `dca_assets`: what is wrong with one, and what was edited.

Rule: each is written once, when it becomes so.
"""

from __future__ import annotations

import logging

from dca_bot.core.asset_row import HALTED, edits, losing_target
from dca_bot.core.model import ZERO, Asset, AssetState, Cycle
from dca_bot.program.log_text import asset_log

log = logging.getLogger(__name__)


class RowLines:
    """Remembers what was written of each row, by asset id."""

    def __init__(self) -> None:
        self._problems: dict[int, str] = {}
        self._losing: dict[int, str] = {}
        self._assets: dict[int, Asset] = {}

    def write(self, state: AssetState, problem: str, no_buys: str) -> None:
        """Write what is new; `problem` stops every order, `no_buys` only BUYs."""
        if not state.problem:  # of a row that can't be read there is nothing to compare
            self._edited(state)
        asset_id, prefix = state.asset.asset_id, asset_log(log, state.asset.symbol)
        line = _line_about(problem, no_buys)
        if line != self._problems.get(asset_id, ""):
            self._problems[asset_id] = line
            if problem == HALTED:
                prefix.warning("%s", line)
            elif line:
                prefix.error("%s", line)
            else:
                prefix.info("usable again: its orders go on")
        losing = losing_target(state.asset) if state.asset.is_enabled and not problem else ""
        if losing != self._losing.get(asset_id, ""):
            self._losing[asset_id] = losing
            if losing:
                prefix.warning(
                    "take profit is below the fees, so every sale loses money: %s", losing
                )

    def gone(self, asset_id: int, symbol: str, cycle: Cycle | None, *, renamed: str = "") -> None:
        """A row was deleted, and `cycle` with it, the last that it had; or it was `renamed`."""
        for told in (self._problems, self._losing):  # a row inserted again is told of anew
            told.pop(asset_id, None)
        if self._assets.pop(asset_id, None) is None:
            return
        if renamed:
            sentence = "its row was edited, and is one of %s now: no more orders in %s"
            asset_log(log, symbol).info(sentence, renamed, symbol)
        elif cycle is None or not cycle.quantity:
            asset_log(log, symbol).info("its row is gone: no more orders")
        else:
            asset_log(log, symbol, cycle.cycle_id).warning(
                "its row is gone: no more orders, and the %s coins that its cycle held are "
                "nobody's now: sell them at Alpaca, or insert the row again and run dca adopt",
                f"{cycle.quantity.normalize():f}",
            )

    def _edited(self, state: AssetState) -> None:
        before = self._assets.get(state.asset.asset_id)
        self._assets[state.asset.asset_id] = state.asset
        found = ", ".join(edits(before, state.asset)) if before else ""
        if found:
            held = state.cycle.quantity if state.cycle else ZERO
            holds = f"; it holds {held.normalize():f}" if held else ""
            asset_log(log, state.asset.symbol).info("its row was edited: %s%s", found, holds)


def _line_about(problem: str, no_buys: str) -> str:
    """What is wrong with a row, and what to do about it; "": it is usable."""
    if problem == HALTED:
        return f"not traded for now: {problem}"
    if problem:
        every = "; ".join(filter(None, (problem, no_buys)))
        return f"not traded until its row is corrected: {every}"
    if no_buys:
        return f"no BUYs until its row is corrected, what it holds is still sold: {no_buys}"
    return ""
