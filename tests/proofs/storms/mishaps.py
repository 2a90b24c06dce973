"""What can go wrong, by name, and who decides when it does.

Rule: whoever could suffer a mishap asks `strikes(name)` at each chance; this file only answers, and
counts.  A storm answers by seed; a sweep strikes the n-th chance and no other.
"""

from __future__ import annotations

import random
from collections import Counter

# name -> how often a storm that has it lets it strike: at the most, per chance
OF_REQUESTS = {
    "not connected": 0.1,
    "request lost": 0.1,
    "request times out": 0.05,
    "429": 0.1,
    "5xx": 0.1,
    "forbidden": 0.05,
    "answer lost": 0.15,
    "answer times out": 0.1,
    "5xx though taken": 0.15,
    "answer garbled": 0.1,
    "taken late": 0.1,
    "answer slow": 0.2,
}
OF_VIEWS = {
    "positions lag": 0.3,
    "positions empty": 0.1,
    "position unreadable": 0.1,
    "order not found yet": 0.3,
}
OF_ORDERS = {
    "order refused": 0.2,
    "order rejected later": 0.2,
    "order filled in part, then on": 0.4,
    "order filled in part, then rests": 0.3,
    "order filled in part, then canceled": 0.3,
    "order canceled by the exchange": 0.2,
    "order expires": 0.3,
    "order waits for its fill": 0.3,
    "cancel is slow": 0.4,
    "fill beats the cancel": 0.5,
}
OF_UPDATES = {
    "update lost": 0.3,
    "update repeated": 0.4,
    "updates swapped": 0.4,
    "update garbled": 0.2,
    "update delayed": 0.4,
    "trade stream cut": 0.05,
    "trade stream mute": 0.03,
}
OF_QUOTES = {
    "quote lost": 0.3,
    "quote delayed": 0.1,
    "quote crossed": 0.1,
    "quote zero": 0.1,
    "quote garbled": 0.1,
    "quote stream cut": 0.002,
    "quote stream mute": 0.002,
}
OF_STATEMENTS = {
    "statement fails": 0.01,
    "deadlock": 0.01,
    "answer to commit lost": 0.02,
    "database away": 0.002,
}
OF_PROCESSES = {"power cut": 0.01, "stopped": 0.002, "caretaker killed": 0.03, "stands still": 0.01}
OF_CLOCKS = {"clocks differ": 0.05, "clocks minutes apart": 0.02}
OF_THE_MARKET = {
    "price leaps while an order is open": 0.1,
    "symbol halted for a while": 0.03,
    "symbol delisted for a while": 0.02,
    "rules changed": 0.03,
}
OF_THE_USER = {
    "asset disabled for a while": 0.02,
    "asset paused": 0.02,
    "asset edited": 0.05,
    "asset unusable for a while": 0.02,
    "asset inserted": 0.02,
    "asset deleted": 0.02,
    "cycle's order forgotten": 0.01,
    "cycle set to watching": 0.01,
    "bought by hand": 0.01,
    "sold by hand": 0.01,
    "coins deposited": 0.01,
    "coins withdrawn for a while": 0.01,
    "order by hand": 0.02,
    "cash withdrawn for a while": 0.01,
    "dca pause": 0.02,
    "dca finish": 0.02,
    "dca close": 0.02,
    "dca panic": 0.01,
    "dca buy": 0.03,
    "order edited by hand": 0.3,
}
MISHAPS = {
    **OF_REQUESTS,
    **OF_VIEWS,
    **OF_ORDERS,
    **OF_UPDATES,
    **OF_QUOTES,
    **OF_STATEMENTS,
    **OF_PROCESSES,
    **OF_CLOCKS,
    **OF_THE_MARKET,
    **OF_THE_USER,
}


class Calm:
    """Nothing goes wrong."""

    def __init__(self) -> None:
        self.struck: Counter[tuple[str, str]] = Counter()

    def strikes(self, name: str, at: str = "") -> bool:
        """Whether this chance of a mishap is taken; `at` says where it was, for the tables."""
        assert name in MISHAPS, name
        if not self._is_taken(name):
            return False
        self.struck[name, at] += 1
        return True

    def _is_taken(self, name: str) -> bool:
        return False


class Storm(Calm):
    """The seed decides which mishaps exist at all, and how often each of them strikes."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        chance = random.Random(f"which:{seed}")
        share = chance.choice((0.15, 0.4, 0.7))
        self._odds = {
            name: most * chance.choice((0.05, 0.3, 1))
            for name, most in MISHAPS.items()
            if chance.random() < share
        }
        self._dice = random.Random(f"when:{seed}")
        self.is_on = True

    def calm_down(self) -> None:
        """From now on nothing strikes any more."""
        self.is_on = False

    def _is_taken(self, name: str) -> bool:
        odds = self._odds.get(name)
        return odds is not None and self.is_on and self._dice.random() < odds


class Nth(Calm):
    """Strikes once: the n-th chance of one mishap, counted from 1."""

    def __init__(self, name: str, number: int) -> None:
        super().__init__()
        assert name in MISHAPS, name
        self._name = name
        self._left = number

    def _is_taken(self, name: str) -> bool:
        if name != self._name:
            return False
        self._left -= 1
        return self._left == 0
