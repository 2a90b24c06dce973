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

AGAIN_AFTER = timedelta(hours=6)


class Kind(StrEnum):
    DATABASE = "database"
    TAKE_PROFIT = "take_profit"
    STOP_LOSS = "stop_loss"
    LIMIT = "limit"
    ROW = "row"
    CARETAKER = "caretaker"


TITLES = {
    Kind.DATABASE: "the database does not answer",
    Kind.TAKE_PROFIT: "a due take profit can't be sold",
    Kind.STOP_LOSS: "a due stop loss can't be sold",
    Kind.LIMIT: "keeps BUYs back",
    Kind.ROW: "an unusable row, and coins are held",
    Kind.CARETAKER: "has not succeeded for too long",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem of one subject: an asset's symbol, a caretaker's or a limit's name, or ""."""

    kind: Kind
    symbol: str
    since: datetime
    sentence: str  # what is wrong and what to do, for a human

    @property
    def key(self) -> tuple[Kind, str]:
        return self.kind, self.symbol

    @property
    def title(self) -> str:
        """A few words, for the head of a mail."""
        between = {Kind.CARETAKER: " ", Kind.LIMIT: " ", Kind.DATABASE: ""}.get(self.kind, ": ")
        return f"{self.symbol}{between}{TITLES[self.kind]}"


def read_problem(raw: Mapping[str, Any]) -> Problem:
    """A problem as JSON holds it; raises ValueError, TypeError or KeyError for anything else."""
    since = datetime.fromisoformat(raw["since"])
    if since.tzinfo is None:
        raise ValueError(f"{raw['since']} has no time zone")
    return Problem(Kind(raw["kind"]), str(raw["symbol"]), since, str(raw["sentence"]))


@dataclass(frozen=True, slots=True)
class Known:
    """A problem that was seen before, and when it was mailed last; None: not yet."""

    problem: Problem
    mailed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class News:
    """What to mail about, and what to remember until the next look."""

    lasting: tuple[Problem, ...]
    over: tuple[Problem, ...]
    known: tuple[Known, ...]


def news(
    known: Iterable[Known],
    seen: Iterable[Problem],
    now: datetime,
    *,
    mail_after: timedelta,
    not_looked_at: Iterable[Kind] = (),
) -> News:
    """Compare what is seen now with what was known.

    A problem keeps the earliest time that was ever seen for it: a bot that was restarted counts
    anew, the problem does not.  Kinds that were `not_looked_at` stay as they were known.
    """
    before: Mapping[tuple[Kind, str], Known] = {each.problem.key: each for each in known}
    lasting, after = [], {}
    for problem in seen:
        old = before.get(problem.key)
        since = min(problem.since, old.problem.since) if old else problem.since
        told = Problem(problem.kind, problem.symbol, since, problem.sentence)
        mailed_at = old.mailed_at if old else None
        if _is_due(told, mailed_at, now, mail_after):
            lasting.append(told)
            mailed_at = now
        after[told.key] = Known(told, mailed_at)
    over = []
    for key, old in before.items():
        if key in after:
            continue
        if old.problem.kind in set(not_looked_at):
            after[key] = old
        elif old.mailed_at is not None:
            over.append(old.problem)
    return News(tuple(lasting), tuple(over), tuple(after.values()))


def _is_due(
    problem: Problem, mailed_at: datetime | None, now: datetime, mail_after: timedelta
) -> bool:
    if mailed_at is None:
        return now - problem.since >= mail_after
    # abs: a mail that was sent hours ahead was sent before the clock was set back
    return abs(now - mailed_at) >= AGAIN_AFTER
