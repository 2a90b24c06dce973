"""Attacks use what other tests have: a mail server, the user's SQL client."""

from __future__ import annotations

import sys

from dca_bot.settings import PROJECT_ROOT

for folder in (PROJECT_ROOT, *(PROJECT_ROOT / "tests" / name for name in ("caretakers", "store"))):
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
