"""The command line, as one frozen value."""

import argparse
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from alpaca_simulator.clock import MILLISECOND, SECOND
from alpaca_simulator.exchange.matching import Rules

LIVELY_VOLATILITY = 40.0  # a 1 % take profit is met within a minute or two
LIVELY_REVERSION = 60.0
LIVELY_INTERVAL = 0.1


@dataclass(frozen=True, slots=True)
class Options:
    """How this simulator was asked to behave."""

    host: str = "127.0.0.1"
    port: int = 8080
    seed: int = 1
    key: str | None = None
    secret: str | None = None
    rules: Rules = field(default_factory=Rules)
    rate_limit: int = 200  # requests a minute, trading and data apart (docs/alpaca.md 2.4)
    symbol_limit: int = 30  # docs/alpaca.md 4
    stale_slot_seconds: float = 90.0
    auth_seconds: float = 10.0
    early_fills: float = 0.05  # the share of orders whose fill is told before the POST answers
    walk: bool = True
    volatility: float = 1.0
    reversion_seconds: float = 6 * 3600.0
    quote_interval: float = 0.5
    script: Path | None = None
    prices: tuple[tuple[str, Path], ...] = ()
    speed: float = 1.0  # times real time; 0 is as fast as the clients take it
    batch: int = 10
    spread_bps: Decimal = Decimal(0)


def read_options(arguments: list[str] | None = None) -> Options:
    """Given the command line, returns the options; ends the program when it is unusable."""
    parser = argument_parser()
    given = parser.parse_args(arguments)
    symbols = given.prices_symbol or []
    files = given.prices or []
    if len(symbols) not in (0, len(files)):
        parser.error("--prices-symbol is needed once for each --prices")
    return Options(
        host=given.host,
        port=given.port,
        seed=given.seed,
        key=given.key,
        secret=given.secret,
        rules=_rules(given),
        rate_limit=given.rate_limit,
        symbol_limit=given.symbol_limit,
        stale_slot_seconds=given.stale_slot_seconds,
        auth_seconds=given.auth_seconds,
        early_fills=given.early_fills,
        walk=not given.no_walk and not files and given.script is None,
        volatility=LIVELY_VOLATILITY if given.lively else given.volatility,
        reversion_seconds=LIVELY_REVERSION if given.lively else given.reversion_seconds,
        quote_interval=LIVELY_INTERVAL if given.lively else given.quote_interval,
        script=given.script,
        prices=tuple(zip(symbols or ["BTC/USD"], files, strict=False)),
        speed=given.speed,
        batch=given.batch,
        spread_bps=given.spread_bps,
    )


def _rules(given: argparse.Namespace) -> Rules:
    return Rules(
        starting_cash=given.cash,
        taker_fee=given.taker_bps / 10_000,
        maker_fee=given.maker_bps / 10_000,
        minimum_usd_buy=given.minimum_buy,
        partial_fill_chance=given.partial_fills,
        fill_latency=round(given.fill_latency_ms * MILLISECOND),
        cancel_latency=round(given.cancel_latency_ms * MILLISECOND),
        fee_posting_delay=round(given.fee_posting_seconds * SECOND),
    )


def _speed(text: str) -> float:
    return 0.0 if text == "max" else float(text)


def argument_parser() -> argparse.ArgumentParser:
    """The command line's options and their help."""
    parser = argparse.ArgumentParser(
        prog="alpaca_simulator",
        description="A stand-in for Alpaca's crypto trading on one local port.",
    )
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on (default %(default)s)")
    add("--port", type=int, default=8080, help="0 picks a free one (default %(default)s)")
    add("--seed", type=int, default=1, help="decides prices, ids and fates (default %(default)s)")
    add("--key", help="the only key to accept (default: any)")
    add("--secret", help="the only secret to accept (default: any)")
    _add_rules(parser)
    _add_limits(parser)
    _add_prices(parser)
    return parser


def _add_rules(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("exchange").add_argument
    add("--cash", type=Decimal, default=Decimal(100_000), help="USD at the start")
    add("--taker-bps", type=Decimal, default=Decimal(25), help="taker fee, basis points")
    add("--maker-bps", type=Decimal, default=Decimal(15), help="maker fee, basis points")
    add("--minimum-buy", type=Decimal, default=Decimal(10), help="least USD value of a buy")
    add("--partial-fills", type=float, default=0.1, help="share of orders that fill in parts")
    add("--fill-latency-ms", type=float, default=5.0, help="from the POST to the venue")
    add("--cancel-latency-ms", type=float, default=5.0, help="from DELETE to canceled")
    add("--early-fills", type=float, default=0.05, help="share of fills told before the answer")
    add("--fee-posting-seconds", type=float, default=1800.0, help="until CFEE rows appear")


def _add_limits(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("limits").add_argument
    add("--rate-limit", type=int, default=200, help="requests a minute; 0 is no limit")
    add("--symbol-limit", type=int, default=30, help="symbols a data stream may subscribe to")
    add("--stale-slot-seconds", type=float, default=90.0, help="a slot lost uncleanly stays taken")
    add("--auth-seconds", type=float, default=10.0, help="time for a data stream to authenticate")


def _add_prices(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("prices").add_argument
    add("--no-walk", action="store_true", help="prices stand still until they are set")
    add("--volatility", type=float, default=1.0, help="multiplies the random walk's steps")
    add("--reversion-seconds", type=float, default=6 * 3600.0, help="how long prices stray")
    add("--quote-interval", type=float, default=0.5, help="seconds between a pair's quotes")
    add("--lively", action="store_true", help="prices that make a whole cycle in a minute or two")
    add("--script", type=Path, help="a JSON file of steps (docs/simulator.md)")
    add("--prices", type=Path, action="append", help="a CSV of quotes or bars, may be gzipped")
    add("--prices-symbol", action="append", help="the pair of that file (default BTC/USD)")
    add("--speed", type=_speed, default=1.0, help="times real time; 0 or max: full speed")
    add("--batch", type=int, default=10, help="quotes a frame at full speed")
    add("--spread-bps", type=Decimal, default=Decimal(0), help="spread put around bars' closes")
