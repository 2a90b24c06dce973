"""The command line, as one frozen value.  Nonsense ends with one line and exit status 2."""

import argparse
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import NoReturn

from alpaca_simulator.clock import MILLISECOND, SECOND
from alpaca_simulator.exchange.matching import Rules
from alpaca_simulator.scenarios import scenario_names

LIVELY_VOLATILITY = 40.0  # a 1 % take profit is met within a minute or two
LIVELY_REVERSION = 60.0
LIVELY_INTERVAL = 0.1
DAY = 86_400
KEY, SECRET = "SIM-KEY", "SIM-SECRET"  # what is shown when any pair is accepted


@dataclass(frozen=True, slots=True)
class Options:
    """How this simulator was asked to behave."""

    host: str = "127.0.0.1"
    port: int = 8080
    seed: int = 1
    key: str | None = None
    secret: str | None = None
    account_per_key: bool = False
    scenario: str | None = None
    rules: Rules = field(default_factory=Rules)
    rate_limit: int = 200  # requests a minute, trading and data apart (docs/alpaca.md 2.4)
    symbol_limit: int = 30  # docs/alpaca.md 4
    stale_slot_seconds: float = 90.0
    auth_seconds: float = 10.0
    early_fills: float = 0.05  # the share of orders whose fill is published before the POST answers
    walk: bool = True
    volatility: float = 1.0
    reversion_seconds: float = 6 * 3600.0
    quote_interval: float = 0.5
    script: Path | None = None
    prices: tuple[tuple[str, Path], ...] = ()
    speed: float = 1.0  # times real time; 0 is as fast as the clients take it
    batch: int = 10
    spread_bps: Decimal = Decimal(0)

    @property
    def shown_key(self) -> str:
        """A key that is accepted."""
        return self.key or KEY

    @property
    def shown_secret(self) -> str:
        """A secret that is accepted."""
        return self.secret or SECRET


class _Help(argparse.ArgumentDefaultsHelpFormatter):
    """Shows the defaults that say something."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        silent = action.default in (None, False, argparse.SUPPRESS)
        return action.help if silent else super()._get_help_string(action)

    def _get_default_metavar_for_optional(self, action: argparse.Action) -> str:
        if action.type in (None, _word):
            return action.dest.rpartition("_")[2].upper()
        return "FILE" if action.type is Path else "N"


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, without the list of options around it."""

    def error(self, message: str) -> NoReturn:
        """Ends the program with status 2."""
        self.exit(2, f"{self.prog}: {message} ({self.prog} --help lists the options)\n")


def read_options(arguments: list[str] | None = None) -> Options:
    """Given the command line, returns the options; ends the program when it is unusable."""
    parser = argument_parser()
    return options_of(parser, parser.parse_args(arguments))


def options_of(parser: argparse.ArgumentParser, given: argparse.Namespace) -> Options:
    """Given what was parsed, returns the options; ends the program when it contradicts itself."""
    symbols = given.prices_symbol or []
    files = given.prices or []
    if len(symbols) not in (0, len(files)):
        parser.error("--prices-symbol is needed once for each --prices")
    if len(files) > 1 and not symbols:
        parser.error("several --prices need a --prices-symbol each")
    if given.lively and given.no_walk:
        parser.error("--lively and --no-walk contradict each other")

    def lively(name: str, value: float) -> float:
        asked: float = getattr(given, name)
        # what is asked for by itself counts more
        return value if given.lively and asked == parser.get_default(name) else asked

    return Options(
        host=given.host,
        port=given.port,
        seed=given.seed,
        key=given.key,
        secret=given.secret,
        account_per_key=given.account_per_key,
        scenario=given.scenario,
        rules=_rules(given),
        rate_limit=given.rate_limit,
        symbol_limit=given.symbol_limit,
        stale_slot_seconds=given.stale_slot_seconds,
        auth_seconds=given.auth_seconds,
        early_fills=given.early_fills,
        walk=not given.no_walk and not files and given.script is None,
        volatility=lively("volatility", LIVELY_VOLATILITY),
        reversion_seconds=lively("reversion_seconds", LIVELY_REVERSION),
        quote_interval=lively("quote_interval", LIVELY_INTERVAL),
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
        strict_decimals=given.strict_decimals,
    )


