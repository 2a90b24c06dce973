"""Tells one cycle as a story: what happened and why, its orders, fills and fees."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Any

from rich.table import Table
from rich.text import Text

from dca_bot.commands import output
from dca_bot.commands.arguments import WrongCall, count
from dca_bot.commands.output import amount, local, price
from dca_bot.core.model import ORDER_NAMES, Order
from dca_bot.program.settings import read_store_settings
from dca_bot.report.cycles import Story, cycle_object, story_of
from dca_bot.report.reader import Reader


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", type=count, help="as `dca cycles` and the log show it")


def run(arguments: Namespace) -> int:
    settings = read_store_settings()
    with Reader(settings.database) as reader:
        story = story_of(reader, arguments.id)
        to_correct = reader.to_correct
    if story is None:
        raise WrongCall(f"there is no cycle {arguments.id}: `dca cycles` lists them")
    if arguments.json:
        output.print_json({**_as_json(story), "to_correct": to_correct})
    else:
        _print(story)
        output.say_to_correct(to_correct)
    return 0


def _as_json(story: Story) -> dict[str, Any]:
    return {
        **cycle_object(story.line),
        "orders": [_order(story, order) for order in story.orders],
        "events": [
            {
                "at": event.at,
                "kind": event.kind,
                "sentence": event.sentence,
                "client_order_id": event.client_order_id,
                "price": event.price,
                "against": event.against,
                "quantity": event.quantity,
            }
            for event in story.events
        ],
    }


def _order(story: Story, order: Order) -> dict[str, Any]:
    return {
        "client_order_id": order.client_order_id,
        "order_id": order.alpaca_order_id,
        "kind": order.kind.value,
        "rung": order.rung,
        "side": order.side.value,
        "status": order.status.value,
        "created_at": order.created_at,
        "quantity": order.quantity,
        "limit_price": order.limit_price,
        "filled_quantity": order.filled_quantity,
        "filled_average_price": order.filled_average_price,
        "received_quantity": order.received_quantity,
        "fee": story.fee_of(order),
        "fee_estimated": story.is_estimated(order),
    }


def _print(story: Story) -> None:
    console, line = output.console(), story.line
    console.print(f"Cycle {line.id} of {line.symbol}: {line.status}")
    shown = output.table(
        f"order ({output.zone()})", "", "status", "filled", "at", "worth", "fee", left=3
    )
    for order in story.orders:
        filled_price = order.filled_average_price
        worth = None if filled_price is None else order.filled_quantity * filled_price
        name = ORDER_NAMES[order.kind] + (f" {order.rung}" if order.rung else "")
        shown.add_row(
            local(order.created_at, seconds=True)[5:],
            name,
            order.status.value,
            output.short_quantity(order.filled_quantity),
            price(filled_price),
            amount(worth),
            amount(story.fee_of(order), 4) + (" *" if story.is_estimated(order) else ""),
        )
    console.print(shown)
    if any(map(story.is_estimated, story.orders)):
        console.print(Text("* estimated: Alpaca's records tell it hours later", "dim"))
    events = Table.grid(padding=(0, 2))
    console.print()
    for event in story.events:
        events.add_row(local(event.at, seconds=True)[5:], event.sentence)
    console.print(events)
    console.print()
    console.print(f"paid {amount(line.invested)}, fees {amount(line.fees, 4)}, net ", end="")
    console.print(output.signed(line.net) if line.completed_at else "open: see `dca status`")
