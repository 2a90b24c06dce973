#!/usr/bin/env python3
"""The trading bot: watches the prices of the assets in `dca_assets` and trades their cycles.

It runs until it is stopped (SIGTERM or Ctrl-C); watchdog.py starts it and keeps it alive.
  main_app.py          trade with the account and the database of .env
  main_app.py --demo   watch it trade on a simulated exchange, without account or database
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from typing import TypeVar

from dca_bot.program.clock import utc_now
from dca_bot.program.logs import set_up_logging
from dca_bot.program.script import argument_parser, run
from dca_bot.program.settings import Settings, read_settings
from dca_bot.watchdog import heartbeat

log = logging.getLogger("main_app")

T = TypeVar("T")

# This process's share of the 200 requests a minute that Alpaca allows an account; the caretakers
# have the rest (docs/alpaca.md 2.4).
REQUESTS_PER_MINUTE = 120
# BUYs that must wait for longer step back, so that a SELL never waits for their threads.
REQUEST_WAIT_SECONDS = 3.0


def main() -> int:
    parser = argument_parser(__doc__)
    parser.add_argument("--demo", action="store_true", help="trade on a simulated exchange")
    if parser.parse_args().demo:
        from dca_demo.demo import run_demo
        from dca_demo.display import display_on, spell_plainly

        spell_plainly()
        return run_demo(display_on)
    settings = read_settings()
    set_up_logging(settings.log, program="main_app", secrets=settings.secrets(), to_file=True)
    trade(settings)
    return 0


def trade(settings: Settings) -> None:
    """From the settings to the running streams, in the order in which things can go wrong."""
    # Imported here, so that --help and --demo need neither database driver nor Alpaca's SDK.
    from dca_bot.broker.rate_limit import RateLimiter
    from dca_bot.broker.rest import AlpacaBroker
    from dca_bot.live.app import App
    from dca_bot.live.problems import Problems
    from dca_bot.live.start import (
        alone_in,
        beats_while_waiting,
        catch_up,
        check_account,
        say_where,
        until_answered,
    )
    from dca_bot.store.instance_lock import InstanceLock
    from dca_bot.store.mysql_store import MySqlStore
    from dca_bot.store.schema import ensure_schema
    from dca_bot.trading.budget import Budget
    from dca_bot.trading.settle import recover
    from dca_bot.trading.trader import Trader

    say_where(settings.alpaca)
    with ExitStack() as stack:
        log_dir, limits = settings.log.dir, settings.limits
        stack.enter_context(alone_in(log_dir))
        mail_after = timedelta(seconds=limits.problem_mail_seconds)
        last_beat, problems = heartbeat.read(log_dir), Problems(utc_now, mail_after=mail_after)
        say_alive = beats_while_waiting(log_dir, problems)

        def ask(question: Callable[[], T]) -> T:
            return until_answered(question, say_alive)

        ask(lambda: ensure_schema(settings.database))
        lock = InstanceLock(settings.database)
        stack.callback(lock.release)
        ask(lock.acquire)
        store = stack.enter_context(MySqlStore(settings.database))
        limiter = RateLimiter(REQUESTS_PER_MINUTE, wait_seconds_max=REQUEST_WAIT_SECONDS)
        broker = AlpacaBroker(settings.alpaca, limiter)
        check_account(ask(broker.account))
        quote_age_max = timedelta(seconds=limits.quote_max_age_seconds)
        rules = ask(broker.rules)
        budget = Budget.of(limits)
        trader = Trader(store, broker, utc_now, rules, quote_age_max=quote_age_max, budget=budget)
        catch_up(ask(lambda: recover(trader.books, store, broker)), last_beat)

        async def live() -> None:
            await App(settings, store, broker, trader, lock, problems).run()

        asyncio.run(live())


if __name__ == "__main__":
    sys.exit(run(main, stop_is_success=True))
