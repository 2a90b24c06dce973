"""What one set of a sweep has come to on one part of the time, and how sets are ranked."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

ALIKE = Decimal("1e-7")  # what floats may add up to, as a part of the sum


class Rank(StrEnum):
    """What is best: the equity, the equity per money set aside, or per deepest drawdown."""

    NET = "net"
    RETURN_ON_CAPITAL = "return-on-capital"
    CALMAR = "calmar"


@dataclass(frozen=True, slots=True)
class Score:
    """The figures of a `Result` that a sweep keeps; `fingerprint` tells its actions apart."""

    cycles: int
    buys: int
    net: Decimal
    fees: Decimal
    most_invested: Decimal
    deepest_drawdown: Decimal
    open_quantity: Decimal
    open_net: Decimal
    average_invested: Decimal
    capital: Decimal
    fingerprint: int

    @property
    def equity(self) -> Decimal:
        """All that was won or lost, open coins counted at the last bid."""
        return self.net + self.open_net

    @property
    def percent(self) -> Decimal:
        """The equity in percent of the money that the whole ladder needs."""
        return 100 * self.equity / self.capital

    def rank(self, by: Rank) -> Decimal:
        """The larger the better."""
        match by:
            case Rank.NET:
                return self.equity
            case Rank.RETURN_ON_CAPITAL:
                return self.percent
            case Rank.CALMAR:
                return self.equity / max(self.deepest_drawdown, Decimal("0.01"))

    def agrees_with(self, exact: Score) -> bool:
        """Whether the same was done at the same points, and the money is the same."""
        if (self.cycles, self.buys, self.open_quantity, self.fingerprint) != (
            exact.cycles,
            exact.buys,
            exact.open_quantity,
            exact.fingerprint,
        ):
            return False
        pairs = (
            (self.net, exact.net),
            (self.fees, exact.fees),
            (self.most_invested, exact.most_invested),
            (self.deepest_drawdown, exact.deepest_drawdown),
            (self.open_net, exact.open_net),
            (self.average_invested, exact.average_invested),
        )
        return all(abs(one - other) <= ALIKE * (1 + exact.fees) for one, other in pairs)
