"""Who runs the sets of a sweep: threads, processes or a Dask cluster, a chunk at a time.

The kernel runs in threads, since it needs no interpreter; the exact engine in processes.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from multiprocessing import get_context
from typing import Any

from dca_bot.backtest.exchange import Terms
from dca_bot.backtest.sweep import fast
from dca_bot.backtest.sweep.exact import exact_score
from dca_bot.backtest.sweep.parts import Parts, Scores, Work, Workers
from dca_bot.backtest.sweep.score import Score
from dca_bot.core.model import Asset
from dca_bot.program.errors import DcaError, SettingsError

CONNECT_SECONDS = 10


def do(work: Work, parts: Parts) -> Scores:
    """Both scores of each set."""
    quick = [asset for asset in work.assets if parts.suits_kernel(asset, work.terms)]
    by_kernel: dict[Asset, tuple[Score, Score]] = {}
    if quick:
        trains = fast.run(parts.train, parts.markets[0], quick, work.terms)
        tests = fast.run(parts.test, parts.markets[1], quick, work.terms)
        by_kernel = dict(zip(quick, zip(trains, tests, strict=True), strict=True))
    return [by_kernel.get(asset) or _exactly(asset, parts, work.terms) for asset in work.assets]


def _exactly(asset: Asset, parts: Parts, terms: Terms) -> tuple[Score, Score]:
    return exact_score(parts.train, asset, terms), exact_score(parts.test, asset, terms)


def here(chunks: Sequence[Work], parts: Parts) -> Iterator[tuple[Work, Scores]]:
    """All cores of this machine."""
    cores = len(os.sched_getaffinity(0))
    if all(parts.suits_kernel(asset, work.terms) for work in chunks for asset in work.assets):
        _ = parts.markets  # made before the threads need it
        with ThreadPoolExecutor(cores) as pool:
            yield from _gathered(pool, chunks, lambda work: pool.submit(do, work, parts))
        return
    context = get_context("spawn")
    with ProcessPoolExecutor(cores, context, initializer=_begin, initargs=(parts,)) as pool:
        yield from _gathered(pool, chunks, lambda work: pool.submit(_do_in_process, work))


def _gathered(
    pool: Executor, chunks: Sequence[Work], submit: Callable[[Work], Any]
) -> Iterator[tuple[Work, Scores]]:
    futures = {submit(work): work for work in chunks}
    try:
        for future in as_completed(futures):
            yield futures[future], future.result()
    finally:
        pool.shutdown(cancel_futures=True)


_given: list[Parts] = []  # of a process that does nothing else


def _begin(parts: Parts) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that asked
    _given.append(parts)


def _do_in_process(work: Work) -> Scores:
    return do(work, _given[0])


def on_cluster(address: str) -> Workers:
    """The workers of a Dask scheduler, as tcp://host:8786.

    Raises SettingsError where the library is missing, DcaError where nobody answers.
    """
    try:
        from distributed import Client
        from distributed import as_completed as completed
    except ImportError as error:
        raise SettingsError(
            "--scheduler needs the extra `research`: pip install -e '.[research]'"
        ) from error

    def work_there(chunks: Sequence[Work], parts: Parts) -> Iterator[tuple[Work, Scores]]:
        try:
            client = Client(address, timeout=CONNECT_SECONDS)
        except (OSError, ValueError) as error:
            raise DcaError(
                f"no Dask scheduler answers at {address}: start one with 'dask scheduler', and "
                "workers with 'dask worker', from this same installation"
            ) from error
        with client:
            there = client.scatter(parts, broadcast=True, hash=False)
            futures = client.map(do, chunks, [there] * len(chunks), pure=False)
            places = {future.key: work for future, work in zip(futures, chunks, strict=True)}
            try:
                for future in completed(futures):
                    yield places[future.key], future.result()
            finally:
                client.cancel(futures)

    return work_there
