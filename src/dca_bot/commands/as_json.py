"""One JSON object on stdout, and nothing else."""

from __future__ import annotations

import json
import sys
from functools import partial
from typing import Any

from dca_bot.report.numbers import plain_value


def print_json(content: dict[str, Any]) -> None:
    """Money, prices and quantities are strings, times ISO 8601 in UTC.

    A line for each key, and for each element of a list: `indent` writes thousands of them slowly.
    """
    text = partial(json.dumps, default=plain_value)
    lines = []
    for key, value in content.items():
        if isinstance(value, list) and value:
            told = "[\n  " + ",\n  ".join(map(text, value)) + "\n ]"
        else:
            told = text(value)
        lines.append(f" {text(key)}: {told}")
    sys.stdout.write("{\n" + ",\n".join(lines) + "\n}\n")
