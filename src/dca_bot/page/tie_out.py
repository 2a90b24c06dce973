"""Whether Alpaca agrees, as `dca tie-out` finds it.

Rule: it runs in a process of its own, so that this one never has the keys.
"""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import suppress
from typing import Any

from dca_bot.program.clock import utc_now

ENDS_SECONDS = 120.0


async def tie_out() -> dict[str, Any]:
    """When it was asked, and what came out: differences, or in `state` why there is no answer."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "dca_bot", "tie-out", "--json"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, last_words = await asyncio.wait_for(process.communicate(), ENDS_SECONDS)
    except TimeoutError:
        return {"state": "Alpaca did not answer in time", "at": utc_now()}
    finally:
        with suppress(ProcessLookupError):
            process.kill()
    try:
        found: dict[str, Any] = json.loads(out)
    except ValueError:
        lines = last_words.decode(errors="replace").splitlines()
        return {"state": lines[-1] if lines else "Alpaca could not be asked", "at": utc_now()}
    return {"state": "asked", "at": utc_now(), **found}
