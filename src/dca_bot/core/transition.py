"""Every change of a cycle's status, in one table.  Rule: nothing else assigns a cycle's status.

`docs/architecture.md` shows the table; `as_table` has made it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from dca_bot.core.model import Cycle, CycleStatus, Holding, Side
from dca_bot.core.money import storable_price
from dca_bot.program.errors import IllegalTransition

UNDER_WAY = {Side.BUY: CycleStatus.BUYING, Side.SELL: CycleStatus.SELLING}


@dataclass(frozen=True, slots=True)
class Move:
    """One way from one of some statuses to another, and what happens then."""

    before: tuple[CycleStatus, ...]
    after: CycleStatus
    when: str


ORDERED = {
    side: Move(
        (CycleStatus.WATCHING,), status, f"a {side.upper()} is intended, or found open at Alpaca"
    )
    for side, status in UNDER_WAY.items()
}
LET_GO = Move(
    (CycleStatus.BUYING, CycleStatus.SELLING),
    CycleStatus.WATCHING,
    "the order has ended and left something to do, or it is gone",
)
SOLD_OUT = Move(
    (CycleStatus.SELLING, CycleStatus.WATCHING),
    CycleStatus.COMPLETE,
    "all is sold; a new cycle begins in cooldown",
)
COOLED = Move((CycleStatus.COOLDOWN,), CycleStatus.WATCHING, "the cooldown is over")
FAILED = Move(
    tuple(status for status in CycleStatus if status.is_active),
    CycleStatus.ERROR,
    "its coins are gone; a new cycle watches",
)
ADOPTED = Move(
    (CycleStatus.WATCHING, CycleStatus.COOLDOWN),
    CycleStatus.WATCHING,
    "a person gives it coins that Alpaca holds",
)
RELEASED = Move(
    (CycleStatus.WATCHING,),
    CycleStatus.COMPLETE,
    "a person lets its coins go unsold; a new cycle watches",
)
MOVES = (*ORDERED.values(), LET_GO, SOLD_OUT, COOLED, FAILED, ADOPTED, RELEASED)


def start_order(cycle: Cycle, side: Side, alpaca_order_id: str | None = None) -> Cycle:
    """The cycle once an order is intended; with Alpaca's id, once one that was given up as lost
    was found open.  Raises IllegalTransition unless it is watching."""
    return replace(_moved(cycle, ORDERED[side]), latest_order_id=alpaca_order_id)


def let_go(cycle: Cycle) -> Cycle:
    """The cycle once the order that it waits for has ended, or is known never to have been.

    Raises IllegalTransition unless it waits for one.
    """
    return replace(_moved(cycle, LET_GO), latest_order_id=None)


def sell_out(cycle: Cycle, alpaca_order_id: str | None, now: datetime) -> Cycle:
    """The cycle once its last SELL has taken all.  Raises IllegalTransition."""
    return replace(
        _moved(cycle, SOLD_OUT), latest_order_id=alpaca_order_id, completed_at=whole_second(now)
    )


def end_cooldown(cycle: Cycle) -> Cycle:
    """The cycle once its cooldown is over.  Raises IllegalTransition unless it is in cooldown."""
    return _moved(cycle, COOLED)


def fail(cycle: Cycle, now: datetime) -> Cycle:
    """The cycle given up: what it says can't be true any more (behaviour 10).

    Raises IllegalTransition when it is over already.
    """
    return replace(_moved(cycle, FAILED), latest_order_id=None, completed_at=whole_second(now))


def adopt(cycle: Cycle, holding: Holding) -> Cycle:
    """The cycle with coins that Alpaca holds, as if they had been its base order.

    Raises IllegalTransition when it owns coins or waits for an order.
    """
    if cycle.quantity > 0:
        raise IllegalTransition(f"its cycle holds {cycle.quantity:f} coins already")
    average = storable_price(holding.average_entry_price)
    watching = replace(_moved(cycle, ADOPTED), quantity=holding.quantity)
    return replace(watching, average_purchase_price=average, last_order_fill_price=average)


def release(cycle: Cycle, now: datetime) -> Cycle:
    """The cycle ended without a sale; whose its coins are, the books no longer say.

    Raises IllegalTransition unless it watches over coins.
    """
    if cycle.quantity <= 0:
        raise IllegalTransition("its cycle holds no coins")
    return replace(_moved(cycle, RELEASED), completed_at=whole_second(now))


def _moved(cycle: Cycle, move: Move) -> Cycle:
    if cycle.status not in move.before:
        raise IllegalTransition(f"a {cycle.status} cycle can't become {move.after}: {move.when}")
    return replace(cycle, status=move.after)


def as_table() -> str:
    """The moves as a Markdown table, for the documents."""
    rows = [f"| {', '.join(m.before)} | {m.after} | {m.when} |" for m in MOVES]
    return "\n".join(["| from | to | when |", "| --- | --- | --- |", *rows])


def whole_second(at: datetime) -> datetime:
    """Cut to what a TIMESTAMP column holds; MySQL itself would round up, into the future."""
    return at.replace(microsecond=0)
