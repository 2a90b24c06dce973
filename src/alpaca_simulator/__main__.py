"""`python -m alpaca_simulator`."""

import asyncio

from alpaca_simulator.options import read_options
from alpaca_simulator.server import serve


def main() -> None:
    """Runs the simulator until it is told to stop."""
    asyncio.run(serve(read_options()))


if __name__ == "__main__":
    main()
