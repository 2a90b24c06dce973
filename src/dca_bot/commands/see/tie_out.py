"""Compares the books with Alpaca's own records (account activities), and names what differs.

Asks Alpaca, so it needs the keys too.  Fees are posted hours after their fills and name no order:
they are compared in sums, and what is not posted yet is counted as pending.
Exit status: 0 nothing differs, 1 something does, or Alpaca could not be asked.
"""

from __future__ import annotations

import time
from argparse import ArgumentParser, Namespace
from dataclasses import asdict
from datetime import datetime, timedelta

from rich.text import Text

from dca_bot.broker.activities import AlpacaActivities
from dca_bot.broker.rate_limit import RateLimiter
from dca_bot.broker.rest import AlpacaBroker
from dca_bot.commands import output
from dca_bot.commands.arguments import days_back
from dca_bot.core.order_ids import is_ours
from dca_bot.program.clock import utc_now
from dca_bot.program.setting_groups import Settings
from dca_bot.program.settings import read_settings
from dca_bot.report import queries
from dca_bot.report.numbers import how_many
from dca_bot.report.queries import LONG_AHEAD
from dca_bot.report.reader import Reader, order_oddity, texts
from dca_bot.report.tie_out import (
    BookedOrder,
    Records,
    TieOut,
    seen_twice,
    tie_out,
    with_successors,
)
from dca_bot.store.orders import ORDERS

DAYS = 7
SECOND_LOOK_SECONDS = 3.0
DAY_BEFORE = timedelta(days=1)
REQUESTS_PER_MINUTE = 60  # of the 200 that the account has; the bot goes first
UNKNOWN_MAX = 100  # orders that are asked about one by one


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--days", type=days_back, default=DAYS, help=f"how far back; default: {DAYS}"
    )


def run(arguments: Namespace) -> int:
    settings = read_settings()
    found = compare(settings, utc_now(), arguments.days)
    if found.differences:
        # A fill of this very moment stands on one side before it stands on the other.
        time.sleep(SECOND_LOOK_SECONDS)
        found = seen_twice(found, compare(settings, utc_now(), arguments.days))
    if arguments.json:
        output.print_json(
            {
                "checked": found.fills,
                "orders": found.orders,
                "fee_rows": found.fee_rows,
                "fees_pending": found.pending,
                "days": arguments.days,
                "differences": [asdict(each) for each in found.differences],
            }
        )
    else:
        _print(found, arguments.days)
    return 1 if found.differences else 0


def compare(settings: Settings, now: datetime, days: int) -> TieOut:
    """Ask both sides; raises BrokerUnavailable and StoreUnavailable."""
    since = now - timedelta(days=days)
    limiter = RateLimiter(REQUESTS_PER_MINUTE)
    activities = AlpacaActivities(settings.alpaca, limiter)
    broker = AlpacaBroker(settings.alpaca, limiter)
    fills = activities.fills(since - DAY_BEFORE, now)
    fees = activities.fees(since, now + DAY_BEFORE)
    # After Alpaca: a fill that it tells of may stand in the books a moment later.
    with Reader(settings.database) as reader:
        rows = reader.rows(queries.SENT_ORDERS, since - 30 * DAY_BEFORE, LONG_AHEAD)
        symbols = frozenset(texts(reader.rows(queries.SYMBOLS)))
        booked = [
            BookedOrder(order, str(row[ORDERS.width] or ""))
            for row in rows
            if (order := reader.take(ORDERS, row, order_oddity)) is not None
        ]
        to_correct = reader.to_correct
    known = {each.order.alpaca_order_id for each in booked}
    unknown = dict.fromkeys(fill.order_id for fill in fills if fill.order_id not in known)
    asked = {
        order_id: update
        for order_id in list(unknown)[:UNKNOWN_MAX]
        if (update := broker.order_by_id(order_id)) is not None
    }
    fills = with_successors(fills, booked, asked)
    seen = {fill.order_id for fill in fills}
    relevant = [
        each
        for each in booked
        if each.order.alpaca_order_id in seen
        or (each.order.filled_quantity > 0 and each.order.created_at < now)
    ]
    return tie_out(
        Records(
            since=since,
            asked_at=now,
            fills=fills,
            fees=fees,
            booked=relevant,
            ours={name for name, update in asked.items() if is_ours(update.client_order_id)},
            symbols=symbols,
            to_correct=to_correct,
        )
    )


def _print(found: TieOut, days: int) -> None:
    console = output.console()
    console.print(
        f"The last {how_many(days, 'day')}: {how_many(found.fills, 'fill')} and "
        f"{how_many(found.fee_rows, 'fee')} at Alpaca, "
        f"{how_many(found.orders, 'filled order')} in the books."
    )
    if found.pending:
        console.print(f"Not posted yet: the fees of {how_many(found.pending, 'fill')}.")
    if not found.differences:
        console.print(Text("The books agree with Alpaca.", "green"))
        return
    shown = output.table("what differs", "asset", "", left=3)
    shown.columns[2].no_wrap = False
    for each in found.differences:
        order = f" (order {each.order_id})" if each.order_id else ""
        shown.add_row(Text(each.kind, "red"), each.symbol, each.what + order)
    console.print(shown)
