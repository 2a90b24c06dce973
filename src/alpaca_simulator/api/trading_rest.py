"""The trading REST API, /v2 (docs/alpaca.md 2): its paths, parameters and answers."""

import uuid
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from alpaca_simulator.api.gate import json_answer
from alpaca_simulator.api.trading_query import (
    read_closing_qty,
    read_json,
    read_order_query,
    read_replacement,
)
from alpaca_simulator.api.views import Views
from alpaca_simulator.exchange.assets import Asset
from alpaca_simulator.exchange.drafts import Draft, read_draft
from alpaca_simulator.exchange.orders import Order, OrderType, Side, TimeInForce
from alpaca_simulator.exchange.rejections import (
    Rejection,
    asset_not_found,
    insufficient_qty,
    invalid,
    order_not_found,
    position_not_found,
)
from alpaca_simulator.world import World


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

    @property
    def _strict(self) -> bool:
        return self._world.exchange.rules.strict_decimals

    async def submit(self, request: web.Request) -> web.Response:
        """Takes an order: 200 and `pending_new`, or a refusal."""
        body = read_json((await request.read()).decode(errors="replace"))
        draft = read_draft(body, self._world.assets, strict=self._strict)
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
        body = read_json((await request.read()).decode(errors="replace"))
        if not isinstance(body, dict):
            raise invalid("request body format is invalid")
        old = self._find(request)
        draft = read_replacement(old, body, strict=self._strict)
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
        """Sells a position at the market, all or part of it (docs/alpaca.md 1.8)."""
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
            if crypto
            and exchange
            and status in (None, "", asset.status)
            and not self._views.is_missing(asset)
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
        if asset is None or self._views.is_missing(asset):
            raise asset_not_found(name)
        return asset

    def _held_asset(self, request: web.Request) -> Asset:
        name = request.match_info["name"]
        asset = None if "/" in name else self._world.assets.find(name)
        # A coin has one position, whatever it was bought with: `BTCUSDC` is not its name.
        if asset is None or asset is not self._world.assets.of_coin(asset.base):
            raise position_not_found()
        return asset

    def _close(self, asset: Asset, query: Mapping[str, str]) -> Order:
        exchange = self._world.exchange
        held = exchange.account.holding(asset.base).qty
        if held <= 0:
            raise position_not_found()
        qty = read_closing_qty(held, query, asset)
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
