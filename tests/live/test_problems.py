"""What main_app.py knows of the problems that a human must hear of."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from dca_bot.core.asset_row import HALTED
from dca_bot.core.model import AssetState, Cycle, CycleStatus, Quote
from dca_bot.live.problems import USUALLY_SOLD_WITHIN, AssetSnapshot, Problems
from dca_bot.watchdog.problems import Problem, ProblemKind
from tests.builders import an_asset

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
LATER = USUALLY_SOLD_WITHIN + timedelta(seconds=1)
ASSET = an_asset(take_profit_pct=Decimal(1))
CYCLE = Cycle(
    7,
    1,
    CycleStatus.WATCHING,
    quantity=Decimal("0.5"),
    average_purchase_price=Decimal(100),
    last_order_fill_price=Decimal(100),
)
DUE = Decimal(101)


class Eyes:
    """Looks again and again, by a clock that only moves when told."""

    def __init__(self, mail_after: timedelta = timedelta(minutes=5)) -> None:
        self._now = NOW
        self._problems = Problems(lambda: self._now, mail_after=mail_after)

    def see(
        self, *snapshots: AssetSnapshot, later: timedelta = timedelta(0), database_trouble: str = ""
    ) -> tuple[Problem, ...]:
        self._now += later
        return self._problems.now(database_trouble, snapshots)


def at(
    bid: Decimal, cycle: Cycle | None = CYCLE, *, problem: str = "", trouble: str = ""
) -> AssetSnapshot:
    quote = Quote(ASSET.symbol, bid, bid, NOW)
    return AssetSnapshot(AssetState(ASSET, cycle, problem), quote, trouble)


@pytest.fixture
def eyes() -> Eyes:
    return Eyes()


def kinds(problems: tuple[Problem, ...]) -> list[ProblemKind]:
    return [each.kind for each in problems]


def test_a_database_that_is_away_is_a_problem_since_it_went(eyes: Eyes) -> None:
    assert eyes.see() == ()
    eyes.see(database_trouble="lost")
    (problem,) = eyes.see(database_trouble="no server answers", later=LATER)
    assert (problem.kind, problem.since) == (ProblemKind.DATABASE, NOW)
    assert "no server answers" in problem.sentence
    assert eyes.see(later=LATER) == ()
    (again,) = eyes.see(database_trouble="lost", later=LATER)
    assert again.since == NOW + 3 * LATER


def test_a_take_profit_that_stays_due_is_a_problem_since_it_became_due(eyes: Eyes) -> None:
    assert eyes.see(at(DUE, trouble="halted by Alpaca")) == ()
    (problem,) = eyes.see(at(DUE, trouble="halted by Alpaca"), later=LATER)
    assert (problem.kind, problem.symbol, problem.since) == (
        ProblemKind.TAKE_PROFIT,
        ASSET.symbol,
        NOW,
    )
    assert "101" in problem.sentence
    assert "halted by Alpaca" in problem.sentence


@pytest.mark.parametrize("status", [CycleStatus.WATCHING, CycleStatus.BUYING, CycleStatus.SELLING])
def test_it_is_due_whatever_order_of_its_cycle_is_open(eyes: Eyes, status: CycleStatus) -> None:
    snapshot = at(DUE, replace(CYCLE, status=status, latest_order_id="an-order"))
    eyes.see(snapshot)
    assert kinds(eyes.see(snapshot, later=LATER)) == [ProblemKind.TAKE_PROFIT]


def test_a_take_profit_is_reported_before_its_mail_is_due_also_where_that_is_soon() -> None:
    eyes, refused = Eyes(mail_after=timedelta(seconds=4)), at(DUE, trouble="account restricted")
    eyes.see(refused)
    assert kinds(eyes.see(refused, later=timedelta(seconds=5))) == [ProblemKind.TAKE_PROFIT]


def test_a_sell_that_is_open_stays_due_below_its_price(eyes: Eyes) -> None:
    eyes.see(at(DUE))
    selling = replace(CYCLE, status=CycleStatus.SELLING)
    assert kinds(eyes.see(at(DUE - 1, selling), later=LATER)) == [ProblemKind.TAKE_PROFIT]


def test_below_its_price_a_take_profit_is_not_due(eyes: Eyes) -> None:
    eyes.see(at(DUE))
    assert eyes.see(at(DUE - 1), later=LATER) == ()
    eyes.see(at(DUE))
    assert eyes.see(at(DUE), later=USUALLY_SOLD_WITHIN) == ()  # since the price came back


@pytest.mark.parametrize(
    "snapshot",
    [
        at(DUE, replace(CYCLE, quantity=Decimal(0))),
        at(DUE, replace(CYCLE, average_purchase_price=Decimal(0))),
        at(DUE, None),
        AssetSnapshot(AssetState(replace(ASSET, is_enabled=False), CYCLE), at(DUE).quote),
        AssetSnapshot(AssetState(ASSET, CYCLE)),
    ],
    ids=["nothing held", "no average", "no cycle", "disabled", "no quote"],
)
def test_where_nothing_would_be_sold_nothing_is_wrong(eyes: Eyes, snapshot: AssetSnapshot) -> None:
    eyes.see(snapshot)
    assert eyes.see(snapshot, later=LATER) == ()


def test_an_unusable_row_is_a_problem_while_its_cycle_holds_coins(eyes: Eyes) -> None:
    (problem,) = eyes.see(at(DUE, problem="take_profit_percent is 0"))
    assert problem.kind is ProblemKind.ROW
    assert "0.5" in problem.sentence
    assert "take_profit_percent is 0" in problem.sentence
    nothing_held = replace(CYCLE, quantity=Decimal(0))
    assert eyes.see(at(DUE, nothing_held, problem="take_profit_percent is 0")) == ()


def test_a_row_that_only_stops_buys_is_a_problem_as_well(eyes: Eyes) -> None:
    asset = replace(ASSET, base_order_amount=Decimal(-1))
    snapshot = AssetSnapshot(AssetState(asset, CYCLE), at(DUE - 1).quote)
    (problem,) = eyes.see(snapshot)
    assert problem.kind is ProblemKind.ROW
    assert "still takes its profit: base_order_amount is -1" in problem.sentence


def test_a_halt_is_a_problem_only_while_it_keeps_a_take_profit_from_being_sold(eyes: Eyes) -> None:
    assert eyes.see(at(DUE - 1, problem=HALTED)) == ()
    eyes.see(at(DUE, problem=HALTED))
    (problem,) = eyes.see(at(DUE, problem=HALTED), later=LATER)
    assert problem.kind is ProblemKind.TAKE_PROFIT
    assert "halted" in problem.sentence


def test_a_trailing_take_profit_is_due_once_the_bid_falls_from_its_peak(eyes: Eyes) -> None:
    asset = replace(ASSET, trailing_pct=Decimal(1))
    cycle = replace(CYCLE, highest_bid=Decimal(110))
    for bid, expected in ((Decimal(109), []), (Decimal("108.9"), [ProblemKind.TAKE_PROFIT])):
        snapshot = AssetSnapshot(AssetState(asset, cycle), at(bid).quote)
        eyes.see(snapshot)
        assert kinds(eyes.see(snapshot, later=LATER)) == expected


STOPPED = replace(ASSET, stop_loss_pct=Decimal(10), stop_loss_seconds=60)


def falling(bid: int, since: datetime | None, **changes: Any) -> AssetSnapshot:
    """A stop loss at 90."""
    cycle = replace(CYCLE, stop_loss_since=since, **changes)
    return AssetSnapshot(AssetState(STOPPED, cycle), at(Decimal(bid)).quote, "account restricted")


def test_a_stop_loss_that_is_due_and_not_sold_is_a_problem(eyes: Eyes) -> None:
    minute = timedelta(seconds=60)
    snapshot = falling(90, NOW)
    assert eyes.see(snapshot) == ()
    assert eyes.see(snapshot, later=minute) == ()  # due from now on
    (problem,) = eyes.see(snapshot, later=LATER)
    assert (problem.kind, problem.since) == (ProblemKind.STOP_LOSS, NOW + minute)
    assert problem.title == "BTC/USD: a due stop loss can't be sold"
    assert "due at a bid of 90, and is not sold: account restricted" in problem.sentence


@pytest.mark.parametrize(
    "snapshot",
    [falling(91, NOW), falling(90, NOW + LATER), falling(90, None)],
    ids=["above it", "its seconds are not over", "not seen yet"],
)
def test_a_stop_loss_that_is_not_due_is_no_problem(eyes: Eyes, snapshot: AssetSnapshot) -> None:
    eyes.see(snapshot, later=timedelta(seconds=60))
    assert eyes.see(snapshot, later=LATER) == ()


def test_a_sale_that_stays_open_is_reported_as_what_it_is(eyes: Eyes) -> None:
    for since, kind in ((NOW, ProblemKind.STOP_LOSS), (None, ProblemKind.TAKE_PROFIT)):
        snapshot = falling(95, since, status=CycleStatus.SELLING)
        eyes.see(snapshot)
        assert kinds(eyes.see(snapshot, later=LATER)) == [kind]


def test_a_stop_loss_of_a_halted_pair_is_due_though_nobody_counts(eyes: Eyes) -> None:
    snapshot = falling(90, None)
    halted = replace(snapshot, state=replace(snapshot.state, problem=HALTED))
    eyes.see(halted)
    (problem,) = eyes.see(halted, later=LATER)
    assert problem.kind is ProblemKind.STOP_LOSS
    assert "halted" in problem.sentence


def waiting_for(limit: str, symbol: str, ask: Decimal = DUE) -> AssetSnapshot:
    """An asset whose base order is due at any ask, unless its row says otherwise."""
    asset = replace(ASSET, symbol=symbol, max_start_price=DUE)
    state = AssetState(asset, Cycle(8, 1, CycleStatus.WATCHING))
    return AssetSnapshot(state, Quote(symbol, ask, ask, NOW), f"{limit} is 1", limit)


def test_a_limit_that_keeps_buys_back_is_one_problem_for_all_of_them(eyes: Eyes) -> None:
    held_up = [waiting_for("MAX_INVESTED", each) for each in ("ETH/USD", "BTC/USD")]
    (problem,) = eyes.see(*held_up)
    assert problem.title == "MAX_INVESTED keeps BUYs back"
    assert problem.sentence.startswith("BTC/USD, ETH/USD: a BUY is due, but MAX_INVESTED is 1")
    (again,) = eyes.see(held_up[0], later=LATER)
    assert again.since == NOW


def test_a_limit_is_no_problem_once_the_price_asks_for_no_buy(eyes: Eyes) -> None:
    assert eyes.see(waiting_for("MAX_INVESTED", "ETH/USD", DUE + 1)) == ()


def test_a_cycle_that_cannot_be_read_may_hold_anything(eyes: Eyes) -> None:
    (problem,) = eyes.see(at(DUE, None, problem="status is 'sold': correct row 7"))
    assert "unknown quantity" in problem.sentence
