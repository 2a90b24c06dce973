"""What a human must know (behaviour 14): a problem, and when it is mailed.

Rule: mailed once it has lasted, again every six hours, and once when it is over.  Nothing here
reads a file or sends mail.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from dca_bot.program.clock import aware

AGAIN_AFTER = timedelta(hours=6)


class ProblemKind(StrEnum):
    DATABASE = "database"
    TAKE_PROFIT = "take_profit"
    STOP_LOSS = "stop_loss"
    LIMIT = "limit"
    ROW = "row"
    CARETAKER = "caretaker"


TITLES = {
    ProblemKind.DATABASE: "the database does not answer",
    ProblemKind.TAKE_PROFIT: "a due take profit can't be sold",
    ProblemKind.STOP_LOSS: "a due stop loss can't be sold",
    ProblemKind.LIMIT: "keeps BUYs back",
    ProblemKind.ROW: "an unusable row, and coins are held",
    ProblemKind.CARETAKER: "has not succeeded for too long",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem of one subject: an asset's symbol, a caretaker's or a limit's name, or ""."""

    kind: ProblemKind
    symbol: str
    since: datetime
    sentence: str  # what is wrong and what to do, for a human

    @property
    def key(self) -> tuple[ProblemKind, str]:
        return self.kind, self.symbol

    @property
    def title(self) -> str:
        """A few words, for the head of a mail."""
        between = {
            ProblemKind.CARETAKER: " ",
            ProblemKind.LIMIT: " ",
            ProblemKind.DATABASE: "",
        }.get(self.kind, ": ")
        return f"{self.symbol}{between}{TITLES[self.kind]}"


def read_problem(raw: Mapping[str, Any]) -> Problem:
    """A problem as JSON holds it; raises ValueError, TypeError or KeyError for anything else."""
    kind, since = ProblemKind(raw["kind"]), aware(raw["since"])
    return Problem(kind, str(raw["symbol"]), since, str(raw["sentence"]))


@dataclass(frozen=True, slots=True)
class KnownProblem:
    """A problem that was seen before, and when it was mailed last; None: not yet."""

    problem: Problem
    mailed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ProblemChanges:
    """What to mail about, and what to remember until the next look."""

    lasting: tuple[Problem, ...]
    over: tuple[Problem, ...]
    known: tuple[KnownProblem, ...]


def problem_changes(
    known: Iterable[KnownProblem],
    seen: Iterable[Problem],
    now: datetime,
    *,
    mail_after: timedelta,
    not_looked_at: Iterable[ProblemKind] = (),
) -> ProblemChanges:
    """Compare what is seen now with what was known.

    A problem keeps the earliest time that was ever seen for it: a bot that was restarted counts
    anew, the problem does not.  Kinds that were `not_looked_at` stay as they were known.
    """
    before: Mapping[tuple[ProblemKind, str], KnownProblem] = {
        each.problem.key: each for each in known
    }
    lasting, after = [], {}
    for problem in seen:
        old = before.get(problem.key)
        since = min(problem.since, old.problem.since) if old else problem.since
        lasting_problem = Problem(problem.kind, problem.symbol, since, problem.sentence)
        mailed_at = old.mailed_at if old else None
        if _is_due(lasting_problem, mailed_at, now, mail_after):
            lasting.append(lasting_problem)
            mailed_at = now
        after[lasting_problem.key] = KnownProblem(lasting_problem, mailed_at)
    over = []
    for key, old in before.items():
        if key in after:
            continue
        if old.problem.kind in set(not_looked_at):
            after[key] = old
        elif old.mailed_at is not None:
            over.append(old.problem)
    return ProblemChanges(tuple(lasting), tuple(over), tuple(after.values()))


def _is_due(
    problem: Problem, mailed_at: datetime | None, now: datetime, mail_after: timedelta
) -> bool:
    if mailed_at is None:
        return now - problem.since >= mail_after
    # abs: a mail that was sent hours ahead was sent before the clock was set back
    return abs(now - mailed_at) >= AGAIN_AFTER
