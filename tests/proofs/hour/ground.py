"""What an hour of everything together stands on: an installation under the machine's own cron, a
database, an exchange and a mail server, all of them real processes of ours.

Rule: cron gets one file of its own in /etc/cron.d, and no user's crontab is touched.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from alpaca_simulator.exchange.assets import start_prices
from dca_bot.program.settings import PROJECT_ROOT, DatabaseSettings
from dca_sandbox.private_mariadb import PrivateMariaDb
from tests.caretakers.installation import install, processes_of
from tests.helpers import Simulator, SimulatorProcess, apply_sql, database_environment
from tests.watchdog.mail_server import MailServer

ASSETS = 30
IN_OTHER_DOLLARS = {"USDC": 4, "USDT": 3}  # the rest trades in USD
CASH = "200000"
# 20 quotes a second of each pair; rungs and targets that are met every few minutes.
MARKET = (
    *("--quote-interval", "0.05", "--volatility", "12", "--reversion-seconds", "300"),
    *("--cash", CASH),
)
ADD_ASSET = """
INSERT INTO dca_assets (
    asset_symbol, is_enabled, base_order_amount, safety_order_amount,
    max_safety_orders, safety_order_deviation, take_profit_percent,
    cooldown_period, buy_order_price_deviation_percent
) VALUES ('{symbol}', TRUE, 40.00, 25.00, 4, 0.6, 0.6, 120, 0.5);
"""


class Cron:
    """The documented lines, in a file of ours; and a daemon of ours whenever no other one runs."""

    def __init__(self, project: Path, *, every_minute: bool) -> None:
        lines = (PROJECT_ROOT / "docs" / "crontab.example").read_text()
        lines = lines.replace("/path_to_project", str(project))
        if every_minute:
            lines = lines.replace("*/5 ", "* ")
        # a file in /etc/cron.d names the user
        lines = re.sub(r'^((?:\S+ ){5})(?="/)', r"\1root ", lines, flags=re.MULTILINE)
        self._file = Path(f"/etc/cron.d/dca_hour_{os.getpid()}")
        self._file.write_text(lines)
        self._daemon: subprocess.Popen[bytes] | None = None

    def keep_going(self) -> None:
        """The one that ran may have ended: it was somebody else's."""
        if self._daemon is not None and self._daemon.poll() is None:
            return
        is_running = subprocess.run(["pgrep", "-x", "cron"], capture_output=True, check=False)
        if is_running.returncode != 0:
            self._daemon = subprocess.Popen(["cron", "-f"], stdin=subprocess.DEVNULL)

    def stop(self) -> None:
        self._file.unlink()
        if self._daemon is not None:
            self._daemon.terminate()
            self._daemon.wait(10)


@dataclass(frozen=True, slots=True)
class Ground:
    server: PrivateMariaDb
    database: DatabaseSettings
    exchange: Simulator
    mail: MailServer
    project: Path
    cron: Cron

    @property
    def logs(self) -> Path:
        return self.project / "logs"


@contextmanager
def a_ground(directory: Path, seed: int, *, every_minute: bool) -> Iterator[Ground]:
    """Everything in place, and cron at work; nothing runs any more at the end.

    `every_minute`: the watchdog and the checker as well, for a run that is shorter than five.
    """
    with ExitStack() as at_the_end:
        server = at_the_end.enter_context(PrivateMariaDb(directory / "mariadb"))
        database = server.create_database("dca_hour")
        exchange = SimulatorProcess(directory, *MARKET, "--seed", str(seed))
        at_the_end.callback(exchange.stop)
        for currency in IN_OTHER_DOLLARS:
            deposit = {"amount": CASH, "currency": currency, "price": "1"}
            exchange.post("/sim/cash", deposit)
        mail = MailServer(directory)
        at_the_end.callback(mail.stop)
        settings = database_environment(database) | exchange.env() | mail.env()
        project = install(directory, settings)
        (project / ".env").chmod(0o600)
        at_the_end.callback(_end_all, project)
        apply_sql(database, (PROJECT_ROOT / "sql" / "schema.sql").read_bytes())
        for symbol in symbols():
            apply_sql(database, ADD_ASSET.format(symbol=symbol).encode())
        cron = Cron(project, every_minute=every_minute)
        at_the_end.callback(cron.stop)
        cron.keep_going()
        # as a user does who won't wait for cron
        subprocess.run([project / "run_script_wrapper.sh", "watchdog.py"], check=True)
        yield Ground(server, database, exchange, mail, project, cron)


def symbols() -> list[str]:
    """Thirty coins, each in one of the three dollars."""
    known = sorted(start_prices())
    found = {}
    for dollar, count in IN_OTHER_DOLLARS.items():
        pairs = (pair for pair in known if pair.endswith(f"/{dollar}"))
        free = [pair for pair in pairs if _coin(pair) not in found]
        found |= {_coin(pair): pair for pair in free[:count]}
    for pair in known:
        if pair.endswith("/USD") and len(found) < ASSETS and _coin(pair) not in {*found, "USDC"}:
            found[_coin(pair)] = pair
    return sorted(found.values())


def _coin(pair: str) -> str:
    return pair.partition("/")[0]


def _end_all(project: Path) -> None:
    for pid in processes_of(project):
        os.kill(pid, signal.SIGKILL)
