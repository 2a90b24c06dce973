"""What a feed needs of the world: to make quotes and push them, and to know who looks."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Protocol

from alpaca_simulator.prices.quotes import Quote
from alpaca_simulator.prices.walk import Step, Walk


class Market(Protocol):
    """The world, as feeds see it."""

    walks: dict[str, Walk]

    def timer(self) -> int: ...

    def quote_of(self, symbol: str, step: Step) -> Quote: ...

    def next_quote(
        self,
        symbol: str,
        bid: Decimal,
        ask: Decimal,
        bid_size: Decimal,
        ask_size: Decimal,
        *,
        origin: int | None = None,
    ) -> Quote: ...

    def push(self, quotes: Sequence[Quote]) -> None: ...

    def middle(self, symbol: str) -> Decimal: ...

    def trade_of_somebody(self, quote: Quote, seconds: float) -> None: ...

    def end_minute(self, *, early: bool = False) -> None: ...

    def update_minute(self, *, early: bool = False) -> None: ...

    def is_watched(self, symbol: str) -> bool: ...

    def is_subscribed(self, symbol: str) -> bool: ...

    def on_subscribe(self, act: Callable[[], None]) -> None: ...

    async def wait_for_readers(self, frames: int) -> None: ...
