"""One answer for all that ask at the same time."""

from __future__ import annotations

import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from dca_bot.broker.shared import Shared
from tests.helpers import eventually


class Question:
    """Answers with its number, once the test lets it."""

    def __init__(self) -> None:
        self.asked = 0
        self.may_answer = threading.Event()

    def __call__(self) -> int:
        self.asked += 1  # never two at the same time
        number = self.asked
        assert self.may_answer.wait(20)
        return number


def waiting_in(shared: Shared[int]) -> int:
    """How many threads have called it and wait for an answer."""
    inside = type(shared).__call__.__code__
    count = 0
    for innermost in sys._current_frames().values():
        frame = innermost.f_back
        while frame is not None and frame.f_code is not inside:
            frame = frame.f_back
        count += frame is not None
    return count


def test_who_comes_while_a_question_is_under_way_shares_the_next() -> None:
    question = Question()
    shared = Shared(question)
    with ThreadPoolExecutor(31) as pool:
        first = pool.submit(shared)
        eventually(lambda: question.asked)
        others = [pool.submit(shared) for _ in range(30)]
        eventually(lambda: waiting_in(shared) == 31)
        question.may_answer.set()
        assert first.result(20) == 1
        assert {each.result(20) for each in others} == {2}
    assert question.asked == 2


def test_what_asking_raises_everybody_gets_who_asked_and_nobody_later() -> None:
    troubles = [ConnectionError("gone")]

    def ask() -> int:
        if troubles:
            raise troubles.pop()
        return 1

    shared = Shared(ask)
    with pytest.raises(ConnectionError):
        shared()
    assert shared() == 1
