"""An exchange with its APIs, and which one a request is for: all keys share it, or each has one."""

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import ClientSession, web

from alpaca_simulator.api.account_rest import AccountApi
from alpaca_simulator.api.control_exchange import ExchangeControl
from alpaca_simulator.api.control_market import MarketControl
from alpaca_simulator.api.data_rest import DataApi
from alpaca_simulator.api.gate import Gate, credentials
from alpaca_simulator.api.trading_rest import OrdersApi
from alpaca_simulator.api.views import Views
from alpaca_simulator.api.wallets import WalletsApi
from alpaca_simulator.api.watchlists import WatchlistsApi
from alpaca_simulator.feeds import Feeds
from alpaca_simulator.options import Options
from alpaca_simulator.scenarios import Scenario, read_scenario
from alpaca_simulator.world import World

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
SITES_MOST = 1000


class Site:
    """An exchange, its feeds, and the handlers of its paths."""

    def __init__(self, options: Options, play: Callable[[Scenario], str]) -> None:
        self.world = World(options)
        self.feeds = Feeds(self.world)
        self.gate = Gate(
            self.world.faults,
            self.world.journal,
            self.world.keys,
            self.world.clock,
            options.rate_limit,
        )
        views = Views(self.world)
        self.routes: list[web.RouteDef] = [
            *OrdersApi(self.world, views).routes(),
            *AccountApi(self.world, views).routes(),
            *WatchlistsApi(self.world, views).routes(),
            *WalletsApi(self.world).routes(),
            *DataApi(self.world).routes(),
            *ExchangeControl(self.world, self.feeds, self.gate).routes(),
            *MarketControl(self.world, self.feeds, play).routes(),
        ]

    def stop(self) -> None:
        """Ends what runs, and the websockets."""
        self.feeds.stop()
        self.world.stop()


class Sites:
    """Every exchange of this process, by key; without a key, or when all share it, the first."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._of_key: dict[str, Site] = {}
        self.address = ""  # where this process listens, once it does
        self.first = self._made("")

    def _made(self, key: str) -> Site:
        site = Site(self._options, lambda scenario: self.play(key, scenario))
        self._of_key[key] = site
        return site

    def all(self) -> list[Site]:
        """All of them, the first one first."""
        return list(self._of_key.values())

    def of_key(self, key: str) -> Site:
        """Given a key, returns its exchange, which begins with the first request."""
        if not self._options.account_per_key or not key:
            return self.first
        site = self._of_key.get(key)
        if site is None:
            if len(self._of_key) > SITES_MOST:
                self.forget(list(self._of_key)[1])
            site = self._made(key)
            self.begin(key)
        return site

    def of(self, request: web.Request) -> Site:
        """Given a request, returns the exchange that it is for."""
        return self.of_key(credentials(request)[0] or "")

    def begin(self, key: str) -> None:
        """Starts the feeds of an exchange, and the scenario if there is one."""
        site = self._of_key[key]
        site.world.wake()
        site.feeds.start_walk()
        if self._options.scenario is not None:
            self.play(key, read_scenario(self._options.scenario))

    def forget(self, key: str) -> None:
        """Ends the exchange of a key; its next request begins a fresh one."""
        if key and key in self._of_key:
            self._of_key.pop(key).stop()

    def play(self, key: str, scenario: Scenario) -> str:
        """Plays a scenario for a key; returns the name of its feed."""

        async def post(call: str, body: dict[str, Any]) -> str | None:
            headers = {"APCA-API-KEY-ID": key} if key else {}
            async with (
                ClientSession(headers=headers) as session,
                session.post(f"{self.address}/sim/{call}", json=body) as answer,
            ):
                return None if answer.ok else await answer.text()

        return self._of_key[key].feeds.play_scenario(scenario, post)
