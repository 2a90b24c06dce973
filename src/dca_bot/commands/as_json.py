"""One JSON object on stdout, and nothing else."""

from __future__ import annotations

import json
import sys
from typing import Any

from dca_bot.report.numbers import plain_value


def print_json(content: dict[str, Any]) -> None:
    """Money, prices and quantities are strings, times ISO 8601 in UTC."""
    json.dump(content, sys.stdout, default=plain_value, indent=1)
    sys.stdout.write("\n")
