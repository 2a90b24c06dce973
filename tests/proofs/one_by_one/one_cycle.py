"""One short life of an asset at set prices, step by step, over real sockets and a real database.

Base order, safety order, take profit, a restart out of the cooldown with the next base order.
Rule: it does what the bot's own loops do after a trouble (ask Alpaca, read the rows, look at the
price again) and nothing else; the order of statements and requests is the same in every run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TypeVar

from dca_bot.broker.http_client import Patience
from dca_bot.broker.rate_limit import RateLimiter
from dca_bot.broker.rest import AlpacaBroker
from dca_bot.core.model import Quote
from dca_bot.program.clock import utc_now
from dca_bot.program.errors import (
    BrokerUnavailable,
    CycleChanged,
    OrderOutcomeUnknown,
    OrderRefused,
    StoreUnavailable,
)
from dca_bot.program.settings import AlpacaSettings, DatabaseSettings
from dca_bot.store.mysql_store import MySqlStore
from dca_bot.trading.books import GIVE_UP_AFTER
from dca_bot.trading.settle import recover
from dca_bot.trading.trader import Trader
from tests.helpers import Simulator, eventually
from tests.proofs.whole.auditor import complaints, read_books, rows

SYMBOL = "BTC/USD"
QUIET = (
    *("--no-walk", "--rate-limit", "0", "--stale-slot-seconds", "0"),
    *("--partial-fills", "0", "--early-fills", "0"),
)
ASSET = f"""
INSERT INTO dca_assets (
    asset_symbol, is_enabled, base_order_amount, safety_order_amount,
    max_safety_orders, safety_order_deviation, take_profit_percent,
    cooldown_period, buy_order_price_deviation_percent
) VALUES ('{SYMBOL}', TRUE, 50, 50, 1, 1, 1, 3600, 1)
"""  # noqa: S608 - our own symbol
# Orders, events and results outlive the row of their asset.
FRESH = f"""
DELETE FROM dca_assets; DELETE FROM dca_orders; DELETE FROM dca_events; DELETE FROM dca_results;
{ASSET}
"""  # noqa: S608 - our own symbol
# What is filled at each price, from first to last.
STEPS = (
    ("100", "base"),
    ("98", "safety"),
    ("103", "take_profit"),
    ("95", "base"),
)
TRIES = 12
PAUSE_SECONDS = 5  # between two tries, as the bot's own
Found = TypeVar("Found")
# What the bot's loops survive: they try again later (live/worker.py, live/upkeep.py).
TROUBLES = (
    BrokerUnavailable,
    CycleChanged,
    OrderOutcomeUnknown,
    OrderRefused,
    StoreUnavailable,
)


class SkippingClock:
    """The real time, plus what nobody wanted to wait for."""

    def __init__(self) -> None:
        self.skipped = timedelta(0)

    def now(self) -> datetime:
        return utc_now() + self.skipped

    def monotonic(self) -> float:
        return self.now().timestamp()

    def skip(self, seconds: float) -> None:
        self.skipped += timedelta(seconds=seconds)


class OneCycle:
    """`database` is how the bot sees it (perhaps through a proxy), `books` how we do."""

    def __init__(
        self,
        database: DatabaseSettings,
        books: DatabaseSettings,
        exchange: Simulator,
        *,
        read_seconds: float = 5.0,
    ) -> None:
        self._database, self._books, self._exchange = database, books, exchange
        self._read_seconds = read_seconds
        self._clock = SkippingClock()
        self.troubles: Counter[str] = Counter()

    def run(self) -> None:
        """From the first order to the last, whatever goes wrong on the way."""
        limiter = RateLimiter(100_000, clock=self._clock.monotonic, sleep=self._clock.skip)
        key, secret = self._exchange.key_id, self._exchange.secret_key
        url = self._exchange.base_url
        alpaca = AlpacaSettings(key, secret, url, url, url.replace("http", "ws", 1))
        with (
            MySqlStore(self._database) as store,
            closing(
                AlpacaBroker(alpaca, limiter, patience=Patience(answer=self._read_seconds))
            ) as broker,
        ):
            rules = self._until_done(broker.rules)
            trader = Trader(store, broker, self._clock.now, rules)
            for price, _ in STEPS:
                self._trade_at(Decimal(price), trader, store, broker)

    def judge(self) -> list[str]:
        """What is wrong now; empty is well."""
        wrong = complaints(read_books(self._books, self._exchange))
        filled = rows(
            self._books, "SELECT kind FROM dca_orders WHERE filled_quantity > 0 ORDER BY id"
        )
        if [row["kind"] for row in filled] != [kind for _, kind in STEPS]:
            wrong.append(f"filled were {filled}")
        return wrong

    def _trade_at(
        self, price: Decimal, trader: Trader, store: MySqlStore, broker: AlpacaBroker
    ) -> None:
        """Until nothing is left to do at this price."""
        bid_and_ask = {"symbol": SYMBOL, "bid": str(price), "ask": str(price)}
        self._exchange.post("/sim/quote", bid_and_ask)

        def act() -> bool:
            found = recover(trader.books, store, broker)
            if found.in_doubt:
                self._clock.skip(GIVE_UP_AFTER.total_seconds() + 1)
                return False
            if found.stuck:  # a row that stays locked is left to the next look
                self.troubles["stuck"] += 1
                self._clock.skip(PAUSE_SECONDS)
                return False
            [state] = store.assets()
            if state.cycle is None:
                trader.books.open_cycle(state.asset.asset_id)
                return False
            quote = Quote(SYMBOL, price, price, self._clock.now())
            return trader.on_quote(state, quote).order is None and not store.live_orders()

        self._until_done(act)

    def _until_done(self, act: Callable[[], Found]) -> Found:
        for _ in range(TRIES):
            try:
                if done := act():
                    return done
            except TROUBLES as trouble:
                self.troubles[type(trouble).__name__] += 1
                self._clock.skip(PAUSE_SECONDS)
            # at these prices every order fills at once: nothing depends on how soon we look
            eventually(lambda: not self._exchange.get("/sim/state")["open_orders"])
        raise AssertionError(f"not done after {TRIES} tries: {self.troubles}")
