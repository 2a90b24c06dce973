"""The trading REST API, /v2 (ALPACA.md 2): its paths, parameters and answers."""

import json
import uuid
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from aiohttp import web

from alpaca_simulator.assets import Asset
from alpaca_simulator.clock import parse_rfc3339
from alpaca_simulator.decimals import round_down
from alpaca_simulator.drafts import (
    Draft,
    check_increments,
    read_client_order_id,
    read_draft,
    read_positive,
)
from alpaca_simulator.gate import json_answer
from alpaca_simulator.order_store import OrderQuery
from alpaca_simulator.orders import Order, OrderType, Side, TimeInForce
from alpaca_simulator.rejections import (
    Rejection,
    insufficient_qty,
    invalid,
    order_not_found,
    position_not_found,
)
from alpaca_simulator.views import Views
from alpaca_simulator.world import World

LIST_LIMIT, LIST_MAXIMUM = 50, 500


class OrdersApi:
    """/v2/orders."""

    def __init__(self, world: World, views: Views) -> None:
        self._world = world
        self._views = views

    def routes(self) -> list[web.RouteDef]:
        """The paths."""
        return [
            web.post("/v2/orders", self.submit),
            web.get("/v2/orders", self.index),
            web.delete("/v2/orders", self.cancel_all),
            web.get("/v2/orders:by_client_order_id", self.by_client_order_id),
            web.get("/v2/orders/{order_id}", self.get),
            web.delete("/v2/orders/{order_id}", self.cancel),
            web.patch("/v2/orders/{order_id}", self.replace),
        ]

    async def submit(self, request: web.Request) -> web.Response:
        """Takes an order: 200 and `pending_new`, or a refusal."""
        body = read_json(await request.text())
        draft = read_draft(body, self._world.assets)
        return json_answer(200, self._views.order(self._world.take_order(draft)))

    async def index(self, request: web.Request) -> web.Response:
        """Lists orders; the open ones, newest first, unless asked otherwise."""
        found = self._world.exchange.orders.query(read_order_query(request.query))
        return json_answer(200, [self._views.order(order) for order in found])

    async def get(self, request: web.Request) -> web.Response:
        """Shows one order."""
        return json_answer(200, self._views.order(self._find(request)))

    async def by_client_order_id(self, request: web.Request) -> web.Response:
        """Shows the order with a client's id."""
        wanted = request.query.get("client_order_id", "")
        order = self._world.exchange.orders.by_client_id(wanted)
        if order is None or self._views.is_too_young(order):
            raise order_not_found(wanted)
        return json_answer(200, self._views.order(order))

    async def cancel(self, request: web.Request) -> web.Response:
        """Requests a cancel: 204 says that it was taken, not that it is done."""
        self._world.cancel_order(self._find(request).id)
        return web.Response(status=204)

    async def cancel_all(self, request: web.Request) -> web.Response:
        """Requests the cancel of every open order."""
        return json_answer(207, self._cancel_all())

    def _cancel_all(self) -> list[dict[str, Any]]:
        answers: list[dict[str, Any]] = []
        for order in self._world.exchange.orders.all_open():
            try:
                self._world.cancel_order(order.id)
                answers.append({"id": order.id, "status": 200})
            except Rejection as rejection:
                answers.append({"id": order.id, "status": 500, "body": rejection.body})
        return answers

    async def replace(self, request: web.Request) -> web.Response:
        """Replaces an order by a new one."""
        body = read_json(await request.text())
        if not isinstance(body, dict):
            raise invalid("request body format is invalid")
        old = self._find(request)
        draft = read_replacement(old, body)
        order = self._world.exchange.replace_order(old.id, draft)
        self._world.wake()
        return json_answer(200, self._views.order(order))

    def _find(self, request: web.Request) -> Order:
        order_id = request.match_info["order_id"]
        try:
            order_id = str(uuid.UUID(order_id))
        except ValueError:
            raise invalid("order_id is missing") from None
        order = self._world.exchange.order(order_id)
        if self._views.is_too_young(order):
            raise order_not_found(order_id)
        return order


