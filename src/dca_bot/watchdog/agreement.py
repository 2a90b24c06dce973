"""Whether Alpaca agrees with the books, in one line, for whoever can't wait for it.

Rule: `dca tie-out` is asked in a process of its own, and ended when it takes too long: Alpaca may
be slow, and nothing else is to wait for it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

SECONDS_MAX = 20.0


def agreement(seconds_max: float = SECONDS_MAX) -> str:
    """What `dca tie-out` finds now, in a sentence; never raises for what is wrong there."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", "dca_bot", "tie-out", "--json"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds_max,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"not known, it took longer than {seconds_max:.0f} s: run `dca tie-out`"
    except OSError as error:
        return f"not known: {error}: run `dca tie-out`"
    try:
        return summary(json.loads(done.stdout))
    except ValueError:
        last_words = done.stderr.strip().splitlines() or ["Alpaca could not be asked"]
        return f"not known: {last_words[-1].removeprefix('dca: ')}"


def summary(found: dict[str, Any]) -> str:
    """The object of `dca tie-out --json` in a sentence."""
    span = f"{found['checked']} fills of the last {found['days']} days"
    differences = found["differences"]
    if not differences:
        return f"the books agree with Alpaca ({span})"
    count = f"{len(differences)} differences" if len(differences) > 1 else "a difference"
    first = f"{differences[0]['kind']} of {differences[0]['symbol']}: {differences[0]['what']}"
    return f"{count} in {span}: {first}. All of them: `dca tie-out`"
