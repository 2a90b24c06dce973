"""What the caretakers share: one asset's trouble stays its own, and the last line sums up.

Rule: what a caretaker looks after is said in its script; here is only how a run holds together.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from dca_bot.core.model import AssetState
from dca_bot.program.clock import utc_now
from dca_bot.program.errors import BrokerUnavailable, CycleChanged, DcaError
from dca_bot.program.log_text import asset_log, event
from dca_bot.watchdog.caretaker_marks import SuccessMark

log = logging.getLogger(__name__)

DRY_RUN = "dry run, not done: "
# How long a request may wait for its turn.  A caretaker sends no orders, so it can: after many
# cancels that is how the ends of their orders are seen.
TURN_SECONDS_MAX = 30.0


@contextmanager
def nothing_without_alpaca() -> Iterator[None]:
    """End the run when Alpaca can't tell what everything else depends on."""
    try:
        yield
    except BrokerUnavailable as error:
        problem = f"{error}; so nothing more was changed, the next run tries again"
        raise BrokerUnavailable(problem) from error


class Run:
    """One run over all assets: what it did, and with how many of them it had trouble.

    A run without trouble leaves its `mark` for the watchdog; a dry run does not count.
    """

    def __init__(self, *, dry_run: bool = False, mark: SuccessMark | None = None) -> None:
        self.is_dry_run = dry_run
        self._mark = None if dry_run else mark
        if self._mark is not None:
            self._mark.begin(utc_now())
        self.troubled: set[str] = set()
        self._counts: Counter[str] = Counter()

    @contextmanager
    def contain(self, subject: str) -> Iterator[None]:
        """Serve one asset: whatever goes wrong is logged, and the others have their turn.

        A row that somebody else has just moved is no trouble: the next run sees it as it is then.
        """
        try:
            yield
        except CycleChanged as moved:
            asset_log(log, subject).info(event("left to the next run", why=moved))
        except DcaError as error:
            self.trouble(subject, str(error))
        except Exception as error:  # noqa: BLE001 - one asset's trouble must not starve the others
            self.trouble(subject, f"unexpected: {error!r}; look at its row in dca_assets")

    def trouble(self, subject: str, why: str) -> None:
        """Say what is wrong with one asset; the run goes on, and ends with exit status 1."""
        self.troubled.add(subject)
        asset_log(log, subject).error("skipped in this run: %s", why)

    def report_unreadable(self, states: Sequence[AssetState]) -> None:
        """Say which rows can't be read, edited by hand as they are."""
        for state in states:
            if state.problem:
                self.trouble(state.asset.symbol, state.problem)

    def count(self, **numbers: int) -> None:
        """Add to what the last line will say, in the order in which it is first said."""
        self._counts.update(numbers)

    def said(self, sentence: str) -> str:
        """The sentence about a deed, marked when a dry run leaves it undone."""
        return DRY_RUN + sentence if self.is_dry_run else sentence

    def sum_up(self) -> int:
        """Say the last line and return the exit status: 1 when an asset had to be skipped."""
        done = "dry run done, nothing was changed" if self.is_dry_run else "done"
        log.info(event(done, **self._counts, trouble=len(self.troubled)))
        if self.troubled:
            return 1
        if self._mark is not None:
            self._mark.leave(utc_now())
        return 0
