"""The trading REST API, /v2 (docs/alpaca.md 2): its paths, parameters and answers."""

import uuid
from typing import Any

from aiohttp import web

from alpaca_simulator.api.gate import json_answer
from alpaca_simulator.api.trading_query import (
    read_object,
    read_order_query,
    read_replacement,
)
from alpaca_simulator.exchange.drafts import read_draft
from alpaca_simulator.exchange.orders import Order
from alpaca_simulator.exchange.rejections import (
    Rejection,
    invalid,
    order_not_found,
)
from alpaca_simulator.world import World


class OrdersApi:
    """/v2/orders."""

    def __init__(self, world: World) -> None:
        self._world = world

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
        body = await read_object(request)
        draft = read_draft(body, self._world.assets, strict=self._strict)
        return json_answer(200, self._world.views.order(self._world.take_order(draft)))

    async def index(self, request: web.Request) -> web.Response:
        """Lists orders; the open ones, newest first, unless asked otherwise."""
        found = self._world.exchange.orders.query(read_order_query(request.query))
        return json_answer(200, [self._world.views.order(order) for order in found])

    async def get(self, request: web.Request) -> web.Response:
        """Shows one order."""
        return json_answer(200, self._world.views.order(self._find(request)))

    async def by_client_order_id(self, request: web.Request) -> web.Response:
        """Shows the order with a client's id."""
        wanted = request.query.get("client_order_id", "")
        order = self._world.exchange.orders.by_client_id(wanted)
        if order is None or self._world.views.is_too_young(order):
            raise order_not_found(wanted)
        return json_answer(200, self._world.views.order(order))

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
        body = await read_object(request)
        old = self._find(request)
        draft = read_replacement(old, body, strict=self._strict)
        order = self._world.exchange.replace_order(old.id, draft)
        self._world.wake()
        return json_answer(200, self._world.views.order(order))

    def _find(self, request: web.Request) -> Order:
        order_id = request.match_info["order_id"]
        try:
            order_id = str(uuid.UUID(order_id))
        except ValueError:
            raise invalid("order_id is missing") from None
        order = self._world.exchange.order(order_id)
        if self._world.views.is_too_young(order):
            raise order_not_found(order_id)
        return order
