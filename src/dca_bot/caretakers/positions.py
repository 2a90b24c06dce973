"""Alpaca's positions against the books: found, seen twice, then corrected.

Rule: Alpaca wins on quantity and average price; whose a position is, the books say.  A correction
is a compare-and-set on the locked row, and only while no order of the asset is under way.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from dca_bot.caretakers.closed_orders import ClosedOrders, sold_by_others
from dca_bot.caretakers.run import Run
from dca_bot.core import story
from dca_bot.core.earnings import result_of
from dca_bot.core.holdings import Holdings
from dca_bot.core.model import (
    ZERO,
    Asset,
    AssetRules,
    AssetState,
    Cycle,
    CycleStatus,
    Holding,
    Order,
    OrderStatus,
    OrderUpdate,
    Side,
    new_cycle,
)
from dca_bot.core.money import COIN_STEP, FEE_RATE_ESTIMATE
from dca_bot.core.overdue import (
    PositionVerdict,
    accounts_for,
    corrected,
    is_settled,
    position_verdict,
)
from dca_bot.core.position import most_it_could_hold
from dca_bot.core.transition import fail
from dca_bot.program.errors import BrokerUnavailable, CycleChanged
from dca_bot.program.log_text import asset_log, event
from dca_bot.trading.books import Books
from dca_bot.trading.ports import Broker, Store

log = logging.getLogger(__name__)

CLAIMED = "several cycles hold {}, and Alpaca keeps one position per coin: end all but one of them"
NOT_CORRECTED = (PositionVerdict.NOT_OURS, PositionVerdict.TOO_MUCH)


@dataclass(frozen=True, slots=True)
class PositionDifference:
    """One asset whose cycle and position don't agree; `last_order` is the last one in the books."""

    asset: Asset
    cycle: Cycle | None
    holding: Holding | None
    verdict: PositionVerdict
    last_order: Order | None = None

    def is_like(self, other: PositionDifference | None) -> bool:
        """Whether nothing that matters has moved between two looks."""
        return other is not None and self._essence == other._essence

    @property
    def _essence(self) -> tuple[Cycle | None, Decimal | None, PositionVerdict, Order | None]:
        quantity = self.holding.quantity if self.holding else None
        return self.cycle, quantity, self.verdict, self.last_order


@dataclass(frozen=True, slots=True)
class Comparison:
    """What one look at all positions found; `are_all_gone`: of two or more cycles that hold coins,
    none has a position, as if Alpaca's list had been empty by mistake."""

    differences: Mapping[int, PositionDifference]  # by asset id
    closed: ClosedOrders
    are_all_gone: bool


def compare_positions(
    store: Store, broker: Broker, this_run: Run, now: datetime
) -> Comparison | None:
    """Every asset at rest whose position is not what its cycle says; `now` by Alpaca's clock.

    Left out are assets whose last order, whoever placed it, has ended so lately that positions may
    lag behind it (not where orders by hand account for the whole difference), whose position can't
    be read, and coins that several cycles claim.
    None: there is no difference.
    """
    rules, holdings, states = broker.rules(), broker.holdings(), store.assets()
    holders = [state for state in states if state.cycle and state.cycle.quantity > 0]
    claims = Counter(state.asset.coin for state in holders)
    differing = []
    for state in states:
        asset = state.asset
        is_claimed_elsewhere = claims[asset.coin] > (1 if state in holders else 0)
        if is_claimed_elsewhere and state in holders:
            asset_log(log, asset.symbol).warning("left as it is: %s", CLAIMED.format(asset.coin))
        if state.problem or is_claimed_elsewhere:
            continue
        with this_run.contain(asset.symbol):
            if difference := _difference(state, rules, holdings):
                differing.append(difference)
    if not differing:
        return None
    closed, found = ClosedOrders.of_the_last_day(broker, now), {}
    for each in differing:
        with this_run.contain(each.asset.symbol):
            last = _last_order(store, each.asset)
            explaining = _what_explains(each, closed, store)
            if is_settled(closed.last_end(each.asset.coin, last, explaining), now):
                found[each.asset.asset_id] = replace(each, last_order=last)
    are_all_gone = len(holders) > 1 and not any(_is_held(each, holdings) for each in holders)
    return Comparison(found, closed, are_all_gone) if found else None


def _what_explains(
    found: PositionDifference, closed: ClosedOrders, store: Store
) -> Sequence[OrderUpdate]:
    """Somebody's own orders that account for the difference; none where they don't."""
    if found.cycle is None:
        return ()
    by_others = closed.by_others(found.asset, found.cycle, store)
    held = found.holding.quantity if found.holding else ZERO
    return by_others if accounts_for(found.cycle, held, by_others) else ()


def _difference(
    state: AssetState, rules: Mapping[str, AssetRules], holdings: Holdings
) -> PositionDifference | None:
    """What is between an asset's cycle and its position; None: nothing, or nobody can tell."""
    asset, cycle = state.asset, state.cycle
    try:
        rule, holding = rules.get(asset.symbol), holdings.of(asset.coin)
    except BrokerUnavailable as doubt:
        asset_log(log, asset.symbol).warning("left as it is: %s", doubt)
        return None
    if rule is None and holding is None:
        return None  # a symbol that Alpaca doesn't know: no position there says nothing
    increment = rule.min_trade_increment if rule else COIN_STEP
    most = most_it_could_hold(asset, cycle) if cycle else ZERO
    verdict = position_verdict(asset, cycle, holding, increment, at_most=most)
    if verdict is PositionVerdict.AGREES:
        return None
    if verdict is PositionVerdict.NOT_OURS and not asset.is_enabled:
        return None  # it keeps no order back, and what to do about it is done
    return PositionDifference(asset, cycle, holding, verdict)


