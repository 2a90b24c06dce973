"""A program beside a simulator, and how the two end together."""

import asyncio
import signal
import sys

from alpaca_simulator.environment import environment
from alpaca_simulator.options import Options
from alpaca_simulator.server import Running

NOT_FOUND, NOT_ALLOWED, BY_SIGNAL = 127, 126, 128  # as a shell has them


async def run_with_simulator(options: Options, command: list[str]) -> int:
    """Runs a command beside a simulator of its own; returns the command's exit status."""
    async with Running(options) as running:
        print(running.line, file=sys.stderr, flush=True)  # noqa: T201
        own = environment(running.url, options.shown_key, options.shown_secret)
        try:
            process = await asyncio.create_subprocess_exec(*command, env=own)
        except OSError as e:
            reason = e.strerror or e
            print(f"alpaca-simulator run: {command[0]}: {reason}", file=sys.stderr)  # noqa: T201
            return NOT_FOUND if isinstance(e, FileNotFoundError) else NOT_ALLOWED
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, _pass_on, process, number)
        status = await process.wait()
    return status if status >= 0 else BY_SIGNAL - status


def _pass_on(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    # From a terminal, SIGINT reaches the program by itself as well.
    if process.returncode is None:
        process.send_signal(number)
