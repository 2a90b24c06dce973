"""States and reasons in words: what an asset does, and what it waits for.

Rule: every reachable state has its word and its sentence, and `State` names them all; a sentence
says the numbers that are compared, and what a human can do where only he can.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import assert_never

from dca_bot.core.asset_row import HALTED
from dca_bot.core.ladder import below, spread_pct, stop_loss_price
from dca_bot.core.model import Allowed, CycleStatus, OrderStatus, Side
from dca_bot.report.now import AssetNow, HealthLevel, HealthReport
from dca_bot.report.numbers import age_in_words, amount_in_words, price_in_words

QUOTE_OLD = timedelta(seconds=10)


class State(StrEnum):
    """What an asset is doing, in a word or two."""

    UNUSABLE = "unusable"
    HALTED = "halted"  # by Alpaca
    DISABLED = "disabled"
    NOT_BEGUN = "not begun"
    IN_DOUBT = "in doubt"
    BUYING = "buying"
    SELLING = "selling"
    COOLDOWN = "cooldown"
    HELD_UP = "held up"  # an order is due, and a reason keeps it back
    WATCHING = "watching"  # holds nothing, buys at the next price
    NOT_ALLOWED = "no new cycle"  # holds nothing, and may not begin
    OUT_OF_RANGE = "out of range"  # holds nothing; the price is outside of what the row allows
    TRAILING = "trailing"  # above its target, and sells at the fall from the highest bid
    STOPPING = "stopping"  # at or below its stop loss, and the seconds are counted
    HOLDING = "holding"  # between the next safety order and the take profit
    LAST_RUNG = "last rung"  # waits for the take profit alone


def state_of(now: AssetNow) -> State:
    """The state of an asset; whether anybody looks at it is `HealthReport`'s to say."""
    cycle, live = now.cycle, now.live_order
    if now.problem == HALTED:
        return State.HALTED
    if now.problem and not (now.is_stopped_from_buying_only and now.is_holding):
        return State.UNUSABLE
    if not now.asset.is_enabled:
        return State.DISABLED
    if cycle is None:
        return State.NOT_BEGUN
    if live is not None and live.status is OrderStatus.INTENDED and live.alpaca_order_id is None:
        return State.IN_DOUBT
    if cycle.status is CycleStatus.BUYING:
        return State.BUYING
    if cycle.status is CycleStatus.SELLING:
        return State.SELLING
    if cycle.status is CycleStatus.COOLDOWN:
        restrained = now.asset.allowed is not Allowed.ALL
        return State.NOT_ALLOWED if restrained else State.COOLDOWN
    if _held_up_side(now) is not None:
        return State.HELD_UP
    if not now.is_holding:
        return _before_its_first_buy(now)
    if cycle.stop_loss_since is not None:
        return State.STOPPING
    if now.triggers.sell_between is not None:
        return State.TRAILING
    buys_no_more = now.triggers.buy_at_or_below is None or now.problem
    return State.LAST_RUNG if buys_no_more else State.HOLDING


def _before_its_first_buy(now: AssetNow) -> State:
    if now.asset.allowed is not Allowed.ALL:
        return State.NOT_ALLOWED
    if now.quote is not None and not now.triggers.buys(now.quote):
        return State.OUT_OF_RANGE
    return State.WATCHING


def why(now: AssetNow, health: HealthReport, at: datetime) -> str:
    """In one or two sentences: what the asset waits for, with the numbers."""
    waits = _sentence(now, state_of(now), at)
    is_said_by_its_state = health.word is HealthLevel.PAUSED and now.asset.allowed is Allowed.EXIT
    if not health.is_on_the_watch and now.asset.is_enabled and not is_said_by_its_state:
        lead = "Nobody looks at the prices" if health.word is HealthLevel.BLIND else "Paused"
        return f"{lead}: {health.reasons[0]}. Then: {waits}"
    if health.no_orders and now.asset.is_enabled:
        return f"No order is placed: {health.no_orders}. Then: {waits}"
    return waits


