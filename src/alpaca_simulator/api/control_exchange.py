"""The control API, /sim, for what concerns the exchange: orders, money, assets, rules, record."""

from dataclasses import fields, replace
from decimal import Decimal
from typing import Any

from aiohttp import web

from alpaca_simulator.api.control_read import (
    NUMBER_MOST,
    ControlError,
    flag_of,
    number_of,
    optional_number,
    read_body,
    read_object,
    text_of,
)
from alpaca_simulator.api.gate import Gate, json_answer
from alpaca_simulator.clock import rfc3339
from alpaca_simulator.decimals import wire
from alpaca_simulator.exchange.account import CASH
from alpaca_simulator.exchange.assets import Asset
from alpaca_simulator.exchange.drafts import read_draft
from alpaca_simulator.exchange.ledger import OverdrawnError
from alpaca_simulator.exchange.matching import Rules
from alpaca_simulator.exchange.orders import Order, Status
from alpaca_simulator.exchange.plans import Plan
from alpaca_simulator.exchange.settlement import transfer
from alpaca_simulator.feeds import Feeds
from alpaca_simulator.world import World

TINY = Decimal("0.000000001")
LIMITS = ("rate_limit", "symbol_limit", "stale_slot_seconds")
SHARES = {"taker_fee": 1, "maker_fee": 1, "partial_fill_chance": 1}
ASSET_NUMBERS = ("min_order_size", "min_trade_increment", "price_increment")


