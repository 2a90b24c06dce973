"""Everything that happened on the wire, for the control API; bounded, the oldest goes first."""

import json
import time
from collections import deque
from typing import Any

from alpaca_simulator.clock import rfc3339

KEPT = 20_000


class Journal:
    """Requests, websocket connections, events sent, and faults that struck."""

    def __init__(self) -> None:
        self.requests: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self.connections: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self.events: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self.faults: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self.request_count = 0

    def request(self, **facts: Any) -> dict[str, Any]:
        """Notes a request on its arrival; its outcome is added to what is returned."""
        self.request_count += 1
        entry = {"number": self.request_count} | facts | {"status": None} | _moment("arrived")
        self.requests.append(entry)
        return entry

    def answered(self, entry: dict[str, Any], status: int | None) -> None:
        """Notes what a request was answered; None when it never was."""
        entry["status"] = status
        entry |= _moment("answered")

    def connection(self, stream: str, client: str) -> dict[str, Any]:
        """Notes a websocket on its arrival; what becomes of it is added to what is returned."""
        entry = {"stream": stream, "client": client, "state": "open"} | _moment("opened")
        self.connections.append(entry)
        return entry

    def closed(self, entry: dict[str, Any], how: str) -> None:
        """Notes how a websocket ended."""
        entry["state"] = how
        entry |= _moment("closed")

    def event(self, how: str, receivers: int, data: dict[str, Any] | None) -> None:
        """Notes what became of a trade update: sent, lost, repeated, delayed …"""
        # As text, which takes less than half the memory.
        entry = {"how": how, "receivers": receivers, "data": json.dumps(data)}
        self.events.append(entry | _moment("told"))

    def fault(self, name: str, subject: dict[str, str]) -> None:
        """Notes that a fault struck."""
        self.faults.append({"name": name, "subject": subject} | _moment("struck"))

    def clear(self) -> None:
        """Forgets everything but the connections."""
        self.requests.clear()
        self.events.clear()
        self.faults.clear()
        self.request_count = 0

    def record(self) -> dict[str, Any]:
        """Everything, as JSON."""
        return {
            "requests": list(self.requests),
            "request_count": self.request_count,
            "connections": list(self.connections),
            "events": [one | {"data": json.loads(one["data"])} for one in self.events],
            "faults_struck": list(self.faults),
        }


def _moment(name: str) -> dict[str, Any]:
    return {f"{name}_at": rfc3339(time.time_ns()), f"{name}_monotonic": time.monotonic()}
