"""The ladder of a row: what each rung would buy, and what the take profit after it leaves.

Rule: amounts, steps and prices are asked of the core's own `decide` and `triggers`, so a row is
shown exactly as it would be traded.  It is worked out as if every order filled at its limit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal

from dca_bot.core.decide import Buy, Hold, decide, triggers
from dca_bot.core.fees import fee_step, sell_fee
from dca_bot.core.ladder import safety_amount, take_profit_price
from dca_bot.core.model import (
    ZERO,
    Allowed,
    Asset,
    AssetRules,
    Cycle,
    CycleStatus,
    OrderKind,
    Quote,
    new_cycle,
)
from dca_bot.core.money import (
    FEE_RATE_ESTIMATE,
    estimated_receipt,
    round_down,
    weighted_average,
)
from dca_bot.report.now import AssetNow

RUNGS_MAX = 500  # of a row that says ten thousand; nobody reads more
ANY_TIME = datetime(1970, 1, 1, tzinfo=UTC)
HUNDRED = Decimal(100)


@dataclass(frozen=True, slots=True)
class Rung:
    """One BUY of the ladder.  Quantity is what is ordered, holding what there is after its fee.

    `net` is what a SELL of everything at the take-profit price leaves after all fees; `fall_pct`
    how far the price is then below that of the first rung.
    """

    kind: OrderKind
    number: int
    trigger: Decimal
    quantity: Decimal
    holding: Decimal
    invested: Decimal
    average_price: Decimal
    take_profit_price: Decimal
    net: Decimal
    fall_pct: Decimal


@dataclass(frozen=True, slots=True)
class Ladder:
    """`warnings` say what the row can't do as it stands."""

    rungs: tuple[Rung, ...]
    warnings: tuple[str, ...] = ()


def as_a_preview(asset: Asset) -> Asset:
    """The row without what may keep a cycle from beginning: its ladder is asked for, not a BUY."""
    return replace(
        asset,
        is_enabled=True,
        allowed=Allowed.ALL,
        max_spread_pct=None,
        min_start_price=None,
        max_start_price=None,
    )


def ladder_from(
    asset: Asset,
    price: Decimal,
    rules: AssetRules,
    *,
    fee_rate: Decimal = FEE_RATE_ESTIMATE,
    cycle: Cycle | None = None,
    invested: Decimal = ZERO,
) -> Ladder:
    """The rungs of a new cycle whose base order sees `price`, or those that a cycle has left."""
    begun = cycle or new_cycle(asset.asset_id)
    if begun.fee_rate is None:  # its target after fees counts what the account was seen to pay
        begun = replace(begun, fee_rate=fee_rate)
    rungs: list[Rung] = []
    warnings = []
    for rung in _rungs(asset, begun, price, rules, fee_rate, invested):
        if isinstance(rung, Hold):
            warnings.append(rung.reason)
            break
        rungs.append(rung)
    losing = [rung for rung in rungs if rung.net <= 0]
    if losing:
        warnings.append(
            f"the take profit of {asset.take_profit_pct.normalize():f} % does not pay the fees of "
            f"both sides ({fee_rate * 2 * HUNDRED:f} %): raise take_profit_percent in dca_assets"
        )
    return Ladder(tuple(rungs), tuple(warnings))


def money_wanted(ladder: Ladder, invested: Decimal = ZERO) -> Decimal:
    """What all the rungs of a ladder would spend from now on."""
    return ladder.rungs[-1].invested - invested if ladder.rungs else ZERO


def still_wanted(now: AssetNow) -> Decimal:
    """What the rungs that an asset's row has left can still ask for."""
    asset, cycle = now.asset, now.cycle
    if not asset.is_enabled or now.problem:
        return ZERO
    price = now.quote.ask if now.quote else None
    price = price or (cycle.last_order_fill_price if cycle else None)
    if price is not None:
        return money_wanted(ladder_from(asset, price, now.rules, cycle=cycle))
    rungs = range(1, min(asset.max_safety_orders, RUNGS_MAX) + 1)
    return asset.base_order_amount + sum((safety_amount(asset, rung) for rung in rungs), ZERO)


def _rungs(
    asset: Asset,
    cycle: Cycle,
    price: Decimal,
    rules: AssetRules,
    fee_rate: Decimal,
    invested: Decimal,
) -> Iterator[Rung | Hold]:
    cycle = replace(cycle, status=CycleStatus.WATCHING)
    first = cycle.last_order_fill_price or price
    for _ in range(RUNGS_MAX):
        trigger = triggers(asset, cycle).buy_at_or_below
        if trigger is None:
            return
        seen = price if trigger.is_infinite() else trigger
        decision = decide(asset, cycle, Quote(asset.symbol, seen, seen, ANY_TIME), rules)
        if not isinstance(decision, Buy):
            if isinstance(decision, Hold):
                yield decision
            return
        cycle = _filled(cycle, decision, fee_rate)
        invested += decision.quantity * decision.limit_price
        target = take_profit_price(asset, cycle) or ZERO
        sold = round_down(cycle.quantity, rules.min_trade_increment) * target
        yield Rung(
            kind=decision.kind,
            number=decision.rung,
            trigger=seen,
            quantity=decision.quantity,
            holding=cycle.quantity,
            invested=invested,
            average_price=cycle.average_purchase_price,
            take_profit_price=target,
            net=sold - sell_fee(sold, fee_rate, fee_step(asset)) - invested,
            fall_pct=(1 - seen / first) * HUNDRED,
        )


def _filled(cycle: Cycle, buy: Buy, fee_rate: Decimal) -> Cycle:
    """The cycle once the BUY has filled at its limit."""
    net = estimated_receipt(buy.quantity, fee_rate)
    return replace(
        cycle,
        quantity=cycle.quantity + net,
        average_purchase_price=weighted_average(
            cycle.quantity, cycle.average_purchase_price, net, buy.limit_price
        ),
        last_order_fill_price=buy.limit_price,
        safety_orders=cycle.safety_orders + (buy.kind is OrderKind.SAFETY),
    )
