"""What the scenarios stand on: the account and the database of `.env`, or --simulated's own.

Rule: nothing of the user's settings reaches what is simulated, but for LOG_DIR in the environment;
all that a run writes is in LOG_DIR/integration_test.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dca_bot.program.errors import AlreadyRunning, DcaError
from dca_bot.program.script import only_once
from dca_bot.program.setting_groups import AlpacaSettings, DatabaseSettings
from dca_bot.program.settings import read_common_settings, read_settings
from dca_integration.guard import refuse_real_money
from dca_integration.market import Market, PaperMarket, SimulatedMarket
from dca_integration.report import Report
from dca_sandbox.environment import environment
from dca_sandbox.exchange import SimulatedExchange
from dca_sandbox.private_mariadb import PrivateMariaDb

NAME = "integration_test"
NO_ENV_FILE = Path(os.devnull)
DATABASE_NAME = "dca_bot_db"
EXCHANGE_OPTIONS = (
    "--partial-fills=0",  # by command only
    "--stale-slot-seconds=0.1",  # a killed bot's place is free at once, instead of after 90 s
    "--rate-limit=2000",  # many programs run within few minutes
)
# So short that a scenario need not wait for them; long enough for a busy machine.
SETTINGS = {
    "STALE_ORDER_SECONDS": "1",
    "ORPHAN_ORDER_SECONDS": "1",
    "STUCK_SELL_SECONDS": "1",
    "HEARTBEAT_MAX_AGE_SECONDS": "8",
    "WATCHDOG_START_SECONDS": "60",
}


@dataclass(frozen=True, slots=True)
class Ground:
    alpaca: AlpacaSettings
    database: DatabaseSettings
    market: Market
    work_dir: Path

    @property
    def log_dir(self) -> Path:
        """LOG_DIR of the bot's scripts."""
        return self.work_dir / "logs"

    def environment(self, scratch: DatabaseSettings) -> dict[str, str]:
        """For the bot's scripts; what is not set by name (a proxy, say) is as it is here."""
        return {**os.environ, **environment(scratch, self.alpaca, self.log_dir), **SETTINGS}


@contextmanager
def paper_ground() -> Iterator[Ground]:
    """The account and the server of `.env`; raise DcaError unless it is a paper account."""
    settings = read_settings()
    refuse_real_money(settings.alpaca)
    with _work_dir(settings.log.dir) as work_dir:
        yield Ground(settings.alpaca, settings.database, PaperMarket(), work_dir)


@contextmanager
def simulated_ground(report: Report) -> Iterator[Ground]:
    """A private MariaDB and a simulated exchange; raise DcaError when one can't be started."""
    with _work_dir(read_common_settings(env_file=NO_ENV_FILE).log.dir) as work_dir:
        report.step("start a private MariaDB (as root it is installed first if need be)")
        with PrivateMariaDb(work_dir / "mariadb", durable=False) as server:
            database = server.create_database(DATABASE_NAME)
            report.step("start the simulated exchange")
            exchange = SimulatedExchange(work_dir, *EXCHANGE_OPTIONS)
            try:
                market = SimulatedMarket(exchange.url)
                yield Ground(exchange.settings, database, market, work_dir)
            finally:
                exchange.stop()


@contextmanager
def _work_dir(log_dir: Path) -> Iterator[Path]:
    """A directory for one run at a time, without the logs of the run before."""
    try:
        with only_once(NAME, log_dir):
            work_dir = log_dir / NAME
            shutil.rmtree(work_dir / "logs", ignore_errors=True)
            # it may still be there: a bot that a killed run has left behind writes into it
            (work_dir / "logs").mkdir(parents=True, exist_ok=True)
            yield work_dir
    except AlreadyRunning as error:
        raise DcaError(
            f"another integration_test.py runs with {log_dir}: wait for its end, or end it"
        ) from error
