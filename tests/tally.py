"""Counts what was injected, so that a claim of "a thousand kills" can be read off, not believed.

Rule: one JSON line for each call, appended to the file that DCA_TALLY names; without it, nothing.
`python tests/tally.py FILE` adds them up.
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path


def struck(fault: str, times: int = 1, **facts: str | int | float | bool | None) -> None:
    """Note that `fault` struck so often; `facts` say where: a seed, the n of the n-th chance."""
    if not (name := os.environ.get("DCA_TALLY")):
        return
    test = os.environ.get("PYTEST_CURRENT_TEST", "").removesuffix(" (call)")
    line = json.dumps({"fault": fault, "times": times, "test": test, **facts})
    with Path(name).open("a") as tally:  # short lines appended in one write don't mix
        tally.write(line + "\n")


def table(lines: Iterable[str]) -> str:
    """How often each fault struck, in how many tests, as a table."""
    times: Counter[str] = Counter()
    tests = defaultdict(set)
    for line in map(json.loads, lines):
        times[line["fault"]] += line["times"]
        tests[line["fault"]].add(line["test"])
    rows = [f"| {fault} | {times[fault]} | {len(tests[fault])} |" for fault in sorted(times)]
    return "\n".join(["| fault | struck | tests |", "| --- | --- | --- |", *rows])


if __name__ == "__main__":
    print(table(Path(sys.argv[1]).read_text().splitlines()))
