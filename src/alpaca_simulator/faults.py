"""Mishaps by name: which exist, which are on, and whether one strikes now.

What a fault does is done where it happens (`gate.py` for HTTP, the two streams, `world.py` for
quotes, `views.py` for late answers); here is only whether.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from alpaca_simulator.journal import Journal

# name -> what it does; parameters in docs/simulator.md
CATALOGUE = {
    # HTTP
    "rate_limited": "429 without doing anything; body json or text",
    "server_error": "5xx without doing anything; status, and body json, html or empty",
    "forbidden": "403 forbidden, as paper answers wrong keys at times",
    "unauthorized": "401 unauthorized",
    "reset": "the connection is cut without doing anything",
    "hang": "never answers, and does nothing",
    "accept_late": "answers never, does it after some seconds",
    "timeout_after_accepting": "does it, then answers 504",
    "error_after_accepting": "does it, then answers 5xx",
    "hang_after_accepting": "does it, never answers",
    "reset_after_accepting": "does it, then cuts the connection",
    "garbled_answer": "does it, then answers 200 with html, nothing, or half of it",
    "slow_answer": "does it, and answers after some seconds",
    "slow_request": "does it after some seconds, and answers then",
    # orders
    "reject_order": "a new order is refused with a status, code and message",
    "reject_later": "a new order is taken, then rejected",
    "partial_fill": "a fraction of a new order fills; the rest fills, rests or is canceled",
    "price_band_cancel": "a new order is canceled instead of filled, after a fraction or nothing",
    "slow_fill": "a new order reaches the venue after some seconds",
    "slow_cancel": "a cancel ends after some seconds",
    "fill_before_cancel": "an order fills between the cancel request and its end",
    # the trade stream
    "refuse_trade_stream": "the upgrade is answered 429 or another status",
    "unauthorized_trade_stream": "authentication fails, and the socket closes",
    "silent_trade_stream": "the socket opens and never answers",
    "drop_trade_stream": "open sockets end, cleanly or not",
    "starve_trade_stream": "open sockets get no more updates; new ones do",
    "lose_update": "an update is never sent",
    "repeat_update": "an update is sent again, some times",
    "delay_update": "an update is sent after some seconds",
    "reorder_updates": "an update is sent after the next one",
    "null_update": "an update is followed by one whose data is null",
    "null_instead": "an update is sent as null data",
    "garbled_update": "an update's frame is cut in half, or no text at all",
    "unknown_event": "an update carries an event word that nobody knows",
    "unknown_status": "orders carry a status word that nobody knows",
    # the data stream
    "refuse_data_stream": "the upgrade is answered 429 or another status",
    "unauthorized_data_stream": "authentication fails with 402",
    "connection_limit": "authentication fails with 406",
    "silent_data_stream": "the socket opens and never answers",
    "drop_data_stream": "open sockets end, cleanly or not",
    "mute_data_stream": "open sockets get no more data; new ones do",
    "data_error": "open sockets get an error message of a code",
    "stale_quotes": "quotes carry a time some seconds ago",
    "crossed_quotes": "quotes carry a bid above the ask",
    "zero_quotes": "quotes carry a zero bid, ask or both",
    "garbled_quotes": "a frame of quotes is cut in half, or no message at all",
    # late or odd answers
    "position_lag": "GET of one position shows the state of some seconds ago",
    "positions_lag": "the list of positions shows the state of some seconds ago",
    "empty_positions": "the list of positions is empty, with status 200",
    "unreadable_position": "a field of a position is null, or another value",
    "order_lag": "orders younger than some seconds are not found",
    "late_activities": "FILL rows appear after some seconds",
    "no_easy_to_borrow": "assets lack a deprecated field that the SDK requires",
    "drifting_minimum": "min_order_size changes with every answer",
    "missing_asset": "an asset is not listed, and 404 when asked for by name or id",
    "clock_skew": "the exchange's clock is wrong by some seconds, the Date header included",
}  # fmt: skip

# What a random mix may contain: name -> probability at each opportunity, and parameters.
_MIX: dict[str, tuple[float, dict[str, Any]]] = {
    "rate_limited": (0.05, {}),
    "server_error": (0.03, {"status": 502, "body": "html"}),
    "reset": (0.03, {}),
    "timeout_after_accepting": (0.05, {"method": "POST"}),
    "reset_after_accepting": (0.05, {"method": "POST"}),
    "garbled_answer": (0.02, {}),
    "slow_answer": (0.05, {"seconds": 2}),
    "reject_order": (0.05, {}),
    "reject_later": (0.05, {}),
    "partial_fill": (0.3, {"fraction": "0.4"}),
    "price_band_cancel": (0.05, {}),
    "slow_fill": (0.1, {"seconds": 2}),
    "slow_cancel": (0.3, {"seconds": 3}),
    "fill_before_cancel": (0.3, {}),
    "refuse_trade_stream": (0.3, {}),
    "drop_trade_stream": (0.01, {"clean": False}),
    "lose_update": (0.1, {}),
    "repeat_update": (0.2, {"times": 2}),
    "delay_update": (0.1, {"seconds": 2}),
    "reorder_updates": (0.2, {}),
    "null_update": (0.05, {}),
    "drop_data_stream": (0.001, {"clean": False}),
    "stale_quotes": (0.02, {"seconds": 60}),
    "crossed_quotes": (0.02, {}),
    "zero_quotes": (0.02, {}),
    "position_lag": (0.2, {"seconds": 2}),
    "positions_lag": (0.2, {"seconds": 2}),
}
UNKNOWN_WORD = "frobnicated"  # a status or event that nobody knows
MIXED = 8  # how many of them a seed turns on


class UnknownFaultError(Exception):
    """No fault has this name."""


@dataclass(slots=True)
class Fault:
    """A fault that is on; it changes as it strikes."""

    name: str
    params: dict[str, Any]
    left: int | None  # None: until it is turned off
    probability: float
    dice: random.Random
    skip: int = 0  # so many chances are let pass first
    hits: int = 0
    missed: int = 0

    def strikes(self, subject: Mapping[str, str]) -> bool:
        """Given a request, order or update, decides whether the fault strikes, and counts."""
        if self.left == 0 or not self._concerns(subject):
            return False
        if self.skip:
            self.skip -= 1
            return False
        if self.probability < 1 and self.dice.random() >= self.probability:
            self.missed += 1
            return False
        self.hits += 1
        if self.left is not None:
            self.left -= 1
        return True

    def seconds(self, default: float) -> float:
        """The parameter `seconds`."""
        return float(self.params.get("seconds", default))

    def _concerns(self, subject: Mapping[str, str]) -> bool:
        if not subject.get("path", "").startswith(str(self.params.get("path", ""))):
            return False
        return all(
            str(self.params[name]).lower() == subject[name].lower()
            for name in ("method", "symbol", "side", "event", "client_order_id")
            if name in self.params and name in subject
        )

    def record(self) -> dict[str, Any]:
        """Writes the fault for the control API."""
        return {
            "name": self.name,
            "params": self.params,
            "left": self.left,
            "skip": self.skip,
            "probability": self.probability,
            "hits": self.hits,
            "missed": self.missed,
        }


class FaultBook:
    """The faults that are on."""

    def __init__(self, journal: Journal, seed: int) -> None:
        self._journal = journal
        self._seed = seed
        self._made = 0
        self._active: dict[str, list[Fault]] = {}

    def turn_on(
        self,
        name: str,
        params: dict[str, Any] | None = None,
        *,
        count: int | None = None,
        probability: float = 1.0,
        skip: int = 0,
    ) -> Fault:
        """Turns a fault on; raises UnknownFaultError when there is none of that name."""
        if name not in CATALOGUE:
            raise UnknownFaultError(name)
        self._made += 1
        dice = random.Random(f"fault:{self._seed}:{self._made}:{name}")  # noqa: S311
        fault = Fault(name, params or {}, count, probability, dice, skip)
        self._active.setdefault(name, []).append(fault)
        return fault

    def turn_on_mix(self, seed: int) -> list[Fault]:
        """Given a seed, turns on the faults that it decides, each by its own dice."""
        self._seed = seed
        chosen = random.Random(f"mix:{seed}").sample(sorted(_MIX), MIXED)  # noqa: S311
        return [
            self.turn_on(name, dict(_MIX[name][1]), probability=_MIX[name][0]) for name in chosen
        ]

    def turn_off(self, name: str | None = None) -> None:
        """Turns off the faults of a name, or all."""
        if name is None:
            self._active.clear()
        else:
            self._active.pop(name, None)

    def take(self, name: str, **subject: str) -> Fault | None:
        """Given a request, order or update, returns the fault that strikes it, if one does."""
        # Nearly always nothing is on: this is on the way of every quote.
        active = self._active.get(name)
        if not active:
            return None
        for fault in active:
            if fault.strikes(subject):
                self._journal.fault(name, subject)
                return fault
        return None

    def strike_now(self, fault: Fault) -> bool:
        """Given a fault that was just turned on, says whether it strikes what is there already."""
        if not fault.strikes({}):
            return False
        self._journal.fault(fault.name, {})
        return True

    @property
    def any_on(self) -> bool:
        """Whether any fault could strike at all."""
        return bool(self._active)

    def record(self) -> list[dict[str, Any]]:
        """The faults that were turned on, with how often they struck."""
        return [fault.record() for faults in self._active.values() for fault in faults]
