"""How a moment of the demo looks: from a DemoState to something that rich can draw.

Rule: pure functions; everything is said in 80 columns and 24 lines, more room shows more orders
and more of the log, and with less room the numbers stay and the words go.
"""

from __future__ import annotations

import math
import re
from datetime import datetime, timedelta
from decimal import Decimal
from typing import assert_never

from rich.console import Group, RenderableType
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from dca_bot.core.model import (
    ORDER_NAMES,
    ZERO,
    Cycle,
    CycleStatus,
    Order,
    OrderKind,
    OrderStatus,
    Side,
)
from dca_bot.report.now import AssetNow
from dca_bot.report.numbers import how_many, price_in_words
from dca_demo.caretakers import CaretakerNow
from dca_demo.state import DemoState, Span, span_of

HEIGHT_MIN = 24
ASSET_LINES = 3
LABEL_WIDTH = 27  # "bid 76,123.45: take profit"
NARROW = 72  # below it the two labels of a bar are prices alone
NARROW_LABEL_WIDTH = 12
MARKET = "no promise: 40 times as wild as a day of bitcoin"
LEGEND = "● bid  ┿ average"
# What a line of the log is about comes first: a narrow terminal cuts its end.
TELLING = ("bid", "ask", "price", "average", "gained", "fell", "profit_after_fees")
LEFT_OUT = ("order", "client_id")

STATUS_STYLES = {
    CycleStatus.WATCHING: "cyan",
    CycleStatus.BUYING: "yellow",
    CycleStatus.SELLING: "green",
    CycleStatus.COOLDOWN: "blue",
    CycleStatus.COMPLETE: "dim",
    CycleStatus.ERROR: "bold red",
}
FACT = re.compile(r"[a-z_]+=")
LEVEL_STYLES = {"WARNING": "yellow", "ERROR": "red", "CRITICAL": "bold red"}


