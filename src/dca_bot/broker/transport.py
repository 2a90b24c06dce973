"""One HTTP request to Alpaca and how it ended.  Rule: it ends in time, and is sent only once.

The SDK's lean door (`alpaca.common.rest`) without its habits: it repeats a POST on 429 and 504
by itself and has no time limit at all (ALPACA.md 6.1 R1, R2).  What an ending means for an
order or a question is decided in rest.py.
"""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any, Literal
from urllib.parse import urlsplit

import requests
from alpaca.common.exceptions import APIError
from alpaca.common.rest import RESTClient
from requests.adapters import HTTPAdapter
from urllib3 import exceptions as urllib3_errors

from dca_bot.broker.rate_limit import RateLimiter
from dca_bot.settings import AlpacaSettings

CONNECT_SECONDS = 3.05
READ_SECONDS = 10.0
# One connection per thread that talks at the same time; more are opened, but not kept.
CONNECTIONS_KEPT = 16
LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
ERROR_TEXT_LENGTH_MAX = 300
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
        super().__init__(self.message[:ERROR_TEXT_LENGTH_MAX])

    @property
    def says_keys_refused(self) -> bool:
        """401, or the 403 that paper answers wrong keys with at times (ALPACA.md 2.4)."""
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
    """One of Alpaca's hosts, for any number of threads.

    Every thread has its own client, since a `requests.Session` is not made to be shared; all of
    them share one pool of kept-alive connections, which is.
    """

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
        self._settings, self._base_url, self._version = settings, base_url, version
        self._limiter = limiter
        self._pool = _TimedAdapter((CONNECT_SECONDS, read_seconds))
        self._local = threading.local()

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
        client = self._client()
        data = dict(content) if content is not None else None
        try:
            if method == "POST":
                return client.post(path, data)
            return client.get(path, data) if method == "GET" else client.delete(path, data)
        except APIError as error:
            raise HttpError(error.status_code, str(error)) from None
        except (OSError, ValueError, HTTPException, urllib3_errors.HTTPError) as error:
            # requests' own errors are OSErrors, an undecodable answer is a ValueError; now and
            # then something of the layers below comes through as it is
            if _was_never_sent(error):
                raise NotSent(f"{self.host} can't be reached: {_cause(error)}") from error
            raise NoAnswer(f"no answer from {self.host}: {_cause(error)}") from error

    def close(self) -> None:
        """Close the kept connections; the next request would open new ones."""
        self._pool.close()

    def _client(self) -> RESTClient:
        client: RESTClient | None = getattr(self._local, "client", None)
        if client is None:
            client = self._local.client = self._new_client()
        return client

    def _new_client(self) -> RESTClient:
        client = RESTClient(
            self._base_url,
            self._settings.key_id,
            self._settings.secret_key,
            api_version=self._version,
            raw_data=True,
        )
        client._retry = 0  # as a constructor argument, zero would count as unset
        session = client._session
        session.mount("https://", self._pool)
        session.mount("http://", self._pool)
        session.hooks["response"].append(self._observe)
        self._look_around_once(session)
        return client

    def _look_around_once(self, session: requests.Session) -> None:
        """Take proxies and certificates from the environment now, not before every request.

        A .netrc is no business of Alpaca's, and nothing on this machine is behind a proxy.
        """
        found = session.merge_environment_settings(self._base_url, {}, None, None, None)
        session.trust_env = False
        session.verify = found["verify"]
        is_local = urlsplit(self._base_url).hostname in LOOPBACK_HOSTS
        session.proxies = {} if is_local else dict(found["proxies"])

    def _observe(self, response: requests.Response, **_: object) -> None:
        self._limiter.observe(response.status_code, response.headers)


class _TimedAdapter(HTTPAdapter):
    """A connection pool whose requests have a time limit, whatever the caller forgot to say."""

    def __init__(self, timeout: tuple[float, float]) -> None:
        self._timeout = timeout
        super().__init__(pool_maxsize=CONNECTIONS_KEPT)

    def send(
        self, request: requests.PreparedRequest, *args: Any, **kwargs: Any
    ) -> requests.Response:
        kwargs["timeout"] = kwargs.get("timeout") or self._timeout
        return super().send(request, *args, **kwargs)


def _was_never_sent(error: BaseException) -> bool:
    """Whether the connection already failed: only then is it sure that nothing was sent."""
    causes = (
        requests.exceptions.ConnectTimeout,
        requests.exceptions.ProxyError,
        urllib3_errors.NewConnectionError,  # refused, unreachable, or a name that can't be found
        ssl.SSLCertVerificationError,
    )
    return any(isinstance(each, causes) for each in _chain(error))


def _cause(error: BaseException) -> str:
    """The innermost error in a few words; the outer ones repeat it with object addresses."""
    innermost = list(_chain(error))[-1]
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
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
