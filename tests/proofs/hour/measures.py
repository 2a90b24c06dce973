"""What is measured while the hour passes: the process from outside, requests, lines of logs."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import mysql.connector

from dca_bot.program.settings import DatabaseSettings
from tests.helpers import sql_client

WINDOW_SECONDS = 60.0
# What differs from one line to the next that says the same: times, numbers, ids.
MOMENT = re.compile(r"^\S+ ")
NUMBERS = re.compile(r"=\S+|\b\d[\d.,:]*\b|\bc\d+\b|dca-\S+|\b[0-9a-f]{8}-[0-9a-f-]{27}\b")


@dataclass(frozen=True, slots=True)
class Sample:
    """The bot's process at one moment; `connections` are the database server's, ours left out."""

    at: float
    pid: int
    megabytes: float
    descriptors: int
    threads: int
    connections: int

    def __str__(self) -> str:
        return (
            f"process {self.pid}: {self.megabytes:.1f} MB, {self.descriptors} descriptors, "
            f"{self.threads} threads, {self.connections} connections"
        )


def sample(at: float, pid: int, database: DatabaseSettings) -> Sample | None:
    """None where the process or the database is away."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        descriptors = len(list(Path(f"/proc/{pid}/fd").iterdir()))
        with closing(sql_client(database)) as ours, closing(ours.cursor()) as cursor:
            cursor.execute("SELECT COUNT(*) - 1 FROM information_schema.processlist")
            [connections] = cursor.fetchone()
    except (OSError, mysql.connector.Error):
        return None
    facts = dict(re.findall(r"^(VmRSS|Threads):\s+(\d+)", status, re.MULTILINE))
    if "VmRSS" not in facts:
        return None  # it has just ended
    return Sample(
        at, pid, int(facts["VmRSS"]) / 1024, descriptors, int(facts["Threads"]), int(connections)
    )


def typical(samples: Iterable[Sample]) -> dict[str, float]:
    """Of several moments, the middle of each figure."""
    some = list(samples)
    names = ("megabytes", "descriptors", "threads", "connections")
    return {name: round(median(getattr(each, name) for each in some), 1) for name in names}


class Requests:
    """Every request that the exchange has kept, gathered from time to time."""

    def __init__(self) -> None:
        self._by_number: dict[int, tuple[float, str, int | None]] = {}

    def gather(self, record: Mapping[str, Any]) -> None:
        for row in record["requests"]:
            kind = "data" if row["path"].startswith("/v1beta3") else "trading"
            self._by_number[row["number"]] = (row["arrived_monotonic"], kind, row["status"])

    def __len__(self) -> int:
        return len(self._by_number)

    def most_in_a_minute(self) -> dict[str, int]:
        """By kind, in any sixty seconds; Alpaca counts both apart."""
        moments = defaultdict(list)
        for at, kind, _ in self._by_number.values():
            moments[kind].append(at)
        return {kind: _most_within(sorted(some)) for kind, some in sorted(moments.items())}

    def answered(self, status: int) -> int:
        return sum(1 for _, _, reported in self._by_number.values() if reported == status)


def _most_within(moments: list[float]) -> int:
    most = first = 0
    for last, at in enumerate(moments):
        while moments[first] <= at - WINDOW_SECONDS:
            first += 1
        most = max(most, last - first + 1)
    return most


def lines_by_meaning(log: Path) -> Counter[str]:
    """How often each line stands in a log, whatever its time and its numbers."""
    if not log.exists():
        return Counter()
    lines = log.read_text(errors="replace").splitlines()
    return Counter(NUMBERS.sub("…", MOMENT.sub("", line)) for line in lines)
