"""The server: one port for REST, both websockets and the control API."""

import asyncio
import signal

from aiohttp import web

from alpaca_simulator.control import ControlApi
from alpaca_simulator.data_rest import DataApi
from alpaca_simulator.feeds import WalkFeed
from alpaca_simulator.gate import Gate, Handler, is_loopback, json_answer
from alpaca_simulator.options import Options
from alpaca_simulator.trading_rest import AccountApi, OrdersApi
from alpaca_simulator.views import Views
from alpaca_simulator.world import World

STREAMS = ("/stream", "/v1beta3/crypto/us")


def application(world: World) -> web.Application:
    """Given a world, makes the application that serves it."""
    gate = Gate(world.faults, world.journal, world.keys, world.options.rate_limit)
    views = Views(world)

    @web.middleware
    async def pass_gate(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.startswith("/sim/"):
            if not is_loopback(request):
                return json_answer(403, {"message": "the control API is for this machine only"})
            return await handler(request)
        if request.path in STREAMS:
            return await handler(request)
        return await gate.handle(request, handler)

    app = web.Application(middlewares=[pass_gate])
    app.router.add_get("/stream", world.trades.serve)
    app.router.add_get("/v1beta3/crypto/us", world.data.serve)
    app.add_routes(OrdersApi(world, views).routes())
    app.add_routes(AccountApi(world, views).routes())
    app.add_routes(DataApi(world).routes())
    app.add_routes(ControlApi(world).routes())
    return app


async def serve(options: Options) -> None:
    """Serves until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    world = World(options)
    # A fault may leave requests hanging for ever: they end with their client, or with us.
    runner = web.AppRunner(
        application(world), access_log=None, handler_cancellation=True, shutdown_timeout=0.5
    )
    await runner.setup()
    site = web.TCPSite(runner, options.host, options.port)
    await site.start()
    walk = asyncio.create_task(WalkFeed(world, running=options.walk).run())
    world.wake()
    announce(runner, options)
    await stop.wait()
    walk.cancel()
    world.stop()
    world.trades.drop(clean=True)
    world.data.drop(clean=True)
    await runner.cleanup()


def announce(runner: web.AppRunner, options: Options) -> None:
    """Says on stdout, in one line, where the simulator listens."""
    port = runner.addresses[0][1]
    key, secret = options.key or "SIM-KEY", options.secret or "SIM-SECRET"
    print(  # noqa: T201
        f"alpaca_simulator ready on http://{options.host}:{port} (key {key} secret {secret})",
        flush=True,
    )
