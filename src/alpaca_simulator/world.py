"""Everything of one simulator, tied together: prices flow in, updates flow out, timers run."""

import asyncio
import random
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from alpaca_simulator.answers.activities import Activities
from alpaca_simulator.answers.belongings import Belongings
from alpaca_simulator.answers.views import Views
from alpaca_simulator.clock import SECOND, WallClock
from alpaca_simulator.decimals import ZERO
from alpaca_simulator.exchange.assets import AssetBook, invented_asset, known_assets, start_prices
from alpaca_simulator.exchange.drafts import Draft
from alpaca_simulator.exchange.orders import Order, Status
from alpaca_simulator.exchange.rejections import INSUFFICIENT, Rejection
from alpaca_simulator.exchange.updates import TradeUpdate
from alpaca_simulator.exchange.venue import Exchange
from alpaca_simulator.fates import Fates
from alpaca_simulator.faults import Fault, FaultBook
from alpaca_simulator.journal import Journal
from alpaca_simulator.keys import Keys
from alpaca_simulator.options import Options
from alpaca_simulator.prices.bar import Bar
from alpaca_simulator.prices.book import book_message
from alpaca_simulator.prices.quotes import Quote
from alpaca_simulator.prices.tape import PairTape, Tape
from alpaca_simulator.prices.walk import Step, Walk
from alpaca_simulator.streams.data import DataStream
from alpaca_simulator.streams.slots import Slot
from alpaca_simulator.streams.trade import TradeStream

LONGEST_WAIT = 3600.0
LATE_SHARE = 0.2  # of bars that get a late trade


