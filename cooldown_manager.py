#!/usr/bin/env python3
"""Ends cooldowns: makes a cycle `watching` once `cooldown_period` seconds have passed since the
take profit of the cycle before it.

Cron runs this every minute.  It asks Alpaca nothing; main_app.py notices the change by itself
and places the next base order.  (A price that falls far enough ends a cooldown earlier: that is
main_app.py's work.)  A cycle in cooldown without a completed one before it waits for nothing.

Exit status: 0 done, 1 at least one asset was skipped or the database is away, 2 a setting is wrong.
"""

import logging
import sys
from datetime import datetime

from dca_bot.caretakers.run import Run
from dca_bot.core import story
from dca_bot.core.model import Asset, CycleStatus
from dca_bot.core.overdue import cooldown_ends_at, cooldown_over
from dca_bot.core.transition import end_cooldown
from dca_bot.program.clock import utc_now
from dca_bot.program.log_text import asset_log, event
from dca_bot.program.logs import set_up_logging
from dca_bot.program.script import argument_parser, deadline, only_once, run
from dca_bot.program.settings import read_settings
from dca_bot.store.mysql_store import MySqlStore
from dca_bot.trading.ports import Store
from dca_bot.watchdog.caretaker_marks import SuccessMark

NAME = "cooldown_manager"

log = logging.getLogger(NAME)


def main() -> int:
    """Look at every asset once."""
    arguments = argument_parser(__doc__, is_caretaker=True).parse_args()
    settings = read_settings()
    set_up_logging(
        settings.log, program=NAME, secrets=settings.secrets(), is_asked=arguments.dry_run
    )
    with (
        only_once(NAME, settings.log.dir),
        deadline(),
        MySqlStore(settings.database, pool_size=1) as store,
    ):
        this_run = Run(dry_run=arguments.dry_run, mark=SuccessMark(settings.log.dir, NAME))
        return end_cooldowns(store, utc_now(), this_run)


def end_cooldowns(store: Store, now: datetime, this_run: Run) -> int:
    """End every cooldown that is over at `now`; return the exit status."""
    states = store.assets()
    this_run.count(assets=len(states), in_cooldown=0, ended=0)
    this_run.report_unreadable(states)
    for state in states:
        with this_run.contain(state.asset.symbol):
            if state.cycle and state.cycle.status is CycleStatus.COOLDOWN:
                look_at(store, state.asset, now, this_run)
    return this_run.sum_up()


def look_at(store: Store, asset: Asset, now: datetime, this_run: Run) -> None:
    """End the cooldown of one asset if it is over, decided on the locked row."""
    with store.transaction(asset.asset_id) as tx:
        asset, cycle, previous = tx.asset, tx.cycle, tx.previous_cycle()
        if cycle is None or cycle.status is not CycleStatus.COOLDOWN:
            return  # main_app.py was faster: the price has ended it
        this_run.count(in_cooldown=1)
        if not cooldown_over(cycle, previous, asset, now):
            return
        if not this_run.is_dry_run:
            tx.save_cycle(cycle, end_cooldown(cycle))
            tx.add_event(story.cooldown_over(asset, cycle, now))
    this_run.count(ended=1)
    asset_log(log, asset.symbol, cycle.cycle_id).info(
        event(
            this_run.said("cooldown over"),
            status=CycleStatus.WATCHING,
            cooldown=f"{asset.cooldown_seconds}s",
            until=cooldown_ends_at(previous, asset),
            after_cycle=previous.cycle_id if previous else None,
        )
    )


if __name__ == "__main__":
    sys.exit(run(main))
