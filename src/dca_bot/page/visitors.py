"""Who may see the page: anybody on this machine, elsewhere only who knows the password.

Rule: a password is compared in constant time, and guessing it gets slower and slower.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address

TRIES = 5  # wrong passwords that cost nothing yet
WAIT_SECONDS_MAX = 300.0
VISITORS_MAX = 1000  # whoever has many addresses must not fill the memory


def is_this_machine(host: str) -> bool:
    """Whether an address or name means this machine alone."""
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def password_in(authorization: str) -> str:
    """The password of a `Basic` header; "" where there is none."""
    kind, _, coded = authorization.partition(" ")
    if kind.lower() != "basic":
        return ""
    try:
        credentials = base64.b64decode(coded, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""
    return credentials.partition(":")[2]


@dataclass
class _Guesses:
    wrong: int = 0
    wait_until: float = 0.0


class Door:
    """Lets in who knows the password; after some wrong ones an address has to wait."""

    def __init__(self, password: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._password = password.encode()
        self._clock = clock
        self._guesses: OrderedDict[str, _Guesses] = OrderedDict()

    def seconds_to_wait(self, address: str) -> float:
        """How long this address has to wait before its next password is looked at."""
        guesses = self._guesses.get(address)
        return max(0.0, guesses.wait_until - self._clock()) if guesses else 0.0

    def opens_for(self, address: str, password: str) -> bool:
        """Whether the password is right; a wrong one is remembered, none at all is not."""
        if hmac.compare_digest(password.encode(), self._password):
            self._guesses.pop(address, None)
            return True
        if password:
            self._remember(address)
        return False

    def _remember(self, address: str) -> None:
        guesses = self._guesses.setdefault(address, _Guesses())
        self._guesses.move_to_end(address)
        guesses.wrong += 1
        if guesses.wrong >= TRIES:
            seconds = min(WAIT_SECONDS_MAX, 2.0 ** (guesses.wrong - TRIES))
            guesses.wait_until = self._clock() + seconds
        while len(self._guesses) > VISITORS_MAX:
            self._guesses.popitem(last=False)
