"""The rules of filling: whether, at what price, and what it costs.  Pure functions only.

Each rule names its section of docs/alpaca.md; every number is a field of `Rules`.
"""

from dataclasses import dataclass
from decimal import Decimal

from alpaca_simulator.clock import MILLISECOND, SECOND
from alpaca_simulator.decimals import CENT, NINE_PLACES, round_down, round_up
from alpaca_simulator.exchange.orders import Liquidity, Order, OrderType, Side
from alpaca_simulator.prices.quotes import Quote


@dataclass(frozen=True, slots=True)
class Rules:
    """The exchange's numbers; all of them move on the real one, so all can be changed."""

    starting_cash: Decimal = Decimal(100_000)  # 1.9: a fresh paper account
    multiplier: int = 4  # buying_power is this times the cash (2.5), and useless for crypto
    taker_fee: Decimal = Decimal("0.0025")  # 1.5
    maker_fee: Decimal = Decimal("0.0015")
    minimum_usd_buy: Decimal = Decimal(10)  # 1.2
    maximum_notional: Decimal = Decimal(200_000)  # 1.1
    market_buy_cushion: Decimal = Decimal("1.04")  # 1.6: a market buy reserves above the ask
    notional_cushion: Decimal = Decimal("1.017")  # 1.6: what a market notional buys
    partial_fill_chance: float = 0.1  # 1.9
    expiry_days: int = 90  # 1.9
    fill_latency: int = 5 * MILLISECOND  # 1.9
    remainder_latency: int = 50 * MILLISECOND
    cancel_latency: int = 5 * MILLISECOND
    fee_posting_delay: int = 1800 * SECOND  # 1.5: minutes to hours later, in batches
    strict_decimals: bool = False  # refuse numbers finer than 9 decimals instead of cutting them


@dataclass(frozen=True, slots=True)
class Match:
    """An order meets the market at this price."""

    price: Decimal
    liquidity: Liquidity


def match(order: Order, quote: Quote) -> Match | None:
    """Given an order and a quote, says whether and how it fills; quote sizes don't count (1.9)."""
    market = quote.ask if order.terms.side is Side.BUY else quote.bid
    if market <= 0:
        return None
    if order.terms.type is OrderType.MARKET:
        return Match(market, Liquidity.TAKER)
    if order.terms.type is OrderType.STOP_LIMIT and not order.triggered:
        return None
    limit = order.terms.limit_price
    if limit is None:
        return None
    reached = market <= limit if order.terms.side is Side.BUY else market >= limit
    if not reached:
        return None
    if order.resting:
        return Match(limit, Liquidity.MAKER)  # the market came to it
    return Match(market, Liquidity.TAKER)  # with the better price: limit 100000, filled 68672.16


def reaches_stop(order: Order, quote: Quote) -> bool:
    """Given a stop_limit order, says whether this quote sets it off."""
    stop = order.terms.stop_price
    if stop is None:
        return False
    return quote.ask >= stop if order.terms.side is Side.BUY else 0 < quote.bid <= stop


def fee(order: Order, qty: Decimal, price: Decimal, rate: Decimal) -> tuple[str, Decimal]:
    """Given one fill, returns the currency and the amount of its fee (1.5: on what is credited)."""
    if order.terms.side is Side.BUY:
        return order.terms.asset.base, min(qty, round_up(qty * rate, NINE_PLACES))
    step = CENT if order.terms.asset.quote == "USD" else NINE_PLACES
    proceeds = qty * price
    return order.terms.asset.quote, min(proceeds, round_up(proceeds * rate, step))


def part_of(order: Order, fraction: Decimal) -> Decimal:
    """Given a fraction, returns that part of what is left, at least one increment, never all."""
    step = order.terms.asset.min_trade_increment
    part = max(step, round_down(order.remaining * fraction, step))
    return part if part < order.remaining else order.remaining
