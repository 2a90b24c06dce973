"""Serves the reports as a page in a browser, until Ctrl-C.  It only shows: nothing can be changed
from there, and nothing is loaded from anywhere else.

On another address than this machine's own it asks for the password in PAGE_PASSWORD.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from argparse import ArgumentParser, Namespace

from aiohttp import web

from dca_bot.commands.arguments import WrongCall, port
from dca_bot.page.content import Content
from dca_bot.page.server import make_app
from dca_bot.page.visitors import is_this_machine
from dca_bot.program.errors import DcaError
from dca_bot.program.setting_groups import PROJECT_ROOT
from dca_bot.program.settings import (
    read_data_url,
    read_mode,
    read_page_password,
    read_store_settings,
)

HOST, PORT = "127.0.0.1", 8600
END_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--host", default=HOST, help=f"where it listens; default: {HOST}")
    parser.add_argument("--port", type=port, default=PORT, help=f"default: {PORT}; 0: any free one")
    parser.add_argument("--demo", action="store_true", help="of a market of its own, as a show")


def run(arguments: Namespace) -> int:
    if arguments.demo:
        if (arguments.host, arguments.port) != (HOST, PORT):
            raise WrongCall("the demo finds its own port on this machine: leave --host, --port out")
        return _demo()
    password = read_page_password()
    if not is_this_machine(arguments.host) and not password:
        raise WrongCall(
            f"PAGE_PASSWORD must be set where others can reach the page ({arguments.host}): put "
            "one into .env, or leave --host out and come through an ssh tunnel"
        )
    settings = read_store_settings()
    content = Content(settings, read_mode(), read_data_url())
    app = make_app(content, arguments.host, password)
    asyncio.run(_serve(app, arguments))
    return 0


def _demo() -> int:
    script = PROJECT_ROOT / "main_app.py"
    if not script.exists():
        raise DcaError("the demo needs the whole project: clone it, and call dca there")
    os.execv(sys.executable, [sys.executable, str(script), "--demo"])  # noqa: S606 - our own program


async def _serve(app: web.Application, arguments: Namespace) -> None:
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, arguments.host, arguments.port)
        try:
            await site.start()
        except OSError as error:
            raise DcaError(
                f"cannot listen at {arguments.host}:{arguments.port} ({error.strerror}): "
                "end what listens there, or choose another with --port"
            ) from error
        number = runner.addresses[0][1]
        _say(f"The page is at http://{arguments.host}:{number} (Ctrl-C ends it)")
        if not is_this_machine(arguments.host):
            _say("Everybody who reaches it is asked for PAGE_PASSWORD, which travels unencrypted.")
        ended = asyncio.Event()
        for each in END_SIGNALS:
            asyncio.get_running_loop().add_signal_handler(each, ended.set)
        await ended.wait()
    finally:
        await runner.cleanup()


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
