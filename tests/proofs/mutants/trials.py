"""Runs fast tests in a forked process: healthy, to see what each reaches, or with one change.

Rule: a change lives in the memory of one process, which is killed when it has answered.
"""

from __future__ import annotations

import importlib
import multiprocessing
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from importlib.util import find_spec, module_from_spec
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from tests.proofs.mutants.sites import Mutant

ROOT = Path(__file__).resolve().parents[3]
SOURCE = ROOT / "src"
# What these make are real processes; a test that needs one is not fast.
PROCESSES = {"database_server", "simulator", "bot"}
# What takes long to import and never changes: imported once, before the forks.
LIBRARIES = ("hypothesis", "mysql.connector", "requests", "websockets", "aiohttp", "msgpack")
HUNG = "no end in time"
RECORDING_SECONDS = 1800.0
FORK = multiprocessing.get_context("fork")

Lines = dict[str, set[int]]  # file -> lines


class Reach:
    """For each test how long it took, and which lines of some files it has run."""

    def __init__(self, files: Sequence[Path]) -> None:
        self.seconds: dict[str, float] = {}
        self.lines: dict[str, Lines] = {}
        self.failures: set[str] = set()
        self._files = {str(file) for file in files}
        self._now: Lines = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:  # so it would notice every change
            self.failures.add(report.nodeid)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self._now = self.lines.setdefault(item.nodeid, {})
        began_at = time.perf_counter()
        threading.settrace(self._trace)
        sys.settrace(self._trace)
        try:
            return (yield)
        finally:
            sys.settrace(None)
            threading.settrace(None)  # type: ignore[arg-type]
            self.seconds[item.nodeid] = time.perf_counter() - began_at

    def _trace(self, frame: FrameType, event: str, argument: Any) -> Any:
        if frame.f_code.co_filename not in self._files:
            return None
        lines = self._now.setdefault(frame.f_code.co_filename, set())
        lines.add(frame.f_lineno)

        def line(frame: FrameType, event: str, argument: Any) -> Any:
            lines.add(frame.f_lineno)
            return line

        return line

    def tests_of(self, mutant: Mutant) -> list[str]:
        """The tests that run the changed line, the shortest first; for what runs when the module
        is imported, all that run any line of it."""
        file = str(mutant.file)
        reached = {
            test: lines[file]
            for test, lines in self.lines.items()
            if file in lines and test not in self.failures
        }
        those = [test for test, lines in reached.items() if mutant.line in lines] or list(reached)
        return sorted(those, key=self.seconds.__getitem__)


class Only:
    """Leaves tests that need processes out, and of the others all but these, in this order."""

    def __init__(self, tests: Sequence[str] | None) -> None:
        self._places = tests and {test: place for place, test in enumerate(tests)}
        self.failure = ""

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = [each for each in items if not _needs_processes(each)]
        if self._places is not None:
            items[:] = [each for each in items if each.nodeid in self._places]
            items.sort(key=lambda each: self._places[each.nodeid])

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.failure = self.failure or (report.nodeid if report.failed else "")

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self.failure = self.failure or (report.nodeid if report.failed else "")


def reach(tests: Sequence[str], files: Sequence[Path], *, jobs: int) -> Reach:
    """What each of these fast tests runs of these files.

    A test that fails without any change is left out: it would notice every one.
    """

    def run(folder: str) -> Reach:
        record = Reach(files)
        _pytest([folder], Only(None), record)
        return record

    whole = Reach(files)
    works = [partial(run, folder) for folder in tests]
    for _, answer in in_forks(works, jobs=jobs, patience=RECORDING_SECONDS):
        whole.seconds |= answer.seconds
        whole.lines |= answer.lines
        whole.failures |= answer.failures
    return whole


def noticed_by(mutant: Mutant, tests: Sequence[str]) -> str:
    """The first of these tests that fails with the change in its process; "" if none does."""
    try:
        _put_in(mutant)
    except Exception as error:  # noqa: BLE001 - whatever the changed module does
        return f"the import: {error!r}"
    only = Only(tests)
    _pytest(["-x", *sorted({each.partition("::")[0] for each in tests})], only)
    return only.failure


def in_forks(
    works: Sequence[Callable[[], Any]], *, jobs: int, patience: float
) -> Iterator[tuple[int, Any]]:
    """Do each work in a process of its own, so many at once; yield its number and its answer."""
    waiting = list(enumerate(works))[::-1]
    running: dict[Connection, tuple[int, BaseProcess, float]] = {}
    while waiting or running:
        while waiting and len(running) < jobs:
            number, work = waiting.pop()
            ours, theirs = FORK.Pipe(duplex=False)
            process = FORK.Process(target=_answer, args=(work, theirs))
            process.start()
            theirs.close()
            running[ours] = (number, process, time.monotonic() + patience)
        first_end = min(deadline for _, _, deadline in running.values())
        ready = set(wait(list(running), max(0.0, first_end - time.monotonic())))
        for pipe, (number, process, deadline) in list(running.items()):
            if pipe in ready or time.monotonic() >= deadline:
                try:
                    answer = pipe.recv() if pipe in ready else HUNG
                except EOFError:
                    answer = "the end of its process"
                del running[pipe]
                pipe.close()
                with suppress(ProcessLookupError):  # it has ended by itself
                    os.killpg(process.pid or 0, signal.SIGKILL)
                process.join()
                if isinstance(answer, Exception):
                    raise answer
                yield number, answer


def _needs_processes(item: pytest.Item) -> bool:
    return bool(PROCESSES & set(item.fixturenames)) or "mysql" in item.name


def _answer(work: Callable[[], Any], pipe: Connection) -> None:
    os.setpgid(0, 0)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nowhere, number)
    try:
        answer = work()
    except Exception as error:  # noqa: BLE001 - it is what the parent is told
        answer = RuntimeError(f"could not be tried: {error!r}")
    pipe.send(answer)


def _put_in(mutant: Mutant) -> None:
    """Import the changed module, before anything imports the healthy one."""
    name = ".".join(mutant.file.relative_to(SOURCE).with_suffix("").parts)
    spec = find_spec(name)
    assert spec is not None
    module = module_from_spec(spec)
    sys.modules[name] = module
    exec(compile(mutant.source(), str(mutant.file), "exec"), module.__dict__)  # noqa: S102
    parent, _, own = name.rpartition(".")
    setattr(sys.modules[parent], own, module)


def _pytest(tests: Sequence[str], *plugins: object) -> None:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        options = ["-q", "--tb=no", "-p", "no:cacheprovider", f"--basetemp={folder}/tests"]
        # pytest would rather import these itself
        options += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
        options += ["-o", "addopts=--import-mode=importlib", f"--rootdir={ROOT}"]
        pytest.main([*options, *tests], plugins)


def import_libraries() -> None:
    for name in LIBRARIES:
        importlib.import_module(name)
