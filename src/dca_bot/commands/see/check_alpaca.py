"""What `dca doctor` asks Alpaca: keys, account, clock, every row's symbol, and both streams."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

from dca_bot.broker.rate_limit import RateLimiter
from dca_bot.broker.rest import AlpacaBroker
from dca_bot.broker.streams import QuoteStream, TradeStream
from dca_bot.commands.see.findings import Finding, bad, note, ok
from dca_bot.core.asset_row import problem_of
from dca_bot.program.clock import utc_now
from dca_bot.program.errors import DcaError, StoreUnavailable
from dca_bot.program.setting_groups import AlpacaSettings, Settings
from dca_bot.report.reader import Reader
from dca_bot.store.assets import ALL_ASSETS, read_state

STREAM_SECONDS = 5.0
ANY_SYMBOL = "BTC/USD"
CLOCK_SECONDS = 30.0
REQUESTS_PER_MINUTE = 30


def check_account(settings: AlpacaSettings) -> Iterator[Finding]:
    """Keys and account; nothing else is asked where these fail."""
    broker = AlpacaBroker(settings, RateLimiter(REQUESTS_PER_MINUTE))
    try:
        account = broker.account()
    except DcaError as error:
        problem, _, remedy = str(error).rpartition(": ")
        yield bad("Alpaca", problem or str(error), remedy)
        return
    where = f"{settings.mode.upper()} on {settings.host}"
    if account.problem:
        yield bad("Alpaca", f"{where}: {account.problem}", "fix that in Alpaca's dashboard")
    else:
        yield ok("Alpaca", f"{where}, cash {account.cash_available:,.2f} USD")


def check_rows(settings: Settings) -> Iterator[Finding]:
    """Each enabled row: its symbol, its minimum, its values."""
    try:
        with Reader(settings.database) as reader:
            states = [read_state(row) for row in reader.rows(ALL_ASSETS)]
        broker = AlpacaBroker(settings.alpaca, RateLimiter(REQUESTS_PER_MINUTE))
        rules = broker.rules()
        enabled = [state.asset for state in states if state.asset.is_enabled]
        quotes = broker.latest_quotes(asset.symbol for asset in enabled)
    except DcaError as error:
        yield bad("assets", str(error), "see above")
        return
    if not states:
        yield note("assets", "dca_assets has no row", "add one: dca add BTC/USD")
    for state in states:
        problem = state.problem or problem_of(state.asset, rules.get(state.asset.symbol))
        if problem and state.asset.is_enabled:
            yield bad(state.asset.symbol, problem, "correct its row in dca_assets")
        elif state.asset.is_enabled:
            yield ok(state.asset.symbol, "can be traded")
    if quotes:
        newest = max(quote.at for quote in quotes.values())
        apart = (utc_now() - newest).total_seconds()
        if not -CLOCK_SECONDS < apart < CLOCK_SECONDS:
            problem = f"the newest quote is {apart:.0f} s old by this clock"
            yield note("clock", problem, "timedatectl set-ntp true, unless the market is asleep")


def check_streams(settings: Settings) -> Iterator[Finding]:
    """Both WebSockets for five seconds; not while the bot runs: an account has one of each."""
    heard = asyncio.run(_listen(settings.alpaca, _symbols(settings) or [ANY_SYMBOL]))
    for name, (is_connected, troubles) in heard.items():
        if is_connected:
            yield ok(name, "connected")
        else:
            problem = troubles[0] if troubles else f"no answer within {STREAM_SECONDS:.0f} s"
            yield bad(name, problem, "check the APCA_API_* settings, and that no other bot runs")


def _symbols(settings: Settings) -> list[str]:
    """Those of the enabled rows; a stream without any has nothing to subscribe to."""
    try:
        with Reader(settings.database) as reader:
            assets = [read_state(row).asset for row in reader.rows(ALL_ASSETS)]
    except StoreUnavailable:
        return []
    return [asset.symbol for asset in assets if asset.is_enabled]


async def _listen(
    settings: AlpacaSettings, symbols: Sequence[str]
) -> dict[str, tuple[bool, list[str]]]:
    connected: set[str] = set()
    troubles: dict[str, list[str]] = {"quote stream": [], "trade stream": []}
    quotes = QuoteStream(
        settings,
        on_quotes=lambda _: None,
        on_connected=lambda: connected.add("quote stream"),
        on_trouble=troubles["quote stream"].append,
    )
    trades = TradeStream(
        settings,
        on_update=lambda _: None,
        on_connected=lambda: connected.add("trade stream"),
        on_trouble=troubles["trade stream"].append,
    )
    await quotes.watch(symbols)
    tasks = [asyncio.create_task(each.run()) for each in (quotes, trades)]
    await asyncio.sleep(STREAM_SECONDS)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return {name: (name in connected, problem) for name, problem in troubles.items()}
