"""Shows the ladder of an asset's row: what each rung buys, and what is left
after the take profit.

The price is that of --price, or the ask that main_app.py saw last, or the last fill, or else
Alpaca's ask of now.  A rung's net is what is left after all fees when everything is sold at its
take-profit price; every order is taken to fill at its limit.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from dataclasses import asdict
from decimal import Decimal

from rich.text import Text

from dca_bot.commands import output
from dca_bot.commands.arguments import WrongCall, asset_named, positive
from dca_bot.commands.output import amount, price
from dca_bot.core.model import OrderKind
from dca_bot.program.errors import BrokerUnavailable, SettingsError
from dca_bot.program.settings import read_mode, read_settings, read_store_settings
from dca_bot.report.health import look
from dca_bot.report.ladder import Ladder, Rung, as_a_preview, ladder_from
from dca_bot.report.now import AssetNow
from dca_bot.report.reader import Reader

REQUESTS_PER_MINUTE = 60  # of the 200 that the account has; the bot goes first


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("symbol", metavar="SYMBOL", help="as in BTC/USD")
    parser.add_argument("--price", type=positive, help="the ask that the base order sees")


def run(arguments: Namespace) -> int:
    settings = read_store_settings()
    with Reader(settings.database) as reader:
        now, _ = look(reader, settings, read_mode())
    found = asset_named(now, arguments.symbol)
    begins_at = arguments.price or _price_of(found)
    ladder = ladder_from(as_a_preview(found.asset), begins_at, found.rules, fee_rate=found.fee_rate)
    if arguments.json:
        output.print_json(
            {
                "symbol": found.asset.symbol,
                "price": begins_at,
                "rungs": [asdict(rung) for rung in ladder.rungs],
                "warnings": list(ladder.warnings),
                "to_correct": now.to_correct,
            }
        )
    else:
        _print(found, begins_at, ladder)
        output.say_to_correct(now.to_correct)
    return 0


def _price_of(found: AssetNow) -> Decimal:
    if found.quote is not None:
        return found.quote.ask
    if found.cycle is not None and found.cycle.last_order_fill_price:
        return found.cycle.last_order_fill_price
    if found.asset.last_sell_price:
        return found.asset.last_sell_price
    return _ask_of_now(found.asset.symbol)


def _ask_of_now(symbol: str) -> Decimal:
    """What Alpaca tells, for a row that the bot has not looked at yet."""
    # Only here: loading what talks to Alpaca takes longer than all the rest.
    from dca_bot.broker.rate_limit import RateLimiter
    from dca_bot.broker.rest import AlpacaBroker

    unknown = f"no price of {symbol} is known yet: say one, as in --price 64000"
    try:
        broker = AlpacaBroker(read_settings().alpaca, RateLimiter(REQUESTS_PER_MINUTE))
        quote = broker.latest_quotes([symbol]).get(symbol)
    except (BrokerUnavailable, SettingsError) as error:
        raise WrongCall(f"{unknown} (Alpaca was not asked: {error})") from None
    if quote is None:
        raise WrongCall(unknown)
    return quote.ask


def _print(found: AssetNow, begins_at: Decimal, ladder: Ladder) -> None:
    console, asset = output.console(), found.asset
    currency = asset.quote_currency
    console.print(f"The ladder of {asset.symbol} from {price(begins_at)}, in {currency}")
    headings = ("buy", "at or below", "holding", "in", "average", "sell at", "net", "fall %")
    shown = output.table(*headings)
    for rung in ladder.rungs:
        shown.add_row(
            _name(rung),
            price(rung.trigger),
            output.short_quantity(rung.holding),
            amount(rung.invested),
            price(rung.average_price),
            price(rung.take_profit_price),
            output.signed(rung.net),
            f"{rung.fall_pct:.2f}",
        )
    console.print(shown)
    for warning in ladder.warnings:
        console.print(Text(warning, "yellow"))


def _name(rung: Rung) -> str:
    return "base" if rung.kind is OrderKind.BASE else f"safety {rung.number}"
