"""/v2/watchlists: lists of pairs that a user keeps, by id or by name."""

from typing import Any

from aiohttp import web

from alpaca_simulator.answers.belongings import Watchlist
from alpaca_simulator.api.gate import json_answer
from alpaca_simulator.api.trading_query import read_object
from alpaca_simulator.clock import rfc3339_micros
from alpaca_simulator.exchange.assets import Asset
from alpaca_simulator.exchange.rejections import NOT_FOUND, Rejection, asset_not_found, invalid
from alpaca_simulator.world import World


class WatchlistsApi:
    """The calls."""

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[web.RouteDef]:
        """The paths."""
        return [
            web.get("/v2/watchlists", self.index),
            web.post("/v2/watchlists", self.create),
            *(
                route
                for path in ("/v2/watchlists/{id}", "/v2/watchlists:by_name")
                for route in (
                    web.get(path, self.get),
                    web.put(path, self.put),
                    web.post(path, self.add),
                    web.delete(path, self.delete),
                )
            ),
            web.delete("/v2/watchlists/{id}/{symbol:.+}", self.remove),
        ]

    async def index(self, request: web.Request) -> web.Response:
        """Lists them, without their assets."""
        return json_answer(
            200, [self._head(one) for one in self._world.belongings.watchlists.values()]
        )

    async def create(self, request: web.Request) -> web.Response:
        """Makes a list."""
        body = await read_object(request)
        name = body.get("name")
        if not isinstance(name, str) or not name:
            raise invalid("watchlist name is required")
        if any(one.name == name for one in self._all()):
            raise invalid("watchlist name must be unique")
        now = self._world.clock.now()
        made = Watchlist(self._world.exchange.ids.uuid(), name, self._assets(body), now, now)
        self._world.belongings.watchlists[made.id] = made
        return json_answer(200, self._shown(made))

    async def get(self, request: web.Request) -> web.Response:
        """Shows one."""
        return json_answer(200, self._shown(self._find(request)))

    async def put(self, request: web.Request) -> web.Response:
        """Renames one, or replaces what is on it."""
        found, body = self._find(request), await read_object(request)
        if "symbols" in body:
            found.assets = self._assets(body)
        if body.get("name") is not None:
            found.name = str(body["name"])
        return self._changed(found)

    async def add(self, request: web.Request) -> web.Response:
        """Puts an asset on one."""
        found, body = self._find(request), await read_object(request)
        asset = self._asset(body.get("symbol"))
        if asset.symbol not in [one.symbol for one in found.assets]:
            found.assets.append(asset)
        return self._changed(found)

    async def remove(self, request: web.Request) -> web.Response:
        """Takes an asset off one."""
        found, gone = self._find(request), self._asset(request.match_info["symbol"])
        found.assets = [asset for asset in found.assets if asset.symbol != gone.symbol]
        return self._changed(found)

    async def delete(self, request: web.Request) -> web.Response:
        """Deletes one."""
        del self._world.belongings.watchlists[self._find(request).id]
        return web.Response(status=204)

    def _all(self) -> list[Watchlist]:
        return list(self._world.belongings.watchlists.values())

    def _find(self, request: web.Request) -> Watchlist:
        wanted, name = request.match_info.get("id"), request.query.get("name")
        for one in self._all():
            if one.id == wanted or (wanted is None and one.name == name):
                return one
        raise Rejection(404, NOT_FOUND, "watchlist not found")

    def _assets(self, body: dict[str, Any]) -> list[Asset]:
        symbols = body.get("symbols") or []
        if not isinstance(symbols, list):
            raise invalid("symbols is invalid")
        return [self._asset(symbol) for symbol in symbols]

    def _asset(self, symbol: object) -> Asset:
        asset = self._world.assets.find(symbol) if isinstance(symbol, str) else None
        if asset is None:
            raise asset_not_found(str(symbol))
        return asset

    def _changed(self, found: Watchlist) -> web.Response:
        found.updated_at = self._world.clock.now()
        return json_answer(200, self._shown(found))

    def _shown(self, found: Watchlist) -> dict[str, Any]:
        return self._head(found) | {
            "assets": [self._world.views.asset(one) for one in found.assets]
        }

    def _head(self, found: Watchlist) -> dict[str, Any]:
        return {
            "account_id": self._world.exchange.account_id,
            "created_at": rfc3339_micros(found.created_at),
            "id": found.id,
            "name": found.name,
            "updated_at": rfc3339_micros(found.updated_at),
        }
