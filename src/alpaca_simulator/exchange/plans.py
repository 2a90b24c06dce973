"""How an order will fill: decided when it is accepted, by the seed or by a fault."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum


class AfterPart(StrEnum):
    """What becomes of the rest of an order that filled in part."""

    FILL = "fill"  # re-evaluated a moment later (docs/alpaca.md 1.9)
    REST = "rest"  # stays open; only a fill by hand or a release goes on
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True)
class Plan:
    """Without arguments: fills at once and whole, as soon as it is marketable."""

    latency: int | None = None  # until it reaches the venue; None: as the rules say
    part: Decimal | None = None  # the first fill takes only this fraction
    after_part: AfterPart = AfterPart.FILL
    reject: str | None = None  # taken, then rejected
    band_cancel: bool = False  # price band protection (docs/alpaca.md 1.9)
    cancel_latency: int | None = None
    fill_on_cancel: bool = False  # fills between the cancel request and its end
