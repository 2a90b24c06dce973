"""An order book around a quote: seven levels a side, as Alpaca's has about (docs/alpaca.md 8.1)."""

import random
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from alpaca_simulator.prices.quotes import Quote

LEVELS = 7


@dataclass(frozen=True, slots=True)
class OrderBook:
    """The best price of each side is the quote's own."""

    bids: list[dict[str, float]]
    asks: list[dict[str, float]]


def book_of(quote: Quote) -> OrderBook:
    """Given a quote, invents what stands behind it; the same quote has the same book."""
    dice = random.Random(f"book:{quote.symbol}:{quote.number}")  # noqa: S311
    step = max((quote.ask - quote.bid) / 2, quote.mid / 10_000)
    return OrderBook(
        _levels(quote.bid, -step, quote.bid_size, dice),
        _levels(quote.ask, step, quote.ask_size, dice),
    )


def book_message(quote: Quote) -> dict[str, Any]:
    """Given a quote, writes its whole book for the stream."""
    book = book_of(quote)
    return {"T": "o", "S": quote.symbol, "t": quote.at, "b": book.bids, "a": book.asks, "r": True}


def _levels(
    best: Decimal, step: Decimal, size: Decimal, dice: random.Random
) -> list[dict[str, float]]:
    levels = [{"p": float(best), "s": float(size)}]
    price, first = float(best), float(size)
    for _ in range(LEVELS - 1):
        price += float(step) * dice.uniform(0.5, 2.0)
        if price <= 0:
            break
        levels.append({"p": float(f"{price:.9g}"), "s": round(first * dice.uniform(0.5, 4.0), 9)})
    return levels
