"""What a scenario works with: account, database, programs, market, and its two kinds of claim.

Rule: a claim says what was expected and what was seen, whether it holds or not; waiting is asking
again and again, with a limit.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TypeVar

from dca_bot.program.clock import utc_now
from dca_bot.program.errors import BrokerUnavailable
from dca_bot.store.values import Value
from dca_integration.account import OrderSeen, PaperAccount
from dca_integration.interruption import Interruption
from dca_integration.market import Market, SimulatedMarket
from dca_integration.programs import Programs
from dca_integration.report import Report, shown
from dca_integration.scratch import CycleRow, Scratch
from dca_sandbox.children import Child

T = TypeVar("T")

# Two that fill at once, and a third one for orders that are none of the bot's business.
FIRST, SECOND, FOREIGN = "BTC/USD", "ETH/USD", "LTC/USD"
# Another money, and the first coin paid for with it.
DOLLAR, IN_DOLLARS = "USDC/USD", "BTC/USDC"
SYMBOLS = (FIRST, SECOND, FOREIGN, DOLLAR, IN_DOLLARS)
# Alpaca's minimum is 10 USD; quantities are rounded down, and a market order buys a little less.
AMOUNT = Decimal("10.50")
BY_HAND = Decimal(12)
OLD_SECONDS = 2.5  # older than the second that the caretakers are set to wait
TIDY_AFTER_SECONDS = 8.0
PRICE_TOLERANCE = Decimal("1e-6")
ASK_ALPACA_SECONDS = 1.0


class Unmet(Exception):
    """A claim that does not hold."""


@dataclass(frozen=True, slots=True)
class Stage:
    account: PaperAccount
    books: Scratch
    programs: Programs
    market: Market
    report: Report
    interruption: Interruption

    @property
    def steered(self) -> SimulatedMarket:
        """The market, for scenarios that are played on the simulator alone."""
        assert isinstance(self.market, SimulatedMarket), "only_simulated"  # noqa: S101
        return self.market

    def step(self, text: str) -> None:
        """Say what is done next."""
        self.report.step(text)

    def claim(self, what: str, seen: object, expected: object) -> None:
        """It is so now."""
        if seen != expected:
            raise Unmet(f"{what}: expected {shown(expected)}, seen {shown(seen)}")
        self.report.met(what, expected=expected, seen=seen)

    def same_price(self, what: str, seen: Decimal | None, expected: Decimal | None) -> None:
        """It is the same price, but for the digits that a column can't hold."""
        holds = (
            seen is not None
            and expected is not None
            and abs(seen - expected) <= expected * PRICE_TOLERANCE
        )
        self.claim_that(what, seen, holds=holds, expected=shown(expected))

    def claim_that(self, what: str, seen: object, *, holds: bool, expected: str) -> None:
        """It is so now, where equality is not the question; `expected` in words."""
        if not holds:
            raise Unmet(f"{what}: expected {expected}, seen {shown(seen)}")
        self.report.met(what, expected=expected, seen=seen)

    def soon(
        self,
        what: str,
        read: Callable[[], T],
        expected: str,
        is_so: Callable[[T], bool],
        every: float | None = None,
    ) -> T:
        """It becomes so within the market's patience; what was seen then.

        An Alpaca that does not answer once is asked again.
        """
        seen: list[T] = []
        trouble: list[str] = []

        def look() -> bool:
            try:
                seen[:], trouble[:] = [read()], []
            except BrokerUnavailable as error:
                trouble[:] = [str(error)]
                return False
            return is_so(seen[0])

        if not self.interruption.wait(look, self.market.patience_seconds, every):
            limit = self.market.patience_seconds
            last = shown(trouble or seen)
            raise Unmet(f"{what}: expected {expected} within {limit:.0f} s, last seen {last}")
        self.report.met(what, expected=expected, seen=seen[0])
        return seen[0]

    # The database

    def add_asset(self, symbol: str, **columns: Value) -> int:
        """Insert an asset as a user does; by itself it trades nothing but base orders."""
        row: dict[str, Value] = {
            "asset_symbol": symbol,
            "is_enabled": True,
            "base_order_amount": AMOUNT,
            "safety_order_amount": AMOUNT,
            "max_safety_orders": 0,
            "safety_order_deviation": Decimal("1.5"),
            "take_profit_percent": Decimal(50),
            "cooldown_period": 3600,
            "buy_order_price_deviation_percent": Decimal(50),
        }
        changed = ", ".join(f"{name}={value}" for name, value in columns.items())
        self.step(f"insert {symbol} into dca_assets{f' with {changed}' if changed else ''}")
        return self.books.insert("dca_assets", row | columns)

    def add_cycle(self, asset_id: int, status: str, **columns: Value) -> int:
        """Insert a cycle, as by hand."""
        filled = ", ".join(f"{name}={value}" for name, value in columns.items())
        self.step(f"insert a {status} cycle{f' with {filled}' if filled else ''}")
        row: dict[str, Value] = {"asset_id": asset_id, "status": status}
        return self.books.insert("dca_cycles", row | columns)

    def cycle(self, asset_id: int) -> CycleRow:
        """The asset's newest cycle, which is the active one if there is any."""
        cycles = self.books.cycles(asset_id)
        if not cycles:
            raise Unmet(f"the asset {asset_id} has no cycle")
        return cycles[-1]

    def completes(self, asset_id: int) -> CycleRow:
        """The asset's first cycle ends; as it is then."""
        return self.soon(
            "the cycle",
            lambda: self.books.cycles(asset_id)[0],
            "complete",
            lambda cycle: cycle.status == "complete",
        )

    def last_sell_price(self, asset_id: int) -> Decimal | None:
        """As it stands in dca_assets."""
        sql = "SELECT last_sell_price FROM dca_assets WHERE id = %s"
        ((price,),) = self.books.rows(sql, (asset_id,))
        return None if price is None else Decimal(str(price))

    def orders(self, asset_id: int, **where: str) -> int:
        """How many orders of an asset the bot has written down; of a kind, in a status."""
        sql = "SELECT COUNT(*) FROM dca_orders WHERE asset_id = %s"
        sql += "".join(f" AND {column} = %s" for column in where)
        ((count,),) = self.books.rows(sql, (asset_id, *where.values()))
        return int(str(count))

    # The programs

    def start_bot(self) -> Child:
        self.step("start main_app.py")
        return self.programs.start_bot()

    def run(self, script: str, *arguments: str, status: int = 0) -> None:
        """Run a caretaker or the watchdog, and claim how it ends."""
        self.step(f"run {' '.join([script, *arguments])}")
        done = self.programs.run(script, *arguments)
        self.claim_that(
            f"exit status of {script}",
            f"{done.status}, saying: {done.last_line}",
            holds=done.status == status,
            expected=str(status),
        )

    def bot_says(self, words: str) -> datetime:
        """A line with these words comes in main_app.py's log; its time."""

        def line() -> str:
            return next((each for each in self.programs.bot_log() if words in each), "")

        found = self.soon("line in main_app.log", line, f"… {words} …", bool)
        return datetime.fromisoformat(found.split()[0])

    # Both together

    def traded(
        self, asset_id: int, what: str, expected: str, is_so: Callable[[CycleRow], bool]
    ) -> CycleRow:
        """A BUY is placed and filled; the cycle as it is then.

        A limit order at the ask is left behind when the market goes up; as cron would, it is
        cleared away now and then, and the bot buys at the new price.
        """
        tidy_at = time.monotonic() + TIDY_AFTER_SECONDS

        def look() -> CycleRow | None:
            nonlocal tidy_at
            if time.monotonic() > tidy_at:
                self.run("order_manager.py")
                tidy_at = time.monotonic() + TIDY_AFTER_SECONDS
            cycles = self.books.cycles(asset_id)
            return cycles[-1] if cycles and is_so(cycles[-1]) else None

        self.soon(what, look, expected, lambda found: found is not None)
        return self.cycle(asset_id)

    def bought(self, asset_id: int) -> CycleRow:
        """The base order is placed and filled."""
        bought = self.traded(
            asset_id,
            "cycle after its base order",
            "watching, with a quantity",
            lambda cycle: cycle.status == "watching" and cycle.quantity > 0,
        )
        self.claim("its latest_order_id", bought.latest_order_id, None)
        return bought

    def books_match(self, asset_id: int, symbol: str) -> None:
        """The cycle holds what Alpaca holds; positions there lag behind fills."""
        tolerance = self.market.tolerance
        self.soon(
            "quantity of the cycle and of the position",
            lambda: (self.cycle(asset_id).quantity, self.account.held(symbol)),
            f"the same, but for {tolerance:%}",
            lambda seen: seen[1] > 0 and abs(seen[0] - seen[1]) <= seen[1] * tolerance,
            every=ASK_ALPACA_SECONDS,
        )

    def nothing_held(self, symbol: str) -> None:
        """Alpaca holds nothing of it any more."""
        self.soon(
            f"the position in {symbol}",
            lambda: self.account.held(symbol),
            "0",
            lambda held: held == 0,
            every=ASK_ALPACA_SECONDS,
        )

    def until_old(self, order: OrderSeen) -> None:
        """Wait until an order is old enough for a caretaker to judge it."""
        self.interruption.wait(
            lambda: (utc_now() - order.created_at).total_seconds() > OLD_SECONDS,
            self.market.patience_seconds,
        )

    def order_ends(self, order: OrderSeen, status: str) -> OrderSeen:
        """Alpaca says so of an order."""
        return self.soon(
            f"{order} at Alpaca",
            lambda: self.account.order(order.order_id),
            status,
            lambda seen: seen.status == status,
            every=ASK_ALPACA_SECONDS,
        )

    def buy_by_hand(self, symbol: str) -> OrderSeen:
        """Buy a little at the market, as on Alpaca's site."""
        self.step(f"buy {symbol} for {BY_HAND} USD by hand")
        bought = self.order_ends(self.account.buy_at_market(symbol, BY_HAND), "filled")
        self.soon(
            f"the position in {symbol}",
            lambda: self.account.held(symbol),
            "more than 0",
            lambda held: held > 0,
            every=ASK_ALPACA_SECONDS,
        )
        return bought
