"""What every request passes: the record, faults, keys, and the rate limit."""

import asyncio
import base64
import contextlib
import json
import time
import uuid
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from typing import Any

from aiohttp import web

from alpaca_simulator.clock import SECOND, Clock
from alpaca_simulator.exchange.rejections import Rejection
from alpaca_simulator.faults import Fault, FaultBook
from alpaca_simulator.journal import Journal
from alpaca_simulator.keys import Keys

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
ESCAPED = (("<", "\\u003c"), (">", "\\u003e"), ("&", "\\u0026"))
LOOPBACK = ("127.", "::1", "::ffff:127.")
NGINX = (
    "<html>\r\n<head><title>{0}</title></head>\r\n<body>\r\n<center><h1>{0}</h1></center>\r\n"
    "<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
)
DATA = ("/v1beta3/", "/v1beta2/")
REASONS = {
    401: "401 Authorization Required",
    500: "500 Internal Server Error",
    502: "502 Bad Gateway",
    503: "503 Service Temporarily Unavailable",
    504: "504 Gateway Time-out",
}


class RateLimit:
    """So many requests in each minute (docs/alpaca.md 2.4)."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._window = 0
        self._used = 0

    def take(self) -> bool:
        """Counts a request; False when the minute's share is used up."""
        window = int(time.time()) // 60
        if window != self._window:
            self._window, self._used = window, 0
        self._used += 1
        return not self.limit or self._used <= self.limit

    def headers(self) -> dict[str, str]:
        """What each answer says about it."""
        if not self.limit:
            return {}
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(max(0, self.limit - self._used)),
            "X-RateLimit-Reset": str((self._window + 1) * 60),
        }


