#!/usr/bin/env python3
"""Brings the database to what Alpaca says, where the two disagree.

Cron runs this every five minutes.  It looks at every asset in dca_assets:
- a `buying` or `selling` cycle whose order has ended, or is unknown to Alpaca, moves on; an order
  that Alpaca had acknowledged must be unknown in two looks, half a minute apart;
- a `watching` cycle that holds coins where Alpaca has none becomes `error`, a new one begins;
- a quantity that differs from Alpaca's position is corrected, and the average price with it, or
  an average price that is missing;
- an enabled asset without an active cycle gets one;
- a position that no cycle of an enabled asset owns is reported.  It is never sold.
A position that differs is looked at again half a minute later, since Alpaca's positions lag behind
its fills, and corrected only if nothing has moved meanwhile; never within a minute of the end of
the last order in its coin, whoever placed it, unless orders by hand account for the whole
difference.  Where the coins of several cycles are gone at once, Alpaca's closed orders must show
the sales.  A consistent state is left as it is.

Exit status: 0 done, 1 at least one asset was skipped or nothing could be learnt, 2 a setting is
wrong.
"""

import logging
import sys
import time
from collections.abc import Callable
from datetime import timedelta

from dca_bot.broker.rate_limit import RateLimiter
from dca_bot.broker.rest import AlpacaBroker
from dca_bot.caretakers.orders import Settler
from dca_bot.caretakers.positions import (
    compare_positions,
    has_rested,
    put_right,
    seen_twice,
    unexplained,
)
from dca_bot.caretakers.run import TURN_SECONDS_MAX, Run, nothing_without_alpaca
from dca_bot.core.overdue import lacks_order_row
from dca_bot.program.clock import Clock, utc_now
from dca_bot.program.logs import set_up_logging
from dca_bot.program.script import argument_parser, deadline, only_once, run
from dca_bot.program.settings import read_settings
from dca_bot.store.mysql_store import MySqlStore
from dca_bot.trading.books import Books
from dca_bot.trading.budget import NO_LIMITS, Budget
from dca_bot.trading.ports import Broker, Store
from dca_bot.watchdog.caretaker_marks import SuccessMark

NAME = "consistency_checker"
# Of the 200 that Alpaca allows an account; it runs together with order_manager.py, and asks little.
REQUESTS_PER_MINUTE = 30
LOOKS_APART = timedelta(seconds=30)
SECOND_LOOK_SECONDS = 31.0
DEADLINE_SECONDS = 100  # the second look, and two times what other caretakers may take

ALL_GONE = (
    "Alpaca lists no position of any cycle, and no order that sold them: left as it is, since its "
    "list may be wrong; if you moved the coins elsewhere, end the cycles yourself"
)

log = logging.getLogger(NAME)


def main() -> int:
    """Compare everything once."""
    arguments = argument_parser(__doc__, is_caretaker=True).parse_args()
    settings = read_settings()
    set_up_logging(
        settings.log, program=NAME, secrets=settings.secrets(), is_asked=arguments.dry_run
    )
    with (
        only_once(NAME, settings.log.dir),
        deadline(DEADLINE_SECONDS),
        MySqlStore(settings.database, pool_size=1) as store,
    ):
        this_run = Run(dry_run=arguments.dry_run, mark=SuccessMark(settings.log.dir, NAME))
        limiter = RateLimiter(REQUESTS_PER_MINUTE, wait_seconds_max=TURN_SECONDS_MAX)
        broker, budget = AlpacaBroker(settings.alpaca, limiter), Budget.of(settings.limits)
        return check(store, broker, this_run, budget=budget)


def check(
    store: Store,
    broker: Broker,
    this_run: Run,
    *,
    budget: Budget = NO_LIMITS,
    clock: Clock = utc_now,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Orders first, since their fills move positions; return the exit status."""
    with nothing_without_alpaca():
        # Alpaca before the books: an order's row is written before the order is sent.
        open_orders = broker.open_orders()
    states, live = store.assets(), store.live_orders()
    this_run.count(assets=len(states), settled=0, opened=0, corrected=0, not_owned=0)
    this_run.report_unreadable(states)
    settler = Settler(store, broker, clock, this_run, budget, missed_for=LOOKS_APART)
    settler.settle_all(states, live, open_orders)
    for state in states:
        with this_run.contain(state.asset.symbol):
            if state.cycle is None and state.asset.is_enabled and not state.problem:
                settler.open_cycle(state.asset)
            elif lacks_order_row(state.cycle, live):
                settler.settle_without_row(state)
    with nothing_without_alpaca():
        books = Books(store, broker, clock, budget.minding_losses(store, clock))
        check_positions(store, broker, settler, books, this_run, clock=clock, sleep=sleep)
    return this_run.sum_up()


def check_positions(
    store: Store,
    broker: Broker,
    settler: Settler,
    books: Books,
    this_run: Run,
    *,
    clock: Clock,
    sleep: Callable[[float], None],
) -> None:
    """Put right what differs from Alpaca's positions in two looks, and give up acknowledged orders
    that both did not find."""
    first = compare_positions(store, broker, this_run, clock() + broker.clock_offset)
    if first is None and not settler.needs_second_look:
        return
    sleep(SECOND_LOOK_SECONDS)
    settler.look_again()
    if first is None:
        return
    again = compare_positions(store, broker, this_run, clock() + broker.clock_offset)
    if again is None:
        return
    found = seen_twice(first, again)
    in_doubt = unexplained(found, again, store, broker)
    for difference in found:
        asset, now = difference.asset, clock()
        with this_run.contain(asset.symbol):
            if asset.asset_id in in_doubt:
                this_run.trouble(asset.symbol, ALL_GONE)
            elif has_rested(difference, again, broker, now + broker.clock_offset):
                put_right(store, books, difference, now, this_run)


if __name__ == "__main__":
    sys.exit(run(main))
