"""One HTTP request to Alpaca and how it ended.  Rule: it ends in time, and is sent only once.

The SDK's lean door (`alpaca.common.rest`) without its habits: it repeats a POST on 429 and 504
by itself, and has no time limit at all (docs/alpaca.md 6.1 R1, R2).  What an ending means for an
order or a question is decided in rest.py.
"""

from __future__ import annotations

import json
import socket
import ssl
import struct
from collections.abc import Callable, Mapping
from http.client import HTTPException
from typing import Any, Literal
from urllib.parse import urlencode, urlsplit

import requests
from alpaca.common.rest import RESTClient
from requests.adapters import HTTPAdapter
from urllib3 import Retry, Timeout
from urllib3 import exceptions as urllib3_errors

from dca_bot.broker.rate_limit import RateLimiter
from dca_bot.program.setting_groups import AlpacaSettings
from dca_bot.program.setting_values import is_this_machine

CONNECT_SECONDS = 3.05
READ_SECONDS = 10.0
# One connection per thread that talks at the same time; more are opened, but not kept.
CONNECTIONS_KEPT = 16
FIRST_ERROR_STATUS = 400
ONCE = Retry(False)
# A connection that we close is reset, so that the system throws away what it has not delivered: it
# would go on trying for minutes, and bring Alpaca an order that was given up as lost meanwhile.
SOCKET_OPTIONS = [
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    (socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)),
]
# An undecodable answer is a ValueError or, of brackets without end, a RecursionError; now and then
# something of the layers below comes through as it is.
BROKEN_OFF = (OSError, ValueError, RecursionError, HTTPException, urllib3_errors.HTTPError)
NOT_FOUND = 40410000  # Alpaca's code for an order, and for other things, that aren't found


class NotSent(Exception):
    """The request can't have reached Alpaca."""


class NoAnswer(Exception):
    """It may have reached Alpaca, but no readable answer came back."""


class HttpError(Exception):
    """Alpaca, or something on the way, answered with an HTTP error."""

    def __init__(self, status: int, text: str) -> None:
        self.status = status
        body = _json_object(text)
        self.is_alpacas = isinstance(body.get("message"), str)
        self.code = body.get("code")
        self.message = body["message"] if self.is_alpacas else f"HTTP {status}"
        super().__init__(self.message)

    @property
    def says_keys_refused(self) -> bool:
        """401, or the 403 that paper answers wrong keys with at times (docs/alpaca.md 2.4)."""
        forbidden = self.status == 403 and self.message.lower().startswith("forbidden")
        return self.status == 401 or forbidden

    @property
    def says_order_unknown(self) -> bool:
        """Whether Alpaca itself says that it has no such order.

        The 404 of a proxy, or of an address that doesn't exist there, says nothing about orders.
        """
        said = self.message.lower()
        return self.status == 404 and (
            "order not found" in said or (self.code == NOT_FOUND and "endpoint" not in said)
        )


class Transport:
    """One of Alpaca's hosts, for any number of threads."""

    def __init__(
        self,
        settings: AlpacaSettings,
        *,
        base_url: str,
        version: str,
        limiter: RateLimiter,
        read_seconds: float = READ_SECONDS,
    ) -> None:
        self.host = urlsplit(base_url).netloc
        self._limiter = limiter
        self._client = _Client(
            base_url,
            settings.key_id,
            settings.secret_key,
            api_version=version,
            raw_data=True,
        )
        timeout = Timeout(connect=CONNECT_SECONDS, read=read_seconds)
        self._client.set_up(timeout, limiter.observe)

    def request(
        self,
        method: Literal["GET", "POST", "DELETE"],
        path: str,
        content: Mapping[str, Any] | None = None,
        *,
        urgent: bool = False,
    ) -> Any:
        """The decoded answer (None: an empty one); raises NotSent, NoAnswer or HttpError.

        Raises BrokerUnavailable when the rate limit would let it wait too long.
        """
        self._limiter.acquire(urgent=urgent)
        client = self._client
        data = dict(content) if content is not None else None
        try:
            if method == "POST":
                return client.post(path, data)
            return client.get(path, data) if method == "GET" else client.delete(path, data)
        except BROKEN_OFF as error:
            if _was_never_sent(error):
                raise NotSent(f"{self.host} can't be reached: {_cause(error)}") from error
            raise NoAnswer(f"no answer from {self.host}: {_cause(error)}") from error

    def close(self) -> None:
        """Close the kept connections; nothing can be asked any more."""
        self._client.close()


