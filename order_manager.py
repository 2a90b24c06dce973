#!/usr/bin/env python3
"""Cancels orders that have outlived their purpose, and settles orders that are in doubt.

Cron runs this every minute.  It cancels
- stale BUYs: open BUYs of the bot, older than STALE_ORDER_SECONDS;
- stuck SELLs: open take-profit SELLs, older than STUCK_SELL_SECONDS, so that the bot can try again;
- orphans: open orders that no active cycle tracks, older than ORPHAN_ORDER_SECONDS, in symbols of
  enabled rows of dca_assets, or whose client order id begins with "dca-" in any symbol.
A cancel is a request: what was filled meanwhile counts, and a cycle moves on only when Alpaca says
how its order ended.  Orders in other symbols are never touched.
Once an hour the fees of SELLs that Alpaca's own records show by now take the place of estimates.

Exit status: 0 done, 1 at least one asset was skipped or nothing could be learnt, 2 a setting is
wrong.
"""

import logging
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from dca_bot.broker.activities import AlpacaActivities, Unfinished
from dca_bot.broker.rate_limit import RateLimiter
from dca_bot.broker.rest import AlpacaBroker
from dca_bot.caretakers import begun_reading
from dca_bot.caretakers.orders import Settler, order_facts, tracking_of
from dca_bot.caretakers.posted_fees import take_over
from dca_bot.caretakers.run import TURN_SECONDS_MAX, Run, nothing_without_alpaca
from dca_bot.core.model import OrderUpdate, Side
from dca_bot.core.overdue import Tracking, is_orphan, is_stale, is_stuck
from dca_bot.program.clock import Clock, utc_now
from dca_bot.program.errors import DcaError
from dca_bot.program.log_text import asset_log, event
from dca_bot.program.logs import set_up_logging
from dca_bot.program.script import argument_parser, deadline, only_once, run
from dca_bot.program.setting_groups import LimitSettings, Settings
from dca_bot.program.settings import read_settings
from dca_bot.store.mysql_store import MySqlStore
from dca_bot.trading.budget import Budget
from dca_bot.trading.ports import Broker, Store
from dca_bot.watchdog.caretaker_marks import SuccessMark

NAME = "order_manager"
# Of the 200 that Alpaca allows an account; main_app.py has 120, consistency_checker.py the rest.
# Enough to cancel CANCELS_MAX orders, and to see them end, before the deadline.
REQUESTS_PER_MINUTE = 50
CANCELS_MAX = 30
FEES_EVERY = timedelta(hours=1)
FEE_PAGES_MAX = 8  # in one run, of fills and of fees: what a run may ask without waiting
COUNTED_AS = {"stale": "stale", "stuck": "stuck", "orphan": "orphans"}

log = logging.getLogger(NAME)


def main() -> int:
    """Look at every open order once."""
    arguments = argument_parser(__doc__, is_caretaker=True).parse_args()
    settings = read_settings()
    set_up_logging(
        settings.log, program=NAME, secrets=settings.secrets(), is_asked=arguments.dry_run
    )
    limiter = RateLimiter(REQUESTS_PER_MINUTE, wait_seconds_max=TURN_SECONDS_MAX)
    with only_once(NAME, settings.log.dir):
        this_run = Run(dry_run=arguments.dry_run, mark=SuccessMark(settings.log.dir, NAME))
        with deadline(), MySqlStore(settings.database, pool_size=1) as store:
            status = manage(
                store, AlpacaBroker(settings.alpaca, limiter), settings.limits, this_run
            )
        learn_fees(settings, limiter, Run(dry_run=arguments.dry_run), utc_now())
        return status


