"""One HTTP request to Alpaca and how it ended.  Rule: it ends in time, and is sent only once.

The SDK's lean door (`alpaca.common.rest`) without its habits: it repeats a POST on 429 and 504
by itself, and has no time limit at all (docs/alpaca.md 6.1 R1, R2).  What an ending means for an
order or a question is decided in rest.py.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any, Literal
from urllib.parse import urlsplit

from urllib3 import exceptions as urllib3_errors

from dca_bot.broker.alpaca_clock import AlpacaClock
from dca_bot.broker.http_client import PATIENCE, HttpClient, Patience
from dca_bot.broker.rate_limit import RateLimiter
from dca_bot.program.masking import Mask
from dca_bot.program.setting_groups import AlpacaSettings

FIRST_ERROR_STATUS = 400
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
    """One of Alpaca's hosts, for any number of threads; `clock` learns from its answers."""

    def __init__(
        self,
        settings: AlpacaSettings,
        *,
        base_url: str,
        version: str,
        limiter: RateLimiter,
        patience: Patience = PATIENCE,
        clock: AlpacaClock | None = None,
    ) -> None:
        self.host = urlsplit(base_url).netloc
        self._limiter, self._clock = limiter, clock or AlpacaClock()
        self._client = HttpClient(
            base_url,
            settings.key_id,
            settings.secret_key,
            api_version=version,
            raw_data=True,
        )
        self._client.set_up(patience, self._observe)
        # what Alpaca says is shown and stored in many places; a proxy may repeat the keys in it
        self._mask = Mask((settings.key_id, settings.secret_key))

    def request(
        self,
        method: Literal["GET", "POST", "DELETE"],
        path: str,
        content: Mapping[str, Any] | None = None,
        *,
        urgent: bool = False,
    ) -> Any:
        """The decoded answer (None: an empty one); raises NotSent, NoAnswer or HttpError.

        What only reads is tried once more: its connection may have died unseen.
        Raises BrokerUnavailable when the rate limit would let it wait too long.
        """
        try:
            return self._request_once(method, path, content, urgent=urgent)
        except NoAnswer:
            if method != "GET":
                raise
        return self._request_once(method, path, content, urgent=urgent)

    def close(self) -> None:
        """Close the kept connections; nothing can be asked any more."""
        self._client.close()

    def _request_once(
        self, method: str, path: str, content: Mapping[str, Any] | None, *, urgent: bool
    ) -> Any:
        self._limiter.acquire(urgent=urgent)
        client = self._client
        data = dict(content) if content is not None else None
        try:
            answer: Any
            if method == "POST":
                answer = client.post(path, data)
            else:
                answer = client.get(path, data) if method == "GET" else client.delete(path, data)
            if answer.status < FIRST_ERROR_STATUS:
                return json.loads(answer.data) if answer.data else None
        except BROKEN_OFF as error:
            if _was_never_sent(error):
                raise NotSent(f"{self.host} can't be reached: {_cause(error)}") from error
            raise NoAnswer(f"no answer from {self.host}: {_cause(error)}") from error
        raise HttpError(answer.status, self._mask(answer.data.decode(errors="replace")))

    def _observe(self, status: int, headers: Mapping[str, str], seconds: float) -> None:
        self._limiter.observe(status, headers)
        self._clock.heard(headers.get("Date", ""), seconds)


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
    if isinstance(innermost, json.JSONDecodeError):
        return "what it sent is not JSON, perhaps a page of something in between"
    said = innermost.strerror if isinstance(innermost, OSError) else ""
    return f"{type(innermost).__name__}{f' ({said})' if said else ''}"


def _chain(error: BaseException | None) -> list[BaseException]:
    chain: list[BaseException] = []
    while error is not None and error not in chain:
        chain.append(error)
        inner = getattr(error, "reason", None) or next(iter(error.args), None)
        outer = None if error.__suppress_context__ else error.__context__
        error = inner if isinstance(inner, BaseException) else error.__cause__ or outer
    return chain


def _json_object(text: str) -> dict[str, Any]:
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}
