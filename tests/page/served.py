"""`dca page` as a process, and what it answers."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from tests.helpers import eventually
from tests.warm import WarmProcess

ADDRESS = re.compile(r"The page is at (http://\S+)")


class Served:
    """Asks a running page."""

    def __init__(self, url: str, process: WarmProcess) -> None:
        self.url, self._process = url, process
        self._session = requests.Session()
        self._session.trust_env = False

    def ask(self, path: str, method: str = "GET", **more: Any) -> requests.Response:
        return self._session.request(method, self.url + path, timeout=20, **more)

    def data(self) -> dict[str, Any]:
        answer = self.ask("/data.json")
        assert answer.ok, answer.text
        data = answer.json()
        assert isinstance(data, dict)
        return data

    def end(self) -> int:
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(20)


@contextmanager
def page(env: dict[str, str], directory: Path, *options: str) -> Iterator[Served]:
    """The page on a free port, ended afterwards."""
    output = directory / "page.out"
    process = WarmProcess("-m", "dca_bot", "page", "--port", "0", *options, env=env, output=output)
    try:

        def address() -> str | None:
            assert process.poll() is None, output.read_text()
            found = ADDRESS.search(output.read_text())
            return found[1] if found else None

        served = Served(eventually(address, timeout=60), process)
        yield served
    finally:
        process.kill()
        process.wait()
        print(output.read_text()[-3000:])