def _is_held(state: AssetState, holdings: Holdings) -> bool:
    """Whether Alpaca has a position where a cycle holds coins; yes, where that can't be read."""
    try:
        return holdings.of(state.asset.coin) is not None
    except BrokerUnavailable:
        return True


def _last_order(store: Store, asset: Asset) -> Order | None:
    with store.transaction(asset.asset_id) as tx:
        return tx.last_order()


def seen_twice(first: Comparison, again: Comparison) -> Sequence[PositionDifference]:
    """What differs still, in the same way: Alpaca's positions lag behind its fills."""
    before = first.differences
    return [now for asset_id, now in again.differences.items() if now.is_like(before.get(asset_id))]


def unexplained(
    found: Sequence[PositionDifference], comparison: Comparison, store: Store, broker: Broker
) -> Set[int]:
    """The assets, by id, whose coins are gone with all others, though no order has sold them.

    Raises BrokerUnavailable.
    """
    if not comparison.are_all_gone:
        return set()
    gone = [(each.asset, each.cycle) for each in found if each.cycle]
    sold = sold_by_others(gone, comparison.closed, store, broker)
    return {asset.asset_id for asset, _ in gone} - sold


def has_rested(
    found: PositionDifference, comparison: Comparison, broker: Broker, now: datetime
) -> bool:
    """Whether the books' last order ended long ago, where the closed orders don't show it."""
    last = found.last_order
    if last is None or not comparison.closed.leaves_open_the_end_of(last):
        return True
    update = broker.order(last.client_order_id)
    return is_settled(update.ended_at if update else None, now)


def put_right(
    store: Store, books: Books, found: PositionDifference, now: datetime, this_run: Run
) -> None:
    """Bring a cycle to what the position says; what is somebody else's is only reported."""
    cycle, holding = found.cycle, found.holding
    if cycle is None or found.verdict in NOT_CORRECTED:
        this_run.count(not_owned=1)
        with store.transaction(found.asset.asset_id) as tx:
            _report(found, tx.left_behind())
        return
    this_run.count(corrected=1)
    if _is_sold(found):
        if this_run.is_dry_run:
            asset_log(log, found.asset.symbol, cycle.cycle_id).info(
                this_run.said("all is sold, cycle complete")
            )
        elif found.last_order is not None:
            books.complete(cycle, found.last_order)
        return
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
                tx.add_cycle(new_cycle(cycle.asset_id))
    _say(found.asset, cycle, holding, found.verdict, this_run)


def _is_sold(found: PositionDifference) -> bool:
    """Whether the cycle's own last SELL took all: the fees were higher than the books thought."""
    last, cycle = found.last_order, found.cycle
    return (
        found.verdict is PositionVerdict.GONE
        and last is not None
        and cycle is not None
        and last.cycle_id == cycle.cycle_id
        and (last.side, last.status) == (Side.SELL, OrderStatus.FILLED)
    )


def _say(
    asset: Asset, cycle: Cycle, holding: Holding | None, verdict: PositionVerdict, this_run: Run
) -> None:
    prefix = asset_log(log, asset.symbol, cycle.cycle_id)
    if verdict is PositionVerdict.GONE or holding is None:
        then = "a new one buys at the next price: set is_enabled to FALSE in dca_assets to stay out"
        sentence = f"Alpaca holds no such position, was it sold by hand? cycle given up, {then}"
        facts: dict[str, object] = {"status": CycleStatus.ERROR, "quantity": cycle.quantity}
        facts |= {"average": cycle.average_purchase_price, "held": holding and holding.quantity}
    else:
        after = corrected(cycle, holding)
        moved = abs(after.quantity - cycle.quantity)
        sentence = "quantity corrected to Alpaca's position, was it traded by hand?"
        if ZERO < moved <= cycle.quantity * FEE_RATE_ESTIMATE:
            sentence = "quantity corrected to Alpaca's position, a fee was not as assumed"
        facts = {
            "quantity_before": cycle.quantity,
            "quantity": after.quantity,
            "average_before": cycle.average_purchase_price,
            "average": after.average_purchase_price,
        }
    prefix.warning(event(this_run.said(sentence), **facts))


def _report(found: PositionDifference, left_behind: Decimal) -> None:
    """Coins that are not the bot's are left alone; what that means for the asset."""
    holding, cycle = found.holding, found.cycle
    if holding is None:
        return
    facts: dict[str, object] = {"quantity": holding.quantity}
    if found.verdict is PositionVerdict.TOO_MUCH and cycle is not None:
        most = most_it_could_hold(found.asset, cycle)
        sentence = (
            "Alpaca holds more than the cycle's whole ladder could have bought: the rest is not "
            "the bot's, it is left alone and never sold"
        )
        facts |= {"cycle_holds": cycle.quantity, "ladder_at_most": f"{most:.9f}"}
        facts["not_the_bots"] = holding.quantity - cycle.quantity
    else:
        sentence = (
            "Alpaca holds a position that no cycle owns: no base order until you sell it there, "
            "`dca adopt` makes it a cycle, or you set is_enabled to FALSE in dca_assets"
        )
        facts["average"] = holding.average_entry_price
        if left_behind > 0:
            facts["bought_by_the_bot_for_a_deleted_row"] = min(holding.quantity, left_behind)
    prefix = asset_log(log, found.asset.symbol, cycle.cycle_id if cycle else None)
    prefix.warning(event(sentence, **facts))