def manage(
    store: Store,
    broker: Broker,
    limits: LimitSettings,
    this_run: Run,
    *,
    clock: Clock = utc_now,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Settle what is in doubt, cancel what is too old, see it end; return the exit status."""
    with nothing_without_alpaca():
        # Alpaca before the books: an order's row is written before the order is sent.
        open_orders = broker.open_orders()
    states, live = store.assets(), store.live_orders()
    this_run.count(open_orders=len(open_orders), settled=0, stale=0, stuck=0, orphans=0)
    this_run.report_unreadable(states)
    settler = Settler(store, broker, clock, this_run, Budget.of(limits))
    settler.settle_all(states, live, open_orders)
    tracking, left = tracking_of(states, live), 0
    asked: list[OrderUpdate] = []
    # a stuck SELL holds back a take profit, and must not wait behind stale BUYs
    for order in sorted(open_orders, key=lambda each: each.side is Side.BUY):
        row = tracking.live.get(order.client_order_id)
        if row is not None and settler.is_awaited(row):
            continue  # main_app.py still waits for the answer to it
        with this_run.contain(order.symbol):
            too_old = judge(order, tracking, limits, clock() + broker.clock_offset)
            if too_old and (len(asked) < CANCELS_MAX or this_run.is_dry_run):
                cancel(broker, order, too_old, this_run)
                asked.append(order)
            elif too_old:
                left += 1
    if left:
        log.info(event("too many old orders for one run, the next goes on", left=left))
    if not this_run.is_dry_run:
        with this_run.contain(NAME):  # cancels not seen to end are the next run's
            settler.see_end(asked, states, sleep)
    return this_run.sum_up()


def judge(
    order: OrderUpdate, tracking: Tracking, limits: LimitSettings, now: datetime
) -> tuple[str, int] | None:
    """What an open order is by now, and which limit makes it so; None: it may stay."""
    if is_stale(order, tracking, limits.stale_order_seconds, now):
        return "stale", limits.stale_order_seconds
    if is_stuck(order, tracking, limits.stuck_sell_seconds, now):
        return "stuck", limits.stuck_sell_seconds
    if is_orphan(order, tracking, limits.orphan_order_seconds, now):
        return "orphan", limits.orphan_order_seconds
    return None


def cancel(broker: Broker, order: OrderUpdate, too_old: tuple[str, int], this_run: Run) -> None:
    """Ask Alpaca for the end of an order, and say why."""
    kind, limit_seconds = too_old
    this_run.count(**{COUNTED_AS[kind]: 1})
    asset_log(log, order.symbol).info(
        event(
            this_run.said(f"cancel of a {order.side} order asked for: {kind}"),
            since=order.created_at,
            limit=f"{limit_seconds}s",
            **order_facts(order),
        )
    )
    if not this_run.is_dry_run and order.alpaca_order_id:
        broker.cancel(order.alpaca_order_id)


def learn_fees(settings: Settings, limiter: RateLimiter, this_run: Run, now: datetime) -> None:
    """Once an hour ask Alpaca what SELLs have cost; a failure is one line, and no trouble.

    What is too long for one run goes on in the next, a minute later.
    """
    begun = begun_reading.read(settings.log.dir)
    mark = SuccessMark(settings.log.dir, "posted_fees")
    asked_at = mark.time()
    if not begun and asked_at is not None and now - asked_at < FEES_EVERY:
        return
    if not this_run.is_dry_run:
        mark.leave(now)
    try:
        with deadline(), MySqlStore(settings.database, pool_size=1) as store:
            activities = AlpacaActivities(
                settings.alpaca, limiter, pages_max=FEE_PAGES_MAX, begun=begun
            )
            take_over(store, activities, this_run, now)
    except Unfinished as more:
        if not this_run.is_dry_run:
            begun_reading.keep(begun, settings.log.dir)
        log.info("fees of SELLs: %s, the next run reads on", more)
        return
    except DcaError as error:
        log.warning("fees of SELLs stay estimated, they are asked for again in an hour: %s", error)
    if not this_run.is_dry_run:
        begun_reading.forget(settings.log.dir)


if __name__ == "__main__":
    sys.exit(run(main))
