"""python -m tests.proofs.crash_points: takes each chance of each mishap in turn.

It says what struck; the tables name each step at which the power was cut or a caretaker killed.
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import os
import sys
import time
from collections import Counter

from tests.proofs.crash_points.scenes import SCENES
from tests.proofs.crash_points.sweep import SWEPT, Swept, sweep
from tests.proofs.storms.mishaps import OF_PROCESSES


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.proofs.crash_points", description=__doc__
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="how many at once")
    arguments = parser.parse_args()
    began_at = time.monotonic()
    struck: Counter[tuple[str, str]] = Counter()
    failures = 0
    with multiprocessing.Pool(arguments.jobs) as pool:
        pairs = itertools.product(range(len(SCENES)), SWEPT)
        for mishap, swept in pool.imap_unordered(_swept, pairs):
            struck.update({(mishap, at): times for at, times in swept.struck.items()})
            failures += len(swept.failures)
            for run in swept.failures[:1]:
                print(f"\n{run}\n", flush=True)
    _report(struck)
    minutes = (time.monotonic() - began_at) / 60
    print(
        f"\n{struck.total()} chances in {len(SCENES)} scenes, {minutes:.1f} min; {failures} failed"
    )
    return 1 if failures else 0


def _swept(pair: tuple[int, str]) -> tuple[str, Swept]:
    scene, mishap = pair
    return mishap, sweep(SCENES[scene], mishap)


def _report(struck: Counter[tuple[str, str]]) -> None:
    print("\n| mishap | struck |\n| --- | --- |")
    for name in SWEPT:
        print(f"| {name} | {sum(times for (each, _), times in struck.items() if each == name)} |")
    for death in OF_PROCESSES:
        steps = sorted((at, times) for (name, at), times in struck.items() if name == death)
        if steps:
            print(f"\n| step of the {death} | struck |\n| --- | --- |")
            for at, times in steps:
                print(f"| {at} | {times} |")


if __name__ == "__main__":
    sys.exit(main())
