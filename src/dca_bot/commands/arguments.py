"""What verbs are called with: assets by their symbol, days, and what is wrong with them."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation

from dca_bot.program.clock import local_midnight
from dca_bot.program.errors import SettingsError
from dca_bot.program.setting_values import PORT_MAX
from dca_bot.report.now import AssetNow, Now
from dca_bot.report.queries import LONG_AGO, LONG_AHEAD

# A TIMESTAMP column holds no more.
FIRST_YEAR, LAST_YEAR = 1971, 2036
DAYS_BACK_MAX = 3650


class WrongCall(SettingsError):
    """The call names what there is not: exit status 2."""


def asset_named(now: Now, symbol: str) -> AssetNow:
    """The asset, however its symbol is spelt; raises WrongCall."""
    found = now.find(symbol)
    if found is None:
        there = ", ".join(sorted(each.asset.symbol for each in now.assets)) or "none yet"
        raise WrongCall(f"dca_assets has no row for {symbol!r}; it has {there}")
    return found


def add_span(parser: ArgumentParser) -> None:
    """`--from DAY --to DAY`, days of the user's."""
    parser.add_argument(
        "--from", dest="since", type=day, metavar="DAY", help="as in 2026-03-01; default: all"
    )
    parser.add_argument(
        "--to", dest="until", type=day, metavar="DAY", help="the last day that counts"
    )


def span(arguments: Namespace) -> tuple[datetime, datetime]:
    """From the beginning of the first day to the end of the last; raises WrongCall."""
    since = LONG_AGO if arguments.since is None else local_midnight(arguments.since)
    if arguments.until is None:
        return since, LONG_AHEAD
    if arguments.since is not None and arguments.since > arguments.until:
        raise WrongCall(f"--from {arguments.since} is after --to {arguments.until}")
    return since, local_midnight(arguments.until + timedelta(days=1))


def day(text: str) -> date:
    """A day as ISO writes it."""
    try:
        found = date.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not a date: write it like 2026-03-01") from None
    if not FIRST_YEAR <= found.year <= LAST_YEAR:
        raise ArgumentTypeError(f"{text!r} is not between {FIRST_YEAR} and {LAST_YEAR}")
    return found


def year(text: str) -> int:
    """A calendar year."""
    if not (text.isascii() and text.isdigit() and FIRST_YEAR <= int(text) <= LAST_YEAR):
        raise ArgumentTypeError(f"{text!r} is not a year from {FIRST_YEAR} to {LAST_YEAR}")
    return int(text)


def positive(text: str) -> Decimal:
    """A price or an amount."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal(0)
    if not number.is_finite() or number <= 0:
        raise ArgumentTypeError(f"{text!r} is not a number above 0")
    return number


def count(text: str) -> int:
    """A whole number from 1 on."""
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 1_000_000):
        raise ArgumentTypeError(f"{text!r} is not a whole number from 1 to 1000000")
    return int(text)


def days_back(text: str) -> int:
    """A number of days, ten years of them at most."""
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= DAYS_BACK_MAX):
        raise ArgumentTypeError(f"{text!r} is not a number of days from 1 to {DAYS_BACK_MAX}")
    return int(text)


def port(text: str) -> int:
    """A number of a TCP port."""
    if not text.isascii() or not text.isdigit() or int(text) > PORT_MAX:
        raise ArgumentTypeError(f"{text!r} is not a port: give a number up to {PORT_MAX}")
    return int(text)
