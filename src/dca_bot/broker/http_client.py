"""One HTTP request on a kept connection.  Rule: it goes out once, in time, and on a fresh enough
connection.

The only file that uses private parts of libraries, and habits that they don't promise: each is
named in `tests/broker/test_http_client.py`, which fails when one moves.
"""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

import requests
from alpaca.common.rest import RESTClient
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPResponse, Retry, Timeout
from urllib3.connection import HTTPConnection, HTTPSConnection

from dca_bot.program.setting_values import is_this_machine

# One connection per thread that talks at the same time; more are opened, but not kept.
CONNECTIONS_KEPT = 16
ONCE = Retry(False)
# A connection that we close is reset, so that the system throws away what it has not delivered: it
# would go on trying for minutes, and bring Alpaca an order that was given up as lost meanwhile.
SOCKET_OPTIONS = [
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    (socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)),
]


@dataclass(frozen=True, slots=True)
class Patience:
    """How long what may take, in seconds."""

    connect: float = 3.05
    answer: float = 10.0  # from the request to the last byte of the answer
    # Routers forget a connection that says nothing, some after a minute, and tell nobody: the next
    # request on it would go nowhere.
    idle: float = 60.0


PATIENCE = Patience()


class Overseer:
    """Shuts a socket whose answer is not complete in time; one thread watches for all.

    A socket's own limit counts anew with each packet, so an answer that drips in would never end.
    """

    def __init__(self) -> None:
        self._due: dict[socket.socket, float] = {}
        self._has_work = threading.Condition()
        self._thread: threading.Thread | None = None

    @contextmanager
    def limit(self, sock: socket.socket, seconds: float) -> Iterator[None]:
        """Let nothing be read from `sock` any more when the block takes longer than this.

        Raises TimeoutError then, since what was cut off may look complete.
        """
        with self._has_work:
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="overseer", daemon=True)
                self._thread.start()
            if not self._due:
                self._has_work.notify()
            self._due[sock] = time.monotonic() + seconds
        try:
            yield
        finally:
            with self._has_work:
                is_cut = self._due.pop(sock, None) is None
        if is_cut:
            raise TimeoutError(f"no complete answer in {seconds:.0f} s")

    def _watch(self) -> None:
        with self._has_work:
            while True:
                now = time.monotonic()
                for sock in [sock for sock, due in self._due.items() if due <= now]:
                    del self._due[sock]
                    # Of the socket beneath TLS, and only the way in, since the close that follows
                    # is to be a reset.
                    with suppress(OSError):  # closed already
                        socket.socket.shutdown(sock, socket.SHUT_RD)
                first = min(self._due.values(), default=None)
                self._has_work.wait(None if first is None else first - now)


OVERSEER = Overseer()


class KeptConnection(HTTPConnection):
    """A connection without TLS that is not used again after a long rest, and answers in time."""

    patience = PATIENCE
    _used_at = 0.0

    @property
    def is_connected(self) -> bool:
        """The pool asks this before it hands a kept connection out, and replaces what is not."""
        is_fresh = time.monotonic() - self._used_at < self.patience.idle
        return is_fresh and super().is_connected

    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # as urllib3's own
        """The whole answer: with `preload_content` urllib3 reads its body here."""
        assert self.sock is not None  # noqa: S101 - the request was just sent on it
        with OVERSEER.limit(self.sock, self.patience.answer):
            answer = super().getresponse()
        self._used_at = time.monotonic()
        return answer


class KeptTlsConnection(KeptConnection, HTTPSConnection):
    """The same with TLS."""


class HttpClient(RESTClient):
    """The SDK's client, but a request goes out once, in time, and straight to the connection.

    Through a `requests.Session` it takes twice as long to get there (docs/performance.md), since
    that prepares everything anew for each request; here it is asked once, for a pool of
    connections.  `requests` still knows best about proxies and certificates.  `observe` gets the
    status, the headers and the seconds of every answer.
    """

    def set_up(
        self, patience: Patience, observe: Callable[[int, Mapping[str, str], float], None]
    ) -> None:
        """To be called once, before the first request."""
        self._timeout = Timeout(connect=patience.connect, read=patience.answer)
        self._observe = observe
        base_url = str(self._base_url)
        parts = urlsplit(base_url)
        found = requests.Session().merge_environment_settings(base_url, {}, None, None, None)
        # nothing on this machine is behind a proxy
        proxies = {} if is_this_machine(parts.hostname or "") else dict(found["proxies"])
        adapter = HTTPAdapter(pool_maxsize=CONNECTIONS_KEPT)
        example = requests.Request("GET", base_url).prepare()
        self._pool = adapter.get_connection_with_tls_context(example, found["verify"], proxies)
        self._pool.conn_kw["socket_options"] = SOCKET_OPTIONS
        _keep_fresh(self._pool, patience)
        adapter.cert_verify(self._pool, base_url, found["verify"], None)
        # a proxy wants to be told the whole address, unless it is only tunnelled through
        is_whole = adapter.request_url(example, proxies).startswith("http")
        self._not_sent = "" if is_whole else f"{parts.scheme}://{parts.netloc}"

    def close(self) -> None:
        """Close the kept connections; nothing can be asked any more."""
        self._pool.close()

    def _one_request(self, method: str, url: str, opts: dict[str, Any], retry: int) -> Any:
        """What the SDK calls for each try of a request; for us there is only one.

        Returns the answer as it is, whatever its status.
        """
        target, headers, body = url.removeprefix(self._not_sent), opts["headers"], None
        if opts.get("params"):
            target += f"?{urlencode(opts['params'])}"
        if "json" in opts:
            headers["Content-Type"] = "application/json"
            body = json.dumps(opts["json"])
        began_at = time.monotonic()
        answer = self._pool.urlopen(
            method,
            target,
            body,
            headers,
            ONCE,
            redirect=False,
            assert_same_host=False,  # a proxy is one
            timeout=self._timeout,
        )
        self._observe(answer.status, answer.headers, time.monotonic() - began_at)
        return answer


def _keep_fresh(pool: HTTPConnectionPool, patience: Patience) -> None:
    has_tls = issubclass(pool.ConnectionCls, HTTPSConnection)
    kind = KeptTlsConnection if has_tls else KeptConnection
    pool.ConnectionCls = type(kind.__name__, (kind,), {"patience": patience})
