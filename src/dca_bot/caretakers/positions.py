"""Alpaca's positions against the books: found, seen twice, then corrected.

Rule: Alpaca wins on quantity and average price; whose a position is, the books say.  A correction
is a compare-and-set on the locked row, and only while no order of the asset is under way.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from dca_bot.caretakers.run import Run
from dca_bot.core import story
from dca_bot.core.earnings import result_of
from dca_bot.core.model import Asset, Cycle, CycleStatus, Holding
from dca_bot.core.money import COIN_STEP
from dca_bot.core.overdue import PositionVerdict, corrected, position_verdict
from dca_bot.core.transition import fail
from dca_bot.program.errors import BrokerUnavailable, CycleChanged
from dca_bot.program.logs import asset_log, event
from dca_bot.trading.ports import Broker, Store

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Difference:
    """One asset whose cycle and position don't agree."""

    asset: Asset
    cycle: Cycle | None
    holding: Holding | None
    verdict: PositionVerdict

    def is_like(self, other: Difference | None) -> bool:
        """Whether nothing that matters has moved between two looks."""
        return other is not None and self._essence == other._essence

    @property
    def _essence(self) -> tuple[Cycle | None, Decimal | None, PositionVerdict]:
        return self.cycle, self.holding.quantity if self.holding else None, self.verdict


def find_differences(store: Store, broker: Broker) -> dict[int, Difference]:
    """Every asset at rest whose position is not what its cycle says, by asset id."""
    rules, holdings = broker.rules(), broker.holdings()
    found = {}
    for state in store.assets():
        asset = state.asset
        if state.problem:
            continue
        try:
            rule, holding = rules.get(asset.symbol), holdings.of(asset.coin)
        except BrokerUnavailable as doubt:
            asset_log(log, asset.symbol).warning("left as it is: %s", doubt)
            continue
        if rule is None and holding is None:
            continue  # a symbol that Alpaca doesn't know: no position there says nothing
        increment = rule.min_trade_increment if rule else COIN_STEP
        verdict = position_verdict(asset, state.cycle, holding, increment)
        if verdict is not PositionVerdict.AGREES:
            found[asset.asset_id] = Difference(asset, state.cycle, holding, verdict)
    return found


def seen_twice(
    first: Mapping[int, Difference], again: Mapping[int, Difference]
) -> Sequence[Difference]:
    """What differs still, in the same way: Alpaca's positions lag behind its fills."""
    return [now for asset_id, now in again.items() if now.is_like(first.get(asset_id))]


def put_right(store: Store, found: Difference, now: datetime, this_run: Run) -> None:
    """Bring a cycle to what the position says; a position that is nobody's is only reported."""
    if found.verdict is PositionVerdict.NOT_OURS:
        this_run.count(not_owned=1)
        _report(found)
        return
    cycle, holding = found.cycle, found.holding
    assert cycle is not None  # noqa: S101 - only a cycle can differ from a position
    if not this_run.is_dry_run:
        with store.transaction(found.asset.asset_id) as tx:
            if tx.cycle != cycle or tx.live_order() is not None:
                raise CycleChanged("its cycle has just moved")
            if found.verdict is PositionVerdict.DIFFERS and holding is not None:
                after = corrected(cycle, holding)
                tx.save_cycle(cycle, after)
                tx.add_event(story.corrected(cycle, after, now))
            else:
                over = fail(cycle, now)
                orders = tx.orders_of_cycle(cycle.cycle_id)
                tx.save_cycle(cycle, over)
                tx.add_event(story.given_up(cycle, now))
                tx.put_result(result_of(tx.asset, over, orders))
                tx.add_cycle(Cycle(0, cycle.asset_id, CycleStatus.WATCHING))
    this_run.count(corrected=1)
    _say(found.asset, cycle, holding, found.verdict, this_run)


def _say(
    asset: Asset, cycle: Cycle, holding: Holding | None, verdict: PositionVerdict, this_run: Run
) -> None:
    prefix = asset_log(log, asset.symbol, cycle.cycle_id)
    if verdict is PositionVerdict.GONE or holding is None:
        sentence = "Alpaca holds no such position, was it sold by hand? cycle given up, a new one"
        facts: dict[str, object] = {"status": CycleStatus.ERROR, "quantity": cycle.quantity}
        facts |= {"average": cycle.average_purchase_price, "held": holding and holding.quantity}
    else:
        after = corrected(cycle, holding)
        sentence = "quantity corrected to Alpaca's position, was it traded by hand?"
        facts = {
            "quantity_before": cycle.quantity,
            "quantity": after.quantity,
            "average_before": cycle.average_purchase_price,
            "average": after.average_purchase_price,
        }
    prefix.warning(event(this_run.said(sentence), **facts))


def _report(found: Difference) -> None:
    if found.holding is None:
        return
    cycle_id = found.cycle.cycle_id if found.cycle else None
    asset_log(log, found.asset.symbol, cycle_id).warning(
        event(
            "Alpaca holds a position that no cycle owns: no base order until you sell it there, "
            "or set is_enabled to FALSE in dca_assets",
            quantity=found.holding.quantity,
            average=found.holding.average_entry_price,
        )
    )
