"""The verbs that the trader and the caretakers may use, and nothing more.

Live and tests run the same trader with another store, broker and clock behind these; a backtest
plays `core/` alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Protocol

from dca_bot.core.holdings import Holdings
from dca_bot.core.model import (
    Account,
    Allowed,
    Asset,
    AssetRules,
    AssetState,
    Cycle,
    Exposure,
    Order,
    OrderUpdate,
    Quote,
)
from dca_bot.core.records import CycleResult, Event


class Transaction(Protocol):
    """One short piece of work on one asset, whose row it holds locked.  No network inside.

    Leaving the block commits; an exception rolls everything back.  Writes may be sent together, so
    what a write raises is raised by the end of the block.
    """

    @property
    def asset(self) -> Asset:
        """The asset as locked."""

    @property
    def cycle(self) -> Cycle | None:
        """Its active cycle as locked."""

    def cycle_by_id(self, cycle_id: int) -> Cycle | None:
        """Any cycle of this asset, active or not."""

    def previous_cycle(self) -> Cycle | None:
        """The completed cycle with the latest `completed_at`, for the cooldown."""

    def order(self, client_order_id: str) -> Order | None: ...

    def orders_of_cycle(self, cycle_id: int) -> Sequence[Order]:
        """All orders of a cycle of this asset, oldest first."""

    def last_order(self) -> Order | None:
        """The order of this asset that was intended last, whatever became of it."""

    def live_order(self) -> Order | None:
        """The one order of this asset that is intended or open (the database allows no second)."""

    def add_cycle(self, cycle: Cycle) -> Cycle:
        """Insert `cycle` (its `cycle_id` is ignored) and return it as stored.

        Raises CycleChanged when the asset has an active cycle already.
        """

    def save_cycle(self, before: Cycle, after: Cycle) -> None:
        """Compare-and-set.  Equal values write nothing.  Raises CycleChanged when it lost."""

    def add_order(self, order: Order) -> None:
        """Record an intent.  Raises CycleChanged when the asset has a live order already."""

    def save_order(self, before: Order, after: Order) -> None:
        """Compare-and-set on status and filled quantity; equal values write nothing."""

    def set_last_sell_price(self, price: Decimal) -> None: ...

    def add_event(self, event: Event) -> None:
        """Record what happened to a cycle of this asset, for people."""

    def put_result(self, result: CycleResult) -> None:
        """Record what a finished cycle came to, in place of what was known before."""

    def exposure(self, since: datetime) -> Exposure:
        """All assets together, `realised` since a moment; no other transaction can ask for it
        until this one ends."""

    def left_behind(self) -> Decimal:
        """The coins of this symbol that orders of deleted rows have bought and not sold."""

    def count_losses_from(self, at: datetime) -> None:
        """What has ended until then counts no more in `realised`."""

    def set_allowed(self, allowed: Allowed, before: Allowed | None = None) -> None:
        """How far the asset may go from now on; `before`, once a pause of all assets ends."""


class Store(Protocol):
    """Every method raises StoreUnavailable when the database can't be reached."""

    def transaction(self, asset_id: int) -> AbstractContextManager[Transaction]:
        """Lock the asset's row.

        Raises AssetDeleted when the asset was deleted, UnreadableRow when its row can't be
        read.
        """

    def assets(self) -> Sequence[AssetState]:
        """All assets with their active cycles, without locks, ordered by asset id."""

    def order(self, client_order_id: str) -> Order | None:
        """Without a lock."""

    def live_orders(self) -> Sequence[Order]:
        """Every order that is intended or open, oldest first, without locks."""

    def sells_of_estimated_fee(self, since: datetime) -> Sequence[Order]:
        """SELLs since then that have ended, filled, and whose fee Alpaca has not reported; those of
        deleted assets are left out.  Without locks."""

    def keep_order(self, before: Order, after: Order) -> None:
        """Compare-and-set of an order whose asset has been deleted; raises CycleChanged."""


class Broker(Protocol):
    """Alpaca over REST.  Every method raises BrokerUnavailable when nothing could be learnt."""

    def submit(self, order: Order, symbol: str) -> OrderUpdate:
        """Send `order` once, under its client order id.

        Raises OrderRefused on a clear no, BrokerUnavailable when it can't have been taken (no
        connection, 429), and OrderOutcomeUnknown in every other case without a readable yes.
        """

    def cancel(self, alpaca_order_id: str) -> None:
        """Ask for the end of an order.  It is a request; a finished order is fine too."""

    def order(self, client_order_id: str) -> OrderUpdate | None:
        """What Alpaca says of one order; None: it says it doesn't know it.  One that a hand has
        replaced is told with its successors, as one order.

        Raises Unreadable where that can't be taken at its word.
        """

    def order_by_id(self, alpaca_order_id: str) -> OrderUpdate | None:
        """The same by Alpaca's own id, for orders that the bot did not place."""

    def open_orders(self) -> Sequence[OrderUpdate]:
        """Every readable open order of the account, oldest first, also those that aren't ours."""

    def closed_orders(self, since: datetime) -> Sequence[OrderUpdate]:
        """Every readable order of the account that was submitted after `since` and has ended."""

    @property
    def clock_offset(self) -> timedelta:
        """How far Alpaca's clock is ahead of this machine's; zero until it has answered."""

    def holdings(self, *, urgent: bool = False) -> Holdings:
        """Every crypto position; `urgent` is what a SELL waits for."""

    def cash(self, currency: str) -> Decimal:
        """What BUYs in pairs quoted in `currency` (USD, USDC, USDT) may use."""

    def account(self) -> Account: ...

    def rules(self) -> Mapping[str, AssetRules]:
        """Every crypto asset by symbol in slash form."""

    def latest_quotes(self, symbols: Iterable[str]) -> Mapping[str, Quote]: ...
