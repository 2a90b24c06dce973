"""What `main_app.py` knows of the problems that a human must hear of (behaviour 14).

Rule: found by looking at what is known already, every two seconds with the heartbeat; the hot
path and the workers have nothing to do for it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from dca_bot.core.asset_row import HALTED, buying_problem
from dca_bot.core.decide import triggers
from dca_bot.core.ladder import stop_loss_price, take_profit_price, trailing_price
from dca_bot.core.model import AssetState, Cycle, CycleStatus, Quote
from dca_bot.program.clock import Clock
from dca_bot.watchdog.problems import Problem, ProblemKind

# A market order is filled within seconds: until then a SELL that is due is no problem.
USUALLY_SOLD_WITHIN = timedelta(seconds=20)
SALES = {ProblemKind.TAKE_PROFIT, ProblemKind.STOP_LOSS}


@dataclass(frozen=True, slots=True)
class AssetSnapshot:
    """One asset as it is now: its newest quote, what went wrong last, and the limit for all assets
    that keeps its BUY back."""

    state: AssetState
    quote: Quote | None = None
    trouble: str = ""
    limit: str = ""


class Problems:
    """Remembers since when each problem lasts."""

    def __init__(self, clock: Clock, *, mail_after: timedelta) -> None:
        self._clock = clock
        # A shorter PROBLEM_MAIL_SECONDS shortens this wait too.
        self._sold_within = min(USUALLY_SOLD_WITHIN, mail_after)
        self._since: dict[tuple[ProblemKind, str], datetime] = {}

    def now(
        self, database_trouble: str, snapshots: Sequence[AssetSnapshot] = ()
    ) -> tuple[Problem, ...]:
        """What is wrong now; `database_trouble` is empty while the database answers."""
        now = self._clock()
        found: list[Problem] = []
        if database_trouble:
            found.append(Problem(ProblemKind.DATABASE, "", now, database_trouble))
        found += [problem for snapshot in snapshots for problem in _of_asset(snapshot, now)]
        found += _of_limits(snapshots, now)
        self._since = {each.key: self._since.get(each.key, now) for each in found}
        lasting = (replace(each, since=self._since[each.key]) for each in found)
        return tuple(
            each
            for each in lasting
            if each.kind not in SALES or now - each.since > self._sold_within
        )


def _of_asset(snapshot: AssetSnapshot, now: datetime) -> Iterator[Problem]:
    asset, cycle = snapshot.state.asset, snapshot.state.cycle
    # A cycle that can't be read may hold anything.
    held = "an unknown quantity" if cycle is None else f"{cycle.quantity:f}"
    sentence = _unusable(snapshot.state)
    if sentence and (cycle is None or cycle.quantity > 0):
        yield Problem(ProblemKind.ROW, asset.symbol, now, f"its cycle holds {held}: {sentence}")
    if cycle is None or (snapshot.state.problem and snapshot.state.problem != HALTED):
        return
    if (found := _unsold(snapshot, cycle, now)) is not None:
        kind, name, price = found
        why = snapshot.state.problem or snapshot.trouble
        why = why or "Alpaca has not filled it; look at the order in Alpaca's dashboard"
        at = f"{price:.10f}".rstrip("0").rstrip(".")
        sentence = f"its {name} is due at a bid of {at}, and is not sold: {why}; it is tried again"
        yield Problem(kind, asset.symbol, now, sentence)


def _of_limits(snapshots: Iterable[AssetSnapshot], now: datetime) -> Iterator[Problem]:
    """One problem for each limit, however many assets wait for it."""
    waiting: defaultdict[str, list[AssetSnapshot]] = defaultdict(list)
    for snapshot in snapshots:
        if snapshot.limit and _wants_to_buy(snapshot):
            waiting[snapshot.limit].append(snapshot)
    for limit, held_up in waiting.items():
        symbols = ", ".join(sorted(snapshot.state.asset.symbol for snapshot in held_up))
        why = held_up[0].trouble or f"{limit} is reached"
        sentence = (
            f"{symbols}: a BUY is due, but {why}; a sale makes room, or a higher limit in .env"
        )
        yield Problem(ProblemKind.LIMIT, limit, now, sentence)


def _wants_to_buy(snapshot: AssetSnapshot) -> bool:
    state, quote = snapshot.state, snapshot.quote
    if quote is None or state.cycle is None or state.problem:
        return False
    return triggers(state.asset, state.cycle).buys(quote)


def _unusable(state: AssetState) -> str:
    """What is wrong with the row; "" when nothing is, or when Alpaca is to blame."""
    if state.problem and state.problem != HALTED:
        return f"no orders until the row is corrected: {state.problem}"
    no_buys = buying_problem(state.asset) if state.asset.is_enabled else ""
    return no_buys and f"no BUYs until the row is corrected, it still takes its profit: {no_buys}"


def _unsold(
    snapshot: AssetSnapshot, cycle: Cycle, now: datetime
) -> tuple[ProblemKind, str, Decimal] | None:
    """What the cycle should have sold by, at which price: its SELL is open, or the bid is where it
    sells."""
    asset = snapshot.state.asset
    stop, target = stop_loss_price(asset, cycle), take_profit_price(asset, cycle)
    if not asset.is_enabled or cycle.quantity <= 0:
        return None
    if stop is not None and _is_stopped(snapshot, cycle, stop, now):
        return ProblemKind.STOP_LOSS, "stop loss", stop
    if target is not None and _is_profitable(snapshot, cycle, target):
        return ProblemKind.TAKE_PROFIT, "take profit", target
    return None


def _is_stopped(snapshot: AssetSnapshot, cycle: Cycle, price: Decimal, now: datetime) -> bool:
    since = cycle.stop_loss_since
    seconds = timedelta(seconds=snapshot.state.asset.stop_loss_seconds)
    if cycle.status is CycleStatus.SELLING:
        return since is not None
    if snapshot.quote is None or snapshot.quote.bid > price:
        return False
    # nobody counts the seconds of a pair that Alpaca doesn't trade
    return snapshot.state.problem == HALTED or (since is not None and now - since >= seconds)


def _is_profitable(snapshot: AssetSnapshot, cycle: Cycle, price: Decimal) -> bool:
    asset, quote = snapshot.state.asset, snapshot.quote
    if cycle.status is CycleStatus.SELLING:
        return True
    if quote is None or quote.bid < price:
        return False
    trailing = trailing_price(asset, cycle)
    return asset.trailing_pct is None or (trailing is not None and quote.bid <= trailing)
