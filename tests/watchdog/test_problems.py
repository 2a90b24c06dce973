"""Which problems are mailed, and when."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from dca_bot.watchdog.problems import (
    KnownProblem,
    Problem,
    ProblemChanges,
    ProblemKind,
    problem_changes,
)

BEGAN = datetime(2026, 1, 1, 12, tzinfo=UTC)
AFTER = timedelta(seconds=300)
SIX_HOURS = timedelta(hours=6)
AWAY = Problem(ProblemKind.DATABASE, "", BEGAN, "it is away")
STUCK = Problem(ProblemKind.TAKE_PROFIT, "BTC/USD", BEGAN, "it is refused")


class Looks:
    """One look after the other, each with what the last one has left."""

    def __init__(self) -> None:
        self.known: tuple[KnownProblem, ...] = ()

    def at(
        self, since_began: timedelta, *seen: Problem, not_looked_at: tuple[ProblemKind, ...] = ()
    ) -> ProblemChanges:
        found = problem_changes(
            self.known,
            seen,
            BEGAN + since_began,
            mail_after=AFTER,
            not_looked_at=not_looked_at,
        )
        self.known = found.known
        return found


def test_a_problem_is_mailed_once_when_it_has_lasted_long_enough() -> None:
    looks = Looks()
    assert looks.at(AFTER - timedelta(seconds=1), AWAY).lasting == ()
    assert looks.at(AFTER, AWAY).lasting == (AWAY,)
    assert looks.at(AFTER + timedelta(minutes=5), AWAY).lasting == ()


def test_it_is_mailed_again_every_six_hours() -> None:
    looks = Looks()
    looks.at(AFTER, AWAY)
    assert looks.at(AFTER + SIX_HOURS - timedelta(seconds=1), AWAY).lasting == ()
    assert looks.at(AFTER + SIX_HOURS, AWAY).lasting == (AWAY,)
    assert looks.at(AFTER + SIX_HOURS + AFTER, AWAY).lasting == ()
    assert looks.at(AFTER + 2 * SIX_HOURS, AWAY).lasting == (AWAY,)


def test_its_end_is_mailed_once() -> None:
    looks = Looks()
    looks.at(AFTER, AWAY, STUCK)
    assert looks.at(2 * AFTER, STUCK).over == (AWAY,)
    assert looks.at(3 * AFTER, STUCK).over == ()


def test_the_end_of_what_was_never_mailed_is_no_news() -> None:
    looks = Looks()
    looks.at(timedelta(0), AWAY)
    assert looks.at(AFTER) == ProblemChanges((), (), ())


def test_a_bot_that_was_restarted_counts_anew_but_the_problem_does_not() -> None:
    looks = Looks()
    looks.at(timedelta(0), AWAY)
    later = replace(AWAY, since=BEGAN + timedelta(seconds=200), sentence="still away")
    assert looks.at(AFTER, later).lasting == (replace(later, since=BEGAN),)


def test_what_nobody_has_looked_at_is_neither_over_nor_mailed_again() -> None:
    looks = Looks()
    looks.at(AFTER, AWAY)
    unknown = looks.at(AFTER + 2 * SIX_HOURS, not_looked_at=(ProblemKind.DATABASE,))
    assert (unknown.lasting, unknown.over) == ((), ())
    assert looks.at(AFTER + 2 * SIX_HOURS).over == (AWAY,)


def test_the_same_trouble_of_two_assets_is_two_problems() -> None:
    other = replace(STUCK, symbol="ETH/USD")
    assert Looks().at(AFTER, STUCK, other).lasting == (STUCK, other)


def test_a_mail_of_the_future_does_not_silence_a_problem_for_years() -> None:
    """The clock was set back since."""
    looks = Looks()
    looks.known = (KnownProblem(AWAY, BEGAN + timedelta(days=400)),)
    assert looks.at(AFTER, AWAY).lasting == (AWAY,)
