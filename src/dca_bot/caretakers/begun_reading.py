"""Alpaca's records as far as one run has read them, kept in LOG_DIR for the next.

Rule: it only saves questions; what can't be read back is asked for anew.
"""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from dca_bot.program.files import read_own, replace_own

FILE_NAME = "posted_fees.begun"
BYTES_MAX = 100_000_000


def read(log_dir: Path) -> dict[str, Any]:
    """What was kept, by kind of activity; empty where nothing was, or it is of no use."""
    try:
        begun = json.loads(read_own(log_dir / FILE_NAME, BYTES_MAX))
    except (OSError, ValueError):
        return {}
    is_useful = isinstance(begun, dict) and all(
        isinstance(each, dict)
        and isinstance(each.get("parameters"), dict)
        and isinstance(each.get("rows"), list)
        for each in begun.values()
    )
    return begun if is_useful else {}


def keep(begun: dict[str, Any], log_dir: Path) -> None:
    """A disk that is full costs the next run the same questions, and nothing else."""
    with suppress(OSError):
        replace_own(log_dir / FILE_NAME, json.dumps(begun))


def forget(log_dir: Path) -> None:
    """The reading has come to its end, good or bad."""
    with suppress(OSError):
        (log_dir / FILE_NAME).unlink()
