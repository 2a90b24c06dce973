"""A caretaker is killed at its n-th statement, for every n until a run comes to its end."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from dca_bot.program.settings import DatabaseSettings
from tests.helpers import Simulator, apply_sql, eventually, start_script
from tests.proofs.one_by_one.one_cycle import ASSET, QUIET, SYMBOL
from tests.proofs.whole.auditor import always, complaints, read_books, rows
from tests.proofs.whole.busy import Bot
from tests.proofs.whole.database_proxy import DatabaseProxy, Hold, Nth
from tests.tally import struck

pytestmark = pytest.mark.proof

KILLS_MIN, KILLS_MAX = 5, 100
AT_ONCE = {"STALE_ORDER_SECONDS": "1", "ORPHAN_ORDER_SECONDS": "1", "STUCK_SELL_SECONDS": "1"}
A_MINUTE_PASSES = b"UPDATE dca_orders SET created_at = created_at - INTERVAL 1 MINUTE"
A_SALE = b"""
INSERT INTO dca_cycles (asset_id, status, completed_at)
SELECT id, 'complete', UTC_TIMESTAMP() - INTERVAL 2 HOUR FROM dca_assets;
INSERT INTO dca_cycles (asset_id, status) SELECT id, 'cooldown' FROM dca_assets;
"""


@pytest.fixture
def proxy(database: DatabaseSettings) -> Iterator[DatabaseProxy]:
    proxy = DatabaseProxy(database)
    yield proxy
    proxy.close()


@pytest.fixture
def env(bot_env: dict[str, str], proxy: DatabaseProxy) -> dict[str, str]:
    """Of the caretakers, which reach the database through the proxy."""
    return {**bot_env, **AT_ONCE, "DB_PORT": str(proxy.settings.port)}


@pytest.mark.parametrize("is_done", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("simulator", [QUIET], indirect=True)
def test_a_fill_is_booked_once_however_often_the_checker_is_killed(
    is_done: bool,
    simulator: Simulator,
    database: DatabaseSettings,
    proxy: DatabaseProxy,
    bot: Bot,
    env: dict[str, str],
) -> None:
    leave_an_open_order(simulator, database, bot)
    simulator.post("/sim/release")
    eventually(lambda: not simulator.get("/sim/state")["open_orders"])
    kill_at_each("consistency_checker", Hold(is_done), simulator, proxy, env)
    assert complaints(read_books(database, simulator)) == []
    assert rows(database, "SELECT status FROM dca_orders") == [{"status": "filled"}]


@pytest.mark.parametrize("simulator", [QUIET], indirect=True)
def test_a_stale_order_goes_however_often_the_order_manager_is_killed(
    simulator: Simulator,
    database: DatabaseSettings,
    proxy: DatabaseProxy,
    bot: Bot,
    env: dict[str, str],
) -> None:
    leave_an_open_order(simulator, database, bot)
    kill_at_each("order_manager", Hold(is_done=True), simulator, proxy, env)
    assert simulator.get("/sim/state")["open_orders"] == []
    assert complaints(read_books(database, simulator)) == []
    assert rows(database, "SELECT status FROM dca_orders") == [{"status": "canceled"}]


@pytest.mark.parametrize("simulator", [QUIET], indirect=True)
def test_a_cooldown_ends_however_often_its_manager_is_killed(
    simulator: Simulator, database: DatabaseSettings, proxy: DatabaseProxy, env: dict[str, str]
) -> None:
    apply_sql(database, ASSET.encode() + b";" + A_SALE)
    kill_at_each("cooldown_manager", Hold(is_done=False), simulator, proxy, env)
    found = rows(database, "SELECT status FROM dca_cycles ORDER BY id")
    assert [row["status"] for row in found] == ["complete", "watching"]


def leave_an_open_order(simulator: Simulator, database: DatabaseSettings, bot: Bot) -> None:
    """A bot that was killed while its base order was open, a minute ago."""
    apply_sql(database, ASSET.encode())
    simulator.post("/sim/hold")
    bot.start()

    def has_an_open_order() -> bool:
        simulator.post("/sim/quote", {"symbol": SYMBOL, "bid": "100", "ask": "100"})
        return bool(rows(database, "SELECT id FROM dca_orders WHERE status = 'open'"))

    eventually(has_an_open_order, timeout=40)
    bot.kill()
    apply_sql(database, A_MINUTE_PASSES)


def kill_at_each(
    name: str, hold: Hold, simulator: Simulator, proxy: DatabaseProxy, env: dict[str, str]
) -> None:
    for number in range(1, KILLS_MAX):
        proxy.is_holding.clear()
        proxy.plan = Nth(number, hold)
        with start_script(f"{name}.py", env=env, output=subprocess.DEVNULL) as run:
            eventually(lambda: proxy.is_holding.is_set() or run.poll() is not None, timeout=60)  # noqa: B023
            run.kill()
        proxy.plan = None
        if not proxy.is_holding.is_set():
            assert run.returncode == 0
            assert number > KILLS_MIN
            return
        assert always(read_books(proxy.settings, simulator)) == []
        struck(f"SIGKILL of {name}", n=number)
    raise AssertionError(f"{KILLS_MAX} statements in one run of {name}")
