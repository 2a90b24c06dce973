"""`python -m dca_bot` is the command `dca`."""

import sys

from dca_bot.commands.main import main

if __name__ == "__main__":
    sys.exit(main())
