"""The routes of the page, and what every answer carries.

Rule: GET only, and nothing is loaded from anywhere else: the policy in each answer forbids it.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from importlib.resources import files
from typing import Protocol
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Middleware

from dca_bot.page.visitors import Door, is_this_machine, password_in
from dca_bot.program.errors import DcaError
from dca_bot.report.numbers import plain_value

log = logging.getLogger(__name__)

LOOK_SECONDS = 2.0  # how often the page asks, and the prices are remembered
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Content(Protocol):
    """What the routes need of `content.py`; each may raise DcaError, whose words are the answer."""

    async def everything(self) -> Mapping[str, object]: ...

    async def asset(self, symbol: str) -> Mapping[str, object] | None: ...

    async def cycles_csv(self, symbol: str | None) -> str: ...

    async def remember_prices(self, seconds: float) -> None: ...

    async def tie_out_again_and_again(self) -> None: ...

    def close(self) -> None: ...


def make_app(content: Content, host: str, password: str) -> web.Application:
    """The page over `content`; `host` is where it listens, `password` may be empty."""
    app = web.Application(middlewares=[_guard(host, password)])
    app.router.add_get("/", _file("page.html"))
    app.router.add_get("/page.css", _file("page.css"))
    app.router.add_get("/icon.svg", _file("icon.svg"))
    for name in ("page.js", "assets.js", "charts.js", "words.js"):
        app.router.add_get(f"/{name}", _file(name))
    app.router.add_get("/plotly.js", _plotly)
    app.router.add_get("/healthz", _healthz)
    app.router.add_get("/data.json", _answer(lambda _: content.everything()))
    app.router.add_get("/asset.json", _answer(lambda request: content.asset(_symbol(request))))
    app.router.add_get("/cycles.csv", _cycles_csv(content))
    app.cleanup_ctx.append(_background(content))
    return app


def _guard(host: str, password: str) -> Middleware:
    door = Door(password) if password else None

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        answer = _turned_away(request, host, door) or await _answered(request, handler)
        answer.headers.update(HEADERS)
        return answer

    return guard


async def _answered(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPException as refusal:
        return web.Response(status=refusal.status, text=refusal.text)


def _turned_away(request: web.Request, host: str, door: Door | None) -> web.Response | None:
    """The answer to who may not see the page; None: he may."""
    if request.path == "/healthz":
        return None
    if door is None:
        # A web page elsewhere can make its own name mean this machine, and read the answers.
        named = urlsplit(f"//{request.host}").hostname or ""
        if not is_this_machine(named) and named != host:
            return web.Response(status=403, text=f"this page answers at {host} only\n")
        return None
    address = request.remote or ""
    seconds = door.seconds_to_wait(address)
    if seconds > 0:
        wait = str(int(seconds) + 1)
        text = f"too many wrong passwords: try again in {wait} s\n"
        return web.Response(status=429, text=text, headers={"Retry-After": wait})
    if door.opens_for(address, password_in(request.headers.get("Authorization", ""))):
        return None
    ask = {"WWW-Authenticate": 'Basic realm="DCA bot: any user, PAGE_PASSWORD", charset="UTF-8"'}
    return web.Response(status=401, text="this page has a password\n", headers=ask)


def _file(name: str) -> Handler:
    body = files("dca_bot.page").joinpath("assets", name).read_bytes()

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=body, content_type=TYPES[name.rpartition(".")[2]], charset="utf-8")

    return answer


async def _plotly(_: web.Request) -> web.Response:
    script = files("plotly").joinpath("package_data", "plotly.min.js")
    body = await asyncio.to_thread(script.read_bytes)
    return web.Response(body=body, content_type=TYPES["js"], charset="utf-8")


async def _healthz(_: web.Request) -> web.Response:
    return web.Response(text="ok\n")


def _symbol(request: web.Request) -> str:
    return request.query.get("symbol", "")


def _answer(ask: Callable[[web.Request], Awaitable[Mapping[str, object] | None]]) -> Handler:
    async def answer(request: web.Request) -> web.Response:
        try:
            found = await ask(request)
        except DcaError as error:
            return _json({"error": str(error)}, status=503)
        return (
            _json({"error": "there is no such asset"}, status=404)
            if found is None
            else _json(found)
        )

    return answer


def _json(content: Mapping[str, object], status: int = 200) -> web.Response:
    text = json.dumps(content, default=plain_value)
    return web.Response(text=text, status=status, content_type="application/json")


def _cycles_csv(content: Content) -> Handler:
    async def answer(request: web.Request) -> web.Response:
        try:
            text = await content.cycles_csv(_symbol(request) or None)
        except DcaError as error:
            return web.Response(status=503, text=f"{error}\n")
        name = {"Content-Disposition": 'attachment; filename="cycles.csv"'}
        return web.Response(text=text, content_type="text/csv", headers=name)

    return answer


def _background(content: Content) -> Callable[[web.Application], AsyncIterator[None]]:
    async def run(_: web.Application) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(content.remember_prices(LOOK_SECONDS))]
        tasks.append(asyncio.create_task(content.tie_out_again_and_again()))
        yield
        for task in tasks:
            task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*tasks, return_exceptions=True)
        content.close()

    return run
