"""python -m tests.proofs.storms --seeds 0-1999: rides out storms, and says what struck.

A failure prints its seed, what is wrong and the last events; the same seed replays exactly.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator

from tests.proofs.storms.mishaps import MISHAPS
from tests.proofs.storms.storm import Outcome, ride_out

SEEDS_PER_PROCESS = 25


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.proofs.storms", description=__doc__)
    parser.add_argument("--seeds", type=_seeds, default=range(30), help="A-B, or one (0-29)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="how many at once")
    arguments = parser.parse_args()
    began_at = time.monotonic()
    outcomes = []
    for outcome in _ridden_out(arguments.seeds, arguments.jobs):
        outcomes.append(outcome)
        if outcome.trouble:
            print(f"\n{outcome}\n", flush=True)
        elif len(outcomes) % 100 == 0:
            print(f"{len(outcomes)} storms", flush=True)
    _report(outcomes, time.monotonic() - began_at)
    return 1 if any(outcome.trouble for outcome in outcomes) else 0


def _seeds(text: str) -> range:
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def _ridden_out(seeds: Iterable[int], jobs: int) -> Iterator[Outcome]:
    with multiprocessing.Pool(jobs, maxtasksperchild=SEEDS_PER_PROCESS) as pool:
        yield from pool.imap_unordered(ride_out, seeds)


def _report(outcomes: list[Outcome], seconds: float) -> None:
    struck: Counter[str] = Counter()
    for outcome in outcomes:
        for (name, _), times in outcome.struck.items():
            struck[name] += times
    print("\n| mishap | struck |\n| --- | --- |")
    for name in MISHAPS:
        print(f"| {name} | {struck[name]} |")
    bites = sum((outcome.bites for outcome in outcomes), Counter[str]())
    print("\n| rule | held back a BUY that was due |\n| --- | --- |")
    for rule in sorted(bites):
        print(f"| {rule} | {bites[rule]} |")
    failed = sorted(outcome.seed for outcome in outcomes if outcome.trouble)
    print(
        f"\n{len(outcomes)} storms in {seconds / 60:.1f} min: "
        f"{sum(o.hours for o in outcomes):.0f} hours of market, "
        f"{sum(o.orders for o in outcomes)} orders, {sum(o.fills for o in outcomes)} fills, "
        f"{sum(o.lives for o in outcomes)} lives of the bot, "
        f"{sum(o.checks for o in outcomes)} checks, {sum(struck.values())} mishaps; "
        f"{len(failed)} failed{': ' + ', '.join(map(str, failed)) if failed else ''}"
    )


if __name__ == "__main__":
    sys.exit(main())
