"""`python -m alpaca_simulator`."""

import asyncio
import sys

from alpaca_simulator.options import read_options
from alpaca_simulator.prices.recordings import PriceFileError
from alpaca_simulator.prices.scripts import ScriptError
from alpaca_simulator.server import serve


def main() -> int:
    """Runs the simulator until it is told to stop; 1 when it cannot start."""
    options = read_options()
    try:
        asyncio.run(serve(options))
    except (OSError, ValueError, PriceFileError, ScriptError) as e:
        print(f"alpaca_simulator cannot start: {e}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
