"""Changes the money code at random, one place at a time, and sees whether a fast test notices.

  python -m tests.proofs.mutants --sample 100 --seed 2    as many, drawn by that seed
  python -m tests.proofs.mutants --all                    every change there could be
  python -m tests.proofs.mutants --list                   the same, only printed

A change that no test notices is printed as SURVIVES.  Exit status: 0 at least 95 % were noticed.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from functools import partial

from tests.proofs.mutants.sites import Mutant, mutants
from tests.proofs.mutants.trials import SOURCE, import_libraries, in_forks, noticed_by, reach

# The modules that are changed: what decides about money.
CHANGED = (
    "core/*.py",
    "trading/*.py",
    "caretakers/*.py",
    "live/assets.py",
    "live/loops.py",
    "live/pauses.py",
    "live/quiet.py",
    "live/watch.py",
    "live/worker.py",
    "broker/translate.py",
    "broker/rate_limit.py",
    "broker/successors.py",
)
ONLY_SPEAKS = ("log_lines.py",)
# Where the tests are that may notice; which of them do, is seen by what they run.
TESTS = tuple(
    f"tests/{name}" for name in ("core", "trading", "caretakers", "live", "broker", "report")
)
ENOUGH = 0.95
PATIENCE_SECONDS = 300.0


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.proofs.mutants",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--sample", type=int, default=100, help="how many changes (100)")
    parser.add_argument("--seed", type=int, default=1, help="which ones (1)")
    parser.add_argument("--all", action="store_true", help="try every change")
    parser.add_argument("--list", action="store_true", help="print every change, try none")
    parser.add_argument("--jobs", type=int, default=2, help="how many at once (2)")
    parser.add_argument("--only", default="", help="those whose line in --list holds this text")
    arguments = parser.parse_args()
    everything = [
        mutant
        for pattern in CHANGED
        for file in sorted((SOURCE / "dca_bot").glob(pattern))
        if file.name not in ONLY_SPEAKS
        for mutant in mutants(file)
        if arguments.only in str(mutant)
    ]
    if arguments.list:
        print(*everything, sep="\n")
        return 0
    chosen = everything
    if not (arguments.all or arguments.only):
        dice = random.Random(arguments.seed)
        chosen = dice.sample(everything, min(arguments.sample, len(everything)))
    print(f"{len(chosen)} of {len(everything)} changes", flush=True)
    return try_all(chosen, arguments.jobs)


def try_all(chosen: list[Mutant], jobs: int) -> int:
    """Try each with the tests that run its line; return the exit status."""
    began_at, survivors = time.monotonic(), 0
    import_libraries()
    reached = reach(TESTS, sorted({mutant.file for mutant in chosen}), jobs=jobs)
    print(f"{len(reached.lines)} tests in {time.monotonic() - began_at:.0f} s", flush=True)
    works = [partial(noticed_by, each, reached.tests_of(each)) for each in chosen]
    for number, failure in in_forks(works, jobs=jobs, patience=PATIENCE_SECONDS):
        survivors += not failure
        verdict = f"noticed by {failure}" if failure else "SURVIVES"
        print(f"{chosen[number]}: {verdict}", flush=True)
    noticed = len(chosen) - survivors
    minutes = (time.monotonic() - began_at) / 60
    print(f"{noticed} of {len(chosen)} noticed in {minutes:.0f} min")
    return 0 if noticed >= ENOUGH * len(chosen) else 1


if __name__ == "__main__":
    sys.exit(main())
