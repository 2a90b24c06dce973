"""What an order may be, given the row and the cycle that it was intended on and the quotes since.

Rule: each price and amount is worked out here from the columns, and never asked of the bot.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from dca_bot.core.model import Allowed, Asset, Cycle, Order, OrderKind

HUNDRED = Decimal(100)
FEE_RATE = Decimal("0.0025")  # where the account has not told another
QUOTE_AGE_SECONDS = 10
CLOCKS_APART_SECONDS = 30  # orders are dated by the bot, quotes by the exchange
# Less than a dollar is left alone; the price may have moved since that was judged.
DUST_USD_AT_MOST = Decimal("1.2")


@dataclass(frozen=True, slots=True)
class Ground:
    """What the books said when an order was intended, under the row's lock."""

    asset: Asset
    cycle: Cycle


@dataclass(frozen=True, slots=True)
class Seen:
    """Bid and ask, as the market has shown them within the last minute, oldest first."""

    prices: tuple[tuple[Decimal, Decimal], ...]

    @property
    def bids(self) -> Iterable[Decimal]:
        return (bid for bid, _ in self.prices)


def safety_amount(asset: Asset, rung: int) -> Decimal:
    return asset.safety_order_amount * asset.safety_order_volume_scale ** (rung - 1)


def safety_trigger(asset: Asset, cycle: Cycle, rung: int) -> Decimal | None:
    """The ask at or below which a safety order may be bought; None: there is no last fill."""
    step = asset.safety_order_deviation_pct * asset.safety_order_step_scale ** (rung - 1)
    last = cycle.last_order_fill_price
    return None if last is None else last * (1 - step / HUNDRED)


def is_between_start_prices(asset: Asset, ask: Decimal) -> bool:
    lowest, highest = asset.min_start_price, asset.max_start_price
    return (lowest is None or ask >= lowest) and (highest is None or ask <= highest)


def wrong_buy(
    row: Order, ground: Ground, seen: Seen, tick: Decimal, asked: Decimal
) -> Iterator[str]:
    """`tick`: the step in which limits are rounded; `asked`: what a person asked to spend."""
    asset, cycle, limit = ground.asset, ground.cycle, row.limit_price
    if limit is None:
        yield "is a BUY without a limit"
        return
    amount = asset.base_order_amount
    if row.kind is not OrderKind.BASE:
        amount = asked if row.kind is OrderKind.EXTRA else safety_amount(asset, row.rung)
    if row.quantity * limit > amount:
        yield f"costs {row.quantity * limit}, more than {amount}"
    if not asset.is_enabled:
        yield "buys for a disabled asset"
    yield from _wrong_price(row, asset, seen, limit, tick)
    is_base = row.kind is OrderKind.BASE
    if is_base != (cycle.quantity <= 0):
        yield f"is a {row.kind} order of a cycle that holds {cycle.quantity}"
    if row.kind is OrderKind.EXTRA:
        return  # by hand, it is no rung and knows no pause
    if asset.allowed is Allowed.EXIT or (is_base and asset.allowed is not Allowed.ALL):
        yield f"buys for an asset that may go to {asset.allowed} only"
    if row.kind is OrderKind.SAFETY:
        if row.rung != cycle.safety_orders + 1 or row.rung > asset.max_safety_orders:
            yield f"is rung {row.rung} after {cycle.safety_orders}"
        trigger = safety_trigger(asset, cycle, row.rung)
        if trigger is None or limit > trigger:
            yield f"buys at {limit}, above its trigger {trigger}"


def _wrong_price(
    row: Order, asset: Asset, seen: Seen, limit: Decimal, tick: Decimal
) -> Iterator[str]:
    """One quote must have shown this ask, and everything that the row asks of the quote."""
    quotes = [(bid, ask) for bid, ask in seen.prices if 0 <= ask - limit < tick]
    if not quotes:
        yield f"buys at {limit}, which nobody asked for in the last minute"
    if row.kind is OrderKind.EXTRA:
        return
    if asset.max_spread_pct is not None:
        widest = asset.max_spread_pct
        quotes = [(bid, ask) for bid, ask in quotes if (ask - bid) * HUNDRED <= widest * ask]
    if row.kind is OrderKind.BASE:
        quotes = [(bid, ask) for bid, ask in quotes if is_between_start_prices(asset, ask)]
    if not quotes:
        yield (
            f"buys at {limit}, and no quote of the last minute lets it: at most "
            f"{asset.max_spread_pct} % apart, from {asset.min_start_price} to "
            f"{asset.max_start_price} for a base order"
        )


def wrong_sell(row: Order, ground: Ground, seen: Seen, bought: Decimal) -> Iterator[str]:
    """`bought`: the coins of the cycle's BUYs before any fee, as the exchange has filled them."""
    asset, cycle = ground.asset, ground.cycle
    if not asset.is_enabled and row.kind is not OrderKind.CLOSE:
        yield "sells for a disabled asset"
    # what the books took for the usual fee may be there all the same
    others = row.quantity - cycle.quantity - bought * FEE_RATE
    worth = others * seen.prices[-1][0]
    if worth > DUST_USD_AT_MOST:
        yield f"sells {worth} USD of coins that are not the cycle's"
    match row.kind:
        case OrderKind.CLOSE:
            if asset.allowed is not Allowed.EXIT:
                yield "is sold by hand, and the asset may buy on"
        case OrderKind.STOP_LOSS:
            yield from _wrong_stop_loss(row, ground, seen)
        case _:
            yield from _wrong_take_profit(ground, seen)


def _wrong_take_profit(ground: Ground, seen: Seen) -> Iterator[str]:
    asset, cycle = ground.asset, ground.cycle
    target = cycle.average_purchase_price * (1 + asset.take_profit_pct / HUNDRED)
    if asset.take_profit_after_fees:
        rate = FEE_RATE if cycle.fee_rate is None else cycle.fee_rate
        target /= (1 - rate) ** 2
    if asset.trailing_pct is not None and cycle.highest_bid is None:
        yield "sells before its target was ever reached"
    if not any(bid >= target for bid in seen.bids):
        yield f"sells for less than {target}, its target"
    if cycle.quantity <= 0:
        yield "sells for a cycle that holds nothing"


def _wrong_stop_loss(row: Order, ground: Ground, seen: Seen) -> Iterator[str]:
    asset, cycle = ground.asset, ground.cycle
    stop = cycle.average_purchase_price * (1 - (asset.stop_loss_pct or 0) / HUNDRED)
    if asset.stop_loss_pct is None:
        yield "is a stop loss that nobody asked for"
    if not any(bid <= stop for bid in seen.bids):
        yield f"stops above {stop}"
    waited = (row.created_at - (cycle.stop_loss_since or row.created_at)).total_seconds()
    if waited < asset.stop_loss_seconds - QUOTE_AGE_SECONDS - CLOCKS_APART_SECONDS:
        yield f"stops after {waited} s, {asset.stop_loss_seconds} are asked"
