"""What is tried again, and what is given up."""

import math
from collections import Counter
from pathlib import Path
from typing import Any, cast

import pytest

from dca_bot.broker.rate_limit import RateLimiter
from dca_bot.commands.act.action import REQUESTS_PER_MINUTE, Action
from dca_bot.commands.act.panic import STRAY_TRIES, cancel_strays, panic
from dca_bot.commands.act.pursuit import pursue
from dca_bot.program.errors import AssetDeleted, BrokerUnavailable
from dca_bot.store.memory_store import MemoryStore
from dca_bot.trading.budget import NO_LIMITS
from dca_bot.trading.by_hand import Step
from tests.builders import TestClock, a_holding_cycle, an_asset, an_order
from tests.fakes import FakeBroker


def test_an_asset_whose_row_was_deleted_is_given_up_at_once() -> None:
    nothing: Any = None  # no step here asks the store or Alpaca
    pauses: list[float] = []
    action = Action(nothing, nothing, nothing, NO_LIMITS, Path(), is_json=True, sleep=pauses.append)

    def deleted(asset_id: int) -> Step:
        raise AssetDeleted(f"asset {asset_id} has no row")

    arrived = pursue(action, [an_asset()], deleted, outage_seconds=math.inf)
    assert arrived == []
    assert pauses == []
    assert "deleted" in action.troubles[0]


def test_forty_positions_can_be_sold_within_seconds() -> None:
    pauses: list[float] = []
    limiter = RateLimiter(REQUESTS_PER_MINUTE, clock=lambda: sum(pauses), sleep=pauses.append)
    limiter.acquire(urgent=True)  # all positions
    for _ in range(40):
        limiter.acquire(urgent=True)  # a sale
    assert sum(pauses) < 5


def test_one_answer_about_positions_serves_all_that_are_sold_in_a_panic() -> None:
    symbols = [f"COIN{number}/USD" for number in range(1, 41)]
    assets = [an_asset(asset_id=n, symbol=each) for n, each in enumerate(symbols, start=1)]
    store, clock = MemoryStore(assets), TestClock()
    broker = FakeBroker(*symbols, clock=clock)
    for state in store.assets():
        broker.quote(state.asset.symbol, 100, 100)
        broker.hold(state.asset.symbol, "1", "100")
        with store.transaction(state.asset.asset_id) as tx:
            tx.add_cycle(a_holding_cycle(asset_id=state.asset.asset_id))
    nothing = cast(Any, None)
    action = Action(
        store, broker, nothing, NO_LIMITS, Path(), is_json=True, clock=clock, sleep=lambda _: None
    )
    panic(action, store.assets())
    # prices are counted apart by Alpaca
    asked = Counter(each for each in broker.calls if each != "latest_quotes")
    assert (asked["submit"], asked["holdings"]) == (40, 1)
    assert asked.total() < REQUESTS_PER_MINUTE
    assert all(broker.holdings().of(state.asset.coin) is None for state in store.assets())


@pytest.mark.parametrize(("times_away", "left"), [(STRAY_TRIES - 1, 0), (STRAY_TRIES, 1)])
def test_orders_that_no_cycle_follows_are_cancelled_also_where_alpaca_answers_late(
    times_away: int, left: int
) -> None:
    broker, nothing = FakeBroker("BTC/USD"), cast(Any, None)
    broker.holds_fills = True
    broker.submit(an_order(client_order_id="dca-7-base-x"), "BTC/USD")
    broker.fail("open_orders", BrokerUnavailable("rate limit"), times=times_away)
    action = Action(nothing, broker, nothing, NO_LIMITS, Path(), is_json=True, sleep=lambda _: None)
    cancel_strays(action)
    assert len(action.troubles) == left
    assert len(broker.open_orders()) == left