class Gate:
    """The middleware for the trading and the data API."""

    def __init__(
        self, faults: FaultBook, journal: Journal, keys: Keys, clock: Clock, rate_limit: int
    ) -> None:
        self._clock = clock
        self._faults = faults
        self._journal = journal
        self._keys = keys
        self._late_ones: set[asyncio.Task[None]] = set()
        self.limits = {"trading": RateLimit(rate_limit), "data": RateLimit(rate_limit)}

    async def handle(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Serves a request of either API."""
        body = (await request.read()).decode(errors="replace")
        entry = self._journal.request(
            method=request.method,
            path=request.path,
            query=request.query_string,
            body=body or None,
            client_order_id=_client_order_id(request, body),
        )
        try:
            response = await self._serve(request, handler, entry)
        except asyncio.CancelledError:
            self._journal.answered(entry, None)
            raise
        self._journal.answered(entry, response.status)
        return response

    async def _serve(
        self, request: web.Request, handler: Handler, entry: dict[str, Any]
    ) -> web.StreamResponse:
        limit = self._limit(request)
        subject = {
            "method": request.method,
            "path": request.path,
            "client_order_id": str(entry["client_order_id"]),
        }
        response = self._check(request, limit) or await self._strike_before(request, subject)
        if response is None:
            answer = await self._act(request, handler, subject)
            entry["outcome"] = answer.status
            response = await self._strike_after(request, answer, subject)
        response.headers.update(limit.headers())
        response.headers["X-Request-ID"] = uuid.uuid4().hex
        response.headers["Date"] = formatdate(self._clock.now() // SECOND, usegmt=True)
        return response

    async def _act(
        self, request: web.Request, handler: Handler, subject: dict[str, str]
    ) -> web.StreamResponse:
        late = self._faults.take("accept_late", **subject)
        if late is None:
            return await _answer(request, handler)
        task = asyncio.create_task(_late(late, request, handler))
        self._late_ones.add(task)
        task.add_done_callback(self._late_ones.discard)
        return await _never()

    def _limit(self, request: web.Request) -> RateLimit:
        return self.limits["data" if request.path.startswith(DATA) else "trading"]

    def _check(self, request: web.Request, limit: RateLimit) -> web.StreamResponse | None:
        key, secret = credentials(request)
        if key is None and secret is None:
            # The data API needs no keys, but refuses wrong ones (docs/alpaca.md 5).
            if not request.path.startswith(DATA):
                return html_answer(401)
        elif not self._keys.accept(key, secret):
            return json_answer(401, {"message": "unauthorized."})
        if not limit.take():
            return json_answer(429, {"code": 42910000, "message": "rate limit exceeded"})
        return None

    async def _strike_before(
        self, request: web.Request, subject: dict[str, str]
    ) -> web.Response | None:
        take = self._faults.take
        if fault := take("rate_limited", **subject):
            if fault.params.get("body") == "text":
                return web.Response(status=429, text="Too Many Requests")
            return json_answer(429, {"code": 42910000, "message": "rate limit exceeded"})
        if fault := take("server_error", **subject):
            return broken_answer(fault, 500)
        if take("forbidden", **subject):
            return json_answer(403, {"message": "forbidden."})
        if take("unauthorized", **subject):
            return json_answer(401, {"message": "unauthorized."})
        if take("reset", **subject):
            _cut(request)
            await _never()
        if take("hang", **subject):
            await _never()
        if fault := take("slow_request", **subject):
            await asyncio.sleep(fault.seconds(2))
        return None

    async def _strike_after(
        self, request: web.Request, response: web.StreamResponse, subject: dict[str, str]
    ) -> web.StreamResponse:
        take = self._faults.take
        if fault := take("timeout_after_accepting", **subject):
            return broken_answer(fault, 504)
        if fault := take("error_after_accepting", **subject):
            return broken_answer(fault, 500)
        if fault := take("garbled_answer", **subject):
            return _garbled(fault, response)
        if fault := take("slow_answer", **subject):
            await asyncio.sleep(fault.seconds(2))
        if take("reset_after_accepting", **subject):
            _cut(request)
            await _never()
        if take("hang_after_accepting", **subject):
            await _never()
        return response


def credentials(request: web.Request) -> tuple[str | None, str | None]:
    """Key and secret of a request: of Alpaca's two headers, or of `Authorization`.

    A bearer token stands for both. Basic is what the older APIs take.
    """
    key = request.headers.get("APCA-API-KEY-ID")
    secret = request.headers.get("APCA-API-SECRET-KEY")
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    if key is None and secret is None and kind.lower() == "bearer":
        return token, token
    if key is None and secret is None and kind.lower() == "basic":
        with contextlib.suppress(ValueError):
            key, _, secret = base64.b64decode(token).decode().partition(":")
    return key, secret


def is_loopback(request: web.Request) -> bool:
    """Whether a request comes from this machine."""
    return (request.remote or "").startswith(LOOPBACK)


def json_answer(status: int, body: object) -> web.Response:
    """Given a body, answers it as compact JSON with `<`, `>` and `&` escaped, as Go writes it."""
    text = json.dumps(body, separators=(",", ":"))
    for character, escaped in ESCAPED:
        if character in text:
            text = text.replace(character, escaped)
    return web.Response(status=status, body=text.encode(), content_type="application/json")


def html_answer(status: int) -> web.Response:
    """Answers as the proxy before the API does."""
    text = NGINX.format(REASONS.get(status, str(status)))
    return web.Response(status=status, text=text, content_type="text/html")


def broken_answer(fault: Fault, status: int) -> web.Response:
    """Given a fault, answers its status with its kind of body."""
    status = int(fault.params.get("status", status))
    kind = fault.params.get("body", "json")
    if kind == "html":
        return html_answer(status)
    if kind == "empty":
        return web.Response(status=status)
    return json_answer(status, {"code": status * 100_000, "message": "internal server error"})


def _garbled(fault: Fault, response: web.StreamResponse) -> web.Response:
    kind = fault.params.get("body", "html")
    if kind == "html":
        return html_answer(200)
    body = response.body if isinstance(response, web.Response) else b""
    half = bytes(body[: len(body) // 2]) if isinstance(body, bytes) and kind == "half" else b""
    return web.Response(status=200, body=half, content_type="application/json")


async def _answer(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except Rejection as rejection:
        return json_answer(rejection.status, rejection.body)
    except web.HTTPNotFound:
        return json_answer(404, {"code": 40410000, "message": "endpoint not found"})
    except web.HTTPMethodNotAllowed:
        return json_answer(405, {"code": 40510000, "message": "method not allowed"})


async def _late(fault: Fault, request: web.Request, handler: Handler) -> None:
    await asyncio.sleep(fault.seconds(5))
    await _answer(request, handler)


async def _never() -> web.StreamResponse:
    # Ends when the client gives up, or with the simulator.
    await asyncio.Event().wait()
    raise AssertionError("nobody sets this event")


def _cut(request: web.Request) -> None:
    transport = request.transport
    if transport is not None:
        transport.abort()


def _client_order_id(request: web.Request, body: str) -> str | None:
    if request.method != "POST":
        return request.query.get("client_order_id")
    try:
        found = json.loads(body).get("client_order_id")
    except (ValueError, AttributeError, RecursionError):
        return None
    return None if found is None else str(found)