def _sentence(now: AssetNow, state: State, at: datetime) -> str:
    asset = now.asset
    match state:
        case State.UNUSABLE:
            what = "this" if "correct row" in now.problem else "its row in dca_assets"
            return f"Not traded until {what} is corrected: {now.problem}."
        case State.HALTED:
            trades = replace(now, problem="")
            return (
                f"Alpaca has halted {asset.symbol}, so no order is placed; Alpaca is asked every "
                f"60 s, and it goes on by itself. Then: {_sentence(trades, state_of(trades), at)}"
            )
        case State.DISABLED:
            held = _holds(now, " It holds {}, which is not sold either.")
            return f"Disabled: is_enabled is FALSE in dca_assets, so it gets no orders.{held}"
        case State.NOT_BEGUN:
            return (
                "Has no cycle yet: main_app.py begins one within seconds once it runs, "
                "and buys at the next price."
            )
        case State.IN_DOUBT:
            return (
                "Waits for Alpaca's answer to its last order; without one the bot asks by its own "
                "order id until it knows, and sends nothing twice."
            )
        case State.BUYING | State.SELLING:
            return _under_way(now, at)
        case State.COOLDOWN:
            return _cooldown(now, at)
        case State.HELD_UP:
            return _held_up(now)
        case State.WATCHING:
            return _first_buy(now, at)
        case State.NOT_ALLOWED:
            return (
                f"Begins no cycle: its row says allowed = '{asset.allowed}'. "
                f"`dca resume {asset.symbol}`, or 'all' in that column, lets it."
            )
        case State.OUT_OF_RANGE:
            return _out_of_range(now)
        case State.STOPPING:
            return _stopping(now, at)
        case State.TRAILING:
            return _trailing(now)
        case State.HOLDING | State.LAST_RUNG:
            return _two_prices(now, at)
        case _:
            assert_never(state)


def _out_of_range(now: AssetNow) -> str:
    asset, quote = now.asset, now.quote
    assert quote is not None  # noqa: S101 - without one nothing is out of range
    spread = spread_pct(quote)
    if asset.max_spread_pct is not None and spread > asset.max_spread_pct:
        return (
            f"Waits for bid and ask to come closer: they are {spread:.2f} % apart, "
            f"max_spread_percent is {asset.max_spread_pct.normalize():f}."
        )
    low, high = price_in_words(asset.min_start_price), price_in_words(asset.max_start_price)
    return (
        f"Begins a cycle only between the prices of its row, {low} and {high}; "
        f"the ask is {price_in_words(quote.ask)}."
    )


def _stopping(now: AssetNow, at: datetime) -> str:
    cycle = now.cycle
    since = cycle.stop_loss_since if cycle else None
    price = stop_loss_price(now.asset, cycle) if cycle else None
    for_seconds = age_in_words(at - since) if since else "0 s"
    return (
        f"Its stop loss counts: the bid has been at or below {price_in_words(price)} for "
        f"{for_seconds}; after {now.asset.stop_loss_seconds} s it sells {now.quantity:f}."
    )


def _trailing(now: AssetNow) -> str:
    between, cycle = now.triggers.sell_between, now.cycle
    lowest, falls_to = between if between else (None, None)
    highest = cycle.highest_bid if cycle else None
    return (
        f"Its profit trails: sells {now.quantity:f} when the bid falls to "
        f"{price_in_words(falls_to)}, but not below {price_in_words(lowest)}; the highest bid was "
        f"{price_in_words(highest)}."
    )


def _under_way(now: AssetNow, at: datetime) -> str:
    order = now.live_order
    if order is None:
        return (
            "Waits for an order that its row names and the bot did not place; "
            "consistency_checker.py settles it."
        )
    age = age_in_words(at - order.created_at)
    filled = f"{order.filled_quantity:f} of {order.quantity:f} filled"
    if order.side is Side.SELL:
        return f"Waits for its market SELL, sent {age} ago, to fill: {filled}."
    limit = price_in_words(order.limit_price)
    ask = f" The ask is {price_in_words(now.quote.ask)}." if now.quote else ""
    return f"Waits for its BUY at {limit} or below, sent {age} ago, to fill: {filled}.{ask}"


