"""The steps between the start of `main_app.py` and its first quote."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Event, Thread
from typing import TypeVar

from dca_bot.broker.rest import KeysRefused
from dca_bot.core.model import Account
from dca_bot.live.problems import Problems
from dca_bot.program.clock import utc_now
from dca_bot.program.errors import (
    AlreadyRunning,
    BrokerUnavailable,
    DcaError,
    StoreUnavailable,
)
from dca_bot.program.files import unusable_log_dir
from dca_bot.program.log_text import always, event
from dca_bot.program.script import only_once
from dca_bot.program.setting_groups import AlpacaSettings
from dca_bot.program.setting_values import is_own_network
from dca_bot.store.failures import Failure
from dca_bot.trading.settle import Recovered
from dca_bot.watchdog import heartbeat
from dca_bot.watchdog.heartbeat import Heartbeat

log = logging.getLogger(__name__)

T = TypeVar("T")

AGAIN_SECONDS = 5
# An attempt that is quick leaves no sign of life, so that the watchdog sees how the start ends.
# A slow one, such as a change of large tables, hangs only after a quarter of an hour.
SLOW_SECONDS, HANGS_SECONDS = 5, 900
ALPACA, DATABASE = "Alpaca", "the database"
FIRST_ANSWERS = "the first answers of Alpaca and the database"
CHECK_ALPACA = "; if that lasts, check this machine's network and APCA_API_BASE_URL"


def say_where(alpaca: AlpacaSettings) -> None:
    """Which host gets the orders; live trading in one unmistakable line."""
    if alpaca.is_live:
        always.warning("LIVE TRADING WITH REAL MONEY on %s", alpaca.host)
    elif alpaca.mode == "paper":
        log.info("trading on %s: no real money", alpaca.host)
    elif is_own_network(alpaca.host):
        log.info("trading on %s, a simulated exchange", alpaca.host)
    else:
        log.warning(
            "trading on %s, which is no host of Alpaca's and gets your keys and orders: "
            "check APCA_API_BASE_URL",
            alpaca.host,
        )


@contextmanager
def alone_in(log_dir: Path) -> Iterator[None]:
    """Hold the PID file; raise DcaError where another bot has it, or where it can't be written."""
    with ExitStack() as stack:
        try:
            stack.enter_context(only_once("main_app", log_dir))
        except AlreadyRunning:
            pid = heartbeat.read_pid(log_dir)
            who = f"another main_app.py (pid {pid})" if pid else "another main_app.py"
            raise DcaError(
                f"{who} is already running with LOG_DIR {log_dir}: stop it first, "
                "or give this one a LOG_DIR and a database of its own"
            ) from None
        try:
            heartbeat.write_pid(log_dir)
        except OSError as error:
            raise unusable_log_dir(error) from error
        stack.callback(heartbeat.remove, log_dir)
        yield


def until_answered(
    ask: Callable[[], T],
    say_alive: Callable[[str, str], None],
    *,
    sleep: Callable[[float], None] = time.sleep,
    slow_after: float = SLOW_SECONDS,
) -> T:
    """What `ask` returns, however long Alpaca or the database is away.

    Raises errors that waiting won't fix: KeysRefused, and the Failure of a database that says no.
    Waiting is not hanging: every second `say_alive` is given what is waited for, and why; also,
    from a thread, while an answer takes longer than `slow_after` seconds.
    """
    logged: set[str] = set()
    away, why = FIRST_ANSWERS, ""
    while True:
        try:
            with _beating(partial(say_alive, away, why), slow_after):
                answer = ask()
        except (BrokerUnavailable, StoreUnavailable) as error:
            if isinstance(error, KeysRefused) or (isinstance(error, Failure) and error.is_refusal):
                raise
            why, away = str(error), ALPACA if isinstance(error, BrokerUnavailable) else DATABASE
            if away not in logged:
                hint = CHECK_ALPACA if away == ALPACA else ""
                log.warning(
                    "waiting for %s, asking every %d s: %s%s", away, AGAIN_SECONDS, why, hint
                )
            logged.add(away)
        else:
            if logged:
                log.info("%s can be asked now", " and ".join(sorted(logged)))
            return answer
        for _ in range(AGAIN_SECONDS):
            say_alive(away, why)
            sleep(1)


@contextmanager
def _beating(beat: Callable[[], None], slow_after: float) -> Iterator[None]:
    is_over = Event()

    def go_on() -> None:
        pause = slow_after
        for _ in range(HANGS_SECONDS):
            if is_over.wait(pause):
                return
            beat()
            pause = 1

    thread = Thread(target=go_on, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def beats_while_waiting(log_dir: Path, problems: Problems) -> Callable[[str, str], None]:
    """What to call with what is waited for and why, for the heartbeat to go on."""
    first = heartbeat.first(utc_now())

    def beat(waits_for: str, why: str) -> None:
        is_database = waits_for == DATABASE
        now = replace(
            first,
            at=utc_now(),
            waits_for=waits_for,
            problems=problems.now(why if is_database else ""),
        )
        with suppress(OSError):  # a full disk: its time of change still says that we live
            heartbeat.write(now, log_dir)

    return beat


def check_account(account: Account) -> None:
    """Raises DcaError when Alpaca won't let this account trade."""
    if account.problem:
        raise DcaError(
            f"Alpaca does not let this account trade: {account.problem}; "
            "fix that in Alpaca's dashboard, then start again"
        )
    log.info(event("account is ready", cash_available=account.cash_available))


def catch_up(found: Recovered, last_beat: Heartbeat | None) -> None:
    """Say what happened while nobody listened; `last_beat` is the one of the run before.

    A missed trigger is history: only prices from now on are acted on.
    """
    for each in found.stuck:
        log.warning("an order can't be booked: %s; it is tried again while trading", each)
    facts: dict[str, object] = {"orders_asked": found.asked, "ended_meanwhile": found.ended}
    if found.in_doubt:
        facts["still_in_doubt"] = len(found.in_doubt)
    if last_beat is None:
        log.info(event("caught up: no earlier run is known here", **facts))
    else:
        away = str(utc_now() - last_beat.at).partition(".")[0]
        log.info(event("caught up", away=away, **facts))
