"""The steps between the start of `main_app.py` and its first quote."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from dca_bot import heartbeat
from dca_bot.broker.rest import KeysRefused
from dca_bot.clock import utc_now
from dca_bot.errors import BrokerUnavailable, DcaError
from dca_bot.logs import event
from dca_bot.ports import Account, Broker, Store
from dca_bot.recovery import recover
from dca_bot.settings import AlpacaSettings
from dca_bot.trader import Trader

log = logging.getLogger(__name__)

T = TypeVar("T")

AGAIN_SECONDS = 5.0


def say_where(alpaca: AlpacaSettings) -> None:
    """Which host gets the orders; live trading in one unmistakable line."""
    if alpaca.is_live:
        log.warning("LIVE TRADING WITH REAL MONEY on %s", alpaca.host)
    else:
        log.info("trading on %s: no real money", alpaca.host)


def until_alpaca_answers(ask: Callable[[], T]) -> T:
    """The answer, however long Alpaca is away; raises KeysRefused, which no waiting mends."""
    while True:
        try:
            return ask()
        except KeysRefused:
            raise
        except BrokerUnavailable as error:
            log.warning(
                "Alpaca can't be asked yet, trying again in %.0f s: %s", AGAIN_SECONDS, error
            )
            time.sleep(AGAIN_SECONDS)


def check_account(account: Account) -> None:
    """Raises DcaError when Alpaca won't let this account trade."""
    if account.problem:
        raise DcaError(
            f"Alpaca does not let this account trade: {account.problem}; "
            "mend that in Alpaca's dashboard, then start again"
        )
    log.info(event("account is ready", cash_available=account.cash_available))


def catch_up(trader: Trader, store: Store, broker: Broker, log_dir: Path) -> None:
    """Book what happened while nobody listened, and say so.

    A missed trigger is history: only prices from now on are acted on.
    """
    last_beat = heartbeat.read(log_dir)
    found = until_alpaca_answers(lambda: recover(trader, store, broker))
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
