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
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from dca_bot.broker.transport import distrust
from dca_bot.program.setting_values import is_this_machine

log = logging.getLogger(__name__)

REFUSED_STATUSES = (401, 403)
REFUSED_WORDS = ("auth failed", "authenticate", "unauthorized")
CROWDED_STATUS = 429
CROWDED_WORDS = ("connection limit exceeded", "another connection is open")
QUEUE_FRAMES = 1024


@dataclass(frozen=True, slots=True)
class Pace:
    """All times of a stream, in seconds."""

    open: float = 15.0  # until connected, authenticated and listening
    reply: float = 10.0  # to a subscription
    ping: float = 10.0
    pong: float = 15.0
    close: float = 0.8  # two of these fit into what the 5 s of a stop leave
    pause_min: float = 1.0
    pause_max: float = 30.0
    # Alpaca frees the slot of a lost connection after about 90 s.  These two meet that moment and
    # stay below 10 connects in 5 minutes.
    crowded_first: float = 15.0
    crowded: float = 38.0
    proven: float = 30.0  # a connection that was of use for so long ends the incident


class TroubleKind(StrEnum):
    """What kind of trouble ended a connection; one line is said of each kind per incident."""

    LOST = "lost"
    SILENT = "silent"
    CROWDED = "crowded"
    REFUSED = "refused"


class Trouble(Exception):
    """Why a connection ended or could not be made, in words for the user."""

    def __init__(self, text: str, kind: TroubleKind = TroubleKind.LOST) -> None:
        self.kind = kind
        super().__init__(text)


class Refusal(Exception):
    """The server said no, in its own words."""


class Incident:
    """How long to wait before the next connect, and whether the trouble is news."""

    def __init__(self, pace: Pace, jitter: Callable[[], float] = random.random) -> None:
        self._pace, self._jitter = pace, jitter
        self._reported: set[TroubleKind] = set()
        self._last: TroubleKind | None = None
        self._in_a_row = 0

    def next_pause(self, trouble: Trouble, lived: float) -> tuple[float, bool]:
        """The seconds to wait, and whether this must be said.

        `lived` is how long the connection was of use.  Only one that lived long ends an incident:
        a server that accepts and drops at once would otherwise be called every second.
        """
        if lived >= self._pace.proven:
            self._reported.clear()
            self._last = None
        self._in_a_row = self._in_a_row + 1 if trouble.kind is self._last else 1
        self._last = trouble.kind
        is_news = trouble.kind not in self._reported
        self._reported.add(trouble.kind)
        return self._seconds(trouble.kind), is_news

    def _seconds(self, kind: TroubleKind) -> float:
        pace = self._pace
        if kind in (TroubleKind.CROWDED, TroubleKind.REFUSED):
            base = pace.crowded_first if self._in_a_row == 1 else pace.crowded
            return base * (1 + self._jitter() / 20)
        # the exponent has a limit of its own: 2**1000 is no float
        grown = min(pace.pause_max, pace.pause_min * 2.0 ** min(self._in_a_row - 1, 20))
        return grown / 2 + grown / 2 * self._jitter()


class Stream(ABC):
    """The life around one websocket.

    A stream says how to begin (`_open`), what to do then (`_work`: coroutines that run until one
    of them ends), and calls `_worked` once it really listens.
    """

    _ws: ClientConnection

    def __init__(
        self,
        name: str,
        url: str,
        pace: Pace,
        *,
        on_connected: Callable[[], None],
        on_trouble: Callable[[str], None],
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.last_sign_of_life = time.monotonic()
        self._url, self._headers, self._pace = url, headers, pace
        self._on_connected, self._on_trouble = on_connected, on_trouble
        self._incident = Incident(pace)
        self._is_useful = False

    async def run(self) -> None:
        """Stay connected until cancelled; then the connection is closed."""
        while True:
            await self._until_wanted()
            began_at = time.monotonic()
            trouble = await self._connection()
            if trouble is None:
                continue
            lived = time.monotonic() - began_at if self._is_useful else 0.0
            pause, is_news = self._incident.next_pause(trouble, lived)
            if is_news:
                self._on_trouble(f"{self.name}: {trouble}; connecting again by itself")
            await asyncio.sleep(pause)

    async def _until_wanted(self) -> None:  # noqa: B027 - most are wanted at all times
        """Wait until there is something to connect for."""

    @abstractmethod
    async def _open(self) -> None:
        """Log in and subscribe on a fresh connection."""

    @abstractmethod
    def _work(self) -> list[Coroutine[Any, Any, object]]:
        """Coroutines that run until one of them ends."""

    def _worked(self) -> None:
        """To be called by the stream when it listens."""
        self.last_sign_of_life = time.monotonic()
        log.info("%s connected", self.name)
        self._on_connected()

    async def _connection(self) -> Trouble | None:
        """One connection from beginning to end; None when nobody needs it any more."""
        ws = None
        self._is_useful = False
        try:
            async with asyncio.timeout(self._pace.open):
                self._ws = ws = await self._connect()
                await self._open()
            await _first_to_end(*self._work(), self._keep_pinging())
        except (Trouble, Refusal, OSError, ValueError, WebSocketException) as error:
            return explained(error)
        finally:
            if ws is not None:
                await _disconnect(ws)
        return None

    async def _connect(self) -> ClientConnection:
        is_near = is_this_machine(urlsplit(self._url).hostname or "")
        return await connect(
            self._url,
            additional_headers=self._headers,
            proxy=None if is_near else True,  # nothing on this machine is behind a proxy
            open_timeout=None,  # the whole beginning has one limit
            close_timeout=self._pace.close,
            ping_interval=None,  # we ping ourselves, to see the pongs
            max_queue=QUEUE_FRAMES,
            compression=None,  # small frames aren't worth unpacking
        )

    async def _keep_pinging(self) -> None:
        """A dead connection sends no error, only no pong."""
        while True:
            await asyncio.sleep(self._pace.ping)
            try:
                async with asyncio.timeout(self._pace.pong):
                    await (await self._ws.ping())
            except TimeoutError:
                raise Trouble(f"no sign of life for {self._pace.pong:.0f} s") from None
            self.last_sign_of_life = time.monotonic()


async def _disconnect(ws: ClientConnection) -> None:
    try:
        await ws.close()  # waits for the other side's goodbye as long as `close_timeout` says
    finally:
        ws.transport.abort()


async def _first_to_end(*coroutines: Awaitable[object]) -> None:
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
    """Whatever ended a connection, in words, and sorted by what to do about it."""
    if isinstance(error, Trouble):
        return error
    said = str(error).lower()
    status = error.response.status_code if isinstance(error, InvalidStatus) else None
    if status == CROWDED_STATUS or any(words in said for words in CROWDED_WORDS):
        return Trouble(
            "another program uses these keys, or the previous connection is not yet released "
            f"(up to 90 s) ({error})",
            TroubleKind.CROWDED,
        )
    if status in REFUSED_STATUSES or any(words in said for words in REFUSED_WORDS):
        return Trouble(f"Alpaca refuses the keys ({error})", TroubleKind.REFUSED)
    if isinstance(error, Refusal):
        return Trouble(f"Alpaca says: {error}")
    if isinstance(error, ssl.SSLCertVerificationError):
        return Trouble(f"can't connect: {distrust(error)}")
    if isinstance(error, TimeoutError):
        return Trouble("no answer in time")
    if isinstance(error, ConnectionClosed):
        return Trouble(f"connection lost ({error})")
    return Trouble(f"can't connect: {type(error).__name__}: {error}")
