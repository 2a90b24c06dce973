"""The rest of the trading REST API, /v2: the account, positions, assets, activities, calendar."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from aiohttp import web

from alpaca_simulator.answers.calendar import calendar, calendar_of, clock, clocks
from alpaca_simulator.answers.portfolio import portfolio_history
from alpaca_simulator.api.gate import json_answer
from alpaca_simulator.api.trading_query import (
    read_closing_qty,
    read_configuration,
    read_day,
    read_object,
)
from alpaca_simulator.clock import SECOND, new_york
from alpaca_simulator.exchange.assets import Asset
from alpaca_simulator.exchange.drafts import Draft
from alpaca_simulator.exchange.orders import Order, OrderType, Side, TimeInForce
from alpaca_simulator.exchange.rejections import (
    NOT_FOUND,
    Rejection,
    asset_not_found,
    insufficient_qty,
    position_not_found,
)
from alpaca_simulator.world import World


class AccountApi:
    """/v2/account, /v2/positions, /v2/assets, /v2/clock."""

    def __init__(self, world: World) -> None:
        self._world = world

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
            web.get("/v2/account/configurations", self.configuration),
            web.patch("/v2/account/configurations", self.configure),
            web.get("/v2/account/portfolio/history", self.portfolio),
            web.get("/v2/clock", self.clock),
            web.get("/v3/clock", self.clocks),
            web.get("/v2/calendar", self.calendar),
            web.get("/v3/calendar/{market}", self.calendar_of),
        ]

    async def account(self, request: web.Request) -> web.Response:
        """Shows the account."""
        return json_answer(200, self._world.views.account())

    async def activities(self, request: web.Request) -> web.Response:
        """Lists what happened to the account's money and coins."""
        kind = request.match_info.get("kind")
        fault = self._world.faults.take("late_activities")
        delay = 0 if fault is None else round(fault.seconds(60) * SECOND)
        return json_answer(200, self._world.activities.page(kind, request.query, delay=delay))

    async def positions(self, request: web.Request) -> web.Response:
        """Lists the positions."""
        return json_answer(200, self._world.views.positions())

    async def position(self, request: web.Request) -> web.Response:
        """Shows one position: `BTCUSD` or the asset id, never with a slash (1.4)."""
        return json_answer(200, self._world.views.position(self._held_asset(request)))

    async def close(self, request: web.Request) -> web.Response:
        """Sells a position at the market, all or part of it (docs/alpaca.md 1.8)."""
        order = self._close(self._held_asset(request), request.query)
        return json_answer(200, self._world.views.order(order))

    async def close_all(self, request: web.Request) -> web.Response:
        """Sells every position at the market."""
        if request.query.get("cancel_orders", "").lower() == "true":
            self._world.cancel_all_now()
        answers: list[dict[str, Any]] = []
        for asset in self._world.exchange.held_assets():
            try:
                order = self._close(asset, {})
                body: object = self._world.views.order(order)
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
            self._world.views.asset(asset)
            for asset in self._world.assets.all()
            if crypto
            and exchange
            and status in (None, "", asset.status)
            and not self._world.views.is_missing(asset)
        ]
        return json_answer(200, found)

    async def asset(self, request: web.Request) -> web.Response:
        """Shows one asset: `BTC%2FUSD`, `BTCUSD` or its id."""
        return json_answer(200, self._world.views.asset(self._asset(request.match_info["name"])))

    async def configuration(self, request: web.Request) -> web.Response:
        """Shows what the user has set."""
        return json_answer(200, self._world.exchange.configuration.to_wire())

    async def configure(self, request: web.Request) -> web.Response:
        """Changes it; `suspend_trade` refuses new orders from now on."""
        exchange = self._world.exchange
        exchange.configuration = read_configuration(
            exchange.configuration, await read_object(request)
        )
        return json_answer(200, exchange.configuration.to_wire())

    async def portfolio(self, request: web.Request) -> web.Response:
        """Shows the equity over time."""
        exchange = self._world.exchange
        history = portfolio_history(
            request.query,
            self._world.belongings.equities,
            base=exchange.account.start_cash,
            equity=exchange.equity(),
            now=self._world.clock.now(),
        )
        return json_answer(200, history)

    async def clock(self, request: web.Request) -> web.Response:
        """Shows the stock market's clock, in New York's time."""
        return json_answer(200, clock(self._world.clock.now()))

    async def clocks(self, request: web.Request) -> web.Response:
        """Shows the clocks of markets."""
        return json_answer(200, clocks(self._world.clock.now(), request.query.get("markets", "")))

    async def calendar(self, request: web.Request) -> web.Response:
        """Lists the stock market's days."""
        return json_answer(200, calendar(*self._days(request)))

    async def calendar_of(self, request: web.Request) -> web.Response:
        """Lists the days of a market."""
        found = calendar_of(request.match_info["market"], *self._days(request))
        if found is None:
            raise Rejection(404, NOT_FOUND, "market not found")
        return json_answer(200, found)

    def _days(self, request: web.Request) -> tuple[date, date]:
        today = new_york(self._world.clock.now()).date()
        start, end = (read_day(request.query, name) for name in ("start", "end"))
        return start or today, end or (start or today) + timedelta(days=30)

    def _asset(self, name: str) -> Asset:
        asset = self._world.assets.find(name)
        if asset is None or self._world.views.is_missing(asset):
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
