"""How many quotes a second the bot takes while none triggers, beside a loop that only receives
and decodes the same frames.

A pusher in this process sends ready-made frames as fast as they are taken; the receivers are
processes of their own (receivers.py), and so is `main_app` as a whole.  The time of a push ends
with the answer to a ping that follows the quotes, so nothing is added to any receiver.  Every
round pushes to all of them in turn; the table shows medians, and ratios of medians.

  quotes.py [--rounds 7]
"""

from __future__ import annotations

import argparse
import itertools
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from common import (
    Bot,
    alpaca_environment,
    database_server,
    execute,
    holding_assets,
    median,
    new_database,
    report,
    scratch,
    symbols,
)
from exchange import Exchange, Feed, quote, quote_frame
from frames import PING, frame

ASSETS = (1, 50, 500)
FRAME_SIZES = (1, 10, 100)
KINDS = ("bare", "bare-ts", "bare-new", "sdk", "bot", "main_app")
SECONDS = 0.4  # how long a push should take
GUESSED_RATE = {1: 120_000, 10: 300_000, 100: 400_000}
BLOCK_QUOTES = 10_000
# The client answers the ping once it has read it, with up to 1,024 frames still in its queue:
# so many small ones follow the quotes that none of these can be left there.
PADDING_FRAMES = 1_030
ANSWER_SECONDS = 120
Case = tuple[str, int]  # kind and number of assets


def encoded(names: list[str], frame_size: int, count: int) -> bytes:
    """So many quotes of the symbols in turn, near 100, as ready-made frames."""
    turn = itertools.cycle(names)
    prices = itertools.cycle(99 + step / 100 for step in range(173))
    quotes = [quote(next(turn), price, price + 0.05) for price in itertools.islice(prices, count)]
    batches = (quotes[i : i + frame_size] for i in range(0, count, frame_size))
    return b"".join(map(quote_frame, batches))


def push(feed: Feed, block: bytes, blocks: int, padding: bytes) -> float:
    """The seconds in which the receiver takes all the blocks."""
    began = time.perf_counter()
    for _ in range(blocks):
        feed.channel.send(block)
    feed.channel.send(padding + frame(b"", PING))
    feed.channel.pongs.get(timeout=ANSWER_SECONDS)
    return time.perf_counter() - began


@contextmanager
def receivers(exchange: Exchange, directory: Path) -> Iterator[dict[Case, Feed]]:
    """Every receiver, started and subscribed; they wait idly until something is pushed."""
    with ExitStack() as stack:
        server = stack.enter_context(database_server(directory))
        feeds = {}
        for kind, count in itertools.product(KINDS, ASSETS):
            if kind == "main_app":
                database = new_database(server, f"assets_{count}")
                execute(database, holding_assets(symbols(count)))
                environment = alpaca_environment(exchange.url, key_id=f"main_app/{count}")
                stack.enter_context(Bot(database, environment, directory / f"logs_{count}"))
            else:
                script = str(Path(__file__).with_name("receivers.py"))
                url = exchange.url.replace("http", "ws", 1)
                command = [sys.executable, script, kind, url, str(count)]
                stack.callback(end, subprocess.Popen(command))
            feeds[kind, count] = exchange.feed(f"{kind}/{count}")
        yield feeds


def end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


def measure(feeds: dict[Case, Feed], frame_size: int, rounds: int) -> dict[Case, float]:
    """Quotes a second of every receiver, the median of its rounds."""
    blocks = {n: encoded(symbols(n), frame_size, BLOCK_QUOTES) for n in ASSETS}
    padding = {n: encoded(symbols(n), 1, PADDING_FRAMES) for n in ASSETS}
    rates: dict[Case, list[float]] = {case: [] for case in feeds}
    for case in itertools.chain(feeds, *itertools.repeat(feeds, rounds)):  # the first is a guess
        kind, count = case
        guess = rates[case][0] if rates[case] else GUESSED_RATE[frame_size]
        pushes = max(2, round(guess * SECONDS / BLOCK_QUOTES))
        took = push(feeds[case], blocks[count], pushes, padding[count])
        rates[case].append(pushes * BLOCK_QUOTES / took)
        for feed in feeds.values():  # so that no connection seems dead
            feed.channel.send(quote_frame([quote(feed.symbols[0], 100, 100.05)]))
    return {case: median(found[1:]) for case, found in rates.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    exchange = Exchange(symbols(max(ASSETS)))
    rows = []
    with scratch() as directory, receivers(exchange, directory) as feeds:
        for frame_size in FRAME_SIZES:
            rates = measure(feeds, frame_size, given.rounds)
            for count in ASSETS:
                row: dict[str, float] = {"quotes a frame": frame_size, "assets": count}
                row |= {kind: round(rates[kind, count]) for kind in KINDS}
                row |= {
                    "bot/bare": rates["bot", count] / rates["bare", count],
                    "main_app/bare": rates["main_app", count] / rates["bare", count],
                    "bot/1 asset": rates["bot", count] / rates["bot", 1],
                    "bare/1 asset": rates["bare", count] / rates["bare", 1],
                }
                rows.append(row)
    report("quotes", {"quotes a second, and ratios": rows}, rounds=given.rounds)


if __name__ == "__main__":
    main()
