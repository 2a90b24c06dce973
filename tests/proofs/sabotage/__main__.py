"""Puts one mistake at a time into a copy of the project and sees which test fails.

For each sabotage the tests that should catch it run first, and if they pass, the complete suite.
At the end, the tests that caught them must pass without any sabotage.

  python -m tests.proofs.sabotage                 all of them, one after the other
  python -m tests.proofs.sabotage NAME|NUMBER...  only these
  python -m tests.proofs.sabotage --list          the list as a table, nothing is run

Exit status: 0 every sabotage was caught, 1 at least one survived, 2 nothing could be said.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time

from .entries import DoesNotApply, Sabotage, all_sabotages, chosen
from .workshop import HUNG, Broken, a_copy


def main() -> int:
    arguments = parse_arguments()
    try:
        sabotages = chosen(all_sabotages(), arguments.wanted)
        if arguments.list:
            return print_list(sabotages)
        return sabotage_all(sabotages, is_quick=arguments.quick)
    except (LookupError, DoesNotApply, Broken) as error:
        print(f"sabotage: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.proofs.sabotage",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("wanted", nargs="*", metavar="NAME|NUMBER", help="only these")
    parser.add_argument("--list", action="store_true", help="print the table, run nothing")
    parser.add_argument("--quick", action="store_true", help="run the expected tests only")
    return parser.parse_args()


def print_list(sabotages: list[tuple[int, Sabotage]]) -> int:
    print("| # | Sabotage | Where | What it would cost |\n| --- | --- | --- | --- |")
    for number, each in sabotages:
        print(f"| {number} | {each.name} | `{each.file}` | {each.cost} |")
    return 0


def sabotage_all(sabotages: list[tuple[int, Sabotage]], *, is_quick: bool) -> int:
    """One after the other; return the exit status."""
    began_at, survivors, catches = time.monotonic(), [], set()
    for number, each in sabotages:
        started_at = time.monotonic()
        catch = caught_by(each, is_quick=is_quick)
        seconds = time.monotonic() - started_at
        if catch:
            catches.add(catch)
        else:
            survivors.append(each.name)
        verdict = f"caught by {catch}" if catch else "SURVIVES"
        print(f"{number:3} {each.name}: {verdict} ({seconds:.1f} s)", flush=True)
    check_that_they_pass_otherwise(catches - {HUNG})
    seconds = time.monotonic() - began_at
    caught = len(sabotages) - len(survivors)
    named = f"; survivors: {', '.join(survivors)}" if survivors else ""
    print(f"{caught} of {len(sabotages)} sabotages caught in {seconds:.0f} s{named}")
    return 1 if survivors else 0


def caught_by(sabotage: Sabotage, *, is_quick: bool) -> str:
    """The first test that fails in a sabotaged copy; "" if none does."""
    with a_copy() as copy:
        path = copy.root / sabotage.file
        path.write_text(sabotage.applied_to(path.read_text(encoding="utf-8")), encoding="utf-8")
        catch = copy.first_failure(sabotage.caught_by)
        if not catch and not is_quick:
            catch = copy.first_failure()
        return catch


def check_that_they_pass_otherwise(tests: set[str]) -> None:
    """Raise Broken if a test that caught something fails on the healthy code as well."""
    if not tests:
        return
    with a_copy() as healthy:
        if failure := healthy.first_failure(sorted(tests)):
            raise Broken(f"{failure} fails without any sabotage, too: its catch proves nothing")


if __name__ == "__main__":
    # also where both are ignored, as in the background of a shell: the tests inherit that, and hang
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    sys.exit(main())