class _Client(RESTClient):
    """The SDK's client, but a request goes out once, in time, and straight to the connection.

    Through a `requests.Session` it takes twice as long to get there (docs/performance.md), since
    that prepares everything anew for each request; here it is asked once, for a pool of
    connections.  `requests` still knows best about proxies and certificates.
    """

    def set_up(self, timeout: Timeout, observe: Callable[[int, Mapping[str, str]], None]) -> None:
        """To be called once, before the first request."""
        self._timeout, self._observe = timeout, observe
        base_url = str(self._base_url)
        parts = urlsplit(base_url)
        found = requests.Session().merge_environment_settings(base_url, {}, None, None, None)
        # nothing on this machine is behind a proxy
        proxies = {} if is_this_machine(parts.hostname or "") else dict(found["proxies"])
        adapter = HTTPAdapter(pool_maxsize=CONNECTIONS_KEPT)
        example = requests.Request("GET", base_url).prepare()
        self._pool = adapter.get_connection_with_tls_context(example, found["verify"], proxies)
        self._pool.conn_kw["socket_options"] = SOCKET_OPTIONS
        adapter.cert_verify(self._pool, base_url, found["verify"], None)
        # a proxy wants to be told the whole address, unless it is only tunnelled through
        is_whole = adapter.request_url(example, proxies).startswith("http")
        self._not_sent = "" if is_whole else f"{parts.scheme}://{parts.netloc}"

    def close(self) -> None:
        self._pool.close()

    def _one_request(self, method: str, url: str, opts: dict[str, Any], retry: int) -> Any:
        """What the SDK calls for each try of a request; for us there is only one."""
        target, headers, body = url.removeprefix(self._not_sent), opts["headers"], None
        if opts.get("params"):
            target += f"?{urlencode(opts['params'])}"
        if "json" in opts:
            headers["Content-Type"] = "application/json"
            body = json.dumps(opts["json"])
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
        self._observe(answer.status, answer.headers)
        if answer.status >= FIRST_ERROR_STATUS:
            raise HttpError(answer.status, answer.data.decode(errors="replace"))
        return json.loads(answer.data) if answer.data else None


def distrust(error: ssl.SSLCertVerificationError) -> str:
    """Why a certificate was refused, and what can be done about it."""
    return (
        f"its certificate can't be trusted ({error.verify_message}): check APCA_API_*_URL and this "
        "machine's clock; if both are right, somebody may be listening in"
    )


def _was_never_sent(error: BaseException) -> bool:
    """Whether the connection already failed: only then is it sure that nothing was sent."""
    causes = (
        urllib3_errors.ConnectTimeoutError,
        urllib3_errors.ProxyError,
        urllib3_errors.NewConnectionError,  # refused, unreachable, or a name that can't be found
        ssl.SSLCertVerificationError,
    )
    return any(isinstance(each, causes) for each in _chain(error))


def _cause(error: BaseException) -> str:
    """The innermost error in a few words; the outer ones repeat it with object addresses."""
    innermost = list(_chain(error))[-1]
    if isinstance(innermost, ssl.SSLCertVerificationError):
        return distrust(innermost)
    said = innermost.strerror if isinstance(innermost, OSError) else ""
    return f"{type(innermost).__name__}{f' ({said})' if said else ''}"


def _chain(error: BaseException | None) -> list[BaseException]:
    chain: list[BaseException] = []
    while error is not None and error not in chain:
        chain.append(error)
        inner = getattr(error, "reason", None) or next(iter(error.args), None)
        error = inner if isinstance(inner, BaseException) else error.__cause__ or error.__context__
    return chain


def _json_object(text: str) -> dict[str, Any]:
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}
