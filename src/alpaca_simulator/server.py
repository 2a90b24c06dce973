"""The server: one port for REST, both websockets and the control API, for one exchange or many."""

import asyncio
import json
import signal
from collections.abc import Callable, Iterable
from decimal import Decimal
from ipaddress import ip_address
from typing import Any

from aiohttp import ClientSession, web

from alpaca_simulator.api.control_read import ControlError
from alpaca_simulator.api.gate import Gate, Handler, credentials, is_loopback, json_answer
from alpaca_simulator.exchange.rejections import Rejection
from alpaca_simulator.feeds import Feeds, Replay
from alpaca_simulator.options import Options
from alpaca_simulator.prices.recordings import PriceFileError, check_prices
from alpaca_simulator.prices.scripts import ScriptError, ScriptStep, read_script
from alpaca_simulator.scenarios import Scenario, read_scenario
from alpaca_simulator.streams.lobby import Lobby
from alpaca_simulator.world import World

SHUTDOWN_SECONDS = 0.5
BODY_MOST = 64 * 1024 * 1024
TRADE_STREAMS = ("/stream", "/stream/")
DATA_STREAMS = (
    *(f"/v1beta3/crypto/{place}" for place in ("us", "us-1", "us-2", "eu-1", "bs-1")),
    "/v1beta2/crypto",
    "/v1beta1/crypto",
)
SITES_MOST = 1000
Play = Callable[[Scenario], str]  # plays a scenario; the name of its feed
Routes = Callable[[World, Feeds, Gate, Play], Iterable[web.RouteDef]]  # of one exchange


class Site:
    """An exchange, its feeds, and the handlers of its paths."""

    def __init__(self, options: Options, routes: Routes, play: Play) -> None:
        self.world = World(options)
        self.feeds = Feeds(self.world, options)
        self.gate = Gate(
            self.world.faults,
            self.world.journal,
            self.world.keys,
            self.world.clock,
            options.rate_limit,
        )
        self.routes = list(routes(self.world, self.feeds, self.gate, play))

    def stop(self) -> None:
        """Ends what runs, and the websockets."""
        self.feeds.stop()
        self.world.stop()


class Sites:
    """Every exchange of this process, by key; without a key, or when all share it, the first."""

    def __init__(self, options: Options, routes: Routes) -> None:
        self._options = options
        self._routes = routes
        self._of_key: dict[str, Site] = {}
        self.address = ""  # where this process listens, once it does
        self.first = self._made("")

    def _made(self, key: str) -> Site:
        site = Site(self._options, self._routes, lambda scenario: self.play(key, scenario))
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


def application(sites: Sites, options: Options) -> web.Application:
    """Given the exchanges, makes the application that serves them."""

    @web.middleware
    async def pass_gate(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.startswith("/sim/"):
            return await _control(request, handler)
        if request.path in (*TRADE_STREAMS, *DATA_STREAMS):
            return await handler(request)
        return await sites.of(request).gate.handle(request, handler)

    app = web.Application(middlewares=[pass_gate], client_max_size=BODY_MOST)
    _add_streams(app, sites, options)
    for number, route in enumerate(sites.first.routes):
        app.router.add_route(route.method, route.path, _dispatcher(sites, number))
    app.router.add_post("/sim/forget", _forgetter(sites))
    return app


def _add_streams(app: web.Application, sites: Sites, options: Options) -> None:
    lobby = Lobby(
        lambda key: sites.of_key(key).world.trades,
        lambda key: sites.of_key(key).world.data,
        patience=options.auth_seconds,
    )

    async def trade(request: web.Request) -> web.StreamResponse:
        if options.account_per_key:
            return await lobby.trade(request, [site.world.trades for site in sites.all()])
        return await sites.first.world.trades.serve(request)

    async def data(request: web.Request) -> web.StreamResponse:
        if options.account_per_key:
            return await lobby.data(request, [site.world.data for site in sites.all()])
        return await sites.first.world.data.serve(request)

    for path in TRADE_STREAMS:
        app.router.add_get(path, trade)
    for path in DATA_STREAMS:
        app.router.add_get(path, data)


def _dispatcher(sites: Sites, number: int) -> Handler:
    """The handler of one path: the same one of the exchange that the request is for."""

    async def handle(request: web.Request) -> web.StreamResponse:
        handler: Handler = sites.of(request).routes[number].handler
        return await handler(request)

    return handle


def _forgetter(sites: Sites) -> Handler:
    async def forget(request: web.Request) -> web.StreamResponse:
        sites.forget(request.headers.get("APCA-API-KEY-ID", ""))
        return json_answer(200, {})

    return forget


async def _control(request: web.Request, handler: Handler) -> web.StreamResponse:
    if not is_loopback(request):
        return json_answer(403, {"message": "the control API is for this machine only"})
    try:
        return await handler(request)
    except ControlError as e:
        return json_answer(400, {"message": str(e)})
    except Rejection as rejection:
        return json_answer(rejection.status, rejection.body)
    except web.HTTPException as e:
        return json_answer(e.status, {"message": f"{e.reason}: {request.method} {request.path}"})


async def serve(options: Options, routes: Routes) -> None:
    """Serves until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with Running(options, routes) as running:
        print(running.line, flush=True)  # noqa: T201
        await stop.wait()


class Running:
    """A simulator that listens, from `async with` to the end of its block."""

    def __init__(self, options: Options, routes: Routes) -> None:
        self._options = options
        self._sites = Sites(options, routes)
        self._steps = self._read_inputs()
        # A fault may leave requests hanging for ever: they end with their client, or with us.
        self._runner = web.AppRunner(
            application(self._sites, options),
            access_log=None,
            handler_cancellation=True,
            shutdown_timeout=SHUTDOWN_SECONDS,
        )

    async def __aenter__(self) -> "Running":
        options = self._options
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, options.host, options.port).start()
        except OSError as e:
            place = f"{options.host} port {options.port}"
            reason = (e.strerror or str(e)).rpartition(": ")[2]
            raise OSError(f"{place}: {reason}; choose others with --host and --port") from e
        self._sites.address = self.url
        self._sites.begin("")
        feeds = self._sites.first.feeds
        if self._steps:
            feeds.play(self._steps)
        for symbol, path in options.prices:
            feeds.replay(Replay(symbol, path, options.speed, options.batch, options.spread_bps))
        return self

    async def __aexit__(self, *_: object) -> None:
        for site in self._sites.all():
            site.stop()
        await self._runner.cleanup()

    @property
    def url(self) -> str:
        """Where a client on this machine reaches it."""
        host, port = self._runner.addresses[0][:2]
        address = ip_address(host)
        if address.is_unspecified:
            host = "127.0.0.1" if address.version == 4 else "::1"
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    @property
    def line(self) -> str:
        """What is said once it listens."""
        key, secret = self._options.shown_key, self._options.shown_secret
        return f"alpaca_simulator ready on {self.url} (key {key} secret {secret})"

    def _read_inputs(self) -> list[ScriptStep]:
        """Checks the recordings and reads the script, so that a bad file ends the start."""
        options, world = self._options, self._sites.first.world
        for symbol, path in options.prices:
            if symbol not in world.walks:
                raise PriceFileError(f"--prices-symbol {symbol}: there is no such pair")
            check_prices(path)
        if options.script is None:
            return []
        try:
            body = json.loads(options.script.read_text(), parse_float=Decimal)
            return read_script(body, world.middle)
        except OSError as e:
            raise ScriptError(f"{options.script}: {e.strerror or e}") from e
        except (ValueError, ScriptError) as e:
            raise ScriptError(f"{options.script}: {e}") from e
