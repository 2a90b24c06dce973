"""A program beside a simulator, and how the two end together."""

import asyncio
import signal
import sys

from alpaca_simulator.environment import environment

NOT_FOUND, NOT_ALLOWED, BY_SIGNAL = 127, 126, 128  # as a shell has them


async def run_beside(command: list[str], url: str, key: str, secret: str) -> int:
    """Runs a command that is to trade at an address; returns the command's exit status."""
    try:
        own = environment(url, key, secret)
        process = await asyncio.create_subprocess_exec(*command, env=own)
    except OSError as e:
        reason = e.strerror or e
        if isinstance(e, FileNotFoundError) and command[0].startswith("python"):
            reason = f"{reason}; activate its venv first, or call it python3"
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