class World:
    """The exchange, its streams, its faults and its record."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.clock = WallClock()
        self.journal = Journal()
        self.faults = FaultBook(self.journal, options.seed)
        self.keys = Keys(options.key, options.secret)
        self.trades = TradeStream(
            self.faults, self.journal, self.keys, Slot(options.stale_slot_seconds)
        )
        self.data = DataStream(
            self.faults,
            self.journal,
            self.keys,
            Slot(options.stale_slot_seconds),
            symbol_limit=options.symbol_limit,
            auth_seconds=options.auth_seconds,
        )
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0
        self.begin()

    def begin(self) -> None:
        """Sets the exchange up afresh: money, orders and prices as at the start."""
        options = self.options
        self.exchange = Exchange(
            options.rules, self.clock, seed=options.seed, assets=known_assets()
        )
        self.activities = Activities(self.exchange)
        self.belongings = Belongings()
        self.tape = Tape(options.seed)
        self.walks: dict[str, Walk] = {}
        self._dice = random.Random(f"world:{options.seed}")  # noqa: S311
        self._fates = Fates(self.faults, options.seed, early_fills=options.early_fills)
        for symbol, price in start_prices().items():
            self._start_price(symbol, price)
        self.views = Views(self.exchange, self.tape, self.faults, options.seed)
        self.exchange.listeners.append(self._tell)

    @property
    def assets(self) -> AssetBook:
        return self.exchange.assets

    def add_asset(self, symbol: str, price: Decimal) -> None:
        """Adds a pair of any name, with a price to walk from."""
        self.assets.put(invented_asset(symbol, price))
        self._start_price(symbol, price)

    def _start_price(self, symbol: str, price: Decimal) -> None:
        options = self.options
        self.walks[symbol] = Walk(
            symbol,
            price,
            seed=options.seed,
            volatility=options.volatility,
            reversion_seconds=options.reversion_seconds,
        )
        self.push([self.quote_of(symbol, self.walks[symbol].step(0.0))])

    # Prices

    def quote_of(self, symbol: str, step: Step) -> Quote:
        """Given where a walk has come to, makes it the next quote of its symbol."""
        return self.next_quote(symbol, step.bid, step.ask, step.bid_size, step.ask_size)

    def next_quote(
        self,
        symbol: str,
        bid: Decimal,
        ask: Decimal,
        bid_size: Decimal,
        ask_size: Decimal,
        *,
        origin: int | None = None,
    ) -> Quote:
        """Given prices, makes the next quote of a symbol, with the present as its time."""
        now = self.clock.now()
        last = self.exchange.quotes.get(symbol)
        number = 1 if last is None else last.number + 1
        return Quote(
            symbol, bid, ask, bid_size, ask_size, now, now if origin is None else origin, number
        )

    def push(self, quotes: Sequence[Quote]) -> None:
        """Given quotes, puts them in force and sends them out as one frame."""
        shown = [self._garbled(quote) for quote in quotes] if self.faults.any_on else quotes
        self.data.publish_quotes(shown)
        for quote in quotes:
            self.exchange.set_quote(quote)
            self.tape.note_quote(quote)
        if self.data.wants_books:
            self.data.publish("orderbooks", [book_message(quote) for quote in shown])
        self.wake()

    def _garbled(self, quote: Quote) -> Quote:
        """What the stream shows may be wrong; what is in force never is."""
        symbol = quote.symbol
        if fault := self.faults.take("stale_quotes", symbol=symbol):
            quote = quote._replace(at=quote.at - round(fault.seconds(60) * SECOND))
        if self.faults.take("crossed_quotes", symbol=symbol):
            quote = quote._replace(bid=quote.ask, ask=quote.bid)
        if fault := self.faults.take("zero_quotes", symbol=symbol):
            side = fault.params.get("side", "both")
            quote = quote._replace(
                bid=quote.bid if side == "ask" else ZERO, ask=quote.ask if side == "bid" else ZERO
            )
        return quote

    def is_subscribed(self, symbol: str) -> bool:
        """Whether anybody wants the quotes of a pair."""
        return self.data.subscribed(symbol)

    def on_subscribe(self, act: Callable[[], None]) -> None:
        """Does something whenever somebody subscribes."""
        self.data.on_subscribe = act

    async def wait_for_readers(self, frames: int) -> None:
        """Waits until every subscriber has taken all but so many frames."""
        await self.data.wait_for_readers(frames)

    def middle(self, symbol: str) -> Decimal:
        """The middle of the quote in force; 0 when there is none."""
        quote = self.exchange.quotes.get(symbol)
        return ZERO if quote is None else quote.mid

    def is_watched(self, symbol: str) -> bool:
        """Whether anybody looks at a pair: a subscriber, an open order, a holder of its coin."""
        return (
            self.data.wants_anything_of(symbol)
            or bool(self.exchange.orders.open_of(symbol))
            or self.exchange.account.holding(symbol.partition("/")[0]).qty > 0
        )

    # Orders

    def take_order(self, draft: Draft) -> Order:
        """Given a draft, submits it; raises Rejection when the exchange or a fault refuses it."""
        if self.exchange.configuration.suspend_trade:
            raise Rejection(403, INSUFFICIENT, "new orders are rejected by user request")
        order = self.exchange.submit(draft, self._fates.plan(draft, self.exchange.ordinary_plan()))
        self.wake()
        return order

    def cancel_order(self, order_id: str) -> None:
        """Given an order, requests its cancel, as faults will have it."""
        order = self.exchange.order(order_id)
        subject = {"symbol": order.symbol, "side": order.terms.side.value}
        slow = self.faults.take("slow_cancel", **subject)
        self.exchange.plan_cancel(
            order_id,
            latency=None if slow is None else round(slow.seconds(3) * SECOND),
            fill=self.faults.take("fill_before_cancel", **subject) is not None,
        )
        self.exchange.cancel(order_id)
        self.wake()

    def cancel_all_now(self) -> None:
        """Cancels every open order without delay, as closing all positions does."""
        for order in self.exchange.orders.all_open():
            self.exchange.finish(order.id, Status.CANCELED)

    def _tell(self, update: TradeUpdate) -> None:
        self.trades.publish(update)
        if update.execution is not None:
            self._publish_trade(self.tape.note_execution(update.execution))

    def trade_of_somebody(self, quote: Quote, seconds: float) -> None:
        """Given a quote and the time since the last, lets the market trade now and then."""
        self._publish_trade(self.tape.invent_trade(quote, seconds))

    def _publish_trade(self, trade: dict[str, Any] | None) -> None:
        if trade is not None:
            self.data.publish("trades", [trade])

    def end_minute(self, *, early: bool = False) -> None:
        """Sends the bar of the minute before and the day's so far, or those of now when early."""
        now = self.clock.now()
        self.belongings.equities.append((now, self.exchange.equity()))
        for symbol, pair in self._wanted_pairs("bars"):
            self._publish_bar("bars", "b", symbol, pair.latest(now, running=early))
        for symbol, pair in self._wanted_pairs("dailyBars"):
            self._publish_bar("dailyBars", "d", symbol, pair.today(now))

    def update_minute(self, *, early: bool = False) -> None:
        """Half a minute later, some of these bars are sent again with a trade that came late."""
        now = self.clock.now()
        for symbol, pair in self._wanted_pairs("updatedBars"):
            if early or self._dice.random() < LATE_SHARE:
                bar = self.tape.late_trade(symbol, pair.latest(now, running=early))
                self._publish_bar("updatedBars", "u", symbol, bar)

    def _wanted_pairs(self, channel: str) -> list[tuple[str, PairTape]]:
        symbols = self.data.wanted_in(channel, self.exchange.quotes)
        found = ((symbol, self.tape.pair(symbol)) for symbol in symbols)
        return [(symbol, pair) for symbol, pair in found if pair is not None]

    def _publish_bar(self, channel: str, kind: str, symbol: str, bar: Bar | None) -> None:
        if bar is not None:
            self.data.publish(channel, [{"T": kind, "S": symbol} | bar.to_wire()])

    # Time

    def timer(self) -> int:
        """The time by which things fall due, in nanoseconds."""
        return self.clock.timer()

    def wake(self) -> None:
        """Does what is due, and sets the timer for what comes next."""
        self.exchange.run_due()
        at = self.exchange.agenda.next_at()
        if self._timer is not None:
            if self._timer_at == at:
                return
            self._timer.cancel()
            self._timer = None
        if at is not None and (loop := _running_loop()) is not None:
            seconds = max(0.0, (at - self.clock.timer()) / SECOND)
            # A loop cannot be asked to wait for months; it is woken again.
            self._timer_at = at
            self._timer = loop.call_later(min(seconds, LONGEST_WAIT), self._wake_again)

    def _wake_again(self) -> None:
        self._timer = None
        self.wake()

    def turn_on(self, fault: Fault) -> None:
        """Given a fault that was turned on, lets it strike what is there already."""
        self.trades.apply(fault)
        self.data.apply(fault)
        if fault.name == "clock_skew" and self.faults.strike_now(fault):
            self.clock.skew(round(fault.seconds(60) * SECOND))

    def turn_off(self, name: str | None) -> None:
        """Turns off the faults of a name, or all, and heals what they left."""
        self.faults.turn_off(name)
        if name in (None, "clock_skew"):
            self.clock.skew(0)

    def stop(self) -> None:
        """Cancels the timer, and ends the websockets."""
        if self._timer is not None:
            self._timer.cancel()
        self.trades.drop(clean=True)
        self.data.drop(clean=True)


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
