"""A local HTTP server that answers as told, and otherwise as nastily as the real world can.

Rule: raw sockets, so that nothing is too wrong to be sent; it records and judges nothing.
"""

from __future__ import annotations

import json
import select
import socket
import struct
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

HANG = b"HANG"  # read the request, and say yes long after everybody should have given up
LATE = b"LATE"  # read the request, answer null a second later
RESET = b"RESET"  # read the request, then cut the connection with an RST
HALF = b"HALF"  # promise a body, send half of it, and close
CLOSE = b"CLOSE"  # read the request, then close without a word

DRIP = b"DRIP"  # read the request, then send what follows byte by byte, for ever so long
DRIP_BODY = b"BODY"  # the same, but the head of it at once

LATE_SECONDS = 1.0
DRIP_SECONDS = 0.02
HANG_SECONDS = 15.0
HTML = "<html><body><h1>502 Bad Gateway</h1></body></html>"


@dataclass(frozen=True)
class Heard:
    """A request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


def answer(status: int, content: Any = None, **headers: str) -> bytes:
    """An HTTP answer: JSON, or with a str the text itself."""
    text = content if isinstance(content, str) else json.dumps(content)
    kind = "text/html" if isinstance(content, str) else "application/json"
    if content is None:
        text = ""
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Type: {kind}"]
    if status != 204:
        lines.append(f"Content-Length: {len(text.encode())}")
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", text]).encode()


class NastyHttp:
    """Every request takes the next of `answers`; without one it is answered 200 and null."""

    def __init__(self) -> None:
        self.answers: list[bytes] = []
        self.heard: list[Heard] = []
        self.connections = 0
        self._open: list[socket.socket] = []
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def close(self) -> None:
        """Free the port; from now on a connect is refused.  Twice does no harm."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for connection in self._open:
                connection.close()

    def close_idle(self) -> None:
        """Close every kept-alive connection from this side, as servers do after a while."""
        with self._lock:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self.connections += 1
                self._open.append(connection)
            threading.Thread(target=self._serve, args=[connection], daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection, connection.makefile("rb") as stream:
                while (heard := _read(stream)) is not None:
                    with self._lock:
                        self.heard.append(heard)
                        reply = self.answers.pop(0) if self.answers else answer(200, [])
                    if not _send(connection, reply):
                        return
        except (OSError, ValueError):
            return  # the other side went away


def _read(stream: Any) -> Heard | None:
    line = stream.readline().decode()
    if not line.strip():
        return None
    method, path, _ = line.split()
    headers: dict[str, str] = {}
    while (line := stream.readline().decode().strip()) != "":
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    body = stream.read(int(headers.get("content-length", 0)))
    return Heard(method, path, headers, json.loads(body) if body else None)


def _send(connection: socket.socket, reply: bytes) -> bool:
    """Whether the connection goes on."""
    if reply in (HANG, LATE):
        # unless the other side has given up by then
        if select.select([connection], [], [], HANG_SECONDS if reply == HANG else LATE_SECONDS)[0]:
            return False
        reply = answer(204 if reply == HANG else 200)
    if reply.startswith((DRIP, DRIP_BODY)):
        head, end, body = reply[4:].partition(b"\r\n\r\n")
        if reply.startswith(DRIP_BODY):
            connection.sendall(head + end)
        for byte in body if reply.startswith(DRIP_BODY) else reply[4:]:
            if select.select([connection], [], [], DRIP_SECONDS)[0]:
                return False
            connection.sendall(bytes([byte]))
        return True
    if reply == RESET:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return False
    if reply == HALF:
        connection.sendall(answer(200, {"id": "x" * 100})[:-40])
        return False
    if reply == CLOSE:
        return False
    connection.sendall(reply)
    return True
