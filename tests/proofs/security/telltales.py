"""Hosts that repeat the secrets which they were given, in every spelling; and who looks for them.

Rule: what is looked for here is spelled without the product's own list of spellings.
"""

from __future__ import annotations

import base64
import json
import socketserver
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote, quote_plus

import msgpack  # type: ignore[import-untyped]
from websockets.sync.server import Server, ServerConnection, serve

KEY_ID = "PK+keyid/0123=4567"
SECRET_KEY = "s3cr3t/Key+With=Signs<&>%0123456789"
DB_PASSWORD = "db \"pass' w\\örd=%41 $x y"
SMTP_PASSWORD = "smtp \"pass' w\\rd=%41 $x y"
SECRETS = (KEY_ID, SECRET_KEY, DB_PASSWORD, SMTP_PASSWORD)
PART = 8  # so much of a secret in a row is too much


def spellings(secret: str) -> list[str]:
    """As programs and people write it."""
    encoded = secret.encode()
    return [
        secret,
        quote(secret, safe=""),
        quote_plus(secret),
        json.dumps(secret),
        json.dumps(secret, ensure_ascii=False),
        json.dumps(json.dumps(secret)),
        repr(secret),
        str(encoded),
        base64.b64encode(encoded).decode(),
        base64.urlsafe_b64encode(encoded).decode(),
        base64.b64encode(b"\0user\0" + encoded).decode(),
        base64.b64encode(f"{KEY_ID}:{secret}".encode()).decode(),
    ]


def every_spelling(*secrets: str) -> str:
    """A sentence that betrays them all."""
    return "; ".join(text for secret in secrets or SECRETS for text in spellings(secret))


def leaks(where: str, text: str) -> Iterator[str]:
    """Each secret of which a part can be read in the text, in whatever spelling."""
    for secret in SECRETS:
        for form in spellings(secret):
            # the ends of base64 hold bits of their neighbours
            inner = form[3:-4] if "\0" in form or len(form) > len(secret) + 8 else form
            parts = {inner[i : i + PART + 2] for i in range(len(inner) - PART - 1)}
            found = next((part for part in parts if part in text), None)
            if found:
                at = text.index(found)
                yield f"{where}: {form!r} is in {text[max(0, at - 150) : at + 100]!r}"
                break


class TelltaleHttp:
    """Answers every request with this status, and repeats the secrets."""

    def __init__(self, status: int) -> None:
        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                message = f"forbidden for you: {every_spelling(KEY_ID, SECRET_KEY)} {self.headers}"
                body = json.dumps({"code": 40010001, "message": message}).encode()
                self.send_response(status, "no key=" + quote(KEY_ID, safe="+/="))
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_DELETE = answer  # noqa: N815 - the library's names

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class TelltaleStream:
    """A market data stream that refuses the keys and repeats them; then it closes with them."""

    def __init__(self) -> None:
        self._server: Server = serve(self._refuse, "127.0.0.1", 0)
        self.url = f"ws://127.0.0.1:{self._server.socket.getsockname()[1]}"

    def _refuse(self, connection: ServerConnection) -> None:
        connection.send(msgpack.packb([{"T": "success", "msg": "connected"}]))
        given = msgpack.unpackb(connection.recv())
        message = f"auth failed: {given} {every_spelling(KEY_ID, SECRET_KEY)}"
        connection.send(msgpack.packb([{"T": "error", "code": 402, "msg": message}]))
        connection.close(1008, f"{KEY_ID} {SECRET_KEY}"[:120])

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()


class TelltaleMail:
    """A mail server that refuses the login and repeats what it was given."""

    def __init__(self) -> None:
        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                self.wfile.write(b"220 hello\r\n")
                while line := self.rfile.readline():
                    if line.upper().startswith(b"EHLO"):
                        self.wfile.write(b"250-hello\r\n250 AUTH PLAIN LOGIN\r\n")
                    elif line.upper().startswith(b"QUIT"):
                        self.wfile.write(b"221 bye\r\n")
                        return
                    else:
                        message = every_spelling(SMTP_PASSWORD).encode("ascii", "replace")
                        self.wfile.write(b"535 " + line.strip() + b" " + message + b"\r\n")

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def read_all(folder: Path) -> dict[str, str]:
    """Every file in the folder, whatever it is."""
    return {
        str(path): path.read_bytes().decode(errors="replace")
        for path in folder.rglob("*")
        if path.is_file()
    }


def command_lines() -> dict[str, str]:
    """What every process shows to every user of the machine, but for the simulated exchange."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if "alpaca_simulator" not in text:  # its keys are an argument
            found[str(path)] = text
    return found
