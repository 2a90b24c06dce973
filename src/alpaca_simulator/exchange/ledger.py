"""Double entry: every amount that appears somewhere has left somewhere else.

Rule of this file: balances change only in `move`, so for each currency they add up to zero.
"""

from collections import defaultdict
from decimal import Decimal
from enum import StrEnum


class Place(StrEnum):
    """Where an amount is: with the account (free, or held by an open order), or beyond it."""

    FREE = "free"
    HELD = "held"
    MARKET = "market"  # the other side of every trade
    FEES = "fees"
    OUTSIDE = "outside"  # deposits and withdrawals


OWN = (Place.FREE, Place.HELD)


class OverdrawnError(Exception):
    """More was to leave a place of the account's than there is; nothing has moved."""


class Ledger:
    """The account's balances and their counterparts, by place and currency."""

    def __init__(self) -> None:
        self._balances: defaultdict[tuple[Place, str], Decimal] = defaultdict(Decimal)

    def move(self, currency: str, amount: Decimal, source: Place, target: Place) -> None:
        """Moves an amount; raises OverdrawnError when the account's own place lacks it."""
        if amount < 0:
            raise ValueError("a move has a direction, not a sign")
        if source in OWN and self._balances[source, currency] < amount:
            raise OverdrawnError(f"{amount} {currency} to leave {source}")
        self._balances[source, currency] -= amount
        self._balances[target, currency] += amount

    def free(self, currency: str) -> Decimal:
        """What the account can still use."""
        return self._balances[Place.FREE, currency]

    def held(self, currency: str) -> Decimal:
        """What open orders have reserved."""
        return self._balances[Place.HELD, currency]

    def owned(self, currency: str) -> Decimal:
        """What the account has, reserved or not."""
        return self.free(currency) + self.held(currency)

    def currencies(self) -> list[str]:
        """Every currency that ever moved, in alphabetical order."""
        return sorted({currency for _, currency in self._balances})

    def balances(self) -> dict[Place, dict[str, Decimal]]:
        """Every balance, by place and currency."""
        return {
            place: {currency: self._balances[place, currency] for currency in self.currencies()}
            for place in Place
        }
