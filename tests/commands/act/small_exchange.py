"""A person with a keyboard beside the bot: one asset, a market that stands where it is put."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from subprocess import DEVNULL
from typing import IO, Any

from dca_bot.program.settings import PROJECT_ROOT, DatabaseSettings
from tests.commands.called import called
from tests.helpers import Simulator, add_samples, apply_sql, eventually
from tests.proofs.whole.auditor import Row, rows
from tests.proofs.whole.busy import Bot
from tests.warm import WarmProcess

BTC = "BTC/USD"
DCA = (sys.executable, "-m", "dca_bot")


class Desk:
    """Runs `dca`, puts prices, and reads both sides."""

    def __init__(
        self, database: DatabaseSettings, market: Simulator, env: dict[str, str], bot: Bot
    ) -> None:
        self.database, self.market, self.env, self.bot = database, market, env, bot
        market.post("/sim/walk", {"on": False})

    def add(self, *symbols: str) -> None:
        for symbol in symbols:
            self.put(50_000, symbol)  # before the bot looks: it buys at the first ask that it sees
            add_samples(self.database, symbol)

    def sql(self, text: str) -> None:
        apply_sql(self.database, text.encode())

    def put(self, price: int | str, *symbols: str) -> None:
        """The market stands here now."""
        for symbol in symbols or (BTC,):
            self.market.post("/sim/quote", {"symbol": symbol, "bid": str(price), "ask": str(price)})

    def dca(self, *words: str, status: int = 0) -> dict[str, Any]:
        """What `dca ... --yes --json` says."""
        done = self.run(*words, "--yes", "--json")
        assert done.returncode == status, done.stderr + done.stdout
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def run(
        self, *words: str, typed: str | Callable[[], str] = ""
    ) -> subprocess.CompletedProcess[str]:
        return called(*words, env=self.env, typed=typed)

    def agree_after(
        self, meanwhile: Callable[[], object], *words: str
    ) -> subprocess.CompletedProcess[str]:
        """A command whose question is answered with yes, once `meanwhile` has happened."""

        def agree() -> str:
            meanwhile()
            return "y\n"

        return self.run(*words, typed=agree)

    def interrupt(self, *words: str) -> subprocess.CompletedProcess[str]:
        """A command whose question is answered with Ctrl-C."""

        def ctrl_c() -> str:
            raise KeyboardInterrupt

        return self.run(*words, typed=ctrl_c)

    def start(self, *words: str) -> WarmProcess:
        """A command that is still at it."""
        return WarmProcess("-m", "dca_bot", *words, env=self.env, output=Path(os.devnull))

    def start_unheard(self, *words: str, output: IO[str]) -> subprocess.Popen[bytes]:
        """A command whose output is a pipe that nobody reads."""
        return subprocess.Popen(
            [*DCA, *words], cwd="/", env=self._environment, stdin=DEVNULL, stdout=output
        )

    @property
    def _environment(self) -> dict[str, str]:
        return {**os.environ, **self.env, "PYTHONPATH": str(PROJECT_ROOT / "src")}

    def agree_and_leave(
        self, meanwhile: Callable[[], None], *words: str
    ) -> subprocess.Popen[bytes]:
        """A command whose terminal is gone once yes was typed and `meanwhile` has happened."""
        ours, its = os.openpty()
        command = subprocess.Popen(
            # the leader of a session owns the terminal that it opens first, as after a login
            ["sh", "-c", 'exec "$@" <"$0" >"$0" 2>&1', os.ttyname(its), *DCA, *words],
            cwd="/",
            env=self._environment,
            start_new_session=True,
        )
        with open(its, "rb"), open(ours, "r+b", buffering=0) as terminal:
            shown = b""
            while b"[y/N]" not in shown:
                shown += terminal.read(4096)
            terminal.write(b"y\n")
            meanwhile()
        return command

    def start_bot(self) -> None:
        self.bot.start()
        eventually(lambda: self.bot.is_trading, 30)

    def cycle(self, symbol: str = BTC) -> Row:
        """The active cycle."""
        [found] = self._active(symbol)
        return found

    def _active(self, symbol: str) -> list[Row]:
        sql = f"SELECT * FROM dca_cycles WHERE active_asset_id = {self.asset_id(symbol)}"  # noqa: S608
        return rows(self.database, sql)

    def asset_id(self, symbol: str) -> int:
        found = rows(self.database, "SELECT id, asset_symbol FROM dca_assets")
        return next(int(row["id"]) for row in found if row["asset_symbol"] == symbol)

    def finished(self) -> list[Row]:
        return rows(self.database, "SELECT * FROM dca_cycles WHERE status = 'complete' ORDER BY id")

    def orders(self) -> list[Row]:
        return rows(self.database, "SELECT * FROM dca_orders ORDER BY id")

    def kinds(self) -> list[str]:
        return [order["kind"] for order in self.orders()]

    def allowed(self) -> dict[str, str]:
        found = rows(self.database, "SELECT asset_symbol, allowed FROM dca_assets")
        return {row["asset_symbol"]: row["allowed"] for row in found}

    def events(self) -> list[str]:
        return [row["kind"] for row in rows(self.database, "SELECT kind FROM dca_events")]

    def hold(self, *, bought_at: int = 50_000, symbol: str = BTC) -> Row:
        """Let the running bot buy its base order; the cycle then."""
        self.put(bought_at, symbol)

        def holds() -> Row | None:
            self.put(bought_at, symbol)
            for found in self._active(symbol):  # none before the bot has looked at the row
                if found["quantity"] > 0 and found["status"] == "watching":
                    return found
            return None

        return eventually(holds, 30)

    def position(self, symbol: str = BTC) -> Decimal:
        """What Alpaca holds."""
        for each in self.market.get("/v2/positions"):
            if each["symbol"] == symbol.replace("/", ""):
                return Decimal(each["qty"])
        return Decimal(0)

    def open_orders(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.market.get("/v2/orders?status=open")
        return found