def _cooldown(now: AssetNow, at: datetime) -> str:
    asset, ends_at = now.asset, now.cooldown_ends_at
    early = ""
    if asset.last_sell_price is not None:
        price = below(asset.last_sell_price, asset.restart_deviation_pct)
        early = (
            f" Sooner if the ask falls to {price_in_words(price)}, "
            f"{asset.restart_deviation_pct.normalize():f} % below the last sale"
        )
        early += f"; it is {price_in_words(now.quote.ask)} now." if now.quote else "."
    if ends_at is None or ends_at <= at:
        return f"The cooldown is over: the next run of cooldown_manager.py ends it.{early}"
    return f"Cooldown for another {age_in_words(ends_at - at)} after its take profit.{early}"


def _held_up_side(now: AssetNow) -> Side | None:
    """The side whose order is due and kept back, if one is."""
    if not now.seen.why or now.cycle is None:
        return None
    prices, quote = now.triggers, now.quote
    for side, seconds, price in (
        (Side.BUY, now.seen.buy_pause_seconds, prices.buy_at_or_below),
        (Side.SELL, now.seen.sell_pause_seconds, prices.sell_at_or_above),
    ):
        if price is None or seconds <= 0 or quote is None:
            continue
        is_due = prices.buys(quote) if side is Side.BUY else quote.bid >= price
        if is_due:
            return side
    return None


def _held_up(now: AssetNow) -> str:
    side = _held_up_side(now)
    left = now.seen.buy_pause_seconds if side is Side.BUY else now.seen.sell_pause_seconds
    what = "A BUY" if side is Side.BUY else "Its take profit"
    return f"{what} is due but held up, next try within {left:.0f} s: {now.seen.why}."


def _first_buy(now: AssetNow, at: datetime) -> str:
    amount = amount_in_words(now.asset.base_order_amount, now.asset.quote_currency)
    if now.quote is None:
        return f"Waits for a first price, and then buys for {amount} at the ask."
    return f"Buys for {amount} at the next price{_old_quote(now, at)}{_lack_of_cash(now)}."


def _two_prices(now: AssetNow, at: datetime) -> str:
    asset, prices = now.asset, now.triggers
    bid = f", it is {price_in_words(now.quote.bid)} now" if now.quote else ""
    ask = f", it is {price_in_words(now.quote.ask)} now" if now.quote else ""
    sell = (
        f"Sells {now.quantity:f} when the bid reaches {price_in_words(now.take_profit_price)}"
        f"{_percent(now, now.take_profit_price, Side.SELL)}{bid}"
    )
    if now.problem:
        return f"{sell}; buys no more until its row is corrected: {now.problem}."
    if prices.buy_at_or_below is None:
        used = f"all {asset.max_safety_orders} safety orders are used"
        if asset.allowed is Allowed.EXIT:
            used = "its row says allowed = 'exit'"
        return f"{sell}; buys no more, since {used}{_old_quote(now, at)}."
    rung = (now.cycle.safety_orders if now.cycle else 0) + 1
    return (
        f"{sell}. Buys safety order {rung} of {asset.max_safety_orders} when the ask falls to "
        f"{price_in_words(prices.buy_at_or_below)}"
        f"{_percent(now, prices.buy_at_or_below, Side.BUY)}{ask}{_old_quote(now, at)}"
        f"{_lack_of_cash(now)}."
    )


def _percent(now: AssetNow, price: Decimal | None, side: Side) -> str:
    distance = now.distance_pct(price, side)
    return "" if distance is None else f" ({distance:+.2f} %)"


def _lack_of_cash(now: AssetNow) -> str:
    if not now.lacks_cash or now.cash is None:
        return ""
    currency = now.asset.quote_currency
    needs, has = (amount_in_words(each, currency) for each in (now.next_amount, now.cash))
    return f"; but that takes {needs}, and the cash is {has}"


def _old_quote(now: AssetNow, at: datetime) -> str:
    """Said only of a quote that the bot would not act on."""
    if now.quote is None or at - now.quote.at <= QUOTE_OLD:
        return ""
    age = age_in_words(at - now.quote.at)
    return f"; but its last quote is {age} old, and only fresh ones count"


def _holds(now: AssetNow, sentence: str) -> str:
    if not now.is_holding:
        return ""
    coin = now.asset.symbol.partition("/")[0]
    return sentence.format(f"{now.quantity:f} {coin}")
