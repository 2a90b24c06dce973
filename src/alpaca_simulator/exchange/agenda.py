"""What is to happen later: a heap of moments, so that the exchange needs no timer of its own."""

import heapq
from collections.abc import Container
from enum import StrEnum


class Due(StrEnum):
    """What can be waiting."""

    ARRIVE = "arrive"
    REMAINDER = "remainder"
    CANCEL = "cancel"
    EXPIRE = "expire"


class Agenda:
    """Entries in the order of their time; equal times in the order of their making."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Due, str]] = []
        self._made = 0

    def add(self, at: int, what: Due, order_id: str) -> None:
        """Notes that something is due at a moment."""
        self._made += 1
        heapq.heappush(self._heap, (at, self._made, what, order_id))

    def __len__(self) -> int:
        return len(self._heap)

    def keep(self, order_ids: Container[str]) -> None:
        """Forgets the entries of all other orders."""
        self._heap = [entry for entry in self._heap if entry[3] in order_ids]
        heapq.heapify(self._heap)

    def next_at(self) -> int | None:
        """When the first entry is due; None when there is none."""
        return self._heap[0][0] if self._heap else None

    def pop_due(self, now: int) -> tuple[Due, str] | None:
        """Takes the first entry off, if its time has come."""
        if not self._heap or self._heap[0][0] > now:
            return None
        _, _, what, order_id = heapq.heappop(self._heap)
        return what, order_id
