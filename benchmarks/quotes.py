"""How many quotes a second the bot takes while none triggers, beside a loop that only receives
and decodes the same frames.

A pusher in this process sends ready-made frames as fast as they are taken; the receivers are
processes of their own (receivers.py), and so is `main_app` as a whole.  The time of a push ends
with the answer to a ping that follows the quotes, so nothing is added to any receiver.

A round pushes to the bare loop, to the bot and to `main_app` right after one another.  A ratio is
the median of the rounds' ratios, so that it doesn't matter how busy the machine is otherwise.
`cpu` compares the processor time that a quote takes, which depends on that even less; `vs 1 asset`
is that ratio beside the one with a single asset.

  quotes.py [--rounds 9]
"""

from __future__ import annotations

import argparse
import itertools
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
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
COMPARED = ("bare", "bot", "main_app")
OTHERS = ("bare-ts", "bare-old", "sdk")  # for comparison, with one number of assets
OTHERS_ASSETS = 50
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


@dataclass(frozen=True, slots=True)
class Receiver:
    """A process that takes quotes, and the connection to it."""

    feed: Feed
    pid: int

    def cpu_ns(self) -> int:
        """The processor time of its main thread so far."""
        return int(Path(f"/proc/{self.pid}/schedstat").read_text().split()[0])


@dataclass(frozen=True, slots=True)
class Taken:
    """How one push went."""

    per_second: float
    cpu_us: float  # of one quote


@contextmanager
def receivers(exchange: Exchange, directory: Path) -> Iterator[dict[Case, Receiver]]:
    """Every receiver, started and subscribed; they wait idly until something is pushed."""
    cases = [*itertools.product(COMPARED, ASSETS), *((kind, OTHERS_ASSETS) for kind in OTHERS)]
    with ExitStack() as stack:
        server = stack.enter_context(database_server(directory))
        found = {}
        for kind, count in cases:
            if kind == "main_app":
                database = new_database(server, f"assets_{count}")
                execute(database, holding_assets(symbols(count)))
                environment = alpaca_environment(exchange.url, key_id=f"main_app/{count}")
                bot = stack.enter_context(Bot(database, environment, directory / f"logs_{count}"))
                process = bot.process
            else:
                script = str(Path(__file__).with_name("receivers.py"))
                url = exchange.url.replace("http", "ws", 1)
                process = subprocess.Popen([sys.executable, script, kind, url, str(count)])
                stack.callback(end, process)
            found[kind, count] = Receiver(exchange.feed(f"{kind}/{count}"), process.pid)
        yield found


def end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


def measure(
    receiving: dict[Case, Receiver], frame_size: int, rounds: int
) -> dict[Case, list[Taken]]:
    """Every round's push to every receiver; those that are compared follow one another."""
    blocks = {n: encoded(symbols(n), frame_size, BLOCK_QUOTES) for n in ASSETS}
    padding = {n: encoded(symbols(n), 1, PADDING_FRAMES) for n in ASSETS}
    taken: dict[Case, list[Taken]] = {case: [] for case in receiving}
    order = sorted(receiving, key=lambda case: (case[0] in OTHERS, case[1]))
    for case in itertools.chain(order, *itertools.repeat(order, rounds)):
        receiver, count = receiving[case], case[1]
        guess = taken[case][0].per_second if taken[case] else GUESSED_RATE[frame_size]
        pushes = max(2, round(guess * SECONDS / BLOCK_QUOTES))
        cpu_ns = receiver.cpu_ns()
        took = push(receiver.feed, blocks[count], pushes, padding[count])
        quotes = pushes * BLOCK_QUOTES
        taken[case].append(Taken(quotes / took, (receiver.cpu_ns() - cpu_ns) / quotes / 1000))
        for each in receiving.values():  # so that no connection seems dead
            each.feed.channel.send(quote_frame([quote(each.feed.symbols[0], 100, 100.05)]))
    return {case: found[1:] for case, found in taken.items()}  # the first was a guess


def rate(taken: list[Taken]) -> int:
    return round(median([each.per_second for each in taken]))


def ratio(taken: list[Taken], bare: list[Taken]) -> float:
    """How much of the bare loop's rate it reaches."""
    return median([a.per_second / b.per_second for a, b in zip(taken, bare, strict=True)])


def cpu_ratio(taken: list[Taken], bare: list[Taken]) -> float:
    """The same by processor time."""
    return median([b.cpu_us / a.cpu_us for a, b in zip(taken, bare, strict=True)])


def compared(taken: dict[Case, list[Taken]], frame_size: int, count: int) -> dict[str, float]:
    bare, bot, whole = (taken[kind, count] for kind in COMPARED)
    return {
        "quotes a frame": frame_size,
        "assets": count,
        **{f"{kind}/s": rate(taken[kind, count]) for kind in COMPARED},
        "bot/bare": ratio(bot, bare),
        "cpu": cpu_ratio(bot, bare),
        "main_app/bare": ratio(whole, bare),
        "main_app cpu": cpu_ratio(whole, bare),
        "vs 1 asset": cpu_ratio(bot, bare) / cpu_ratio(taken["bot", 1], taken["bare", 1]),
    }


def others(taken: dict[Case, list[Taken]], frame_size: int) -> dict[str, float]:
    bare = taken["bare", OTHERS_ASSETS]
    rates: dict[str, float] = {
        f"{kind}/bare": ratio(taken[kind, OTHERS_ASSETS], bare) for kind in OTHERS
    }
    return {"quotes a frame": frame_size, **rates}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    given = parser.parse_args()
    exchange = Exchange(symbols(max(ASSETS)))
    rows, other_rows = [], []
    with scratch() as directory, receivers(exchange, directory) as receiving:
        for frame_size in FRAME_SIZES:
            taken = measure(receiving, frame_size, given.rounds)
            rows += [compared(taken, frame_size, count) for count in ASSETS]
            other_rows.append(others(taken, frame_size))
    tables = {"quotes a second": rows, "other ways to receive, 50 assets": other_rows}
    report("quotes", tables, rounds=given.rounds)


if __name__ == "__main__":
    main()
