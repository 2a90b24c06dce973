"""What `dca backtest` and `dca sweep` are asked: pairs, prices, days, columns, and the market."""

from __future__ import annotations

import re
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from dca_bot.backtest.cases import Market
from dca_bot.backtest.parameters import columns, option, sample_asset
from dca_bot.backtest.prices.months import read_bars
from dca_bot.backtest.prices.price_files import read_prices
from dca_bot.backtest.prices.recording import SECOND, Recording, require_some, require_whole
from dca_bot.core.model import Allowed, Asset
from dca_bot.program.errors import SettingsError
from dca_bot.program.setting_groups import PROJECT_ROOT
from dca_bot.program.settings import read_store_settings

DATA = PROJECT_ROOT / "data"
PAIR = re.compile(r"[A-Z0-9]{1,15}/[A-Z0-9]{1,15}")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FEE_MAX, SPREAD_MAX, LATENCY_MAX = Decimal(1), Decimal(1000), 60_000


def add_data_option(parser: Any) -> None:
    """Where what `dca history` has fetched is kept."""
    parser.add_argument(
        "--data", metavar="DIR", type=Path, default=DATA, help="where fetched bars are (data/)"
    )


def add_price_options(parser: ArgumentParser) -> None:
    """Where prices come from, and which part of them counts."""
    prices = parser.add_argument_group("prices")
    prices.add_argument(
        "--prices",
        metavar="FILE",
        action="append",
        type=Path,
        help="a CSV file of quotes, bars or trades instead of what `dca history` has fetched "
        "(with several pairs once for each)",
    )
    add_data_option(prices)
    prices.add_argument("--from", dest="since", metavar="DAY", help="as 2025-01-01, UTC")
    prices.add_argument("--to", dest="until", metavar="DAY", help="the last day that counts")
    prices.add_argument(
        "--allow-gaps", action="store_true", help="also where a week of prices is missing"
    )


def add_market_options(parser: ArgumentParser) -> None:
    """How orders fare."""
    market = parser.add_argument_group("the exchange")
    market.add_argument(
        "--fee-percent",
        "--fee",
        metavar="PERCENT",
        default="0.25",
        help="of each side, taken in what is received (%(default)s)",
    )
    market.add_argument(
        "--spread-bps",
        metavar="BPS",
        help="between bid and ask where the prices have none: 10 for the pessimistic run, else 0",
    )
    market.add_argument(
        "--latency-ms",
        metavar="MS",
        help="until an order is at the exchange: 300 for the pessimistic run, else 0",
    )
    market.add_argument(
        "--closes", action="store_true", help="take a bar's close for its only price"
    )


def add_column_options(parser: ArgumentParser, *, many: bool) -> None:
    """An option for each column of `dca_assets`."""
    values = "a value, FROM:TO:STEP or A,B,C" if many else "a value"
    group = parser.add_argument_group(
        "columns of dca_assets", f"X is {values}; else as the README's row has it"
    )
    for column, field in columns().items():
        default = getattr(sample_asset("BTC/USD"), field)
        group.add_argument(
            option(column),
            dest=column,
            metavar="",
            help="none" if default is None else f"{default}",
        )
    group.add_argument(
        "--as-configured", action="store_true", help="else as the pair's row in the database has it"
    )


def given_columns(arguments: Namespace) -> dict[str, str]:
    """The texts of the column options that were used."""
    texts = {column: getattr(arguments, column) for column in columns()}
    return {column: text for column, text in texts.items() if text is not None}


def market_of(arguments: Namespace) -> Market:
    """Raises SettingsError where a number is out of range."""
    spread, latency = arguments.spread_bps, arguments.latency_ms
    return Market(
        fee_percent=_number("--fee-percent", arguments.fee_percent, FEE_MAX),
        spread_bps=None if spread is None else _number("--spread-bps", spread, SPREAD_MAX),
        latency_ms=None
        if latency is None
        else int(_number("--latency-ms", latency, Decimal(LATENCY_MAX))),
        closes=arguments.closes,
    )


def pair_of(text: str) -> str:
    """A pair as it is written everywhere; raises SettingsError."""
    pair = text.upper()
    if not PAIR.fullmatch(pair):
        raise SettingsError(f"{text!r} is not a pair: write it like BTC/USD")
    return pair


def recordings_of(arguments: Namespace, pairs: Sequence[str]) -> list[Recording]:
    """The prices of each pair; raises SettingsError or DcaError, which name what is wrong."""
    since, until = stretch(arguments.since, arguments.until)
    files: list[Path] = arguments.prices or []
    if files and len(files) != len(pairs):
        raise SettingsError(f"--prices: {len(pairs)} pairs need as many files, not {len(files)}")
    recordings = []
    for number, pair in enumerate(pairs):
        if files:
            recording = read_prices(files[number], pair).part(since, until)
        else:
            recording = read_bars(arguments.data, pair, since, until)
        require_some(recording)
        if not arguments.allow_gaps and files:
            require_whole(recording)  # a file is what it is, whatever days were asked for
        elif not arguments.allow_gaps:
            require_whole(recording, since=since, until=until)
        recordings.append(recording)
    return recordings


def stretch(since: str | None, until: str | None) -> tuple[int | None, int | None]:
    """Both days in nanoseconds, the second as the beginning of the day after it."""
    first = None if since is None else day("--from", since)
    last = None if until is None else day("--to", until) + 86_400 * SECOND
    if first is not None and last is not None and first >= last:
        raise SettingsError(f"--from {since} is after --to {until}: there is no time between them")
    return first, last


def day(name: str, text: str) -> int:
    """The beginning of a day, UTC, in nanoseconds; raises SettingsError."""
    try:
        at = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise SettingsError(f"{name} {text!r}: write a day as 2025-01-31") from None
    return (at - EPOCH) // timedelta(seconds=1) * SECOND


def asset_of(arguments: Namespace, pair: str) -> Asset:
    """The row that the options change: the README's, or the pair's own."""
    if not arguments.as_configured:
        return sample_asset(pair)
    # the database only where it is asked for: a backtest needs none
    from dca_bot.report.reader import Reader
    from dca_bot.store.assets import ALL_ASSETS, read_state

    with Reader(read_store_settings().database) as reader:
        states = [read_state(row) for row in reader.rows(ALL_ASSETS)]
    found = next((state for state in states if state.asset.symbol == pair), None)
    if found is None or found.problem:
        why = found.problem if found else "it has no row in dca_assets"
        raise SettingsError(f"--as-configured: {pair}: {why}")
    # whatever the row says now: the question is what it would have done
    return replace(found.asset, is_enabled=True, allowed=Allowed.ALL, last_sell_price=None)


def cash_of(arguments: Namespace) -> Decimal | None:
    """What all pairs share; None: as much as they ask for."""
    if arguments.cash is None:
        return None
    cash = _number("--cash", arguments.cash, Decimal(10) ** 12)
    if not cash:
        raise SettingsError("--cash 0: nothing can be bought with that")
    return cash


def _number(name: str, text: str, most: Decimal) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or not 0 <= number <= most:
        raise SettingsError(f"{name} {text!r}: must be a number from 0 to {most:f}")
    return number
