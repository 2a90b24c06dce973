"""The sending half of a websocket: frames are put in at once and leave in order."""

import asyncio
import contextlib
import struct
from collections import deque

from aiohttp import web

LIMIT = 20_000  # frames; a client that lags further is a slow one (407)
TOGETHER = 64  # frames that leave in one system call when so many wait
BUFFERED = 1 << 20  # bytes that may wait in the transport


class Outbox:
    """Frames on their way to one client."""

    def __init__(self, socket: web.WebSocketResponse, request: web.Request) -> None:
        self._socket = socket
        self._request = request
        self._frames: deque[str | bytes] = deque()
        self._wake = asyncio.Event()
        self._room = asyncio.Event()
        self._closing = False
        self._ended = False
        self.sent = 0
        self.cut = False  # ended by a fault, without a close frame

    def __len__(self) -> int:
        return len(self._frames)

    def put(self, frame: str | bytes) -> None:
        """Queues a frame; a str goes as text, bytes as binary."""
        self._frames.append(frame)
        self._wake.set()

    async def run(self) -> None:
        """Sends frames until the connection ends."""
        try:
            with contextlib.suppress(ConnectionError, RuntimeError):
                await self._send_all()
        finally:
            self._ended = True
            self._room.set()

    async def _send_all(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._frames:
                await self._send_some()
            if self._closing:
                await self._socket.close()
                return

    async def _send_some(self) -> None:
        frames = [self._frames.popleft() for _ in range(min(TOGETHER, len(self._frames)))]
        transport = self._request.transport
        if len(frames) > 1 and transport is not None:
            # One system call for many frames: a call costs more than to encode ten quotes.
            transport.write(b"".join(map(websocket_frame, frames[:-1])))
            while transport.get_write_buffer_size() > BUFFERED:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        last = frames[-1]
        if isinstance(last, str):
            await self._socket.send_str(last)
        else:
            await self._socket.send_bytes(last)
        self.sent += len(frames)
        self._room.set()

    async def wait_for_room(self, limit: int) -> None:
        """Waits until no more than so many frames are left, or the connection has ended."""
        while len(self._frames) > limit and not self._ended:
            self._room.clear()
            await self._room.wait()

    def end(self, *, clean: bool) -> None:
        """Ends the connection: with a close frame after what is queued, or cut off."""
        if clean:
            self._closing = True
            self._wake.set()
            return
        self.cut = True
        transport = self._request.transport
        if transport is not None:
            transport.abort()


def websocket_frame(data: str | bytes) -> bytes:
    """Given a message, frames it as a server does: whole, unmasked, uncompressed (RFC 6455)."""
    payload, opcode = (data.encode(), 0x81) if isinstance(data, str) else (data, 0x82)
    size = len(payload)
    if size < 126:
        return bytes((opcode, size)) + payload
    if size < 65536:
        return struct.pack("!BBH", opcode, 126, size) + payload
    return struct.pack("!BBQ", opcode, 127, size) + payload
