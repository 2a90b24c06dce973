"""`alpaca-simulator`, or `python -m alpaca_simulator`: the simulator, alone or around a program."""

import asyncio
import sys

from alpaca_simulator.companion import run_beside
from alpaca_simulator.options import Options, argument_parser, options_of, read_options
from alpaca_simulator.prices.recordings import PriceFileError
from alpaca_simulator.prices.scripts import ScriptError
from alpaca_simulator.scenarios import read_scenario, scenario_names
from alpaca_simulator.server import Running, serve


def main(arguments: list[str] | None = None) -> int:
    """Does what the command line says; 1 when the simulator cannot start."""
    given = sys.argv[1:] if arguments is None else arguments
    if given == ["scenarios"]:
        return _list_scenarios()
    try:
        if given[:1] == ["run"]:
            return _run(given[1:])
        asyncio.run(serve(read_options(given)))
    except (OSError, PriceFileError, ScriptError) as e:
        print(f"alpaca_simulator cannot start: {e}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


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
    async with Running(options) as running:
        print(running.line, file=sys.stderr, flush=True)  # noqa: T201
        return await run_beside(command, running.url, options.shown_key, options.shown_secret)


def _list_scenarios() -> int:
    for name in scenario_names():
        print(f"{name:20} {read_scenario(name).about}")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
