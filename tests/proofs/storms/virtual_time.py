"""Hours in seconds: a loop whose clock jumps to what comes next, and threads that take turns.

Rule: exactly one thread runs at any time.  A piece of work that blocks (a request, a sleep) hands
the baton back to the loop and is resumed when its time has come, so a seed decides every
interleaving, and a run can be repeated exactly.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

STARTED_AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
NANOSECONDS = 1_000_000_000
PUT_BACK_PER_SECOND = 0.5


class VirtualLoop(asyncio.BaseEventLoop):
    """Waits for nothing: time is whatever is due next."""

    def __init__(self) -> None:
        super().__init__()
        self._virtual_now = 0.0
        self._clock_resolution = 1e-9
        self._selector = self  # its only use of a selector is to wait
        # where blocking work of `asyncio.to_thread` goes: the process that is alive
        self.start_work: Callable[[Callable[[], Any], asyncio.Future[Any]], None]

    def time(self) -> float:
        return self._virtual_now

    def select(self, timeout: float | None) -> list[Any]:
        assert timeout is not None, "nothing is left to happen: everything waits for ever"
        self._virtual_now += timeout
        return []

    def run_in_executor(self, executor: object, func: Callable[..., Any], *args: Any) -> Any:  # type: ignore[override]
        future = self.create_future()
        self.start_work(lambda: func(*args), future)
        return future

    def _process_events(self, event_list: object) -> None: ...

    def _write_to_self(self) -> None: ...


class VirtualClock:
    """One clock for the bot (aware UTC) and for the exchange (nanoseconds since the epoch)."""

    def __init__(self, loop: VirtualLoop, started_at: datetime = STARTED_AT) -> None:
        self._loop = loop
        self._started_at = started_at
        self._last = 0
        self._skewed_from = self._skewed_to = self._skewed_at = 0.0

    def utc(self) -> datetime:
        return self._started_at + timedelta(seconds=self._loop.time())

    def timer(self) -> int:
        since_epoch = int(self._started_at.timestamp()) * NANOSECONDS
        return since_epoch + round(self._loop.time() * NANOSECONDS)

    def now(self) -> int:
        """The exchange's time: no two readings are equal."""
        self._last = max(self._last + 1, self.timer() + round(self._skew() * NANOSECONDS))
        return self._last

    def skew(self, seconds: float) -> None:
        """Let the exchange's clock be wrong: it is set forwards at once, and put back slowly, so
        that it never runs backwards."""
        self._skewed_from, self._skewed_at = self._skew(), self._loop.time()
        self._skewed_to = seconds

    def _skew(self) -> float:
        put_back = (self._loop.time() - self._skewed_at) * PUT_BACK_PER_SECOND
        return max(self._skewed_to, self._skewed_from - put_back)


class PowerCut(BaseException):  # noqa: N818 - what happens, not an error of ours
    """The process is gone: no handler, no clean-up, nothing more is written."""


class Life:
    """One process from its start to its end: its threads, and whether it still runs."""

    def __init__(self, loop: VirtualLoop, name: str) -> None:
        self.name = name
        self.is_over = False
        self._loop = loop
        self._works: list[Work] = []

    def start(
        self, work: Callable[[], Any], future: asyncio.Future[Any] | None = None, after: float = 0
    ) -> None:
        """Run `work` in a thread of this process; its outcome goes to `future`."""
        if self.is_over:
            return
        started = Work(work, future)
        self._works = [each for each in self._works if not each.is_over]
        self._works.append(started)
        self._loop.call_later(after, started.resume)

    def rest(self, seconds: float) -> None:
        """Let others run for so long; from within this process's work."""
        current = Work.current
        assert current is not None
        if self.is_over:
            raise PowerCut
        self._loop.call_later(seconds, current.resume)
        current.hand_over()

    def end(self) -> None:
        """The power is cut: whatever its threads are doing ends where it stands."""
        self.is_over = True
        for work in self._works:
            work.cut()
        self._works.clear()

    def submit(self, work: Callable[[], Any]) -> None:
        """What a pool of threads does; named as `concurrent.futures.Executor` has it."""
        self.start(work)

    @property
    def is_idle(self) -> bool:
        return all(work.is_over for work in self._works)


class Work:
    """A thread that runs only while it holds the baton."""

    current: Work | None = None

    def __init__(self, work: Callable[[], Any], future: asyncio.Future[Any] | None) -> None:
        self.is_over = False
        self._work = work
        self._future = future
        self._is_cut = False
        self._mine, self._theirs = threading.Lock(), threading.Lock()
        self._mine.acquire()
        self._theirs.acquire()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._error: BaseException | None = None

    def resume(self) -> None:
        """Give it the baton until it hands it back; what it fails with is raised here."""
        if self.is_over or Work.current is self:
            return
        before, Work.current = Work.current, self
        if self._thread.ident is None:
            self._thread.start()
        self._mine.release()
        self._theirs.acquire()
        Work.current = before
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def hand_over(self) -> None:
        self._theirs.release()
        self._mine.acquire()
        if self._is_cut:
            raise PowerCut

    def cut(self) -> None:
        if self._thread.ident is None:
            self.is_over = True
        self._is_cut = True
        self.resume()

    def _run(self) -> None:
        self._mine.acquire()
        try:
            result = self._work()
        except PowerCut:
            self._tell(lambda future: future.cancel())
        except Exception as error:  # noqa: BLE001 - handed to whoever waits for it
            if self._future is None:
                self._error = error
            else:
                self._tell(lambda future, error=error: future.set_exception(error))
        except BaseException as error:  # noqa: BLE001 - a failed assertion of the auditor's, say
            self._error = error
        else:
            self._tell(lambda future: future.set_result(result))
        finally:
            self.is_over = True
            self._theirs.release()

    def _tell(self, tell: Callable[[asyncio.Future[Any]], Any]) -> None:
        if self._future is not None and not self._future.done():
            tell(self._future)