def _whole(least: int, most: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is no whole number") from None
        if not least <= number <= most:
            raise argparse.ArgumentTypeError(f"{text} is not between {least} and {most}")
        return number

    return read


def _number(least: float, most: float) -> Callable[[str], float]:
    def read(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is no number") from None
        if math.isnan(number) or not least <= number <= most:
            raise argparse.ArgumentTypeError(f"{text} is not between {least:g} and {most:g}")
        return number

    return read


def _exact(least: int, most: int) -> Callable[[str], Decimal]:
    def read(text: str) -> Decimal:
        try:
            number = Decimal(text)
        except InvalidOperation:
            raise argparse.ArgumentTypeError(f"{text!r} is no number") from None
        if number.is_nan() or not least <= number <= most:
            raise argparse.ArgumentTypeError(f"{text} is not between {least} and {most}")
        return number

    return read


def _speed(text: str) -> float:
    return 0.0 if text == "max" else _number(0, 1e9)(text)


def _word(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("it is empty")
    return text


def _scenario(text: str) -> str:
    if text not in scenario_names():
        known = ", ".join(scenario_names())
        raise argparse.ArgumentTypeError(f"there is no scenario {text!r}, but {known}")
    return text


def argument_parser(prog: str = "alpaca-simulator") -> Parser:
    """The command line's options and their help."""
    parser = Parser(
        prog=prog,
        usage="%(prog)s [options]",
        description="A stand-in for Alpaca's crypto trading on one local port.",
        epilog="`alpaca-simulator run -- COMMAND` runs a program that trades against it. "
        "`alpaca-simulator scenarios` lists the scenarios.",
        formatter_class=_Help,
    )
    add_options(parser)
    return parser


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds every option of the simulator to a parser."""
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on")
    add("--port", type=_whole(0, 65_535), default=8080, help="0 picks a free one")
    add("--seed", type=_whole(-(2**63), 2**63), default=1, help="decides prices and ids")
    add("--key", type=_word, default=None, help="the only key to accept instead of any")
    add("--secret", type=_word, default=None, help="the only secret to accept instead of any")
    add("--account-per-key", action="store_true", help="each key has an exchange of its own")
    add("--scenario", type=_scenario, default=None, metavar="NAME", help="plays a scenario")
    _add_rules(parser)
    _add_limits(parser)
    _add_prices(parser)


def _add_rules(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("exchange").add_argument
    bps, milliseconds = _exact(0, 1000), _number(0, DAY * 1000)
    add("--cash", type=_exact(0, 10**12), default=Decimal(100_000), help="USD at the start")
    add("--taker-bps", type=bps, default=Decimal(25), help="taker fee, basis points")
    add("--maker-bps", type=bps, default=Decimal(15), help="maker fee, basis points")
    add("--minimum-buy", type=_exact(0, 10**6), default=Decimal(10), help="least USD of a buy")
    add("--partial-fills", type=_number(0, 1), default=0.1, help="share that fills in parts")
    add("--fill-latency-ms", type=milliseconds, default=5.0, help="from the POST to the venue")
    add("--cancel-latency-ms", type=milliseconds, default=5.0, help="from DELETE to canceled")
    add(
        "--early-fills",
        type=_number(0, 1),
        default=0.05,
        help="share that beats the answer",
    )
    add("--fee-posting-seconds", type=_number(0, 365 * DAY), default=1800.0, help="until CFEE rows")
    add("--strict-decimals", action="store_true", help="refuse more than 9 decimals, not cut them")


def _add_limits(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("limits").add_argument
    add("--rate-limit", type=_whole(0, 10**9), default=200, help="requests a minute; 0: no limit")
    add("--symbol-limit", type=_whole(0, 10**6), default=30, help="symbols a data stream may have")
    add("--stale-slot-seconds", type=_number(0, DAY), default=90.0, help="a lost slot stays taken")
    add("--auth-seconds", type=_number(0.01, DAY), default=10.0, help="to authenticate for data")


def _add_prices(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument_group("prices").add_argument
    add("--no-walk", action="store_true", help="prices stand still until they are set")
    add("--volatility", type=_number(0, 1000), default=1.0, help="multiplies the walk's steps")
    add("--reversion-seconds", type=_number(1, 1e9), default=6 * 3600.0, help="how long they stray")
    add("--quote-interval", type=_number(0.01, DAY), default=0.5, help="seconds between quotes")
    add("--lively", action="store_true", help="prices that make a whole cycle in a minute or two")
    add("--script", type=Path, default=None, help="a JSON file of steps (docs/simulator.md)")
    add("--prices", type=Path, action="append", help="a CSV of quotes, bars or trades, or its .gz")
    add("--prices-symbol", type=_word, action="append", help="the pair of that file, or BTC/USD")
    add("--speed", type=_speed, default=1.0, help="times real time; 0 or max: full speed")
    add("--batch", type=_whole(1, 10_000), default=10, help="quotes a frame at full speed")
    add("--spread-bps", type=_exact(0, 5000), default=Decimal(0), help="put around closes")
