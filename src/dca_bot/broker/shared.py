"""One answer for all that ask at the same time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

T = TypeVar("T")


class Shared(Generic[T]):
    """Asks once for whoever comes while an earlier question is under way.

    Nobody gets an answer to a question that was sent before he came: what he has just seen happen
    might be missing in it.
    """

    def __init__(self, ask: Callable[[], T]) -> None:
        self._ask = ask
        self._gathering: Future[T] | None = None  # for the next question
        self._lock = threading.Lock()
        self._asking = threading.Lock()

    def __call__(self) -> T:
        """The answer, or what asking raised."""
        with self._lock:
            is_first = self._gathering is None
            if self._gathering is None:
                self._gathering = Future()
            answer = self._gathering
        if is_first:
            self._ask_for(answer)
        return answer.result()

    def _ask_for(self, answer: Future[T]) -> None:
        with self._asking:
            with self._lock:
                self._gathering = None
            try:
                answer.set_result(self._ask())
            except BaseException as error:  # noqa: BLE001 - raised to everybody who has asked
                answer.set_exception(error)
