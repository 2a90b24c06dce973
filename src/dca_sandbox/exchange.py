"""The simulated exchange in a process of its own, and its prices as any client can ask for them.

Rule: it is known by its command line and its HTTP answers, as Alpaca itself would be.
"""

from __future__ import annotations

import http.client
import json
import re
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from dca_bot.program.errors import DcaError
from dca_bot.program.setting_groups import AlpacaSettings
from dca_sandbox.children import Child

READY_LINE = re.compile(r"ready on (http://\S+) \(key (\S+) secret (\S+?)\)")
READY_SECONDS = 30
ANSWER_SECONDS = 2


@dataclass(frozen=True, slots=True)
class BidAsk:
    """The best bid and ask of one pair."""

    bid: Decimal
    ask: Decimal

    @property
    def middle(self) -> Decimal:
        return (self.bid + self.ask) / 2


class SimulatedExchange:
    """Starts it on a free port, with more options, and waits until it answers; raises DcaError."""

    def __init__(self, log_dir: Path, *options: str) -> None:
        command = [sys.executable, "-m", "alpaca_simulator", "--port", "0", *options]
        environment = {"PYTHONUNBUFFERED": "1"}
        self.child = Child("alpaca_simulator", command, environment=environment, log_dir=log_dir)
        try:
            self.url, self.key_id, self.secret_key = self._wait_until_ready().groups()
        except BaseException:
            self.child.stop()
            raise
        self._connection = http.client.HTTPConnection(
            urlsplit(self.url).netloc, timeout=ANSWER_SECONDS
        )

    def stop(self) -> None:
        """End the exchange; whatever was traded on it is gone."""
        self._connection.close()
        self.child.stop()

    @property
    def settings(self) -> AlpacaSettings:
        """Where it is, as a program that trades on it must be set."""
        return AlpacaSettings(
            key_id=self.key_id,
            secret_key=self.secret_key,
            base_url=self.url,
            data_url=self.url,
            stream_url=self.url.replace("http", "ws", 1),
        )

    def prices(self, symbols: Sequence[str]) -> dict[str, BidAsk]:
        """The best bid and ask in force; nothing where it does not answer in time."""
        try:
            quotes = self._get(f"/v1beta3/crypto/us/latest/quotes?{_query(symbols)}")["quotes"]
            return {
                symbol: BidAsk(Decimal(quote["bp"]), Decimal(quote["ap"]))
                for symbol, quote in quotes.items()
            }
        except (OSError, http.client.HTTPException, ValueError, KeyError):
            self._connection.close()
            return {}

    def _get(self, path: str) -> dict[str, dict[str, dict[str, Decimal]]]:
        headers = {"APCA-API-KEY-ID": self.key_id, "APCA-API-SECRET-KEY": self.secret_key}
        self._connection.request("GET", path, headers=headers)
        body = self._connection.getresponse().read()
        # a price is taken as it is written, without a float in between
        answer: dict[str, dict[str, dict[str, Decimal]]] = json.loads(body, parse_float=Decimal)
        return answer

    def _wait_until_ready(self) -> re.Match[str]:
        give_up_at = time.monotonic() + READY_SECONDS
        while self.child.exit_status() is None and time.monotonic() < give_up_at:
            for line in self.child.output.new_lines():
                if ready := READY_LINE.search(line):
                    return ready
            time.sleep(0.05)
        raise DcaError(
            f"the simulated exchange did not start: {self.child.last_line()}: "
            f"read {self.child.log_path}, then start this again"
        )


def _query(symbols: Sequence[str]) -> str:
    return urlencode({"symbols": ",".join(symbols)})