def render(state: DemoState, *, width: int, height: int) -> RenderableType:
    """Given a moment and the terminal's size, returns lines that fill the terminal, no more."""
    parts: list[RenderableType] = [_title(state, width), _totals(state, width), _legend(width)]
    for each in state.assets:
        earned = state.earned.get(each.asset.symbol, (ZERO, 0))
        parts += [
            _headline(each),
            _position(each, *earned, width),
            _outlook(each, state.now, width),
        ]
    fixed = 3 + ASSET_LINES * len(state.assets) + 3 + len(state.caretakers)
    free = max(HEIGHT_MIN, height) - fixed
    orders = max(3, free // 3)
    log_lines = max(2, free - orders)
    parts.append(_heading("last orders"))
    parts += _padded([_order(*each, width) for each in state.orders[:orders]], orders)
    parts.append(_heading("caretakers"))
    parts += [_caretaker(each, state.now) for each in state.caretakers]
    parts.append(_heading("main_app.py says"))
    parts += [_log_line(line) for line in state.log_lines[-log_lines:]]
    return Group(*parts)


def summary(state: DemoState) -> str:
    """The last line: what came of it."""
    return (
        f"{_clock(state.running)} of trading, {how_many(state.cycles_completed, 'cycle')} "
        f"completed, profit after fees {_dollars(state.realised)} USD "
        f"and {_dollars(state.unrealised)} USD in open positions"
    )


def _title(state: DemoState, width: int) -> Table:
    money = "  no real money  " if width >= NARROW else "  "
    return _sides(
        Text.assemble(("DCA bot demo", "bold"), (money, "dim"), (state.page, "cyan")),
        Text.assemble(f"{_clock(state.running)}  ", ("Ctrl-C ends it", "bold")),
    )


def _totals(state: DemoState, width: int) -> Table:
    return _sides(
        Text.assemble(
            "profit after fees ",
            _gain(state.realised),
            f" USD in {how_many(state.cycles_completed, 'cycle')}, open ",
            _gain(state.unrealised),
            " USD",
        ),
        Text(state.bot if width >= NARROW else "", style="dim"),
    )


def _legend(width: int) -> Text:
    market = MARKET if width >= NARROW else "no real money, no promise"
    return Text(f"{LEGEND}   {market}", "dim", no_wrap=True, overflow="ellipsis")


def _headline(now: AssetNow) -> Table:
    status = (
        Text("no cycle yet", "dim")
        if now.cycle is None
        else Text(now.cycle.status, STATUS_STYLES[now.cycle.status])
    )
    cycle = Text(f" c{now.cycle.cycle_id} " if now.cycle else " ", "dim")
    left = Text.assemble((f" {now.asset.symbol} ", "bold reverse"), cycle, status)
    if now.quote is None:
        return _sides(left, Text("no price yet", "dim"))
    bid, ask = price_in_words(now.quote.bid), price_in_words(now.quote.ask)
    return _sides(left, Text.assemble(("bid ", "dim"), bid, ("  ask ", "dim"), ask))


def _position(now: AssetNow, earned: Decimal, cycles: int, width: int) -> Table:
    past = Text.assemble(("earned ", "dim"), _gain(earned), (f" in {cycles}", "dim"))
    cycle = now.cycle
    if cycle is None or cycle.quantity <= 0:
        return _sides(Text("  holds nothing", "dim"), past)
    held = Text.assemble(
        f"  {cycle.quantity:.6f}",
        (" at ", "dim"),
        price_in_words(cycle.average_purchase_price),
        ("  safety ", "dim"),
        f"{cycle.safety_orders}/{now.asset.max_safety_orders}",
        ("  open ", "dim"),
        _gain(now.net_if_sold or ZERO),
        (" USD", "dim"),
    )
    return _sides(held, past if width >= NARROW else Text(""))


def _outlook(now: AssetNow, at: datetime, width: int) -> Text:
    if (span := span_of(now)) is not None:
        return _progress(span, width)
    return Text(f"  {_what_next(now, now.cycle, at)}", "dim") if now.cycle else Text("")


def _what_next(now: AssetNow, cycle: Cycle, at: datetime) -> str:
    match cycle.status:
        case CycleStatus.WATCHING:
            return "buys at the next price"
        case CycleStatus.BUYING:
            return "its BUY is on the exchange"
        case CycleStatus.SELLING:
            return "its SELL is on the exchange"
        case CycleStatus.COOLDOWN:
            ends_at = now.cooldown_ends_at or at
            if ends_at <= at:
                return "the cooldown is over: cooldown_manager.py is about to end it"
            early = now.triggers.buy_at_or_below
            sooner = f", or at an ask of {price_in_words(early)}" if early else ""
            return f"cooldown ends in {math.ceil((ends_at - at).total_seconds())} s{sooner}"
        case CycleStatus.COMPLETE | CycleStatus.ERROR:
            return "the cycle is over"
        case _:
            assert_never(cycle.status)


def _progress(span: Span, width: int) -> Text:
    """`next buy: ask 75,999.20 ━━┿━●─── bid 77,225.00: take profit`, as wide as the terminal."""
    label_width = LABEL_WIDTH if width >= NARROW else NARROW_LABEL_WIDTH
    cells = max(10, width - 2 * label_width)
    here = _cell(span.position, cells)
    low, high = price_in_words(span.low), price_in_words(span.high)
    if width >= NARROW:
        low, high = f"next buy: ask {low}", f"bid {high}: take profit"
    if span.is_last_rung:
        low = "no safety order left" if width >= NARROW else "none left"
    bar = Text()
    for cell in range(cells):
        if cell == here:
            bar.append("●", "bold green" if span.position >= span.average else "bold red")
        elif cell == _cell(span.average, cells):
            bar.append("┿", "bold")
        else:
            bar.append("━" if cell < here else "─", "green" if cell < here else "dim")
    left = Text(low.rjust(label_width - 1) + " ", "dim")
    return Text.assemble(left, bar, (f" {high}", "dim"))


def _cell(fraction: Decimal, cells: int) -> int:
    return min(cells - 1, int(fraction * cells))


def _order(symbol: str, order: Order, width: int) -> Text:
    name = ORDER_NAMES[order.kind] + (f" {order.rung}" if order.kind is OrderKind.SAFETY else "")
    limit = price_in_words(order.limit_price) if order.limit_price else "the bid"
    return Text.assemble(
        (f"{order.created_at:%H:%M:%S} ", "dim"),
        f"{symbol:8} c{order.cycle_id:<3}",
        (f"{name:15}", "yellow" if order.kind.side is Side.BUY else "green"),
        f"{order.quantity:.6f} ",
        *((("at ", "dim"), f"{limit:11}") if width >= NARROW else ()),
        _outcome(order, "filled at" if width >= NARROW else "at"),
        no_wrap=True,
        overflow="ellipsis",
    )


def _outcome(order: Order, filled_at: str) -> Text:
    price = order.filled_average_price
    if order.status is OrderStatus.FILLED and price is not None:
        return Text(f"{filled_at} {price_in_words(price)}", "bold")
    if order.filled_quantity > 0:
        return Text(f"{order.status}, {order.filled_quantity:.6f} filled", "yellow")
    return Text(order.status, "dim" if order.status.is_finished else "yellow")


def _caretaker(caretaker: CaretakerNow, at: datetime) -> Text:
    """Its last deed with the time; until it has done something, what its last run summed up."""
    age = "not yet" if caretaker.ended_at is None else _ago(caretaker.ended_at, at)
    if caretaker.is_running:
        age = "now"
    words = _log_line(caretaker.deed) if caretaker.deed else Text(_summed_up(caretaker.last_line))
    name = Text(f"{caretaker.script:23}", "red" if caretaker.exit_status else "")
    return Text.assemble(name, (f"{age:10}", "dim"), words, no_wrap=True, overflow="ellipsis")


def _summed_up(line: str) -> str:
    """`done assets=3`: without time and name, which stand before it, and without the zeros."""
    words = line.split(" ")[3:]
    return " ".join(word for word in words if not word.endswith("=0"))


def _ago(then: datetime, now: datetime) -> str:
    return f"{max(0, round((now - then).total_seconds()))} s ago"


def _log_line(line: str) -> Text:
    """`18:16:59 BTC/USD c42 base order placed ask=…`, coloured by its level."""
    at, _, rest = line.partition(" ")
    level, _, sentence = rest.partition(" ")
    style = LEVEL_STYLES.get(level, "")
    time = at.partition("T")[2][:8]
    shown = f"{time} {_telling_first(sentence)}" if time else line
    return Text(shown, style, no_wrap=True, overflow="ellipsis")


def _telling_first(sentence: str) -> str:
    """Its facts in the order in which a reader asks for them, without the ids of orders."""
    words = sentence.split(" ")
    facts = [word for word in words if FACT.match(word)]
    said = [word for word in words if word not in facts]
    kept = [fact for fact in facts if fact.partition("=")[0] not in LEFT_OUT]
    return " ".join([*said, *sorted(kept, key=_rank)])


def _rank(fact: str) -> int:
    name = fact.partition("=")[0]
    return TELLING.index(name) if name in TELLING else len(TELLING)


def _heading(words: str) -> Rule:
    return Rule(Text(words, "dim"), align="left", style="dim")


def _sides(left: Text, right: Text) -> Table:
    grid = Table.grid(expand=True)
    grid.add_column(no_wrap=True, overflow="ellipsis")
    grid.add_column(justify="right", no_wrap=True)
    grid.add_row(left, right)
    return grid


def _padded(lines: list[Text], count: int) -> list[Text]:
    return lines + [Text("")] * (count - len(lines))


def _dollars(amount: Decimal) -> str:
    return f"{amount:+,.2f}"


def _gain(amount: Decimal) -> Text:
    return Text(_dollars(amount), "green" if amount >= 0 else "red")


def _clock(duration: timedelta) -> str:
    minutes, seconds = divmod(int(duration.total_seconds()), 60)
    return f"{minutes}:{seconds:02} min"
