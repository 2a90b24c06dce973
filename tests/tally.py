"""Counts what was injected, so that a claim of "a thousand kills" can be read off, not believed.

Rule: one JSON line for each call, appended to the file that DCA_TALLY names; without it, nothing.
"""

from __future__ import annotations

import json
import os
from pathlib import Path


def struck(fault: str, times: int = 1, **facts: str | int | float | bool | None) -> None:
    """Note that `fault` struck so often; `facts` say where: a seed, the n of the n-th chance."""
    if not (name := os.environ.get("DCA_TALLY")):
        return
    test = os.environ.get("PYTEST_CURRENT_TEST", "").removesuffix(" (call)")
    line = json.dumps({"fault": fault, "times": times, "test": test, **facts})
    with Path(name).open("a") as tally:  # short lines appended in one write don't mix
        tally.write(line + "\n")
