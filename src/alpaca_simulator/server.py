"""The server: one port for REST, both websockets and the control API."""

import asyncio
import json
import signal
from decimal import Decimal

from aiohttp import web

from alpaca_simulator.api.control_exchange import ExchangeControl
from alpaca_simulator.api.control_market import MarketControl
from alpaca_simulator.api.control_read import ControlError
from alpaca_simulator.api.data_rest import DataApi
from alpaca_simulator.api.gate import Gate, Handler, is_loopback, json_answer
from alpaca_simulator.api.trading_rest import AccountApi, OrdersApi
from alpaca_simulator.api.views import Views
from alpaca_simulator.exchange.rejections import Rejection
from alpaca_simulator.feeds import Feeds, Replay
from alpaca_simulator.options import Options
from alpaca_simulator.prices.scripts import read_script
from alpaca_simulator.world import World

SHUTDOWN_SECONDS = 0.5
STREAMS = ("/stream", "/v1beta3/crypto/us")


def application(world: World, feeds: Feeds) -> web.Application:
    """Given a world, makes the application that serves it."""
    limit = world.options.rate_limit
    gate = Gate(world.faults, world.journal, world.keys, world.clock, limit)
    views = Views(world)

    @web.middleware
    async def pass_gate(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.startswith("/sim/"):
            return await _control(request, handler)
        if request.path in STREAMS:
            return await handler(request)
        return await gate.handle(request, handler)

    app = web.Application(middlewares=[pass_gate], client_max_size=64 * 1024 * 1024)
    app.router.add_get("/stream", world.trades.serve)
    app.router.add_get("/v1beta3/crypto/us", world.data.serve)
    app.add_routes(OrdersApi(world, views).routes())
    app.add_routes(AccountApi(world, views).routes())
    app.add_routes(DataApi(world).routes())
    app.add_routes(ExchangeControl(world, feeds, gate).routes())
    app.add_routes(MarketControl(world, feeds).routes())
    return app


async def _control(request: web.Request, handler: Handler) -> web.StreamResponse:
    if not is_loopback(request):
        return json_answer(403, {"message": "the control API is for this machine only"})
    try:
        return await handler(request)
    except ControlError as e:
        return json_answer(400, {"message": str(e)})
    except Rejection as rejection:
        return json_answer(rejection.status, rejection.body)


async def serve(options: Options) -> None:
    """Serves until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    world = World(options)
    feeds = Feeds(world)
    # A fault may leave requests hanging for ever: they end with their client, or with us.
    runner = web.AppRunner(
        application(world, feeds),
        access_log=None,
        handler_cancellation=True,
        shutdown_timeout=SHUTDOWN_SECONDS,
    )
    await runner.setup()
    await web.TCPSite(runner, options.host, options.port).start()
    world.wake()
    _start_feeds(feeds, options)
    announce(runner, options)
    await stop.wait()
    feeds.stop()
    world.stop()
    await runner.cleanup()


def _start_feeds(feeds: Feeds, options: Options) -> None:
    feeds.start_walk()
    if options.script is not None:
        feeds.play(read_script(json.loads(options.script.read_text(), parse_float=Decimal)))
    for symbol, path in options.prices:
        feeds.replay(Replay(symbol, path, options.speed, options.batch, options.spread_bps))


def announce(runner: web.AppRunner, options: Options) -> None:
    """Says on stdout, in one line, where the simulator listens."""
    port = runner.addresses[0][1]
    key, secret = options.key or "SIM-KEY", options.secret or "SIM-SECRET"
    print(  # noqa: T201
        f"alpaca_simulator ready on http://{options.host}:{port} (key {key} secret {secret})",
        flush=True,
    )
