"""SIGSTOP and SIGCONT: a bot that stood still must not go on as if no time had passed."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from dca_bot.live.app import HEARTBEAT_SECONDS
from dca_bot.program.clock import utc_now
from dca_bot.program.settings import DatabaseSettings
from dca_bot.watchdog import heartbeat
from tests.helpers import Simulator, apply_sql, eventually, run_script
from tests.proofs.one_by_one.one_cycle import ASSET, QUIET, SYMBOL
from tests.proofs.whole.auditor import always, read_books, rows
from tests.proofs.whole.busy import Bot, quoting, settle
from tests.proofs.whole.database_proxy import DatabaseProxy, Fault, like
from tests.tally import struck

pytestmark = pytest.mark.proof

# Longer than it takes until an order that was decided is too old to be sent.
FROZEN_SECONDS = 7.0
INTENT = like("INSERT INTO dca_orders ")


class FreezeAt:
    """Stops a process for as long as it likes at the moment in which it sends a statement."""

    def __init__(self, bot: Bot, condition: Callable[[str], bool]) -> None:
        self._bot, self._condition = bot, condition
        self.frozen_at: float | None = None

    def fault(self, statements: Sequence[str]) -> tuple[int, Fault] | None:
        if self.frozen_at is None and any(map(self._condition, statements)):
            assert self._bot.process is not None
            stop(self._bot.process.pid)
            self.frozen_at = time.monotonic()
        return None  # the statement is carried out, and its answer waits

    def is_over(self) -> bool:
        return self.frozen_at is not None and time.monotonic() - self.frozen_at > FROZEN_SECONDS


def stop(pid: int) -> None:
    """And wait until it stands still: on a busy machine its threads run on for a moment."""
    os.kill(pid, signal.SIGSTOP)
    threads = Path(f"/proc/{pid}/task")

    def all_stand_still() -> bool:
        with suppress(FileNotFoundError, ProcessLookupError):  # one has just come to its end
            states = [(each / "stat").read_text().rpartition(")")[2] for each in threads.iterdir()]
            return all(state.split()[0] == "T" for state in states)
        return False

    eventually(all_stand_still)


@pytest.fixture
def proxy(database: DatabaseSettings) -> Iterator[DatabaseProxy]:
    proxy = DatabaseProxy(database)
    yield proxy
    proxy.close()


@pytest.fixture
def freezing(bot_env: dict[str, str], proxy: DatabaseProxy, tmp_path: Path) -> Iterator[Bot]:
    """A bot that reaches its database through the proxy, and has its own files."""
    env = {**bot_env, "DB_PORT": str(proxy.settings.port), "LOG_DIR": str(tmp_path / "frozen")}
    (tmp_path / "frozen").mkdir()
    bot = Bot(env, tmp_path / "frozen")
    yield bot
    bot.kill()
    print(bot.output[-3000:])


@pytest.mark.parametrize("simulator", [QUIET], indirect=True)
def test_an_order_that_was_given_up_meanwhile_is_not_sent_after_the_thaw(
    simulator: Simulator,
    database: DatabaseSettings,
    proxy: DatabaseProxy,
    freezing: Bot,
    bot: Bot,
    bot_env: dict[str, str],
) -> None:
    """Frozen between the intent and the request; another bot takes the trading over."""
    apply_sql(database, ASSET.encode())
    freeze = proxy.plan = FreezeAt(freezing, INTENT)
    freezing.start()
    eventually(quoting(simulator, "100", lambda: freeze.frozen_at), timeout=40)
    eventually(lambda: rows(database, "SELECT 1 FROM dca_orders"))
    struck("SIGSTOP between intent and request")
    as_after_a_minute(database, simulator)
    assert run_script("consistency_checker.py", env=bot_env).returncode == 0
    assert statuses(database) == ["lost"]
    bot.start()
    eventually(quoting(simulator, "100", lambda: "filled" in statuses(database)), timeout=40)
    eventually(freeze.is_over, timeout=60)
    assert freezing.process is not None
    freezing.process.send_signal(signal.SIGCONT)
    assert freezing.process.wait(30) == 1
    assert "another main_app.py" in freezing.output
    assert always(read_books(database, simulator)) == []
    settle(database, simulator)
    assert statuses(database) == ["lost", "filled"]
    assert bot.end() == 0


@pytest.mark.parametrize("simulator", [QUIET], indirect=True)
def test_a_quote_that_came_while_it_stood_still_is_not_acted_on(
    simulator: Simulator, database: DatabaseSettings, bot: Bot, bot_env: dict[str, str]
) -> None:
    bot_env["QUOTE_MAX_AGE_SECONDS"] = "2"
    apply_sql(database, ASSET.encode())
    bot.start()
    eventually(quoting(simulator, "100", lambda: "filled" in statuses(database)), timeout=40)
    assert bot.process is not None
    stop(bot.process.pid)
    simulator.post("/sim/quote", {"symbol": SYMBOL, "bid": "98", "ask": "98"})
    frozen_at = time.monotonic()
    eventually(lambda: time.monotonic() - frozen_at > 3)
    thawed_at = utc_now()
    bot.process.send_signal(signal.SIGCONT)
    struck("SIGSTOP while quotes come")
    directory = Path(bot_env["LOG_DIR"])
    # the second beat since then: at the first, the quote might still be on its way to an order
    second_beat_at = thawed_at + timedelta(seconds=HEARTBEAT_SECONDS)
    eventually(lambda: (beat := heartbeat.read(directory)) and beat.at > second_beat_at, timeout=30)
    assert statuses(database) == ["filled"]
    eventually(quoting(simulator, "98", lambda: statuses(database) == ["filled"] * 2), timeout=30)
    settle(database, simulator)
    assert bot.end() == 0


def as_after_a_minute(database: DatabaseSettings, simulator: Simulator) -> None:
    """What a minute of silence brings: the server takes the lock back, Alpaca frees the slots."""
    apply_sql(
        database,
        b"UPDATE dca_orders SET created_at = created_at - INTERVAL 1 MINUTE;"
        b"SET @holder = IS_USED_LOCK(CONCAT('dca_bot trades ', DATABASE()));"
        b"EXECUTE IMMEDIATE CONCAT('KILL ', @holder);",
    )
    for name in ("drop_trade_stream", "drop_data_stream"):
        simulator.post("/sim/faults", {"name": name, "count": 1})


def statuses(database: DatabaseSettings) -> list[str]:
    return [row["status"] for row in rows(database, "SELECT status FROM dca_orders ORDER BY id")]
