"""The caretakers are scripts at the top level, which tests import from there."""

import sys

from dca_bot.settings import PROJECT_ROOT

if str(PROJECT_ROOT) not in sys.path:
    sys.path.insert(0, str(PROJECT_ROOT))
