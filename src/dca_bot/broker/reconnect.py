"""Keeps one websocket alive: connects, notices its death, and connects again without a storm.

Rule: whatever ends a connection, the socket is closed for real before anything else happens,
since a socket left behind holds the account's only slot for up to 90 s (docs/alpaca.md 3.1, 4).
"""

from __future__ import annotations

import asyncio
import logging
import random
import ssl
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.legacy.exceptions import InvalidStatusCode

from dca_bot.broker.transport import distrust

log = logging.getLogger(__name__)

REFUSED_STATUSES = (401, 403)
REFUSED_WORDS = ("auth failed", "authenticate", "unauthorized")
CROWDED_STATUS = 429
CROWDED_WORDS = ("connection limit exceeded", "another connection is open")


@dataclass(frozen=True, slots=True)
class Pace:
    """All times of a stream, in seconds."""

    open: float = 15.0  # until connected, authenticated and listening
    reply: float = 10.0  # to a subscription
    ping: float = 10.0
    pong: float = 15.0
    close: float = 1.5  # two of these fit into the 5 s that a stop may take
    pause_min: float = 1.0
    pause_max: float = 30.0
    # Alpaca frees the slot of a lost connection after about 90 s.  These two meet that moment and
    # stay below 10 connects in 5 minutes.
    crowded_first: float = 15.0
    crowded: float = 38.0
    proven: float = 30.0  # a connection that lived so long ends the incident


class Kind(StrEnum):
    """What kind of trouble ended a connection; one line is said of each kind per incident."""

    LOST = "lost"
    SILENT = "silent"
    CROWDED = "crowded"
    REFUSED = "refused"


class Trouble(Exception):
    """Why a connection ended or could not be made, in words for the user."""

    def __init__(self, text: str, kind: Kind = Kind.LOST) -> None:
        self.kind = kind
        super().__init__(text)


class Incident:
    """How long to wait before the next connect, and whether the trouble is news."""

    def __init__(self, pace: Pace, jitter: Callable[[], float] = random.random) -> None:
        self._pace, self._jitter = pace, jitter
        self._told: set[Kind] = set()
        self._last: Kind | None = None
        self._in_a_row = 0

    def next_pause(self, trouble: Trouble, lived: float) -> tuple[float, bool]:
        """The seconds to wait, and whether this must be said.

        Only a connection that lived long ends an incident: a server that accepts and drops at
        once would otherwise be called every second.
        """
        if lived >= self._pace.proven:
            self._told.clear()
            self._last = None
        self._in_a_row = self._in_a_row + 1 if trouble.kind is self._last else 1
        self._last = trouble.kind
        is_news = trouble.kind not in self._told
        self._told.add(trouble.kind)
        return self._seconds(trouble.kind), is_news

    def _seconds(self, kind: Kind) -> float:
        pace = self._pace
        if kind in (Kind.CROWDED, Kind.REFUSED):
            base = pace.crowded_first if self._in_a_row == 1 else pace.crowded
            return base * (1 + self._jitter() / 20)
        # the exponent has a limit of its own: 2**1000 is no float
        grown = min(pace.pause_max, pace.pause_min * 2.0 ** min(self._in_a_row - 1, 20))
        return grown / 2 + grown / 2 * self._jitter()


