"""The steps between the start of `main_app.py` and its first quote."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from dca_bot.broker.rest import KeysRefused
from dca_bot.core.model import Account
from dca_bot.program.clock import utc_now
from dca_bot.program.errors import BrokerUnavailable, DcaError
from dca_bot.program.logs import event
from dca_bot.program.settings import AlpacaSettings
from dca_bot.trading.settle import Recovered
from dca_bot.watchdog.heartbeat import Heartbeat

log = logging.getLogger(__name__)

T = TypeVar("T")

AGAIN_SECONDS = 5.0


def say_where(alpaca: AlpacaSettings) -> None:
    """Which host gets the orders; live trading in one unmistakable line."""
    if alpaca.is_live:
        log.warning("LIVE TRADING WITH REAL MONEY on %s", alpaca.host)
    else:
        log.info("trading on %s: no real money", alpaca.host)


def until_alpaca_answers(ask: Callable[[], T], say_alive: Callable[[], None]) -> T:
    """The answer, however long Alpaca is away; raises KeysRefused, which no waiting mends.

    Waiting is no hanging: `say_alive` tells the watchdog so.
    """
    while True:
        try:
            return ask()
        except KeysRefused:
            raise
        except BrokerUnavailable as error:
            log.warning(
                "Alpaca can't be asked yet, trying again in %.0f s: %s", AGAIN_SECONDS, error
            )
            say_alive()
            time.sleep(AGAIN_SECONDS)


def check_account(account: Account) -> None:
    """Raises DcaError when Alpaca won't let this account trade."""
    if account.problem:
        raise DcaError(
            f"Alpaca does not let this account trade: {account.problem}; "
            "mend that in Alpaca's dashboard, then start again"
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
