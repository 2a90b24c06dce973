"""The simulated exchange in memory: its matching and its books, on a clock that tests move.

Rule: what a request does and answers is what the simulator does over HTTP, by its own functions;
here are only the addresses, and the mishaps of orders and of views that lag.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import Any

from alpaca_simulator.api.trading_query import read_order_query, read_replacement
from alpaca_simulator.clock import SECOND, rfc3339
from alpaca_simulator.exchange.account import position_wire
from alpaca_simulator.exchange.assets import known_assets
from alpaca_simulator.exchange.drafts import Draft, read_draft
from alpaca_simulator.exchange.matching import Rules
from alpaca_simulator.exchange.orders import Order, OrderType, Side, Status, TimeInForce
from alpaca_simulator.exchange.plans import AfterPart, Plan
from alpaca_simulator.exchange.rejections import Rejection, order_not_found
from alpaca_simulator.exchange.settlement import transfer
from alpaca_simulator.exchange.venue import Exchange
from alpaca_simulator.prices.quotes import Quote

from .mishaps import Calm
from .rules.edits import first_of
from .virtual_time import VirtualClock, VirtualLoop

LAG_SECONDS = 2
POSITIONS_LAG_SECONDS = (2.0, 15.0)
# An empty list is an episode: two looks half a minute apart never see the same one.
EMPTY_SECONDS, FULL_SECONDS = 20, 600
MUCH_CASH = Decimal(5_000_000)
HAND_ORDER_USD = Decimal(150_000)
A_GONE_COIN = "aaaaaaaa-0000-4000-8000-000000000000"  # held, and named by no list any more


class Venue:
    """One account at one exchange; `admitted` is told of every order before it can fill."""

    def __init__(self, loop: VirtualLoop, clock: VirtualClock, mishaps: Calm, seed: int) -> None:
        chance = random.Random(f"venue:{seed}")
        self._loop = loop
        self._clock = clock
        self._mishaps = mishaps
        self._wakes_at = 0
        self._dice = random.Random(f"fates:{seed}")
        rules = Rules(
            starting_cash=MUCH_CASH,
            taker_fee=Decimal(chance.choice(("0.0025", "0.0022", "0.0015", "0", "0.01", "0.02"))),
            maker_fee=Decimal(chance.choice(("0.0015", "0.0012", "0", "0.01"))),
            partial_fill_chance=chance.choice((0, 0.1, 0.5)),
        )
        self.exchange = Exchange(rules, clock, seed=seed, assets=known_assets())
        for money in ("USDC", "USDT"):
            self.transfer(money, MUCH_CASH, price=Decimal(1))
        # Under which of a coin's pairs Alpaca shows its position, nobody promises.
        self._shown_as = {
            coin: chance.choice([each for each in self.exchange.assets.all() if each.base == coin])
            for coin in sorted({each.base for each in self.exchange.assets.all()})
        }
        self._empty_from = -FULL_SECONDS * SECOND
        self._hidden_at = -math.inf
        # of all that were ever in force, since the bot reads the rules once a day
        self.widest_tick = {
            each.symbol: each.price_increment for each in self.exchange.assets.all()
        }
        self.is_away = False  # nobody reaches it by HTTP; prices and fills are heard all the same
        self.next_fate: dict[str, Any] = {}  # of the next order that is taken: fields of a Plan
        self.admitted: Callable[[Order], None] = lambda _: None

    # -- what happens by itself

    def change_asset(self, symbol: str, **columns: Any) -> None:
        """Other rules for a pair from now on."""
        asset = self.exchange.assets.find(symbol)
        assert asset is not None
        self.exchange.assets.put(replace(asset, **columns))
        self.widest_tick[symbol] = max(self.widest_tick[symbol], self.tick(symbol))

    def quote(self, symbol: str, bid: Decimal, ask: Decimal) -> Quote:
        """Put a quote in force; open orders meet it."""
        now = self._clock.now()
        quote = Quote(symbol, bid, ask, Decimal(1), Decimal(1), now, now)
        self.exchange.set_quote(quote)
        self.wake()
        return quote

    def wake(self) -> None:
        """Do what is due, and come back for what is due next."""
        self.exchange.run_due()
        at = self.exchange.agenda.next_at()
        if at is not None and not self._clock.timer() < self._wakes_at <= at:
            self._wakes_at = at
            self._loop.call_later(max(1e-6, (at - self._clock.timer()) / SECOND), self.wake)

    def expire_one(self) -> None:
        """An open order reaches its end."""
        orders = [o for o in self.exchange.orders.all_open() if o.status is not Status.PENDING_NEW]
        if orders:
            self.exchange.finish(self._dice.choice(orders).id, Status.EXPIRED)

    # -- what a hand does on Alpaca's site

    def trade_by_hand(self, symbol: str, side: Side, qty: Decimal) -> None:
        """Market orders that fill at once, if they may, none above what Alpaca takes."""
        asset = self.exchange.assets.find(symbol)
        assert asset is not None
        most = (HAND_ORDER_USD / self._price(symbol)).quantize(asset.min_trade_increment)
        while qty > 0:
            draft = Draft(asset, side, OrderType.MARKET, TimeInForce.GTC, min(qty, most), None)
            self._try(partial(self.exchange.submit, draft, Plan(latency=0)))
            qty -= most

    def transfer(self, currency: str, amount: Decimal, *, price: Decimal) -> None:
        """Deposit so much, or withdraw it where it is negative."""
        account, now = self.exchange.account, self._clock.now()
        transfer(account, currency, amount, price=price, at=now)

    def order_by_hand(self, symbol: str, qty: Decimal, limit: Decimal) -> None:
        """A limit BUY that rests."""
        asset = self.exchange.assets.find(symbol)
        assert asset is not None
        draft = Draft(asset, Side.BUY, OrderType.LIMIT, TimeInForce.GTC, qty, None, limit)
        self._try(lambda: self.exchange.submit(draft))

    def edit_by_hand(self, symbol: str, factor: Decimal) -> None:
        """The bot's BUY, or what it has become by earlier edits, gets another limit."""
        for order in self.exchange.orders.open_of(symbol):
            first = first_of(self.exchange, order).terms
            if first.client_order_id.startswith("dca-") and order.terms.limit_price:
                step = order.terms.asset.price_increment
                limit = (order.terms.limit_price * factor).quantize(step)
                draft = read_replacement(order, {"limit_price": str(limit)}, strict=False)
                self._try(partial(self.exchange.replace_order, order.id, draft))

    def _try(self, deed: Callable[[], object]) -> None:
        try:
            deed()
        except Rejection:
            return
        self.wake()

    # -- what is asked over HTTP

    def answer(self, method: str, path: str, content: Mapping[str, Any]) -> Any:
        """The JSON of a 2xx answer; raises Rejection for everything else."""
        match method, path.strip("/").split("/"):
            case "POST", ["orders"]:
                return self._take(content).to_wire()
            case "GET", ["orders"]:
                query = read_order_query({name: str(value) for name, value in content.items()})
                return [order.to_wire() for order in self.exchange.orders.query(query)]
            case "GET", ["orders:by_client_order_id"]:
                return self._known(str(content["client_order_id"])).to_wire()
            case "GET", ["orders", order_id]:
                return self.exchange.order(order_id).to_wire()
            case "DELETE", ["orders", order_id]:
                self._cancel(order_id)
                return None
            case "GET", ["positions"]:
                return self._positions()
            case "GET", ["account"]:
                return self._account()
            case "GET", ["assets"]:
                listed = self.exchange.assets.all()
                return [asset.to_wire() for asset in listed if asset.status == "active"]
            case "GET", ["assets", asset_id]:
                return self._asset(asset_id)
            case "GET", ["crypto", "us", "latest", "quotes"]:
                return {"quotes": self._latest(str(content["symbols"]).split(","))}
        raise AssertionError(f"the venue has no {method} {path}")

    def tick(self, symbol: str) -> Decimal:
        """The step in which a pair is priced."""
        asset = self.exchange.assets.find(symbol)
        assert asset is not None
        return asset.price_increment

    def held(self, coin: str) -> Decimal:
        """What the account owns of a coin, net of fees."""
        return self.exchange.account.ledger.owned(coin)

    def _take(self, content: Mapping[str, Any]) -> Order:
        draft = read_draft(dict(content), self.exchange.assets)
        if self._mishaps.strikes("order refused"):
            raise Rejection(403, 40310000, "account is restricted to liquidation only")
        order = self.exchange.submit(draft, self._plan())
        self.admitted(order)
        self.wake()
        return order

    def _plan(self) -> Plan:
        strikes, plan = self._mishaps.strikes, self.exchange.ordinary_plan()
        part = Decimal(self._dice.randint(1, 99)) / 100
        plan, self.next_fate = replace(plan, **self.next_fate), {}
        if strikes("order rejected later"):
            plan = replace(plan, reject="rejected")
        if strikes("order filled in part, then on"):
            plan = replace(plan, part=part)
        if strikes("order filled in part, then rests"):
            plan = replace(plan, part=part, after_part=AfterPart.REST)
        if strikes("order filled in part, then canceled"):
            plan = replace(plan, part=part, after_part=AfterPart.CANCEL)
        if strikes("order canceled by the exchange"):
            plan = replace(plan, band_cancel=True, part=None)
        if strikes("order waits for its fill"):
            plan = replace(plan, latency=round(self._dice.uniform(0, 400) * SECOND))
        return plan

    def _cancel(self, order_id: str) -> None:
        order = self.exchange.order(order_id)
        latency = None
        if self._mishaps.strikes("cancel is slow"):
            latency = round(self._dice.uniform(0.1, 90) * SECOND)
        fill = self._mishaps.strikes("fill beats the cancel")
        self.exchange.plan_cancel(order.id, latency=latency, fill=fill)
        self.exchange.cancel(order.id)
        self.wake()

    def _known(self, client_order_id: str) -> Order:
        order = self.exchange.orders.by_client_id(client_order_id)
        if order is not None and self._mishaps.strikes("order not found yet"):
            age = self._clock.now() - order.terms.created_at
            order = None if age < LAG_SECONDS * SECOND else order
        if order is None:
            raise order_not_found(client_order_id)
        return order

    def _positions(self) -> list[dict[str, Any]]:
        at = None
        if self._are_positions_empty():
            return []
        if self._mishaps.strikes("positions lag"):
            lag = self._dice.uniform(*POSITIONS_LAG_SECONDS)
            at = self._clock.now() - round(lag * SECOND)
        account, shown = self.exchange.account, []
        for coin in account.coins(at):
            asset, holding = self._shown_as[coin], account.holding(coin, at)
            price = self._price(asset.symbol)
            free = min(account.ledger.free(coin), holding.qty)
            shown.append(position_wire(asset, holding, free=free, price=price, lastday=price))
        if shown and self._mishaps.strikes("position unreadable"):
            self._dice.choice(shown).update(self._dice.choice(({"qty": None}, {"qty": "many"})))
            shown.append(shown[0] | {"asset_id": A_GONE_COIN, "symbol": "GONEUSD"})
        return shown

    def _are_positions_empty(self) -> bool:
        """Whether the list is empty by mistake."""
        since = self._clock.timer() - self._empty_from
        if since > FULL_SECONDS * SECOND and self._mishaps.strikes("positions empty"):
            self._empty_from, since = self._clock.timer(), 0
        is_empty = since < EMPTY_SECONDS * SECOND
        if is_empty:
            self._hidden_at = self._loop.time()
        return is_empty

    def hid_positions_since(self, moment: float) -> bool:
        """Whether somebody was shown an empty list by mistake since then."""
        return self._hidden_at >= moment

    def _asset(self, asset_id: str) -> dict[str, Any]:
        asset = self.exchange.assets.find(asset_id)
        if asset is None:
            raise Rejection(404, 40410000, f"asset not found for {asset_id}")
        return asset.to_wire()

    def _account(self) -> dict[str, Any]:
        exchange = self.exchange
        return exchange.account.account_wire(
            exchange.account_id,
            market_value=Decimal(0),
            multiplier=exchange.rules.multiplier,
            now=self._clock.now(),
        )

    def _price(self, symbol: str) -> Decimal:
        quote = self.exchange.quotes.get(symbol)
        return quote.mid if quote else Decimal(1)

    def _latest(self, symbols: list[str]) -> dict[str, Any]:
        quotes = self.exchange.quotes
        return {
            each: {
                "bp": float(quotes[each].bid),
                "ap": float(quotes[each].ask),
                "t": rfc3339(quotes[each].at),
            }
            for each in symbols
            if each in quotes
        }