class AccountApi:
    """/v2/account, /v2/positions, /v2/assets, /v2/clock."""

    def __init__(self, world: World, views: Views) -> None:
        self._world = world
        self._views = views

    def routes(self) -> list[web.RouteDef]:
        """The paths."""
        return [
            web.get("/v2/account", self.account),
            web.get("/v2/account/activities", self.activities),
            web.get("/v2/account/activities/{kind}", self.activities),
            web.get("/v2/positions", self.positions),
            web.delete("/v2/positions", self.close_all),
            web.get("/v2/positions/{name:.+}", self.position),
            web.delete("/v2/positions/{name:.+}", self.close),
            web.get("/v2/assets", self.assets),
            web.get("/v2/assets/{name}", self.asset),
            web.get("/v2/clock", self.clock),
        ]

    async def account(self, request: web.Request) -> web.Response:
        """Shows the account."""
        return json_answer(200, self._views.account())

    async def activities(self, request: web.Request) -> web.Response:
        """Lists what happened to the account's money and coins."""
        kind = request.match_info.get("kind")
        return json_answer(200, self._views.activities(kind, request.query))

    async def positions(self, request: web.Request) -> web.Response:
        """Lists what is held."""
        return json_answer(200, self._views.positions())

    async def position(self, request: web.Request) -> web.Response:
        """Shows what is held of one asset: `BTCUSD` or its id, never with a slash (1.4)."""
        return json_answer(200, self._views.position(self._held_asset(request)))

    async def close(self, request: web.Request) -> web.Response:
        """Sells a position at the market, all or part of it (ALPACA.md 1.8)."""
        order = self._close(self._held_asset(request), request.query)
        return json_answer(200, self._views.order(order))

    async def close_all(self, request: web.Request) -> web.Response:
        """Sells every position at the market."""
        if request.query.get("cancel_orders", "").lower() == "true":
            self._world.cancel_all_now()
        answers: list[dict[str, Any]] = []
        for asset in self._views.held_assets():
            try:
                order = self._close(asset, {})
                body: object = self._views.order(order)
                answers.append({"symbol": asset.compact, "status": 200, "body": body})
            except Rejection as rejection:
                answers.append({"symbol": asset.compact, "status": 500, "body": rejection.body})
        return json_answer(207, answers)

    async def assets(self, request: web.Request) -> web.Response:
        """Lists the assets."""
        status = request.query.get("status")
        crypto = request.query.get("asset_class", "crypto") == "crypto"
        exchange = request.query.get("exchange", "CRYPTO") == "CRYPTO"
        found = [
            self._views.asset(asset)
            for asset in self._world.assets.all()
            if crypto and exchange and status in (None, "", asset.status)
        ]
        return json_answer(200, found)

    async def asset(self, request: web.Request) -> web.Response:
        """Shows one asset: `BTC%2FUSD`, `BTCUSD` or its id."""
        return json_answer(200, self._views.asset(self._asset(request.match_info["name"])))

    async def clock(self, request: web.Request) -> web.Response:
        """Shows the stock market's clock, in New York's time."""
        return json_answer(200, self._views.clock())

    def _asset(self, name: str) -> Asset:
        asset = self._world.assets.find(name)
        if asset is None:
            raise Rejection(404, 40410000, f"asset not found for {name}")
        return asset

    def _held_asset(self, request: web.Request) -> Asset:
        name = request.match_info["name"]
        asset = None if "/" in name else self._world.assets.find(name)
        if asset is None:
            raise position_not_found()
        return asset

    def _close(self, asset: Asset, query: Mapping[str, str]) -> Order:
        exchange = self._world.exchange
        held = exchange.account.holding(asset.base).qty
        if held <= 0:
            raise position_not_found()
        qty = _closing_qty(held, query, asset)
        free = exchange.account.ledger.free(asset.base)
        if qty > free:
            related = [
                order.id
                for order in exchange.orders.all_open()
                if order.terms.held_currency == asset.base
            ]
            raise insufficient_qty(asset.compact, qty, free, held, related)
        draft = Draft(asset, Side.SELL, OrderType.MARKET, TimeInForce.GTC, qty, None)
        return self._world.take_order(draft)


def _closing_qty(held: Decimal, query: Mapping[str, str], asset: Asset) -> Decimal:
    if "qty" in query and "percentage" in query:
        raise invalid("only one of qty or percentage is accepted")
    if "qty" in query:
        return read_positive(query["qty"], "qty")
    if "percentage" in query:
        percentage = read_positive(query["percentage"], "percentage")
        if percentage > 100:
            raise invalid("percentage must be between 0 and 100")
        return round_down(held * percentage / 100, asset.min_trade_increment)
    return held


def read_json(text: str) -> object:
    """Given a request's text, reads it with exact numbers; raises Rejection when it is none."""
    try:
        return json.loads(text, parse_float=Decimal)
    except ValueError:
        raise invalid("request body format is invalid") from None


def read_replacement(old: Order, body: Mapping[str, object]) -> Draft:
    """Given an order and a PATCH body, returns the draft that is to take its place."""
    terms = old.terms
    draft = Draft(
        asset=terms.asset,
        side=terms.side,
        type=terms.type,
        time_in_force=terms.time_in_force,
        qty=old.remaining,
        notional=None,
        limit_price=terms.limit_price,
        stop_price=terms.stop_price,
        client_order_id=read_client_order_id(body),
    )
    if body.get("qty") is not None:
        draft = replace(draft, qty=read_positive(body["qty"], "qty"))
    if body.get("limit_price") is not None:
        draft = replace(draft, limit_price=read_positive(body["limit_price"], "limit price"))
    if body.get("stop_price") is not None:
        draft = replace(draft, stop_price=read_positive(body["stop_price"], "stop price"))
    if body.get("time_in_force") is not None:
        draft = replace(draft, time_in_force=TimeInForce(str(body["time_in_force"])))
    check_increments(draft)
    return draft


def read_order_query(query: Mapping[str, str]) -> OrderQuery:
    """Given the parameters of GET /v2/orders, reads them; raises Rejection when they are off."""
    state = query.get("status", "open") or "open"
    if state not in ("open", "closed", "all"):
        raise invalid("invalid order status")
    limit = query.get("limit", str(LIST_LIMIT))
    if not limit.isdecimal() or not 0 < int(limit) <= LIST_MAXIMUM:
        raise invalid(f"limit must be between 1 and {LIST_MAXIMUM}")
    symbols = frozenset(symbol for symbol in query.get("symbols", "").split(",") if symbol)
    crypto = query.get("asset_class", "crypto") in ("crypto", "all", "")
    return OrderQuery(
        state=state,
        limit=int(limit),
        after=_read_time(query, "after"),
        until=_read_time(query, "until"),
        after_id=query.get("after_order_id"),
        before_id=query.get("before_order_id"),
        ascending=query.get("direction", "desc") == "asc",
        symbols=symbols if crypto else frozenset({"none of another class"}),
        side=query.get("side"),
    )


def _read_time(query: Mapping[str, str], name: str) -> int | None:
    text = query.get(name)
    if not text:
        return None
    # "+00:00" arrives as " 00:00" from clients that do not escape it.
    moment = parse_rfc3339(text.replace(" ", "+"))
    if moment is None:
        raise invalid(f"invalid {name}")
    return moment
