"""Changes the money code at random, one place at a time, and sees whether a fast test notices.

  python -m tests.proofs.mutants --sample 60 --seed 1     as many, drawn by that seed
  python -m tests.proofs.mutants --list                   every change there could be

A change that no test notices is printed as SURVIVES.  Exit status: 0 at least 95 % were noticed.
"""

from __future__ import annotations

import argparse
import random
import sys
import time

from tests.proofs.mutants.sites import Mutant, mutants
from tests.proofs.sabotage.workshop import ROOT, Copy, a_copy

SOURCE = ROOT / "src" / "dca_bot"
CARETAKERS = tuple(
    f"tests/caretakers/test_{name}.py"
    for name in ("consistency_checker", "order_manager", "cooldown_manager")
)
# Which modules are changed, and which tests must notice, the likeliest first.
NOTICED_BY = {
    "core/*.py": ("tests/core", "tests/trading", *CARETAKERS),
    "trading/*.py": ("tests/trading", *CARETAKERS, "tests/live/test_worker.py"),
    "caretakers/*.py": CARETAKERS,
    "live/worker.py": ("tests/live",),
    "live/assets.py": ("tests/live",),
    "broker/translate.py": ("tests/broker/test_broker_translate.py", "tests/broker"),
    "broker/rate_limit.py": ("tests/broker/test_broker_rate_limit.py",),
}
ONLY_SPEAKS = ("log_lines.py",)
ENOUGH = 0.95
PATIENCE_SECONDS = 300.0


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.proofs.mutants",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--sample", type=int, default=60, help="how many changes (60)")
    parser.add_argument("--seed", type=int, default=1, help="which ones (1)")
    parser.add_argument("--list", action="store_true", help="print them all, run nothing")
    arguments = parser.parse_args()
    everything = [
        (mutant, tests)
        for pattern, tests in NOTICED_BY.items()
        for file in sorted(SOURCE.glob(pattern))
        if file.name not in ONLY_SPEAKS
        for mutant in mutants(file)
    ]
    if arguments.list:
        for mutant, _ in everything:
            print(mutant)
        return 0
    dice = random.Random(arguments.seed)
    chosen = dice.sample(everything, min(arguments.sample, len(everything)))
    print(f"{len(chosen)} of {len(everything)} changes, seed {arguments.seed}", flush=True)
    return try_all(chosen)


def try_all(chosen: list[tuple[Mutant, tuple[str, ...]]]) -> int:
    """One after the other in a copy of the project; return the exit status."""
    began_at, survivors = time.monotonic(), 0
    with a_copy() as copy:
        for number, (mutant, tests) in enumerate(chosen, start=1):
            failure = noticed_by(copy, mutant, tests)
            survivors += not failure
            verdict = f"noticed by {failure}" if failure else "SURVIVES"
            print(f"{number:3} {mutant}: {verdict}", flush=True)
    noticed = len(chosen) - survivors
    minutes = (time.monotonic() - began_at) / 60
    print(f"{noticed} of {len(chosen)} noticed in {minutes:.0f} min")
    return 0 if noticed >= ENOUGH * len(chosen) else 1


def noticed_by(copy: Copy, mutant: Mutant, tests: tuple[str, ...]) -> str:
    """The first test that fails in a copy with the change in it; "" if none does."""
    path = copy.root / mutant.file.relative_to(ROOT)
    before = path.read_text()
    path.write_text(mutant.source())
    try:
        return copy.first_failure(tests, PATIENCE_SECONDS)
    finally:
        path.write_text(before)


if __name__ == "__main__":
    sys.exit(main())
