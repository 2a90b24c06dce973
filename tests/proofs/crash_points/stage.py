"""One asset on a scripted market: a scene is played on it, and one chance of one mishap is taken.

Rule: a scene waits for states, never for moments, since the mishap decides how long things take.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

from alpaca_simulator.exchange.orders import Side
from dca_bot.core.model import Allowed, Asset, Cycle, CycleStatus
from tests.proofs.storms import caretakers
from tests.proofs.storms.auditor import complaints
from tests.proofs.storms.mishaps import Nth
from tests.proofs.storms.world import World

# Bought with a coin, which is a position itself; the coins may be shown under another pair.
SYMBOL, COIN = "BTC/USDC", "BTC"
QUOTE_SECONDS = 2.0
SPREAD = Decimal("0.1")
# The bot may be down for a while, and the pauses between tries grow to five minutes.
PATIENCE_SECONDS = 45 * 60.0
WATCHDOG_SECONDS = (1.0, 20.0)
LIMITS = replace(
    caretakers.LIMITS, stale_order_seconds=40, orphan_order_seconds=40, stuck_sell_seconds=30
)
ASSET = Asset(
    asset_id=1,
    symbol=SYMBOL,
    is_enabled=True,
    base_order_amount=Decimal(20),
    safety_order_amount=Decimal(30),
    max_safety_orders=2,
    safety_order_deviation_pct=Decimal("1.5"),
    take_profit_pct=Decimal(1),
    cooldown_seconds=120,
    restart_deviation_pct=Decimal(2),
    last_sell_price=None,
)


class Armed(Nth):
    """The n-th chance of a mishap, counted from the moment when it is armed."""

    def __init__(self, name: str, number: int) -> None:
        super().__init__(name, number)
        self.is_armed = False

    def _is_taken(self, name: str) -> bool:
        return self.is_armed and super()._is_taken(name)


class Stage:
    """`price` moves the market, `until` lets time pass until something is so."""

    def __init__(self, mishaps: Armed, *, has_caretakers: bool = True) -> None:
        self.world = World(
            1,
            mishaps,
            [ASSET],
            watchdog_seconds=WATCHDOG_SECONDS,
            limits=LIMITS,
            every_minutes=dict.fromkeys(caretakers.EVERY_MINUTES, 1),
        )
        self._price = Decimal(100)
        self.price(100)
        self._tick()
        self.world.start_bot()
        if has_caretakers:
            self.world.cron.begin()

    # -- what happens

    def price(self, bid: Decimal | int | str) -> None:
        """The bid from now on; the ask is a little above it."""
        self._price = Decimal(bid)
        self._show()

    def fate(self, **plan: Any) -> None:
        """What becomes of the next order that the exchange takes."""
        self.world.venue.next_fate = plan

    def trade_by_hand(self, side: Side, quantity: Decimal) -> None:
        """As on Alpaca's site."""
        self.touch_cycle()
        self.world.venue.trade_by_hand(SYMBOL, side, quantity)

    def touch_cycle(self) -> None:
        """From now on the position tells what the cycle holds, not its own orders."""
        cycle = self.cycle
        self.world.watcher.traded_by_hand(SYMBOL, cycle.cycle_id if cycle else None)

    def edit_cycle(self, **columns: Any) -> None:
        """As a user's SQL would."""
        with self.world.store.transaction(ASSET.asset_id) as tx:
            assert tx.cycle is not None
            tx.save_cycle(tx.cycle, replace(tx.cycle, **columns))

    def until(self, condition: Callable[[], bool], what: str) -> None:
        """Let time pass until it is so; it is wrong if it never is."""
        give_up_at = self.world.loop.time() + PATIENCE_SECONDS
        while not condition() and not self.world.complaints:
            if self.world.loop.time() > give_up_at:
                self.world.complain(f"never so: {what}; {self.world.store.assets()}")
            self.world.run(1)

    # -- what is to be seen

    @property
    def cycle(self) -> Cycle | None:
        return self.world.store.assets()[0].cycle

    @property
    def held(self) -> Decimal:
        """The position at the exchange."""
        return self.world.venue.held(COIN)

    def is_watching(self, *, safety_orders: int = 0) -> bool:
        """Whether coins are held, so many safety orders have filled, and no order is under way."""
        cycle = self.cycle
        return (
            cycle is not None
            and cycle.status is CycleStatus.WATCHING
            and cycle.quantity > 0
            and cycle.safety_orders == safety_orders
            and not self.world.store.live_orders()
        )

    @property
    def is_complete(self) -> bool:
        """Whether everything was sold, and the next cycle waits or has begun."""
        return self.held == 0 and self.cycle_is_new

    @property
    def is_paused(self) -> bool:
        return self.world.store.assets()[0].asset.allowed is Allowed.EXIT

    @property
    def cycle_is_new(self) -> bool:
        """Whether nothing was bought yet."""
        return self.cycle is not None and self.cycle.last_order_fill_price is None

    @property
    def cycle_holds_the_position(self) -> bool:
        return self.cycle is not None and self.cycle.quantity == self.held

    # -- how it ends

    def disagreement(self) -> list[str]:
        """What is still wrong once everybody had the time to put it right."""
        found: list[str] = []

        def agree() -> bool:
            found[:] = [*complaints(self.world.books()), *self.world.in_doubt()]
            return not found

        self.until(agree, "both sides agree")
        return self.world.complaints + (found if self.world.complaints else [])

    def _tick(self) -> None:
        self._show()
        self.world.loop.call_later(QUOTE_SECONDS, self._tick)

    def _show(self) -> None:
        self.world.quote(SYMBOL, self._price, self._price + SPREAD)
