"""Just enough of the server side of a websocket for the benchmarks: handshake and frames.

Blocking and without any library, so that the exchange costs next to nothing beside what it
measures.
"""

from __future__ import annotations

import base64
import hashlib
import socket
import struct
import threading
from collections.abc import Iterator
from queue import SimpleQueue

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
LENGTH_16, LENGTH_64 = 126, 127


def accept_line(key: str) -> bytes:
    """The answer to a client's upgrade request."""
    digest = base64.b64encode(hashlib.sha1(key.encode() + GUID).digest())  # noqa: S324 - RFC 6455
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + digest + b"\r\n\r\n"
    )


def frame(payload: bytes, opcode: int = BINARY) -> bytes:
    """One unmasked frame, as servers send them."""
    head, length = bytes([0x80 | opcode]), len(payload)
    if length < LENGTH_16:
        return head + bytes([length]) + payload
    if length < 1 << 16:
        return head + struct.pack("!BH", LENGTH_16, length) + payload
    return head + struct.pack("!BQ", LENGTH_64, length) + payload


class Channel:
    """One websocket: `send` from any thread, `messages` in the thread that reads it."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._sending = threading.Lock()
        self._unread = b""
        self.pongs: SimpleQueue[bytes] = SimpleQueue()

    def send(self, frames: bytes) -> None:
        """Send frames that are already encoded; waits while the other side doesn't read."""
        with self._sending:
            self._connection.sendall(frames)

    def messages(self) -> Iterator[bytes]:
        """What the client says, until it leaves; pings are answered on the way."""
        while True:
            opcode, payload = self._next_frame()
            if opcode == PING:
                self.send(frame(payload, PONG))
            elif opcode == PONG:
                self.pongs.put(payload)
            elif opcode == CLOSE:
                self.send(frame(payload, CLOSE))
                return
            elif opcode in (TEXT, BINARY):
                yield payload

    def _next_frame(self) -> tuple[int, bytes]:
        first, second = self._read(2)
        length = second & 0x7F
        if length == LENGTH_16:
            (length,) = struct.unpack("!H", self._read(2))
        elif length == LENGTH_64:
            (length,) = struct.unpack("!Q", self._read(8))
        mask = self._read(4)  # a client always masks
        payload = self._read(length)
        return first & 0x0F, bytes(b ^ mask[i % 4] for i, b in enumerate(payload))

    def _read(self, length: int) -> bytes:
        while len(self._unread) < length:
            received = self._connection.recv(65536)
            if not received:
                raise ConnectionError
            self._unread += received
        taken, self._unread = self._unread[:length], self._unread[length:]
        return taken
