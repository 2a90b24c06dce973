"""A wire between the bot and the exchange that can go dark: bytes vanish, and nobody is told.

Rule: it knows no protocol but the difference between a websocket and other requests.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

UPGRADE = b"upgrade: websocket"


@dataclass(eq=False)
class _Link:
    """One connection."""

    client: socket.socket
    server: socket.socket
    is_websocket: bool = False
    is_dark_out: bool = False  # from the bot
    is_dark_back: bool = False  # to the bot
    swallowed: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


class DarkWire:
    """Leads to `url`; with `darken` bytes get lost, of the connections there are or of all."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        assert parts.hostname
        assert parts.port
        self._server = (parts.hostname, parts.port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._links: list[_Link] = []
        self._answers_are_dark = False
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def swallowed(self) -> int:
        """How many pieces of what was sent have vanished."""
        return sum(link.swallowed for link in self._links)

    def darken(self, *, websockets: bool) -> int:
        """The connections that there are die without a word, both ways; how many those were."""
        dark = [link for link in self._links if link.is_websocket == websockets]
        for link in dark:
            link.is_dark_out = link.is_dark_back = True
        return len(dark)

    def lose_answers(self, *, on: bool) -> None:
        """Whatever is answered to requests is lost, also to new ones."""
        self._answers_are_dark = on

    def close(self) -> None:
        """End all connections, and take no more."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for link in self._links:
            _end(link)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self._server, timeout=5)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            link = _Link(client, server)
            self._links.append(link)
            threading.Thread(target=self._bring, args=[link], daemon=True).start()

    def _bring(self, link: _Link) -> None:
        with suppress(OSError):
            head = link.client.recv(65_536)
            link.is_websocket = UPGRADE in head.lower()
            link.server.sendall(head)
            back = (link.server, link.client, lambda: self._is_dark_back(link), link)
            threading.Thread(target=_carry, args=back, daemon=True).start()
            _carry(link.client, link.server, lambda: link.is_dark_out, link)

    def _is_dark_back(self, link: _Link) -> bool:
        return link.is_dark_back or (self._answers_are_dark and not link.is_websocket)


def _carry(
    source: socket.socket, target: socket.socket, is_dark: Callable[[], bool], link: _Link
) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            if is_dark():
                with link.lock:
                    link.swallowed += 1
            else:
                target.sendall(data)
    if not is_dark():  # who is in the dark doesn't hear of an end either
        _end(link)


def _end(link: _Link) -> None:
    for each in (link.client, link.server):
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
        each.close()
