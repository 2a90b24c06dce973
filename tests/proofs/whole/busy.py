"""A busy little market: assets that trade often, the bot as a process, and its caretakers."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from dca_bot.program.settings import PROJECT_ROOT, DatabaseSettings
from tests.helpers import Found, Simulator, apply_sql, eventually, start_script
from tests.proofs.whole.auditor import always, complaints, read_books
from tests.warm import WarmProcess

# Orders every few seconds: small deviations, no cooldown, a restart at once.
ADD_ASSET = """
INSERT INTO dca_assets (
    asset_symbol, is_enabled, base_order_amount, safety_order_amount,
    max_safety_orders, safety_order_deviation, take_profit_percent,
    cooldown_period, buy_order_price_deviation_percent
) VALUES ('{symbol}', TRUE, 20.00, 15.00, 4, {percent}, {percent}, 0, 0.01);
"""
SYMBOLS = ("BTC/USD", "ETH/USD", "SOL/USD")
EIGHT = (*SYMBOLS, "LTC/USD", "DOGE/USD", "AVAX/USD", "LINK/USD", "UNI/USD")
# As lively as --lively, but drawn back within seconds: where prices stray for a minute, an asset
# that has used up its safety orders waits for so long, now and then all of them at the same time.
LIVELY = (
    *("--volatility", "40", "--quote-interval", "0.1", "--reversion-seconds", "2"),
    *("--stale-slot-seconds", "1", "--rate-limit", "100000"),
)


def add_assets(database: DatabaseSettings, *symbols: str, percent: str = "0.15") -> None:
    """With `percent` as deviation of the safety orders and as take profit."""
    for symbol in symbols or SYMBOLS:
        apply_sql(database, ADD_ASSET.format(symbol=symbol, percent=percent).encode())


class Bot:
    """main_app.py as a process that can be killed and started again; its output is kept."""

    def __init__(
        self, env: dict[str, str], directory: Path, *, is_found_by_watchdog: bool = False
    ) -> None:
        self._env, self._is_found_by_watchdog = env, is_found_by_watchdog
        self._output = directory / "main_app.out"
        self.process: subprocess.Popen[bytes] | WarmProcess | None = None
        self._said_before = 0

    def start(self) -> None:
        self._said_before = len(self.output)
        if self._is_found_by_watchdog:  # by its command line, which a fork doesn't have
            with self._output.open("ab") as output:
                self.process = start_script("main_app.py", env=self._env, output=output)
            return
        script = str(PROJECT_ROOT / "main_app.py")
        self.process = WarmProcess(script, env=self._env, output=self._output)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)

    def end(self) -> int:
        """End it as a user would; its exit status."""
        return self.end_by(signal.SIGTERM)

    def end_by(self, number: signal.Signals) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(30)  # how soon it ends is shown in test_start.py

    @property
    def output(self) -> str:
        return self._output.read_text() if self._output.exists() else ""

    @property
    def is_trading(self) -> bool:
        """Whether the process that was started last has caught up and listens."""
        return "trade stream connected" in self.output[self._said_before :]


def settle(database: DatabaseSettings, exchange: Simulator, timeout: float = 60) -> None:
    """Wait until both sides agree; the running bot must get there without help."""
    found: list[str] = ["nothing was compared yet"]

    def agree() -> bool:
        books = read_books(database, exchange)
        if len(exchange.get("/sim/record")["fills"]) != len(books.record["fills"]):
            found[:] = ["something was filled while the books were read"]
        else:
            found[:] = complaints(books)
        return not found

    try:
        eventually(agree, timeout=timeout)
    except AssertionError:
        raise AssertionError("\n".join(found)) from None


def calm(simulator: Simulator) -> None:
    """No more faults, and prices stand still."""
    for fault in simulator.get("/sim/faults")["on"]:
        simulator.post("/sim/faults", {"name": fault["name"], "on": False})
    simulator.post("/sim/walk", {"on": False})


def quoting(
    simulator: Simulator, price: str, condition: Callable[[], Found], *symbols: str
) -> Callable[[], Found]:
    """The condition, and fresh quotes each time it is asked for: old ones are not acted on."""
    quotes = [{"symbol": each, "bid": price, "ask": price} for each in symbols or ("BTC/USD",)]

    def look() -> Found:
        simulator.post("/sim/quote", quotes)
        return condition()

    return look


def new_line(bot: Bot, words: str) -> Callable[[], bool]:
    """Whether it has said this since now; to be asked for before what makes it say so."""
    count = bot.output.count(words)
    return lambda: bot.output.count(words) > count


def more_orders_than(simulator: Simulator, count: int) -> Callable[[], bool]:
    return lambda: order_count(simulator) > count


def trade_on(simulator: Simulator, more: int = 1, timeout: float = 60) -> None:
    """Wait until so many more orders have reached the exchange than now."""
    eventually(more_orders_than(simulator, order_count(simulator) + more - 1), timeout=timeout)


def watch_for(seconds: float, database: DatabaseSettings, simulator: Simulator) -> None:
    """Look again and again for so long, and see nothing wrong."""
    over_at = time.monotonic() + seconds

    def is_over() -> bool:
        assert always(read_books(database, simulator)) == []
        return time.monotonic() > over_at

    eventually(is_over, timeout=seconds * 3)


def agree_and_end(
    database: DatabaseSettings, simulator: Simulator, bot: Bot, timeout: float = 60
) -> None:
    """The sea is calm: both sides agree, and the bot ends as it should."""
    calm(simulator)
    settle(database, simulator, timeout)
    assert bot.end() == 0


def order_count(simulator: Simulator) -> int:
    return len(simulator.get("/sim/record")["orders"])
