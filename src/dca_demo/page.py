"""The demo's own `dca page`, on the usual port or, where that is taken, on another."""

from __future__ import annotations

import socket
import sys
from collections.abc import Mapping
from pathlib import Path

from dca_sandbox.children import Child

HOST, USUAL_PORT = "127.0.0.1", 8600


class Page:
    """A process that serves the page; it is of use a second later."""

    def __init__(self, environment: Mapping[str, str], log_dir: Path) -> None:
        port = _free_port()
        command = [sys.executable, "-m", "dca_bot", "page", "--port", str(port)]
        self.address = f"http://{HOST}:{port}"
        self.stop = Child("page", command, environment=environment, log_dir=log_dir).stop


def _free_port() -> int:
    for port in (USUAL_PORT, 0):
        with socket.socket() as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                tried.bind((HOST, port))
            except OSError:
                continue
            number: int = tried.getsockname()[1]
            return number
    return USUAL_PORT
