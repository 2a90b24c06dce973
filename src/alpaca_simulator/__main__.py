"""`alpaca-simulator`, or `python -m alpaca_simulator`: the simulator, alone or around a program.

Here its paths are joined with the server that serves them.
"""

import asyncio
import sys
from collections.abc import Iterator

from aiohttp.web import RouteDef

from alpaca_simulator.api.account_rest import AccountApi
from alpaca_simulator.api.control_exchange import ExchangeControl
from alpaca_simulator.api.control_market import MarketControl
from alpaca_simulator.api.data_rest import DataApi
from alpaca_simulator.api.gate import Gate
from alpaca_simulator.api.trading_rest import OrdersApi
from alpaca_simulator.api.wallets import WalletsApi
from alpaca_simulator.api.watchlists import WatchlistsApi
from alpaca_simulator.companion import run_beside
from alpaca_simulator.feeds import Feeds
from alpaca_simulator.options import Options, argument_parser, options_of, read_options
from alpaca_simulator.prices.recordings import PriceFileError
from alpaca_simulator.prices.scripts import ScriptError
from alpaca_simulator.scenarios import read_scenario, scenario_names
from alpaca_simulator.server import Play, Running, serve
from alpaca_simulator.world import World


def main(arguments: list[str] | None = None) -> int:
    """Does what the command line says; 1 when the simulator cannot start."""
    given = sys.argv[1:] if arguments is None else arguments
    if given == ["scenarios"]:
        return _list_scenarios()
    try:
        if given[:1] == ["run"]:
            return _run(given[1:])
        asyncio.run(serve(read_options(given), routes))
    except (OSError, PriceFileError, ScriptError) as e:
        print(f"alpaca_simulator cannot start: {e}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


def routes(world: World, feeds: Feeds, gate: Gate, play: Play) -> Iterator[RouteDef]:
    """Every path of one exchange but its websockets."""
    yield from OrdersApi(world).routes()
    yield from AccountApi(world).routes()
    yield from WatchlistsApi(world).routes()
    yield from WalletsApi(world).routes()
    yield from DataApi(world).routes()
    yield from ExchangeControl(world, feeds, gate).routes()
    yield from MarketControl(world, feeds, play).routes()


def _run(given: list[str]) -> int:
    """`run [options] -- command`: ends with the status of the command."""
    parser = argument_parser("alpaca-simulator run")
    parser.usage = "alpaca-simulator run [options] -- COMMAND [ARGUMENT ...]"
    parser.description = (
        "Starts a simulator on a free port, runs a program that trades against it, and ends with "
        "the program's own exit status."
    )
    parser.epilog = None
    parser.set_defaults(port=0)
    place = given.index("--") if "--" in given else len(given)
    options = options_of(parser, parser.parse_args(given[:place]))
    command = given[place + 1 :]
    if not command:
        parser.error("a command is needed, after --")
    return asyncio.run(_run_beside(options, command))


async def _run_beside(options: Options, command: list[str]) -> int:
    async with Running(options, routes) as running:
        print(running.line, file=sys.stderr, flush=True)  # noqa: T201
        return await run_beside(command, running.url, options.shown_key, options.shown_secret)


def _list_scenarios() -> int:
    for name in scenario_names():
        print(f"{name:20} {read_scenario(name).about}")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
