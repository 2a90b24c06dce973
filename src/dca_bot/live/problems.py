"""What `main_app.py` knows of the problems that a human must hear of (behaviour 14).

Rule: found by looking at what is known already, every two seconds with the heartbeat; the hot
path and the workers have nothing to do for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from dca_bot.core.decide import triggers
from dca_bot.core.model import AssetState, CycleStatus, Quote
from dca_bot.core.money import storable_price
from dca_bot.program.clock import Clock
from dca_bot.watchdog.problems import Kind, Problem

# A market order is filled within seconds: until then a take profit that is due is no problem.
USUALLY_SOLD_WITHIN = timedelta(seconds=20)


@dataclass(frozen=True, slots=True)
class Look:
    """One asset as it is now: its newest quote, and what went wrong last."""

    state: AssetState
    quote: Quote | None = None
    trouble: str = ""


class Problems:
    """Remembers since when each problem lasts."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._since: dict[tuple[Kind, str], datetime] = {}

    def now(self, database_trouble: str, looks: Iterable[Look] = ()) -> tuple[Problem, ...]:
        """What is wrong now; `database_trouble` is empty while the database answers."""
        now = self._clock()
        found = [Problem(Kind.DATABASE, "", now, database_trouble)] if database_trouble else []
        found += [problem for look in looks for problem in _of_asset(look, now)]
        self._since = {each.key: self._since.get(each.key, now) for each in found}
        lasting = (replace(each, since=self._since[each.key]) for each in found)
        return tuple(
            each
            for each in lasting
            if each.kind is not Kind.TAKE_PROFIT or now - each.since > USUALLY_SOLD_WITHIN
        )


def _of_asset(look: Look, now: datetime) -> Iterator[Problem]:
    asset, cycle = look.state.asset, look.state.cycle
    problem = look.state.problem
    if problem and (cycle is None or cycle.quantity > 0):
        # A cycle that can't be read may hold anything.
        held = "an unknown quantity" if cycle is None else f"{cycle.quantity:f}"
        yield Problem(
            Kind.ROW,
            asset.symbol,
            now,
            f"its cycle holds {held}, and the row is unusable until it is mended: {problem}",
        )
    elif price := _due_at(look):
        why = look.trouble or "Alpaca has not filled it; look at the order in Alpaca's dashboard"
        yield Problem(
            Kind.TAKE_PROFIT,
            asset.symbol,
            now,
            f"its take profit is due at a bid of {price}, and it is not sold: {why}",
        )


def _due_at(look: Look) -> str:
    """The price from which the take profit is due, if it is due now; else ""."""
    asset, cycle = look.state.asset, look.state.cycle
    if not asset.is_enabled or cycle is None or cycle.quantity <= 0 or not cycle.status.is_active:
        return ""
    as_watching = replace(cycle, status=CycleStatus.WATCHING, latest_order_id=None)
    price = triggers(asset, as_watching).sell_at_or_above
    if price is None:
        return ""
    is_reached = look.quote is not None and look.quote.bid >= price
    if not is_reached and cycle.status is not CycleStatus.SELLING:
        return ""
    return f"{storable_price(price).normalize():f}"