class ExchangeControl:
    """/sim/orders, /sim/cash, /sim/trade, /sim/assets, /sim/settings, /sim/record and the like."""

    def __init__(self, world: World, feeds: Feeds, gate: Gate) -> None:
        self._world = world
        self._feeds = feeds
        self._gate = gate

    def routes(self) -> list[web.RouteDef]:
        """The paths."""
        return [
            web.post("/sim/hold", self.hold),
            web.post("/sim/release", self.release),
            web.post("/sim/orders/{order}/fill", self.fill),
            web.post("/sim/orders/{order}/finish", self.finish),
            web.post("/sim/cash", self.cash),
            web.post("/sim/trade", self.trade),
            web.post("/sim/assets", self.assets),
            web.post("/sim/settings", self.settings),
            web.post("/sim/fees", self.fees),
            web.post("/sim/reset", self.reset),
            web.get("/sim/state", self.state),
            web.get("/sim/record", self.record),
        ]

    async def hold(self, request: web.Request) -> web.Response:
        """Orders are taken but not filled: all, or those of a symbol."""
        body = await read_object(request)
        if body.get("symbol") is None:
            self._world.exchange.hold_all = True
        else:
            self._world.exchange.held_symbols.add(text_of(body, "symbol"))
        return json_answer(200, self._held())

    async def release(self, request: web.Request) -> web.Response:
        """Fills go on: all, or those of a symbol; open orders meet the quote in force."""
        body = await read_object(request)
        symbol = None if body.get("symbol") is None else text_of(body, "symbol")
        exchange = self._world.exchange
        if symbol is None:
            exchange.hold_all = False
            exchange.held_symbols.clear()
        else:
            exchange.held_symbols.discard(str(symbol))
        exchange.release(symbol)
        self._world.wake()
        return json_answer(200, self._held())

    def _held(self) -> dict[str, Any]:
        exchange = self._world.exchange
        return {"all": exchange.hold_all, "symbols": sorted(exchange.held_symbols)}

    async def fill(self, request: web.Request) -> web.Response:
        """Fills an amount of an open order, at a price."""
        body = await read_object(request)
        order = self._find(request)
        filled = self._world.exchange.fill_by_hand(
            order.id,
            optional_number(body, "qty", least=TINY),
            optional_number(body, "price", least=TINY),
        )
        self._world.wake()
        return json_answer(200, filled.to_wire())

    async def finish(self, request: web.Request) -> web.Response:
        """Ends an open order: canceled, expired or rejected."""
        body = await read_object(request)
        status = text_of(body, "status", "canceled")
        if status not in (Status.CANCELED, Status.EXPIRED, Status.REJECTED):
            raise ControlError("status is canceled, expired or rejected")
        ended = self._world.exchange.finish(self._find(request).id, Status(status))
        return json_answer(200, ended.to_wire())

    def _find(self, request: web.Request) -> Order:
        name = request.match_info["order"]
        return self._world.exchange.orders.by_client_id(name) or self._world.exchange.order(name)

    async def cash(self, request: web.Request) -> web.Response:
        """Deposits an amount of USD or of a coin, or withdraws it when negative."""
        body = await read_object(request)
        exchange = self._world.exchange
        currency = text_of(body, "currency", CASH)
        price = optional_number(body, "price", least=0) or exchange.usd_price(currency)
        try:
            transfer(
                exchange.account,
                currency,
                number_of(body, "amount"),
                price=price,
                at=self._world.clock.now(),
            )
        except OverdrawnError as e:
            raise ControlError(str(e)) from e
        return json_answer(200, {"currency": currency, "free": wire(self._free(currency))})

    def _free(self, currency: str) -> Decimal:
        return self._world.exchange.account.ledger.free(currency)

    async def trade(self, request: web.Request) -> web.Response:
        """A trade by hand, as a user would do on Alpaca's site: a market order that fills now."""
        body = {"type": "market", "time_in_force": "gtc"} | await read_object(request)
        draft = read_draft(body, self._world.assets)
        order = self._world.exchange.submit(draft, Plan(latency=0))
        self._world.wake()
        return json_answer(200, self._world.exchange.order(order.id).to_wire())

    async def assets(self, request: web.Request) -> web.Response:
        """Adds pairs, or edits their rules: one object or a list."""
        body = await read_body(request)
        rows = body if isinstance(body, list) else [body]
        for row in rows:
            if not isinstance(row, dict):
                raise ControlError("an asset is an object")
            self._put_asset(row)
        return json_answer(200, {"assets": len(self._world.assets.all())})

    def _put_asset(self, row: dict[str, Any]) -> None:
        symbol = text_of(row, "symbol")
        if "/" not in symbol:
            raise ControlError("a symbol is written BASE/QUOTE")
        if self._world.assets.find(symbol) is None:
            self._world.add_asset(symbol, number_of(row, "price", "100", least=TINY))
        asset = self._world.assets.find(symbol)
        if asset is not None:
            self._world.assets.put(_edited(asset, row))

    async def settings(self, request: web.Request) -> web.Response:
        """Changes the exchange's numbers and limits while it runs."""
        body = await read_object(request)
        known = {field.name: field.type for field in fields(Rules)}
        rules: dict[str, Any] = {}
        for name in body:
            if name == "strict_decimals":
                rules[name] = flag_of(body, name, default=False)
                continue
            number = number_of(body, name, least=0, most=SHARES.get(name, NUMBER_MOST))
            if name in known:
                kind = type(getattr(self._world.exchange.rules, name))
                rules[name] = kind(number)
            elif not self._set_limit(name, number):
                raise ControlError(f"unknown setting {name}")
        self._world.exchange.rules = replace(self._world.exchange.rules, **rules)
        return json_answer(200, {"changed": sorted(body)})

    def _set_limit(self, name: str, number: Decimal) -> bool:
        world = self._world
        if name == "rate_limit":
            for limit in self._gate.limits.values():
                limit.limit = int(number)
        elif name == "symbol_limit":
            world.data.symbol_limit = int(number)
        elif name == "stale_slot_seconds":
            for slot in (world.trades.slot, world.data.slot):
                slot.stale_seconds = float(number)
                slot.free()
        else:
            return False
        return True

    async def fees(self, request: web.Request) -> web.Response:
        """Posts the CFEE rows that are still to come."""
        return json_answer(200, {"posted": self._world.activities.post_fees()})

    async def reset(self, request: web.Request) -> web.Response:
        """Starts afresh: money, orders, prices, record and faults; connections stay."""
        body = await read_object(request)
        self._feeds.stop()
        self._world.turn_off(None)
        self._world.journal.clear()
        self._world.begin()
        options = self._world.options
        for name in LIMITS:
            self._set_limit(name, Decimal(str(getattr(options, name))))
        self._feeds.walking = flag_of(body, "walk", self._world.options.walk)
        self._feeds.start_walk()
        return json_answer(200, {"reset": True})

    async def state(self, request: web.Request) -> web.Response:
        """Shows the present: balances, open orders, quotes, feeds, connections, faults."""
        return json_answer(
            200, state_of(self._world) | self._feeds.state() | {"held": self._held()}
        )

    async def record(self, request: web.Request) -> web.Response:
        """Shows everything that happened."""
        world = self._world
        return json_answer(
            200,
            state_of(world)
            | self._feeds.state()
            | world.journal.record()
            | {
                "orders": [order.to_wire() for order in world.exchange.orders.all()],
                "fills": [execution.record() for execution in world.exchange.executions],
            },
        )


def state_of(world: World) -> dict[str, Any]:
    """The present, for the control API."""
    exchange = world.exchange
    return {
        "time": rfc3339(world.clock.now()),
        "balances": {
            place.value: {currency: wire(amount) for currency, amount in amounts.items()}
            for place, amounts in exchange.account.ledger.balances().items()
        },
        "open_orders": [order.to_wire() for order in exchange.orders.all_open()],
        "quotes": {symbol: quote.record() for symbol, quote in exchange.quotes.items()},
        "streams": {"trade": world.trades.state(), "data": world.data.state()},
        "faults": world.faults.record(),
    }


def _edited(asset: Asset, row: dict[str, Any]) -> Asset:
    changes: dict[str, Any] = {
        name: number_of(row, name, least=TINY) for name in ASSET_NUMBERS if name in row
    }
    for name in ("tradable", "fractionable"):
        if name in row:
            changes[name] = flag_of(row, name, True)
    for name in ("status", "name", "id"):
        if name in row:
            changes[name] = text_of(row, name)
    return replace(asset, **changes)