class Reconnecting:
    """The life around one of the SDK's stream classes, of which this is the first base.

    The stream says how to begin (`_open`), what to do then (`_work`: coroutines that run until
    one of them ends), and calls `_worked` once it really listens.
    """

    _ws: Any

    def _set_up(
        self,
        name: str,
        pace: Pace,
        on_connected: Callable[[], None],
        on_trouble: Callable[[str], None],
    ) -> None:
        self.name = name
        self.last_sign_of_life = time.monotonic()
        self._pace = pace
        self._on_connected, self._on_trouble = on_connected, on_trouble
        self._incident = Incident(pace)
        self._recycle = asyncio.Event()
        self._runner: asyncio.Task[None] | None = None
        self._is_closing = False

    async def run(self) -> None:
        """Stay connected until cancelled or closed."""
        self._runner = asyncio.create_task(self._supervise())
        try:
            await self._runner
        except asyncio.CancelledError:
            if not self._is_closing:
                raise

    async def close(self) -> None:
        """End `run()` and the connection; may be called at any time, and twice."""
        self._is_closing = True
        if self._runner is not None:
            self._runner.cancel()
            await asyncio.wait([self._runner])
        await self._disconnect()

    async def reconnect(self) -> None:
        """Let go of the connection and make a new one at once."""
        self._recycle.set()

    async def _until_wanted(self) -> None:
        """Wait until there is something to connect for."""

    async def _open(self) -> None:
        raise NotImplementedError

    def _work(self) -> list[Coroutine[Any, Any, None]]:
        raise NotImplementedError

    def _worked(self) -> None:
        """To be called by the stream when it listens."""
        self.last_sign_of_life = time.monotonic()
        log.info("%s connected", self.name)
        self._on_connected()

    async def _supervise(self) -> None:
        while True:
            await self._until_wanted()
            began_at = time.monotonic()
            try:
                trouble = await self._connection()
            finally:
                await self._disconnect()
            if trouble is None:
                continue
            lived = time.monotonic() - began_at
            pause, is_news = self._incident.next_pause(trouble, lived)
            if is_news:
                self._on_trouble(f"{self.name}: {trouble}; connecting again by itself")
            await asyncio.sleep(pause)

    async def _connection(self) -> Trouble | None:
        """One connection from beginning to end; None when it was let go on purpose."""
        self._recycle.clear()
        try:
            async with asyncio.timeout(self._pace.open):
                await self._open()
        except Exception as error:  # noqa: BLE001 - the SDK takes answers apart unchecked there
            return explained(error)
        try:
            await _first_to_end(*self._work(), self._keep_pinging(), self._until_recycled())
        except (Trouble, OSError, WebSocketException) as error:
            return explained(error)
        return None

    async def _until_recycled(self) -> None:
        await self._recycle.wait()

    async def _keep_pinging(self) -> None:
        """A dead connection sends no error, only no pong (the SDK would wait 180 s for it)."""
        while True:
            await asyncio.sleep(self._pace.ping)
            try:
                async with asyncio.timeout(self._pace.pong):
                    await (await self._ws.ping())
            except TimeoutError:
                raise Trouble(f"no sign of life for {self._pace.pong:.0f} s") from None
            self.last_sign_of_life = time.monotonic()

    async def _disconnect(self) -> None:
        ws, self._ws = self._ws, None
        if ws is None:
            return
        # A task of its own: close() waits several times over when the other side doesn't say
        # goodbye, and swallows a cancellation while it does.
        goodbye = asyncio.ensure_future(ws.close())
        try:
            await asyncio.wait([goodbye], timeout=self._pace.close)
        finally:
            ws.transport.abort()
        await asyncio.gather(goodbye, return_exceptions=True)


def websocket_params(pace: Pace) -> dict[str, Any]:
    """For the SDK, which takes them instead of its own (docs/alpaca.md 6.2 T8, T11).

    We ping ourselves, to see the pongs.  Small frames aren't worth unpacking.
    """
    return {
        "ping_interval": None,
        "open_timeout": pace.open,
        "close_timeout": pace.close,
        "max_queue": 1024,
        "compression": None,
    }


async def _first_to_end(*coroutines: Awaitable[None]) -> None:
    """Run them side by side until one ends, stop the others, and raise what it raised."""
    tasks = [asyncio.ensure_future(each) for each in coroutines]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def explained(error: Exception) -> Trouble:
    """Whatever ended a connection, told in words and sorted by what to do about it."""
    if isinstance(error, Trouble):
        return error
    said = str(error).lower()
    status = error.status_code if isinstance(error, InvalidStatusCode) else None
    if status == CROWDED_STATUS or any(words in said for words in CROWDED_WORDS):
        return Trouble(
            "another program uses these keys, or the previous connection is not yet released "
            f"(up to 90 s) ({error})",
            Kind.CROWDED,
        )
    if status in REFUSED_STATUSES or any(words in said for words in REFUSED_WORDS):
        return Trouble(f"Alpaca refuses the keys ({error})", Kind.REFUSED)
    if isinstance(error, ssl.SSLCertVerificationError):
        return Trouble(f"can't connect: {distrust(error)}")
    if isinstance(error, TimeoutError):
        return Trouble("no answer in time")
    if isinstance(error, ConnectionClosed):
        return Trouble(f"connection lost ({error})")
    return Trouble(f"can't connect: {type(error).__name__}: {error}")
